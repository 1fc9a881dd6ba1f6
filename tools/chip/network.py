"""Stands in for an ESP32's `network` on a PC: the loopback interface, joined at once."""

STA_IF, AP_IF = 0, 1
_GOT_IP = 1010


def hostname(name=None):
    return name


class WLAN:
    def __init__(self, *kind, **options):
        self._on = self._joined = False

    def active(self, on=None):
        if on is not None:
            self._on = bool(on)
        return self._on

    def connect(self, *network):
        self._joined = True

    def disconnect(self):
        self._joined = False

    def isconnected(self):
        return self._on and self._joined

    def ifconfig(self, values=None):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def config(self, *names, **values):
        return b"\x24\x0a\xc4\x12\x34\x56"

    def status(self, *what):
        return _GOT_IP if self._joined else 1000


def LAN(*pins, **options):
    """A cable that is always plugged in."""
    interface = WLAN()
    interface.connect()
    return interface


def __getattr__(name):
    """Constants of the driver (PHY_..., AUTH_...), which nothing here tells apart."""
    if name[0] == "_" or not name.isupper():
        raise AttributeError(name)
    return 0
