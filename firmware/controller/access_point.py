"""Opens the access point for the set-up; in RAM only while it is done."""

import os

import network
from micropython import const

_WPA2_PSK = const(3)
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 signs that nobody mixes up


def start():
    """(interface, its name, its password), each time with another password.

    The password goes to the console only.
    """
    ap = network.WLAN(network.AP_IF)
    ap.active(True)  # first: its settings can't be set while only the station is on
    ssid = "RippleGate-%02X%02X" % tuple(ap.config("mac")[-2:])
    password = "".join([_ALPHABET[byte & 31] for byte in os.urandom(10)])
    ap.config(ssid=ssid, key=password, security=_WPA2_PSK)
    print("Wi-Fi %s, password %s, page at http://%s/" % (ssid, password, ap.ifconfig()[0]))
    return ap, ssid, password
