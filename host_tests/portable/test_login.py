"""One password, made at the first start; guesses are slowed down, the owner never locked out."""

import asyncio
import binascii

from controller.login import Login
from controller.refusal import Refusal


def seldom():
    """The module for what is seldom done; it may have been unloaded since the last call."""
    from controller import password

    return password


class FakeSettings:
    def __init__(self):
        self.doc = {"login": {"salt": "", "hash": "", "rounds": 0}}

    def apply(self, patch):
        self.doc["login"].update(patch["login"])
        return {"login"}


class Desk:
    """A login with a clock by hand and its console."""

    def __init__(self, settings=None):
        self.now = 0
        self.said = []
        self.settings = settings or FakeSettings()
        self.login = Login(self.settings, lambda: self.now, self.said.append)
        asyncio.run(seldom().start(self.login))

    @property
    def password(self):
        return self.said[-1].split(": ")[1]

    def try_header(self, header):
        """None if let in, else (code, retry_ms)."""
        try:
            asyncio.run(self.login.check(header))
        except Refusal as error:
            return error.code, error.retry_ms
        return None

    def try_password(self, password, user="admin"):
        return self.try_header(basic(password, user))


def basic(password, user="admin"):
    return "Basic " + binascii.b2a_base64((user + ":" + password).encode()).decode().strip()


def test_pbkdf2_as_published():
    """RFC 7914, 11, and the usual vector with a long password and salt."""
    for secret, salt, rounds, expected in (
        (
            b"passwd",
            b"salt",
            1,
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
        ),
        (
            b"password",
            b"salt",
            2,
            "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43",
        ),
        (
            b"passwordPASSWORDpassword" * 3,
            b"saltSALTsaltSALTsaltSALTsaltSALTsalt",
            64,
            None,
        ),
    ):
        got = binascii.hexlify(asyncio.run(seldom().slow_hash(secret, salt, rounds))).decode()
        if expected is None:
            try:
                from hashlib import pbkdf2_hmac
            except ImportError:
                continue
            expected = pbkdf2_hmac("sha256", secret, salt, rounds).hex()
        assert got == expected


def test_same():
    same = seldom().same
    assert same(b"abc", b"abc")
    for other in (b"abd", b"ab", b"abcd", b"", b"xbc"):
        assert not same(b"abc", other)


def test_first_start_makes_a_password_once():
    desk = Desk()
    assert len(desk.said) == 1 and desk.said[0].startswith("password for user admin: ")
    parts = desk.password.split("-")
    assert [len(part) for part in parts] == [4, 4, 4] and desk.password == desk.password.upper()
    kept = desk.settings.doc["login"]
    assert len(kept["salt"]) == 32 and len(kept["hash"]) == 64 and kept["rounds"] >= 1000
    again = Desk(desk.settings)
    assert again.said == [] and again.try_password(desk.password) is None
    assert Desk().password != desk.password


def test_what_is_not_let_in():
    desk = Desk()
    for header in (
        None,
        "",
        "Basic",
        "Basic !!!!",
        "Basic ÄÖ",
        "Bearer abc",
        "Basic " + binascii.b2a_base64(b"admin").decode().strip(),
        basic(desk.password, "root"),
        basic("").replace("Basic", "Digest"),
    ):
        assert desk.try_header(header)[0].startswith("login"), header
    assert desk.try_password(desk.password) is None
    assert desk.try_header(basic(desk.password).replace("Basic", "basic")) is None


def test_guesses_are_slowed_down():
    desk = Desk()
    slow = 0
    for i in range(100):
        code, retry_ms = desk.try_password("guess%d" % i)
        if code == "login":
            slow += 1
        else:
            assert code == "login_wait" and 0 < retry_ms <= 5000
        desk.now += 10
    assert slow < 6  # 1 s: after 0, 100, 300, 700 ms
    desk.now += 5000
    assert desk.try_password("one more") == ("login", 0)
    assert desk.try_password(desk.password)[0] == "login_wait"
    desk.now += 5000
    assert desk.try_password(desk.password) is None
    assert desk.try_password("wrong again") == ("login", 0)  # starts anew after a right one


def test_who_was_let_in_is_not_locked_out():
    desk = Desk()
    assert desk.try_password(desk.password) is None
    for i in range(30):
        desk.try_password("guess%d" % i)
        assert desk.try_password(desk.password) is None


def test_the_same_wrong_password_does_not_slow_others_down():
    desk = Desk()
    for _ in range(100):
        assert desk.try_password("old password") == ("login", 0)
    desk.now += 100
    assert desk.try_password(desk.password) is None


def test_one_slow_check_at_a_time():
    desk = Desk()
    outcomes = []

    async def attempt(password):
        try:
            await desk.login.check(basic(password))
            outcomes.append("in")
        except Refusal as error:
            outcomes.append(error.code)

    async def together():
        await asyncio.gather(
            attempt(desk.password),
            attempt(desk.password),
            attempt("wrong"),
            attempt(desk.password),
        )

    asyncio.run(together())
    assert sorted(outcomes) == ["in", "in", "in", "login_busy"]


def test_change_of_password():
    desk = Desk()
    old = desk.password
    assert desk.try_password(old) is None

    def change(old, new):
        try:
            asyncio.run(seldom().change(desk.login, old, new))
        except Refusal as error:
            return error.code
        return None

    assert change("wrong", "long enough") == "password_old"
    assert change(old, "long enough") == "login_wait"
    desk.now += 5000
    assert change(old, "short") == "password_length"
    assert change(old, "x" * 65) == "password_length"
    assert change(None, "long enough") == "password_old"
    assert change(old, 12345678) == "password_length"
    assert change(old, "lang genug äöü") is None
    assert desk.try_password(old) == ("login", 0)
    desk.now += 5000
    assert desk.try_password("lang genug äöü") is None


def test_reset_makes_another():
    desk = Desk()
    old = desk.password
    asyncio.run(desk.login.reset())
    assert len(desk.said) == 2 and desk.password != old
    assert desk.try_password(old) == ("login", 0)
    desk.now += 5000
    assert desk.try_password(desk.password) is None
