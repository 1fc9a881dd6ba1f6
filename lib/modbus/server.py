"""Modbus PDUs of a server: one request in, one answer out, all bounds checked; frames it reads.

Source: MODBUS Application Protocol Specification V1.1b3, section 6 (state diagrams) and 7.
A firmware that is only a client does not import this module.

`registers` serves the data and has any of these methods (a missing one: exception 1). Each raises
ModbusException(2) for an address, (3) for a value, (4) for a failure; what it raises is answered.
    read_coils(fc, address, count, out, off)      sets bits in the zeroed bytes from out[off] on
    read_registers(fc, address, count, out, off)  writes 2 * count bytes at out[off], big-endian
    write_coils(fc, address, count, buf, off)     count coils, lowest first in the lowest bit
    write_registers(fc, address, count, buf, off) 2 * count bytes at buf[off]
`fc` tells coils (1) from discrete inputs (2) and holding (3) from input registers (4).
"""

from .pdu import ModbusException

# Coil values of function code 5 as the bits of one byte, the layout of write_coils.
_OFF = b"\x00"
_ON = b"\x01"


def _method(registers, name):
    method = getattr(registers, name, None)
    if method is None:
        raise ModbusException(1)
    return method


def _require(count, most, address, right_length):
    """The order of the checks is that of the specification's state diagrams: 3 before 2."""
    if not (right_length and 1 <= count <= most):
        raise ModbusException(3)
    if address + count > 65536:
        raise ModbusException(2)


def _read(fc, address, count, n, registers, out, to):
    if fc < 3:
        method = _method(registers, "read_coils")
        _require(count, 2000, address, n == 5)
        size = (count + 7) >> 3
    else:
        method = _method(registers, "read_registers")
        _require(count, 125, address, n == 5)
        size = count << 1
    out[to + 1] = size
    for i in range(to + 2, to + 2 + size):
        out[i] = 0
    method(fc, address, count, out, to + 2)
    return 2 + size


def _write_one(fc, address, n, registers, buf, off):
    if fc == 6:
        method = _method(registers, "write_registers")
        _require(1, 1, address, n == 5)
        method(fc, address, 1, buf, off + 3)
        return
    method = _method(registers, "write_coils")
    on = buf[off + 3] if n == 5 else 1
    _require(1, 1, address, on in _OFF + b"\xff" and not buf[off + 4])
    method(fc, address, 1, _ON if on else _OFF, 0)


def _write_many(fc, address, count, n, registers, buf, off):
    coils = fc == 15
    method = _method(registers, "write_coils" if coils else "write_registers")
    size = (count + 7) >> 3 if coils else count << 1
    right_length = n == 6 + size and buf[off + 5] == size
    _require(count, 1968 if coils else 123, address, right_length)
    method(fc, address, count, buf, off + 6)


def _serve(fc, buf, off, n, registers, out, to):
    if fc not in b"\x01\x02\x03\x04\x05\x06\x0f\x10":
        raise ModbusException(1)
    if n < 5:
        raise ModbusException(3)
    address = buf[off + 1] << 8 | buf[off + 2]
    count = buf[off + 3] << 8 | buf[off + 4]
    if fc < 5:
        return _read(fc, address, count, n, registers, out, to)
    if fc < 7:
        _write_one(fc, address, n, registers, buf, off)
    else:
        _write_many(fc, address, count, n, registers, buf, off)
    for i in range(1, 5):
        out[to + i] = buf[off + i]
    return 5


def handle(buf, n, registers, out, off=0, to=0):
    """Serves the request PDU buf[off:off+n]; returns the length of the answer at out[to].

    0: nothing to answer (an empty request). `out` needs 253 bytes from `to` on, and may not be
    `buf`. A request that is refused changes nothing, unless `registers` does.
    """
    if n < 1:
        return 0
    fc = buf[off]
    out[to] = fc
    try:
        return _serve(fc, buf, off, n, registers, out, to)
    except ModbusException as refusal:
        out[to] = fc | 0x80
        out[to + 1] = refusal.code
        return 2


def request_length(buf, have):
    """Length of the request in `have` bytes of `buf`; 0: not yet known, -1: silence tells."""
    if have < 2:
        return 0
    fc = buf[1]
    if 1 <= fc <= 6:
        return 8
    if fc == 15 or fc == 16:
        return 9 + buf[6] if have > 6 else 0
    return -1
