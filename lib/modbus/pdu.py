"""Modbus PDUs of a client: requests into the caller's buffer, answers checked against them.

Source of layouts and limits: MODBUS Application Protocol Specification V1.1b3, sections 6 and 7.
Function codes 1, 2, 3, 4, 5, 6, 15 and 16. No PDU is longer than 253 bytes.
"""

from struct import pack_into


class ModbusError(Exception):
    """An answer is malformed or does not belong to the request; `code` is the reason, a word."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class FrameError(ModbusError):
    """A frame is garbled: wrong CRC, header or length. What follows on the line is unknown."""


class ModbusException(ModbusError):
    """A server refuses a request; `code` is the exception code of section 7, 1 to 11."""

    def __init__(self, code):
        from .refusals import NAMES

        name = NAMES[code - 1] if 0 < code < 12 else ""
        super().__init__(code, "Modbus exception %d: %s" % (code, name or "not in the standard"))


def _check_range(address, count, most):
    """Raises ValueError for a quantity outside 1..most or registers beyond address 65535."""
    if not (1 <= count <= most and 0 <= address <= 65536 - count):
        raise ValueError("address %d, count %d: at most %d, up to 65535" % (address, count, most))


def read_request(buf, off, fc, address, count):
    """Writes a read request (fc 1 to 4) at `off` and returns its length (5)."""
    if not 1 <= fc <= 4:
        raise ValueError("function code %d does not read" % fc)
    _check_range(address, count, 125 if fc > 2 else 2000)
    pack_into(b">BHH", buf, off, fc, address, count)
    return 5


def write_request(buf, off, fc, address, data, count=0):
    """Writes a write request at `off` and returns its length.

    `data` is what goes on the wire: for fc 6 and 16 the registers, for fc 5 FF00 or 0000, for
    fc 15 the coils, lowest first in the lowest bit (`count` of them, else eight in each byte).
    """
    n = len(data)
    if fc == 5 or fc == 6:
        _check_range(address, n, 2)
        pack_into(b">BHBB", buf, off, fc, address, data[0], data[1])
        return 5
    if fc == 16:
        count = n >> 1
        _check_range(address, count, 123)
        right = count << 1
    elif fc == 15:
        count = count or n << 3
        _check_range(address, count, 1968)
        right = (count + 7) >> 3
    else:
        raise ValueError("function code %d does not write" % fc)
    if n != right or off + 6 + n > len(buf):
        raise ValueError("%d data bytes do not fit" % n)
    pack_into(b">BHHB", buf, off, fc, address, count, n)
    buf[off + 6 : off + 6 + n] = data
    return 6 + n


def check_response(buf, off, n, request, at=0):
    """Checks the `n` bytes of answer at `off` against the request PDU at request[at].

    Returns (start, end) of the data in `buf`: registers or coils that were read, or the echoed
    value or quantity of a write. Raises ModbusException for a refusal, else ModbusError.
    """
    fc = request[at]
    if n < 2:
        raise ModbusError("short", "the answer is too short")
    if buf[off] == fc | 0x80 and n == 2:
        raise ModbusException(buf[off + 1])
    if buf[off] != fc:
        raise ModbusError("function", "the answer has another function code")
    if fc > 4:
        if n != 5:
            raise ModbusError("length", "the answer has a wrong length")
        for i in range(1, 5):
            if buf[off + i] != request[at + i]:
                raise ModbusError("echo", "the answer repeats another address or value")
        return off + 3, off + 5
    size = request[at + 3] << 8 | request[at + 4]
    size = size << 1 if fc > 2 else (size + 7) >> 3
    if buf[off + 1] != size or n != size + 2:
        raise ModbusError("length", "the answer has a wrong length")
    return off + 2, off + n
