"""The network task against a chip that has no such Wi-Fi, no cable, or loses both."""

import machine

from controller import access_point
from controller import ethernet as ethernet_module
from controller import net as net_module
from controller.net import Network

START = ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")
LEASE = ("192.168.7.20", "255.255.255.0", "192.168.7.1", "192.168.7.2")
AP = ("192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0")
WRONG_PASSWORD, NO_AP_FOUND, CONNECTING, GOT_IP = 15, 201, 1001, 1010


class Interface:
    def __init__(self, chip, name):
        self.chip = chip
        self.name = name
        self.on = False
        self.settings = {}
        self.lease = START
        self.code = 1000

    def active(self, on=None):
        if on is None:
            return self.on
        if on and self.name == "lan" and self.chip.broken:
            raise OSError("ethernet enable failed")
        self.on = on
        self.chip.events.append("%s %s" % (self.name, "on" if on else "off"))

    def config(self, *names, **values):
        if names:
            assert names == ("mac",)
            return b"\x24\x0a\xc4\x12\xab\x0f"
        assert self.on, "settings of an interface that is off"
        self.settings.update(values)

    def connect(self, ssid, key):
        assert self.on
        if self.code == CONNECTING:  # as the esp32 port 1.25 does
            raise OSError("Wifi Internal Error")
        self.chip.attempts.append((self.chip.now_ms, ssid, key))
        self.code = CONNECTING

    def disconnect(self):
        self.code = 8
        self.lease = START

    def status(self):
        return self.code

    def isconnected(self):
        assert self.name == "sta", "not to be trusted on %s" % self.name
        return self.code == GOT_IP

    def ifconfig(self):
        return AP if self.name == "ap" and self.on else self.lease


class Chip:
    """Stands in for the module `network`; `outcome` is what becomes of an attempt to connect."""

    STA_IF, AP_IF = 0, 1
    PHY_LAN8720, PHY_W5500 = 4, 7

    def __init__(self):
        self.now_ms = 0
        self.attempts = []
        self.events = []
        self.lan_options = []
        self.outcome = GOT_IP
        self.broken = False
        self.name = None
        self.wlan = [Interface(self, "sta"), Interface(self, "ap")]
        self.lan = Interface(self, "lan")
        self.sta, self.ap = self.wlan

    def WLAN(self, number):
        return self.wlan[number]

    def LAN(self, **options):
        self.lan_options.append(options)
        return self.lan

    def hostname(self, name):
        self.name = name

    def pass_second(self):
        """An attempt is decided within a second."""
        self.now_ms += 1000
        if self.sta.code == CONNECTING and self.outcome != CONNECTING:
            self.sta.code = self.outcome
            self.sta.lease = LEASE if self.outcome == GOT_IP else START


class Board:
    wlan = True

    def __init__(self, ethernet=None, wlan=True):
        self.ethernet = ethernet
        self.wlan = wlan


class Site:
    """A board in a network of ours."""

    def __init__(self, settings, ethernet=None, wlan=True):
        self.chip = Chip()
        for module in (net_module, ethernet_module, access_point):
            module.network = self.chip
        self.printed = []
        self.log = []
        access_point.print = lambda *words: self.printed.append(" ".join(words))
        self.net = Network(Board(ethernet, wlan), settings, None, self.log.append)

    def run(self, seconds):
        for _ in range(seconds):
            self.net.step(self.chip.now_ms)
            self.chip.pass_second()
        self.net.step(self.chip.now_ms)


HOME = {"ssid": "home", "password": "long enough", "hostname": "garage"}
RMII = {
    "kind": "rmii",
    "phy": "LAN8720",
    "addr": 1,
    "mdc": 23,
    "mdio": 18,
    "power": 16,
    "ref_clk": 0,
    "ref_clk_mode": "in",
}
SPI = {"kind": "w5500", "spi": 1, "sck": 12, "mosi": 11, "miso": 13, "cs": 14, "int": 10, "rst": 9}


