"""Which models a SunSpec device has, and where. Needed only until that is known.

A device has the marker "SunS" at one of three addresses, then models one after the other, each
with two registers before it, its number and its length, and at the end the number FFFF (SunSpec
Device Information Model Specification 1.1, section 6.2).
"""

from micropython import const

from .readout import ScanError

BASES = (40000, 50000, 0)
_MOST_MODELS = const(64)
_MOST_MODULES = const(12)
_END = const(0xFFFF)
_MPPT = const(160)
_MODULE = const(10)  # from where the modules of model 160 begin, each of 20 registers
_MODULE_SIZE = const(20)
# What was asked for.
_MARKER = const(0)
_HEADER = const(1)
_TEXT = const(2)


class Scan:
    """One scan: ask for request() until it is None, and give it each answer, or refused().

    first: number in BASES of where to begin. models: [(number, address of its header, length)] in
    the order of the device; base: number in BASES of where the marker was; maker: the text Mn of
    the first model; modules: [text IDStr] of model 160.
    """

    def __init__(self, first=0):
        self.models = []
        self.modules = []
        self.maker = ""
        self.base = first
        self._tried = 0
        self._step = _MARKER
        self._asked = (BASES[first], 2)
        self._header_at = 0  # of the model to be read next
        self._texts_at = []  # addresses of texts still to be read

    def request(self):
        """(address, count) of the holding registers to read next; None: all is known."""
        return self._asked

    def answer(self, buf, off):
        """Takes the data at buf[off]. ScanError where the chain is wrong."""
        if self._step == _TEXT:
            self._store("".join([chr(c) for c in buf[off : off + 16] if 32 < c < 127]))
        elif self._step == _HEADER:
            self._header(buf, off)
        elif bytes(buf[off : off + 4]) != b"SunS":
            self._next_base()
        else:
            self._header_at = BASES[self.base] + 2
            self._step = _HEADER
            self._asked = (self._header_at, 2)

    def refused(self):
        """The device does not have what was asked for."""
        if self._step == _MARKER:
            self._next_base()
        elif self._step == _HEADER and self.models:
            self._chain_ends()  # nothing beyond the last model, not even the end
        elif self._step == _TEXT:
            self._store("")
        else:
            raise ScanError("SunSpec: the device refuses register %d" % self._asked[0])

    def _next_base(self):
        self._tried += 1
        if self._tried == len(BASES):
            text = 'no SunSpec device: no "SunS" at 40000, 50000 and 0'
            raise ScanError(text)
        self.base = (self.base + 1) % len(BASES)
        self._asked = (BASES[self.base], 2)

    def _header(self, buf, off):
        number = buf[off] << 8 | buf[off + 1]
        length = buf[off + 2] << 8 | buf[off + 3]
        if number == _END:
            self._chain_ends()
            return
        at = self._header_at
        after = at + 2 + length
        if not number or after > 65534 or len(self.models) == _MOST_MODELS:
            text = "SunSpec: the chain of models is wrong at register %d (model %d, length %d)"
            raise ScanError(text % (at, number, length))
        self.models.append((number, at, length))
        self._header_at = after
        self._asked = (after, 2)

    def _chain_ends(self):
        if not self.models:
            raise ScanError("SunSpec: the device has no models")
        number, at, length = self.models[0]
        if number == 1 and length >= 16:
            self._texts_at.append(at + 2)
        for number, at, length in self.models:
            if number == _MPPT:
                count = min(_MOST_MODULES, (length + 2 - _MODULE) // _MODULE_SIZE)
                first = at + _MODULE + 1
                self._texts_at += [first + _MODULE_SIZE * n for n in range(count)]
                break
        self._step = _TEXT
        self._ask_text()

    def _ask_text(self):
        self._asked = (self._texts_at[0], 8) if self._texts_at else None

    def _store(self, text):
        """Takes the maker's name or that of a module, without blanks."""
        if self._texts_at.pop(0) == self.models[0][1] + 2:
            self.maker = text
        else:
            self.modules.append(text)
        self._ask_text()
