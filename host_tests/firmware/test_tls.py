"""HTTPS and the gateway's port of the whole firmware on the 32-bit VM; the peers are curl, openssl
and Python's ssl.
"""

import asyncio
import json
import socket
import ssl
import subprocess
import time

from firmware.simulated import simulated

from tools import certificates
from tools.simulation import settings

WRONG = certificates.make_client(certificates.make_ca())


def with_doors(rights="utility", plain_http=True, address="127.0.0.1"):
    """Settings of a site with HTTPS and a smart meter gateway."""

    def make(twin, http_port):
        document = settings(twin, http_port)
        document["tls"] = {"enabled": True, "plain_http": plain_http}
        document["gateway"] = {"enabled": True, "rights": rights, "address": address}
        return document

    return make


async def curl(site, door, path, *arguments):
    """(exit code of curl, status, parsed answer) of a request to the door "https" or "gateway"."""
    folder = site.simulation.board.folder / "certificates"
    command = [
        "curl",
        "-sS",
        "-m",
        "20",
        "-w",
        "\n%{http_code}",
        "--cacert",
        folder / "server.crt",
    ]
    url = getattr(site.simulation.doors, door) + path
    process = await asyncio.create_subprocess_exec(
        *command, *arguments, url, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    body, _, status = output.decode().rpartition("\n")
    return process.returncode, int(status), json.loads(body) if body else None


def client(site, name="client"):
    """curl's options for the gateway's certificate."""
    folder = site.simulation.board.folder / "certificates"
    return "--cert", folder / (name + ".crt"), "--key", folder / (name + ".key")


def login(site):
    return "--user", "admin:" + site.simulation.board.password


def board_says(site, words):
    return [line for line in site.simulation.board.console if words in line]


@simulated(profile="image", first_settings=with_doors())
async def test_https_and_the_rights_of_the_gateway(site):
    code, status, body = await curl(site, "https", "/cnf?cmd=get_cm_vars", *login(site))
    assert (code, status, body["vars"]) == (0, 200, [])
    # Many pieces: the end of the answer shows.
    code, status, body = await curl(site, "https", "/api/state", *login(site))
    assert (code, status) == (0, 200) and len(body["evses"]) == 2
    assert (await curl(site, "https", "/api/state"))[:2] == (0, 401)
    assert (await curl(site, "https", "/api/state", "-u", "admin:wrong"))[:2] == (0, 401)
    await site.until(lambda: board_says(site, "wrong password"), 5, "an event")

    # The gateway needs a client certificate of its authority, and no password.
    mine = client(site)
    assert (await curl(site, "gateway", "/cnf?cmd=get_cm_vars"))[0] != 0
    await site.until(lambda: board_says(site, "no client certificate"), 5, "an event")
    WRONG.write(site.simulation.board.folder / "certificates", "wrong")
    assert (await curl(site, "gateway", "/cnf?cmd=get_cm_vars", *client(site, "wrong")))[0] != 0
    await site.until(lambda: board_says(site, "not correctly signed"), 5, "an event")
    from_elsewhere = ("--interface", "127.0.0.2", *mine)
    assert (await curl(site, "gateway", "/cnf?cmd=get_cm_vars", *from_elsewhere))[0] != 0
    await site.until(lambda: board_says(site, "127.0.0.2"), 5, "an event")

    # Rights "utility": variables and limits, nothing else, whatever password comes along.
    path = "/cnf?cmd=set_cm_vars&name=AVAIL&val=70"
    assert await curl(site, "gateway", path, *mine) == (0, 200, "ok")
    assert (await curl(site, "gateway", "/cnf?cmd=get_cm_vars", *mine))[2]["vars"][0]["expr"] == 70
    body = json.dumps({"vars": [{"name": "TARIF", "expr": 1}]})
    assert await curl(site, "gateway", "/cnf?cmd=set_cm_vars", "-d", body, *mine) == (0, 200, "ok")
    for path in (
        "/api/state",
        "/api/settings",
        "/api/certificates",
        "/api/log",
        "/api/operator/test",
        "/cnf?cmd=get_dev_info",
        "/cnf?cmd=set_params",
        "/cnf",
        "/cnf/?cmd=get_cm_vars",
        "/nowhere",
    ):
        code, status, body = await curl(site, "gateway", path, *mine, *login(site))
        assert (code, status, body["code"]) == (0, 403, "rights"), path
    # A large body is not even read.
    data = ("-d", "x" * 15000, "-X", "POST")
    assert (await curl(site, "gateway", "/api/settings", *data, *mine))[:2] == (0, 403)

    # Other rights, and certificates that are put in place while the board runs.
    patch = {"gateway": {"rights": "admin"}}
    assert (await site.post("/api/settings", patch))["restart"] is True
    await new_certificate(site)
    await restarted(site)
    assert (await curl(site, "gateway", "/api/settings", *mine))[1] == 200
    patch = {"gateway": {"rights": "none"}}
    code, status, body = await curl(
        site, "gateway", "/api/settings", "-d", json.dumps(patch), *mine
    )
    assert (code, status) == (0, 200)
    await site.until(lambda: board_says(site, "gateway changed the settings: gateway"), 5, "it")
    assert board_says(site, "admin changed the settings: gateway")
    await restarted(site)
    code, status, body = await curl(site, "gateway", "/cnf?cmd=get_cm_vars", *mine)
    assert (code, status, body["code"]) == (0, 403, "no_rights")


async def new_certificate(site):
    """Uploads another certificate over HTTPS: the next connection has it."""
    folder = site.simulation.board.folder / "certificates"
    pair = certificates.make_server(["127.0.0.1", "localhost"])
    (folder / "new.pem").write_text(pair.pem)
    upload = ("--data-binary", "@%s" % (folder / "new.pem"))
    path = "/api/certificates/server"
    for _ in range(5):
        code, status, body = await curl(site, "https", path, *upload, *login(site))
        if status != 503:  # a full heap says: try again
            break
        await asyncio.sleep(0.5)
    assert (code, status) == (0, 200), body
    assert (code, status, body["sha256"]) == (0, 200, pair.sha256), body
    assert (await curl(site, "https", path, *login(site)))[0] == 60  # not the one that curl trusts
    pair.write(folder, "server")
    assert (await curl(site, "https", "/api/certificates", *login(site)))[:2] == (0, 200)


async def restarted(site):
    await site.post("/api/restart", None, 202)
    board = site.simulation.board
    before = board.restarts
    await site.until(lambda: board.restarts > before, 10, "the restart")

    async def open_again():
        return (await curl(site, "https", "/cnf"))[0] == 0

    await site.until(open_again, 30, "HTTPS after the restart")


@simulated(profile="image", first_settings=with_doors(plain_http=False))
async def test_plain_http_closed_and_silent_clients(site):
    simulation = site.simulation
    https = ("127.0.0.1", int(simulation.doors.https.rsplit(":", 1)[1]))
    assert simulation.doors.http is None
    with socket.socket() as plain:
        assert plain.connect_ex(("127.0.0.1", simulation.port)) != 0
    # Plain HTTP on the port of HTTPS, garbage, and a handshake that is cut off: no harm.
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00" + bytes(40), b"\x16"):
        with socket.create_connection(https) as s:
            s.sendall(data)
            s.settimeout(0.5)
            try:
                s.recv(100)
            except OSError:
                pass
    # A TLS 1.2 peer, and one that sees to it that the answer is whole.
    done = await asyncio.to_thread(
        subprocess.run,
        ["openssl", "s_client", "-connect", "%s:%d" % https, "-tls1_2", "-quiet", "-no_ign_eof"],
        input=b"GET /cnf HTTP/1.1\r\n\r\n",
        capture_output=True,
        timeout=30,
    )
    assert b"401" in done.stdout or done.returncode == 0
    # Silent ones are closed after their time, and hold nobody up meanwhile.
    silent = [socket.create_connection(https) for _ in range(3)]
    context = ssl.create_default_context(
        cafile=simulation.board.folder / "certificates/server.crt"
    )
    with context.wrap_socket(socket.create_connection(https), server_hostname="localhost"):
        code, status, _ = await curl(site, "https", "/api/state", *login(site))
        assert (code, status) == (0, 200)
    began = time.monotonic()
    for s in silent:
        s.settimeout(20)
        assert await asyncio.to_thread(s.recv, 1) == b""
        s.close()
    assert time.monotonic() - began < 15
    code, _, state = await curl(site, "https", "/api/state", *login(site))
    assert not [task for task in state["tasks"] if task["restarts"]] and not state["faults"]
    assert not board_says(site, "Traceback")


@simulated(profile="image", first_settings=with_doors(plain_http=False))
async def test_a_certificate_that_cannot_be_loaded_leaves_plain_http_open(site):
    simulation = site.simulation
    await simulation.power_off()
    for name in ("tls_server.json", "tls_server.json.bak"):
        (simulation.board.flash / name).write_text("broken")
    simulation.doors.https = None  # so that nobody waits for it
    simulation.running = asyncio.create_task(simulation.board.run(site.twin))
    simulation.http = "http://127.0.0.1:%d" % simulation.port

    async def faults():
        try:
            return (await site.state())["faults"]
        except OSError:
            return None

    await site.until(faults, 30, "plain HTTP")
    assert [fault for fault in await faults() if "server: the file of this" in fault]


@simulated(profile="image", first_settings=with_doors())
async def test_twenty_clients_do_not_keep_a_contact_from_acting(site):
    await site.risen()
    port = int(site.simulation.doors.https.rsplit(":", 1)[1])
    context = ssl.create_default_context(
        cafile=site.simulation.board.folder / "certificates/server.crt"
    )
    served = []

    async def knock(**options):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
                if options:
                    writer.write(b"GET /cnf HTTP/1.1\r\n\r\n")
                served.append(await reader.read())
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(0.05)

    clients = [asyncio.create_task(knock()) for _ in range(10)]
    clients += [asyncio.create_task(knock(ssl=context)) for _ in range(10)]
    await asyncio.sleep(2)
    for active in (True, False, True):
        site.twin.set({"contacts": {"1": active}})
        await site.until(
            lambda active=active: (site.sum_ma() < 30000) == active, 20, "what the contact says"
        )
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    assert [answer for answer in served if b"401" in answer]  # and some were even served
    state = await site.state()
    assert not [task for task in state["tasks"] if task["restarts"]]
    assert not board_says(site, "Traceback") and not board_says(site, "MemoryError")
