"""Points of the curve P-256: does a private key belong to a certificate?

Jacobian coordinates, curve with a = -3 (SEC 1, 3.2.1; FIPS 186-4, D.1.2.3). Not constant in time:
it runs once, when the owner uploads a key. Loaded for that only.
"""

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
_GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5


def _double(x, y, z):
    square = z * z % _P
    m = 3 * (x - square) * (x + square) % _P
    yy = y * y % _P
    s = 4 * x * yy % _P
    new_x = (m * m - 2 * s) % _P
    return new_x, (m * (s - new_x) - 8 * yy * yy) % _P, 2 * y * z % _P


def _add_base(x, y, z):
    """A point plus the base point; they are never the same below the order, see public_point."""
    if not z:
        return _GX, _GY, 1
    square = z * z % _P
    h = (_GX * square - x) % _P
    r = (_GY * square * z - y) % _P
    hh = h * h % _P
    hhh = h * hh % _P
    v = x * hh % _P
    new_x = (r * r - hhh - 2 * v) % _P
    return new_x, (r * (v - new_x) - y * hhh) % _P, z * h % _P


def public_point(secret):
    """Generator: yields None after each bit, at last [the uncompressed public point as bytes].

    Raises ValueError for a number that is no private key.
    """
    if not 0 < secret < _ORDER:
        raise ValueError
    x, y, z = 0, 1, 0
    for byte in secret.to_bytes(32, "big"):
        for bit in (128, 64, 32, 16, 8, 4, 2, 1):
            if z:
                x, y, z = _double(x, y, z)
            if byte & bit:
                x, y, z = _add_base(x, y, z)
            yield None
    inverse = pow(z, _P - 2, _P)
    square = inverse * inverse % _P
    x, y = x * square % _P, y * square * inverse % _P
    yield [b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")]
