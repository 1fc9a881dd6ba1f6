"""The password of user admin, as each request brings it; controller/password.py does the rest."""

import asyncio
import hashlib
import os

from controller.refusal import Refusal
from controller.unload import unload


class LoginError(Refusal):
    """Not let in; retry_ms is 0 for a wrong or absent password, else how long to wait."""

    area = "http"

    def __init__(self, code, retry_ms=0):
        super().__init__(code)
        self.status = 429 if retry_ms else 401
        self.retry_ms = retry_ms


class Login:
    """Checks `Authorization` headers against the settings' "login" section.

    A header once found right stays known in RAM as a hash under a salt of this start: the owner is
    served at once, whatever an attacker does. The same goes for the last wrong one: it is refused
    without work and does not slow others down. Any other one costs a slow check, one at a time.

    right, wrong and checking are such hashes or None; failures counts the wrong ones since, and
    before next_ms there is no slow check.
    """

    def __init__(self, settings, now_ms, tell=print):
        self.settings = settings
        self.now_ms = now_ms
        self.tell = tell
        self._boot_salt = os.urandom(16)
        self.forget()

    def forget(self):
        """Let nobody in without a slow check, as after a change of the password."""
        self.right = self.wrong = self.checking = None
        self.failures = self.next_ms = 0

    async def reset(self):
        """Make a new random password and print it once on the console. Raises StoreError."""
        from controller import password

        await password.reset(self)

    async def check(self, header):
        """Return if the value of an `Authorization` header is right. Raises LoginError."""
        if not header:
            raise LoginError("login_absent")
        mark = self.mark(header.encode())
        while self.checking == mark:  # the same browser, asking for several things at once
            await asyncio.sleep_ms(20)
        # Nobody knows the salt: how long == takes tells nothing.
        if self.right == mark:
            return
        if self.wrong == mark:
            raise LoginError("login")
        from controller import password

        await password.check(self, mark, header)
        unload(("controller.password",))  # the next request has the same header

    def mark(self, secret):
        return hashlib.sha256(self._boot_salt + secret).digest()
