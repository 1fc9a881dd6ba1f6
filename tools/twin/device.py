"""What every simulated Modbus device has: its address, its register image, its faults."""

from .pdu import ILLEGAL_ADDRESS, Refusal, handle


class Device:
    """One device on a bus or on TCP; sub-classes give image(fc) and store(address, words).

    A fault of the wire (silent, slow, crc) is carried out by the bus, which asks `fault`.
    """

    def __init__(self, config, clock):
        self.id = config["id"]
        self.unit = config["unit"]
        self.turnaround_ms = config["turnaround_ms"]
        self.fault = ""
        self.requests = 0
        self._clock = clock
        self._frozen = {}

    def set_fault(self, fault):
        """Set the fault, or clear it with "" or None."""
        self.fault = fault or ""
        self._frozen = {fc: self.image(fc) for fc in (3, 4)} if fault == "frozen" else {}

    @property
    def deaf(self):
        """True while the device neither hears nor answers."""
        return self.fault in ("silent", "unplugged")

    def answer(self, pdu):
        """Return the response PDU to the request `pdu`."""
        self.requests += 1
        return handle(self, pdu)

    def read(self, function, address, count):
        """Return `count` words from `address`; Refusal when one of them does not exist."""
        image = self._frozen.get(function) or self.image(function)
        try:
            return [image[i] for i in range(address, address + count)]
        except KeyError:
            raise Refusal(ILLEGAL_ADDRESS) from None

    def write(self, address, words):
        """Take `words` at `address`: all of them, or none and a Refusal."""
        self.store(address, words)

    def image(self, function):
        """Return {address: word} of all registers that `function` (3 or 4) reads."""
        raise NotImplementedError

    def store(self, address, words):
        """Check and take written words; without an override nothing can be written."""
        raise Refusal(ILLEGAL_ADDRESS)
