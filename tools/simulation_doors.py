"""The doors of a simulated board beside plain HTTP: their ports, and certificates for them."""

import asyncio
import json
import ssl

HOST = "127.0.0.1"
# {section of the settings: its port counted from the port base}
_OFFSETS = {"tls": 1, "gateway": 2, "sunspec_server": 3}
# Where the settings say nothing.
_USUAL = {"tls": 443, "gateway": 8443, "sunspec_server": 502}


def give_ports(document, port_base, free_port):
    """Give each enabled door of a settings document its port, any free one for port_base 0.

    The gateway may come from this machine where the settings name no address.
    """
    for section, offset in _OFFSETS.items():
        if document.get(section, {}).get("enabled"):
            document[section]["port"] = port_base + offset if port_base else free_port()
    if document.get("gateway", {}).get("enabled"):
        document["gateway"].setdefault("address", HOST)


class Doors:
    """The doors that the settings on the flash open; https, gateway and sunspec are None or as in
    the line `ready`.

    folder: where the certificates lie, for curl and others; made when needed.
    """

    def __init__(self, document, http_port, folder):
        self._folder = folder
        ports = {
            name: document[name].get("port", _USUAL[name])
            for name in _OFFSETS
            if document.get(name, {}).get("enabled")
        }
        self.http = "http://%s:%d" % (HOST, http_port)
        self.https = ports.get("tls") and "https://%s:%d" % (HOST, ports["tls"])
        self.gateway = ports.get("gateway") and "https://%s:%d" % (HOST, ports["gateway"])
        self.sunspec = ports.get("sunspec_server") and "%s:%d" % (HOST, ports["sunspec_server"])
        self._ports = [http_port, *ports.values()]
        if self.https and not document["tls"].get("plain_http", True):
            self.http = None
            self._ports.remove(http_port)
        self._unit = document.get("sunspec_server", {}).get("unit", 1)

    @property
    def page(self):
        """Where pages and APIs are: plain HTTP, or HTTPS where that is closed."""
        return self.http or self.https

    def write_certificates(self, flash):
        """Put what is missing on the flash: a server certificate, and the gateway's authority."""
        if not (self.https or self.gateway):
            return
        from tools import certificates  # it takes a while, and few ask for it

        self._folder.mkdir(parents=True, exist_ok=True)
        if not (flash / "tls_server.json").exists():
            pair = certificates.make_server([HOST, "localhost"])
            pair.write(self._folder, "server")
            (flash / "tls_server.json").write_bytes(certificates.flash_file("server", pair.pem))
        if self.gateway and not (flash / "tls_ca.json").exists():
            authority = certificates.make_ca()
            authority.write(self._folder, "ca")
            certificates.make_client(authority).write(self._folder, "client")
            made = certificates.flash_file("ca", authority.certificate)
            (flash / "tls_ca.json").write_bytes(made)

    def context(self, client="client"):
        """An SSL context that trusts the board; client: whose certificate it shows, or None."""
        made = ssl.create_default_context(cafile=str(self._folder / "server.crt"))
        if client:
            paths = [str(self._folder / (client + end)) for end in (".crt", ".key")]
            made.load_cert_chain(*paths)
        return made

    def connect(self, operator, headers):
        """Tell the twin's operator where to knock; headers: those of user admin."""
        options = {"headers": headers}
        if not self.http:
            options["ssl"] = self.context(None)
        doors = {"http": (self.page, options)}
        if self.gateway:
            doors["gateway"] = (self.gateway, {"ssl": self.context()})
        if self.sunspec:
            host, port = self.sunspec.split(":")
            doors["modbus"] = (host, int(port), self._unit)
        operator.connect(**doors)

    async def opened(self):
        """Wait until somebody listens at each of them."""
        for port in self._ports:
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    await asyncio.sleep(0.1)
                    continue
                writer.close()
                break


def settings_on(flash):
    """The settings document of a flash folder, written by the firmware or by hand."""
    text = (flash / "settings.json").read_text()
    if text.startswith("#"):
        text = text.partition("\n")[2]
    try:
        return json.loads(text)
    except ValueError:  # damaged on purpose: the firmware goes back to the one before
        return {}
