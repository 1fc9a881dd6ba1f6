"""Brings the board onto the network: Ethernet, a Wi-Fi station, an access point for the set-up.

All reconnecting of the station happens here: the driver is told not to try by itself, since only
then it tells why it failed. An access point is opened where nothing else leads to the board.
"""

import asyncio

import network
from micropython import const

_STEP_MS = const(500)
_FIRST_RETRY_MS = const(10000)  # what an attempt may take
_LAST_RETRY_MS = const(60000)
_RESTART_TRIES = const(10)  # the driver is switched off and on after so many attempts
_LAN_TRIES = const(5)  # each failed start of the driver leaks memory outside the heap
_AP_AFTER_MS = const(300000)  # a router may be slow to start
_AFTER_CABLE_MS = const(30000)  # link and DHCP of Ethernet, before Wi-Fi is started instead
_AP_LINGER_MS = const(60000)  # so that the set-up page can still tell the new address
_NONE = const(("", "", "", ""))
_NO_POWER_SAVING = const(0)

# Status of WLAN.status() of the esp32 port (ESP-IDF wifi_err_reason_t).
_REASONS = {
    15: "wrong_password",
    202: "wrong_password",
    204: "wrong_password",
    201: "no_such_network",
    210: "no_such_network",
    211: "no_such_network",
}


def _addresses(nic):
    """(own address, mask, gateway, name server); "0.0.0.0" while there is none."""
    return nic.ifconfig()


class Network:
    """Task `run` of the network. board: `.ethernet`, `.wlan`; settings: the part "network".

    `ip`, `dns`, `gateway`: addresses as text, "" while there are none. `status` is a code of
    texts/net.json. `ap_ssid` and `ap_password` are set while the access point is open.
    log(text) gets changes; the password goes to the console only.
    """

    def __init__(self, board, settings, clock, log):
        self._clock = clock
        self._ethernet = board.ethernet
        self._ssid = settings.get("ssid", "")
        self._key = settings.get("password") or None
        self._log = log
        self.ip = self.dns = self.gateway = self.ap_ssid = self.ap_password = ""
        self.status = "off"
        self._reason = "connecting"
        self._sta = self._ap = self._lan = None
        self._wlan = board.wlan
        self._up_ms = self._down_ms = self._cable_ms = None
        self._tries = self._lan_tries = self._retry_ms = self._lan_retry_ms = 0
        network.hostname(settings.get("hostname") or "ripplegate")

    async def run(self, beat=None):
        """The task; never returns. beat(), where given, shows twice a second that it lives."""
        while True:
            if beat:
                beat()
            self.step(self._clock.now_ms())
            await asyncio.sleep_ms(_STEP_MS)

    def step(self, now_ms):
        """Looks after all interfaces once."""
        status = self._step_lan(now_ms) if self._ethernet else "off"
        nic = self._lan if status == "ethernet" else None
        if nic or self._cable_ms is None:
            self._cable_ms = now_ms
        if not nic and self._wlan and self._ssid and self._waited(now_ms):
            status = self._step_station(now_ms)
            nic = self._sta if status == "station" else None
        if nic:
            self._down_ms = None
            if self._up_ms is None:
                self._up_ms = now_ms
        elif self._down_ms is None:
            self._up_ms, self._down_ms = None, now_ms
        if self._wlan:
            self._step_ap(now_ms)
        addresses = _addresses(nic) if nic else _NONE
        if self._ap and not nic:
            status, addresses = "access_point", (_addresses(self._ap)[0], "", "", "")
        if status != self.status or addresses[0] != self.ip:
            self._log("network: %s %s" % (status, addresses[0]))
        self.status = status
        self.ip, _, self.gateway, self.dns = addresses

    def _waited(self, now_ms):
        """True when Ethernet, on a board that has it, had its chance."""
        return not self._ethernet or now_ms - self._cable_ms >= _AFTER_CABLE_MS

    def _step_lan(self, now_ms):
        if not self._lan and self._lan_tries < _LAN_TRIES and now_ms >= self._lan_retry_ms:
            self._lan_tries += 1
            self._lan_retry_ms = now_ms + _LAST_RETRY_MS
            try:
                from controller.ethernet import make  # only boards that have it pay for it

                lan = make(self._ethernet)
                lan.active(True)
                self._lan = lan
            except (OSError, ValueError, AttributeError) as error:
                self._log("network: Ethernet does not start: %s" % error)
        if not self._lan:
            return "lan_error"
        # Not isconnected(): events of the station and the access point disturb it (network_lan.c).
        return "ethernet" if _addresses(self._lan)[0] != "0.0.0.0" else "no_cable"

    def _step_station(self, now_ms):
        sta = self._sta
        if sta and sta.isconnected():
            self._tries = self._retry_ms = 0
            self._reason = "connecting"
            return "station"
        if sta:  # a reason is shown until it goes or another comes, not only between attempts
            self._reason = _REASONS.get(sta.status(), self._reason)
        if now_ms >= self._retry_ms:
            self._retry_ms = now_ms + min(_FIRST_RETRY_MS << min(self._tries, 3), _LAST_RETRY_MS)
            self._tries += 1
            try:
                self._connect()
            except OSError as error:
                self._log("network: Wi-Fi does not start: %s" % error)
                self._reason = "wlan_error"
        return self._reason

    def _connect(self):
        if self._sta and self._tries % _RESTART_TRIES == 0:
            self._sta.active(False)
            self._sta = None
        if not self._sta:
            sta = network.WLAN(network.STA_IF)
            sta.active(True)
            sta.config(reconnects=0, pm=_NO_POWER_SAVING)
            self._sta = sta
        else:  # without it a second connect() raises (esp32 port 1.25)
            self._sta.disconnect()
        self._sta.connect(self._ssid, self._key)

    def _step_ap(self, now_ms):
        if self._up_ms is not None:
            if self._ap and now_ms - self._up_ms >= _AP_LINGER_MS:
                self._ap.active(False)
                self._ap = None
                self.ap_ssid = self.ap_password = ""
        elif not self._ap:
            if self._ssid:
                late = now_ms - self._down_ms >= _AP_AFTER_MS
            else:
                late = self._waited(now_ms)
            if late:
                self._open_ap()

    def _open_ap(self):
        from controller.access_point import start

        self._ap, self.ap_ssid, self.ap_password = start()
