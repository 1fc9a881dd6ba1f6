"""What the cycle hands to the site where meters are silent, and what changed settings need."""

from fakes.site_world import SETTINGS

from chargecontrol.evse import Evse
from chargecontrol.site import Site
from controller import reconfigure
from controller.cycle import Cycle

EVSE = {
    "id": "E1",
    "meter": None,
    "group": None,
    "priority": 1,
    "min_current_ma": 6000,
    "max_current_ma": 16000,
    "failsafe_current_ma": 6000,
    "phases": 3,
    "phase_rotation": 0,
    "current_limit": None,
}


class Thing:
    """Whatever attributes are needed."""

    template = meter = read_ms = sent_ma = error_since_ms = ordered = None
    com_error = False

    def __init__(self, **fields):
        for name in fields:
            setattr(self, name, fields[name])

    def order(self, setpoint_ma, _phases=None):
        self.ordered = setpoint_ma


def controller(**settings):
    site_settings = dict(SETTINGS, load_management=True, disable_policy=-1)
    site_settings.update(settings)
    box = Thing(id="E1", config=EVSE, read_ms=0, readings={"state": "B"})
    off = Thing(id="E2", config=dict(EVSE, id="E2"))
    meter = Thing(id="M1", config={"id": "M1", "role": "consumption"}, readings={}, com_error=True)
    evse = Evse(EVSE, 100)
    doc = {"site": site_settings, "groups": [], "meters": [meter.config]}
    doc["evses"] = [EVSE, off.config]
    made = Thing(
        clock=None,
        site=Site(site_settings, [evse], None),
        evses={"E1": evse},
        devices={"E1": box, "E2": off, "M1": meter},
        disabled={"E2": (0, 6000, 16000)},
        consumers=[meter],
        sampled=[],
        counters=None,
        before=(),
        after=(),
        operator=None,
        deaf=False,
        wishes=None,
        power=None,
        settings=Thing(doc=doc, ports={}),
        variables=Thing(watched=False),
        names=Thing(lookups=(None,) * 3),
        contacts=Thing(stable=True),
        wanted=[],
    )
    made.clock = Thing(now_ms=lambda: 1000)
    made.need_wishes = lambda: made.wanted.append(1)
    return made


def test_a_consumer_that_never_answered_is_lost_not_absent():
    made = controller()
    cycle = Cycle(made)
    cycle.once(1000)
    assert made.site.house.trust == "lost"
    made.consumers[0].com_error = False  # its first block came, the one with the time did not
    made.consumers[0].readings = {"current_l%d_ma" % n: 1000 for n in (1, 2, 3)}
    cycle.once(2000)
    made.consumers[0].read_ms = 2500
    cycle.once(3000)
    assert made.site.house.trust == "fresh"
    made.consumers = []
    made.site = Site(dict(SETTINGS), [], None)
    cycle.once(4000)
    assert made.site.house.trust == "none"


def test_watching_only_tells_a_disabled_box_nothing():
    made = controller()
    Cycle(made).once(1000)
    assert made.devices["E2"].ordered == 16000
    made.settings.doc["site"]["load_management"] = False
    Cycle(made).once(2000)
    assert made.devices["E2"].ordered is None


def test_a_meter_of_a_box_that_is_not_read_whole_is_not_used():
    made = controller()
    made.devices["E1"].config = dict(EVSE, meter="M1")
    made.consumers = []
    made.devices["M1"].com_error = False
    Cycle(made).once(1000)
    assert made.site.evses[0].read_ms == 0


def test_what_needs_a_restart_says_so():
    made = controller()
    doc = made.settings.doc
    doc["evses"] = [dict(EVSE), dict(EVSE, id="E2")]
    assert not reconfigure.take(made, ["evses", "meters"])
    doc["meters"] = [{"id": "M1", "role": "grid"}]
    assert reconfigure.take(made, ["meters"])
    doc["meters"] = [{"id": "M1", "role": "consumption", "phases": [1]}]
    assert reconfigure.take(made, ["meters"])
    doc["evses"] = [dict(EVSE, phases=1), dict(EVSE, id="E2")]
    assert not reconfigure.take(made, ["evses"])
    doc["evses"] = [EVSE, dict(EVSE, id="E2", max_current_ma=8000)]
    assert reconfigure.take(made, ["evses"])


def test_the_first_current_limit_is_looked_at_without_a_restart():
    made = controller()
    made.settings.doc["evses"] = [dict(EVSE, current_limit="8000"), dict(EVSE, id="E2")]
    reconfigure.take(made, ["evses"])
    assert made.wanted
