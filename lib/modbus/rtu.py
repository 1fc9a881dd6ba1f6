"""Modbus RTU frames: unit address, PDU, CRC; their lengths and the silence between them.

Source: MODBUS over Serial Line Specification and Implementation Guide V1.02,
sections 2.5.1 and 6.2.2.
"""

from array import array

from .pdu import FrameError


def _table():
    table = array("H", bytes(512))
    for i in range(256):
        crc = i
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table[i] = crc
    return table


# 512 bytes of RAM: twice as fast as 16 entries, ten times as fast as none (decisions/own-modbus).
_crcs = _table()
del _table


def crc16(buf, start, end):
    """CRC-16/MODBUS of buf[start:end]; on the wire its low byte goes first."""
    table = _crcs
    crc = 0xFFFF
    for i in range(start, end):
        crc = crc >> 8 ^ table[(crc ^ buf[i]) & 0xFF]
    return crc


def add_crc(buf, start, end):
    """Writes the CRC of buf[start:end] behind it; returns the new end."""
    crc = crc16(buf, start, end)
    buf[end] = crc & 0xFF
    buf[end + 1] = crc >> 8
    return end + 2


def check_crc(buf, start, end):
    """Raises FrameError unless buf[start:end] has at least 4 bytes and ends with its CRC."""
    # The CRC over data and its own CRC is 0.
    if end - start < 4 or crc16(buf, start, end):
        raise FrameError("crc", "the checksum is wrong")


def response_length(buf, have):
    """Length of the answer that begins with the `have` bytes in `buf`; 0: not known yet.

    Raises FrameError if no answer begins like that: drop everything and wait for silence.
    """
    if have < 2:
        return 0
    fc = buf[1]
    if fc & 0x80:
        return 5
    if 1 <= fc <= 4:
        if have < 3:
            return 0
        if 1 <= buf[2] <= 250:
            return 5 + buf[2]
    elif fc in b"\x05\x06\x0f\x10":
        return 8
    raise FrameError("function", "the answer has another function code")


def silent_ms(baudrate, char_bits=11):
    """Silence that ends a frame, in ms, rounded up: 3.5 characters, above 19200 baud 1.75 ms."""
    return 2 if baudrate > 19200 else -(-3500 * char_bits // baudrate)
