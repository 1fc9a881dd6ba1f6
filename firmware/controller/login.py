"""The password of user admin: made at the first start, kept as a slow hash, guesses slowed."""

import asyncio
import binascii
import hashlib
import os

from micropython import const

from controller.refusal import Refusal

_ROUNDS = const(3000)  # about 2 s on an ESP32, estimated from the VM; stored with the hash
_SLICE = const(24)  # rounds between two turns of the loop: about 15 ms on an ESP32
_FIRST_DELAY_MS = const(100)
_MAX_DELAY_MS = const(5000)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # 5 bits each; none looks like another


class LoginError(Refusal):
    """Not let in; retry_ms is 0 for a wrong or absent password, else how long to wait."""

    area = "http"

    def __init__(self, code, retry_ms=0):
        super().__init__(code)
        self.retry_ms = retry_ms


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


class Login:
    """Checks `Authorization` headers against the settings' "login" section.

    A header once found right stays known in RAM as a hash under a salt of this start: the owner is
    served at once, whatever an attacker does. The same goes for the last wrong one: it is refused
    without work and does not slow others down. Any other one costs a slow check, one at a time.
    """

    def __init__(self, settings, now_ms, tell=print):
        self._settings = settings
        self._now_ms = now_ms
        self._tell = tell
        self._boot_salt = os.urandom(16)
        self._forget()

    def _forget(self):
        self._right = self._wrong = self._checking = None
        self._failures = 0
        self._next_ms = 0  # no slow check before

    async def start(self):
        """Make and print a password where there is none yet. Raises StoreError."""
        if not self._settings.doc["login"]["hash"]:
            await self.reset()

    async def reset(self):
        """Make a new random password and print it once on the console. Raises StoreError."""
        letters = [_LETTERS[x & 31] for x in os.urandom(12)]
        password = "-".join(["".join(letters[i : i + 4]) for i in (0, 4, 8)])
        await self._keep(password)
        self._tell("password for user admin: " + password)

    async def change_password(self, old, new):
        """Raises PasswordError, LoginError (guesses too fast) and StoreError."""
        if not (isinstance(new, str) and 8 <= len(new) <= 64):
            raise PasswordError("password_length")
        if not isinstance(old, str):
            raise PasswordError("password_old")
        try:
            await self._slow_check(self._mark(old.encode()), old.encode())
        except LoginError as error:
            if error.retry_ms:
                raise
            raise PasswordError("password_old")
        await self._keep(new)

    async def check(self, header):
        """Return if the value of an `Authorization` header is right. Raises LoginError."""
        if not header:
            raise LoginError("login_absent")
        mark = self._mark(header.encode())
        while self._checking == mark:  # the same browser, asking for several things at once
            await asyncio.sleep_ms(20)
        if self._right and same(mark, self._right):
            return
        if self._wrong != mark:
            try:
                kind, data = header.split(None, 1)
                user, password = binascii.a2b_base64(data).split(b":", 1)
            except ValueError:
                kind = user = password = b""
            if user == b"admin" and kind.lower() == "basic":
                return await self._slow_check(mark, password)
        raise LoginError("login")

    def _mark(self, secret):
        return hashlib.sha256(self._boot_salt + secret).digest()

    async def _slow_check(self, mark, password):
        if self._checking:
            raise LoginError("login_busy", 1000)
        wait_ms = self._next_ms - self._now_ms()
        if wait_ms > 0:
            raise LoginError("login_wait", wait_ms)
        self._checking = mark
        try:
            kept = self._settings.doc["login"]
            found = await slow_hash(password, binascii.unhexlify(kept["salt"]), kept["rounds"])
            if kept["hash"] and same(found, binascii.unhexlify(kept["hash"])):
                self._right = mark
                self._failures = 0
                return
            self._wrong = mark
            delay_ms = min(_FIRST_DELAY_MS << min(self._failures, 8), _MAX_DELAY_MS)
            self._next_ms = self._now_ms() + delay_ms
            self._failures += 1
        finally:
            self._checking = None
        raise LoginError("login")

    async def _keep(self, password):
        salt = os.urandom(16)
        found = await slow_hash(password.encode(), salt, _ROUNDS)
        self._settings.apply({"login": {
            "salt": binascii.hexlify(salt).decode(),
            "hash": binascii.hexlify(found).decode(),
            "rounds": _ROUNDS,
        }})  # fmt: skip
        self._forget()
