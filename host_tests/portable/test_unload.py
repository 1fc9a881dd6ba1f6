"""Seldom used modules leave the RAM and come back, and what they made lives on."""

import asyncio
import binascii
import gc
import sys

import formula
from controller.unload import seldom, unload


def lookup(name, field):
    return 5


def test_a_formula_outlives_its_parser_and_another_can_be_parsed():
    expression = formula.parse("max(a, 3) * 2")
    assert "formula.parser" in sys.modules
    unload()
    assert "formula.parser" not in sys.modules
    assert expression.value(lookup) == 10
    assert formula.parse("a + 1").value(lookup) == 6
    unload()
    unload()


def test_templates_outlive_their_checker():
    from controller import data
    from modbus.template import Template

    template = Template(data.load_json("templates/sdm630.json"))
    assert "modbus.checker" in sys.modules
    unload()
    assert "modbus.checker" not in sys.modules
    assert template.blocks
    assert Template(data.load_json("templates/keba_p30.json")).kind == "evse"


def test_the_heap_gets_it_back():
    if sys.implementation.name != "micropython":
        return
    formula.parse("1 + 1")
    gc.collect()
    loaded = gc.mem_alloc()
    unload()
    gc.collect()
    assert loaded - gc.mem_alloc() > 2000


class Flash:
    """Stands in for a Store, with what it is given."""

    def __init__(self, document=None):
        self.document = document

    def load(self, name):
        return self.document, None

    def save(self, name, document):
        return True


class Wire:
    """Reader and writer of a connection that brings one request."""

    def __init__(self, text):
        self.text = text.encode()
        self.answer = b""

    async def read(self, count):
        part, self.text = self.text[:count], self.text[count:]
        return part

    def write(self, data):
        self.answer = self.answer or bytes(data)  # a board doesn't keep all of it, either

    async def drain(self):
        pass

    def close(self):
        pass

    async def wait_closed(self):
        pass


class Site:
    """The controller as far as the HTTP door needs it."""

    operator = journal = None

    def __init__(self):
        from controller import data, login, settings, variables
        from doors.http import HttpDoor

        self.clock = self.names = self
        self.store = Flash()
        self.log = print
        self.settings = settings.Settings(self.store, data.load_json, {"inputs": [{"id": 1}]})
        bad = {"vars": [{"name": "a", "expr": "1 +"}, {"name": "b", "expr": "a * 2"}]}
        flash = Flash(bad)
        self.variables = variables.Variables(flash, self.now_ms)
        assert self.variables.problem
        flash.writes = self.store.writes = 0
        self.login = login.Login(self.settings, self.now_ms, self.tell)
        self.door = HttpDoor(self)
        self.door.route("/cnf", "doors.cnf_api")
        self.door.route("/api", "doors.settings_api")
        asyncio.run(self.login.reset())

    def now_ms(self):
        return 10000

    def lookup(self, name, field):
        raise KeyError(field)

    def wake(self):
        pass

    def event(self, code, *arguments):
        pass

    def settings_changed(self, sections, who):
        pass

    def tell(self, text):
        self.password = text.split(": ")[1]

    def ask(self, line, body=""):
        """Status of the answer to a request."""
        secret = binascii.b2a_base64(b"admin:" + self.password.encode()).decode().strip()
        wire = Wire(
            "%s HTTP/1.1\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n%s"
            % (line, secret, len(body), body)
        )
        asyncio.run(self.door.serve(wire, wire))
        return int(wire.answer.split(b" ")[1])

    def use_all(self):
        """What loads each of the modules that the doors use now and then."""
        self.login.forget()
        assert self.ask("GET /cnf?cmd=get_cm_vars") == 200
        set_ = "POST /cnf?cmd=set_cm_vars"
        assert self.ask(set_, '{"vars": [{"name": "c", "expr": "b"}]}') == 200
        assert self.ask(set_, '{"9": "b"') == 400
        assert self.ask(set_, '{"d": "a +"}') == 400
        assert self.ask("GET /api/settings") == 200
        assert self.ask("GET /api/settings/schema") == 200
        assert self.ask("POST /api/settings", '{"site": {"voltage_v": 231}}') == 200
        assert self.ask("POST /api/settings", '{"site": {"voltage_v": -1}}') == 400
        assert self.ask("POST /api/login/password", '{"old": "x", "new": "y"}') == 400


USED = (
    "controller.http_body",
    "controller.password",
    "controller.settings_check",
    "controller.settings_view",
    "controller.store_files",
    "controller.strict_json",
    "controller.variable_check",
    "doors.cnf_api",
    "doors.settings_api",
    "formula.parser",
)


def test_what_the_doors_use_now_and_then_leaves():
    site = Site()
    for _ in range(2):
        site.use_all()
        assert "doors.settings_api" in sys.modules
        for name in USED:
            __import__(name)
        unload()
        for name in USED:
            assert name not in sys.modules
            package, module = name.split(".")
            assert not hasattr(sys.modules[package], module)
    assert site.variables.by_name["c"][1] == "b"


def test_the_heap_gets_back_what_the_doors_use_now_and_then():
    """Nothing that lives on keeps a function, an error or anything else of these modules."""
    if sys.implementation.name != "micropython":
        return
    use_and_forget_a_site()  # names that are new are kept for ever
    before = lowest()
    for name in USED:
        __import__(name)
    gc.collect()
    loaded = gc.mem_alloc()
    site = Site()
    unused = lowest() - before
    site.use_all()
    kept = lowest() - before
    text = "a site keeps %d, used %d bytes; these modules have %d"
    print(text % (unused, kept, loaded - before))
    assert loaded - before > 12000
    # The variable that it got; the smallest of these modules has 1056 bytes.
    assert kept - unused < 600
    assert site.variables.by_name["c"][1] == "b"


def use_and_forget_a_site():
    site = Site()
    site.use_all()


async def nothing(rounds):
    for _ in range(rounds):
        await asyncio.sleep_ms(0)


def lowest():
    """Bytes in use without the seldom used modules."""
    found = []
    for i in range(6):  # what an old stack frame seems to hold is gone at another depth
        asyncio.run(nothing(i))
        unload()
        gc.collect()
        found.append(gc.mem_alloc())
    return min(found)


def test_each_name_is_that_of_a_module():
    if sys.implementation.name == "cpython":
        from importlib.util import find_spec

        for name in seldom():
            assert find_spec(name), name
