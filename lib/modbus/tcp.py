"""Modbus TCP frames: MBAP header of 7 bytes, then the PDU.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3.
"""

from struct import pack_into

from .pdu import FrameError


def pack_header(buf, off, transaction, unit, n):
    """Writes the header for the PDU of `n` bytes at buf[off+7]; returns the end of the frame."""
    pack_into(b">HHHB", buf, off, transaction & 0xFFFF, 0, n + 1, unit)
    return off + 7 + n


def unpack_header(buf, off):
    """(transaction, unit, bytes of the PDU that follows); FrameError: the stream is lost.

    Another transaction or unit than asked is a late answer: read to its end and drop it.
    """
    n = (buf[off + 4] << 8 | buf[off + 5]) - 1
    if buf[off + 2] or buf[off + 3] or not 1 <= n <= 253:
        raise FrameError("mbap", "the TCP header is not Modbus")
    return buf[off] << 8 | buf[off + 1], buf[off + 6], n
