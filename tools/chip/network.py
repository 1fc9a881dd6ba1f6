"""Stands in for an ESP32's `network` on a PC: the loopback interface, joined at once."""

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP, STAT_WRONG_PASSWORD = 1000, 1001, 1010, 202
AUTH_WPA2_PSK = 3
PHY_LAN8710 = PHY_LAN8720 = PHY_IP101 = PHY_RTL8201 = PHY_DP83848 = PHY_KSZ8041 = PHY_KSZ8081 = 0
PHY_W5500 = 10


def hostname(name=None):
    return name


def country(code=None):
    return code


class _Interface:
    def __init__(self, *arguments, **options):
        self._active = False
        self._connected = False

    def active(self, on=None):
        if on is None:
            return self._active
        self._active = bool(on)
        return self._active

    def connect(self, *arguments):
        self._connected = True

    def disconnect(self):
        self._connected = False

    def isconnected(self):
        return self._active and self._connected

    def ifconfig(self, values=None):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def config(self, *names, **values):
        return b"\x24\x0a\xc4\x12\x34\x56" if names and names[0] == "mac" else None

    def status(self, *what):
        return STAT_GOT_IP if self._connected else STAT_IDLE


class WLAN(_Interface):
    IF_STA, IF_AP = STA_IF, AP_IF


class LAN(_Interface):
    """A cable that is always plugged in."""

    def isconnected(self):
        return self._active
