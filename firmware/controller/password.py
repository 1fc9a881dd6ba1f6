"""The password of user admin: made at the first start, kept as a slow hash, guesses slowed.

Loaded for a header that is not known yet and for a new password; controller/login.py stays.
"""

import asyncio
import binascii
import hashlib
import os

from micropython import const

from controller.login import LoginError
from controller.refusal import Refusal

_ROUNDS = const(3000)  # about 2 s on an ESP32, estimated from the VM; stored with the hash
_SLICE = const(24)  # rounds between two turns of the loop: about 15 ms on an ESP32
_FIRST_DELAY_MS = const(100)
_MAX_DELAY_MS = const(5000)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # 5 bits each; none looks like another


class PasswordError(Refusal):
    """A new password that cannot be taken, or a wrong old one."""

    area = "http"


def same(a, b):
    """Compare two byte strings in a time that tells nothing about where they differ."""
    difference = len(a) ^ len(b)
    for x, y in zip(a, b):
        difference |= x ^ y
    return difference == 0


async def slow_hash(password, salt, rounds):
    """PBKDF2-HMAC-SHA256 of bytes, one block (RFC 8018, 5.2); gives the loop its turns."""
    if len(password) > 64:
        password = hashlib.sha256(password).digest()
    password += bytes(64 - len(password))
    inner = bytes(x ^ 0x36 for x in password)
    outer = bytes(x ^ 0x5C for x in password)
    block = salt + b"\x00\x00\x00\x01"
    result = 0
    for i in range(rounds):
        if i % _SLICE == 0:
            await asyncio.sleep_ms(0)
        block = hashlib.sha256(outer + hashlib.sha256(inner + block).digest()).digest()
        result ^= int.from_bytes(block, "big")
    return result.to_bytes(32, "big")


async def start(login):
    """Make and print a password where there is none yet. Raises StoreError."""
    if not login.settings.doc["login"]["hash"]:
        await reset(login)


async def reset(login):
    """Make a new random password and print it once on the console. Raises StoreError."""
    letters = [_LETTERS[x & 31] for x in os.urandom(12)]
    password = "-".join(["".join(letters[i : i + 4]) for i in (0, 4, 8)])
    await _keep(login, password)
    login.tell("password for user admin: " + password)


async def change(login, old, new):
    """Raises PasswordError, LoginError (guesses too fast) and StoreError."""
    if not (isinstance(new, str) and 8 <= len(new) <= 64):
        raise PasswordError("password_length")
    if not isinstance(old, str):
        raise PasswordError("password_old")
    try:
        await _slow_check(login, login.mark(old.encode()), old.encode())
    except LoginError as error:
        if error.retry_ms:
            raise
        raise PasswordError("password_old")
    await _keep(login, new)


async def check(login, mark, header):
    """Return if an `Authorization` header is right; mark: its hash. Raises LoginError."""
    try:
        kind, data = header.split(None, 1)
        user, password = binascii.a2b_base64(data).split(b":", 1)
    except ValueError:
        kind = user = password = b""
    if user != b"admin" or kind.lower() != "basic":
        raise LoginError("login")
    await _slow_check(login, mark, password)


async def _slow_check(login, mark, password):
    if login.checking:
        raise LoginError("login_busy", 1000)
    wait_ms = login.next_ms - login.now_ms()
    if wait_ms > 0:
        raise LoginError("login_wait", wait_ms)
    login.checking = mark
    try:
        kept = login.settings.doc["login"]
        found = await slow_hash(password, binascii.unhexlify(kept["salt"]), kept["rounds"])
        if kept["hash"] and same(found, binascii.unhexlify(kept["hash"])):
            login.right = mark
            login.failures = 0
            return
        login.wrong = mark
        delay_ms = min(_FIRST_DELAY_MS << min(login.failures, 8), _MAX_DELAY_MS)
        login.next_ms = login.now_ms() + delay_ms
        login.failures += 1
    finally:
        login.checking = None
    raise LoginError("login")


async def _keep(login, password):
    salt = os.urandom(16)
    found = await slow_hash(password.encode(), salt, _ROUNDS)
    login.settings.apply(
        {
            "login": {
                "salt": binascii.hexlify(salt).decode(),
                "hash": binascii.hexlify(found).decode(),
                "rounds": _ROUNDS,
            }
        }
    )
    login.forget()