def test_station_connects():
    site = Site(HOME)
    site.run(3)
    net = site.net
    assert net.status == "station" and net.ip == "192.168.7.20"
    assert net.gateway == "192.168.7.1" and net.dns == "192.168.7.2"
    assert site.chip.name == "garage"
    assert site.chip.attempts == [(0, "home", "long enough")]
    assert site.chip.sta.settings["reconnects"] == 0  # the task does it, and only the task
    assert site.chip.events == ["sta on"]  # and no access point


def test_open_network_has_no_key():
    site = Site({"ssid": "open", "password": ""})
    site.run(1)
    assert site.chip.attempts == [(0, "open", None)]


def test_without_ssid_an_access_point_with_a_password_opens():
    site = Site({"ssid": "", "password": ""})
    site.run(1)
    net = site.net
    assert net.status == "access_point" and net.ip == "192.168.4.1"
    assert net.gateway == "" and net.dns == ""  # nothing behind it
    settings = site.chip.ap.settings
    assert settings == {"ssid": "RippleGate-AB0F", "key": net.ap_password, "security": 3}
    assert len(net.ap_password) == 10 and net.ap_ssid == "RippleGate-AB0F"
    assert net.ap_password in site.printed[0] and net.ap_password not in " ".join(site.log)
    assert site.chip.attempts == [] and len(site.printed) == 1


def test_each_access_point_has_another_password():
    seen = set()
    for _ in range(5):
        site = Site({})
        site.run(1)
        seen.add(site.net.ap_password)
    assert len(seen) == 5


def test_wrong_password_retries_and_opens_the_access_point_after_five_minutes():
    site = Site(HOME)
    site.chip.outcome = WRONG_PASSWORD
    site.run(5)
    assert site.net.status == "wrong_password" and site.net.ip == ""
    site.run(285)
    assert "ap on" not in site.chip.events and site.net.status == "wrong_password"
    site.run(20)
    assert site.net.status == "access_point" and site.net.ip == "192.168.4.1"
    moments = [ms for ms, _, _ in site.chip.attempts]
    assert moments[:5] == [0, 10000, 30000, 70000, 130000]
    assert len(site.log) <= 3  # not a line for each attempt
    tried = len(moments)
    site.run(600)
    assert len(site.chip.attempts) - tried == 10  # it goes on trying, each minute
    site.chip.outcome = GOT_IP
    site.run(70)
    assert site.net.status == "station" and site.net.ip == "192.168.7.20"


def test_access_point_closes_a_while_after_the_way_is_there():
    site = Site(HOME)
    site.chip.outcome = NO_AP_FOUND
    site.run(2)
    assert site.net.status == "no_such_network"
    site.run(310)
    assert site.chip.ap.on
    site.chip.outcome = GOT_IP
    site.run(62)
    assert site.net.status == "station" and site.chip.ap.on
    site.run(62)
    assert not site.chip.ap.on and site.net.ap_password == "" and site.net.status == "station"


def test_link_lost_and_back():
    site = Site(HOME)
    site.run(100)
    site.chip.sta.code, site.chip.sta.lease = 200, START  # beacon timeout
    site.chip.outcome = NO_AP_FOUND
    site.run(1)
    assert site.net.ip == "" and len(site.chip.attempts) == 2  # at once
    site.run(60)
    assert site.net.status == "no_such_network" and site.net.ip == site.net.dns == ""
    site.chip.outcome = GOT_IP
    site.run(61)
    assert site.net.status == "station" and site.net.ip == "192.168.7.20"
    assert "ap on" not in site.chip.events


def test_an_attempt_that_never_ends_is_given_up_and_the_driver_restarted():
    site = Site(HOME)
    site.chip.outcome = CONNECTING
    site.run(700)
    assert len(site.chip.attempts) > 10 and "sta off" in site.chip.events
    site.chip.outcome = GOT_IP
    site.run(61)
    assert site.net.status == "station"


