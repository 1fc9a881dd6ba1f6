"""The server side of Modbus, written apart from lib/modbus so that it is an independent peer.

Sources: MODBUS Application Protocol Specification V1.1b3, sections 6.3, 6.4, 6.6, 6.12 and 7;
MODBUS over Serial Line V1.02, section 6.2.2 (CRC).
"""

import struct

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE = 1, 2, 3, 4


class Refusal(Exception):
    """What a device answers as a Modbus exception; args[0] is the exception code."""


def crc16(data):
    """Return the CRC of an RTU frame as the two bytes that follow `data`, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


def handle(device, pdu):
    """Return the response PDU of `device` to the request `pdu` (both bytes).

    `device` has read(fc, address, count) -> words and write(address, words), which raise Refusal.
    """
    function = pdu[0]
    try:
        if function in (3, 4):
            return _read(device, function, pdu)
        if function == 6:
            if len(pdu) != 5:
                raise Refusal(ILLEGAL_VALUE)
            address, value = struct.unpack(">HH", pdu[1:])
            device.write(address, [value])
            return pdu
        if function == 16:
            return _write_many(device, pdu)
        raise Refusal(ILLEGAL_FUNCTION)
    except Refusal as refusal:
        return bytes([function & 0x7F | 0x80, refusal.args[0]])


def _read(device, function, pdu):
    if len(pdu) != 5:
        raise Refusal(ILLEGAL_VALUE)
    address, count = struct.unpack(">HH", pdu[1:])
    if not 1 <= count <= 125:
        raise Refusal(ILLEGAL_VALUE)
    if address + count > 0x10000:
        raise Refusal(ILLEGAL_ADDRESS)
    words = device.read(function, address, count)
    return struct.pack(f">BB{count}H", function, 2 * count, *words)


def _write_many(device, pdu):
    if len(pdu) < 6:
        raise Refusal(ILLEGAL_VALUE)
    address, count, size = struct.unpack(">HHB", pdu[1:6])
    if not 1 <= count <= 123 or size != 2 * count or len(pdu) != 6 + size:
        raise Refusal(ILLEGAL_VALUE)
    device.write(address, list(struct.unpack(f">{count}H", pdu[6:])))
    return pdu[:5]


def f32(value):
    """Return `value` as two words, IEEE 754 single, high word first."""
    return struct.unpack(">HH", struct.pack(">f", value))


def u32(value):
    """Return `value` as two words, unsigned, high word first."""
    return divmod(value & 0xFFFFFFFF, 0x10000)