def test_driver_that_raises_is_reported_and_tried_again():
    site = Site(HOME)

    def broken(ssid, key):
        raise OSError("Wifi Unknown Error 0x0101")

    site.chip.sta.connect = broken
    site.run(15)
    assert any("0x0101" in line for line in site.log)
    del site.chip.sta.connect
    site.run(61)
    assert site.net.status == "station"


def test_rmii_ethernet():
    site = Site({}, RMII)
    site.chip.lan.lease = LEASE
    site.run(1)
    assert site.net.status == "ethernet" and site.net.ip == "192.168.7.20"
    options = site.chip.lan_options[0]
    numbers = {name: pin.number for name, pin in options.items() if hasattr(pin, "number")}
    assert numbers == {"mdc": 23, "mdio": 18, "power": 16, "ref_clk": 0}
    assert options["phy_type"] == 4 and options["phy_addr"] == 1
    assert options["ref_clk_mode"] == machine.Pin.IN
    site.run(600)
    assert site.chip.events == ["lan on"]  # neither station nor access point


def test_clock_that_the_chip_gives_and_no_power_pin():
    part = dict(RMII, power=None, ref_clk=17, ref_clk_mode="out")
    site = Site({}, part)
    site.run(1)
    options = site.chip.lan_options[0]
    assert "power" not in options and options["ref_clk_mode"] == machine.Pin.OUT


def test_w5500_is_reset_first():
    site = Site({}, SPI)
    levels = []
    plain = machine.Pin.value

    def watched(pin, level=None):
        if pin.number == 9 and level is not None:
            levels.append(level)
        return plain(pin, level)

    machine.Pin.value = watched
    try:
        site.run(1)
    finally:
        machine.Pin.value = plain
    options = site.chip.lan_options[0]
    assert options["phy_type"] == 7 and options["int"].number == 10 and options["cs"].number == 14
    assert levels == [0, 1]


def test_no_cable_and_no_ssid_opens_the_access_point_after_half_a_minute():
    site = Site({}, RMII)
    site.run(28)
    assert site.net.status == "no_cable" and not site.chip.ap.on
    site.run(5)
    assert site.net.status == "access_point"
    site.chip.lan.lease = LEASE
    site.run(1)
    assert site.net.status == "ethernet" and site.net.ip == "192.168.7.20"
    site.run(61)
    assert not site.chip.ap.on


def test_wifi_takes_over_when_the_cable_is_pulled_and_gives_back():
    site = Site(HOME, RMII)
    site.chip.lan.lease = LEASE
    site.run(100)
    assert site.chip.attempts == []
    site.chip.lan.lease = START
    site.run(20)
    assert site.net.status == "no_cable"
    site.run(15)
    assert site.net.status == "station" and len(site.chip.attempts) == 1
    site.run(100)
    assert site.net.status == "station" and "ap on" not in site.chip.events
    site.chip.lan.lease = LEASE
    site.run(1)
    assert site.net.status == "ethernet"


def test_broken_ethernet_is_tried_five_times_then_left():
    site = Site({}, RMII)
    site.chip.broken = True
    site.run(20)
    assert site.net.status == "lan_error"
    site.run(900)
    assert len(site.chip.lan_options) == 5 and site.net.status == "access_point"
    site = Site({}, dict(RMII, phy="NOSUCH"))
    site.run(2)
    assert site.net.status == "lan_error" and "NOSUCH" in site.log[0]


def test_board_without_wlan():
    site = Site(HOME, RMII, wlan=False)
    site.run(400)
    assert site.net.status == "no_cable" and site.chip.events == ["lan on"]


def test_log_says_changes_only():
    site = Site(HOME)
    site.run(200)
    assert site.log == ["network: connecting ", "network: station 192.168.7.20"]
