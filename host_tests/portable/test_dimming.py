"""§14a: what is owed to the watt, the budget, who gets what of it. Rules: BK6-22-300, Anlage 1."""

from fakes.dimmed_site import SETTINGS, Dimmed, steerable
from fakes.site_world import Car, box

from chargecontrol.dimming_setup import p_min_w

BOX = ("evse", 11000)


def test_what_is_owed_to_the_watt():
    for count, owed_w in (
        (1, 4200),
        (3, 10500),
        (4, 13020),
        (5, 15120),
        (6, 16800),
        (7, 18060),
        (8, 18900),
        (9, 19320),
        (10, 21210),
    ):
        assert p_min_w([BOX] * count) == owed_w
    assert p_min_w([BOX, ("storage", 5000)]) == 7560
    assert p_min_w([("heat_pump", 5000)] * 3) == 6000
    assert p_min_w([BOX, ("heat_pump", 20000)]) == 11360
    assert p_min_w([("evse", 3700)]) == 0
    assert p_min_w([("evse", 4200)]) == 0
    assert p_min_w([("evse", 4201)]) == 4200
    assert p_min_w([BOX, ("evse", 3700), ("storage", 4200)]) == 4200
    assert p_min_w([]) == 0


def test_heat_pumps_and_cooling_count_each_as_a_group():
    assert p_min_w([("heat_pump", 2000), ("heat_pump", 2200)]) == 0
    assert p_min_w([("heat_pump", 2000), ("heat_pump", 2201)]) == 4200
    assert p_min_w([("heat_pump", 2200), ("cooling", 2200)]) == 0
    assert p_min_w([("heat_pump", 11000)]) == 4200
    assert p_min_w([("heat_pump", 11001)]) == 4400
    assert p_min_w([("heat_pump", 15000), ("cooling", 20000)]) == 8000 + 3360
    assert p_min_w([("heat_pump", 15000), ("cooling", 4000)]) == 6000


def test_another_table_and_another_factor():
    assert p_min_w([BOX] * 3, "ems", 4200, 40, [50]) == 8400
    assert p_min_w([BOX] * 2, "ems", 5000, 40, [50]) == 7500
    assert p_min_w([("heat_pump", 20000)], "ems", 4200, 30) == 6000


def test_direct_control_owes_each_its_own():
    assert p_min_w([BOX] * 3, "direct") == 12600
    assert p_min_w([BOX, ("heat_pump", 20000)], "direct") == 12200
    assert p_min_w([BOX, ("heat_pump", 10000), ("storage", 4000)], "direct") == 8400


def test_the_sun_counts_on_top():
    world = Dimmed([box(), box("E2")], [steerable("S1", device="E1")])
    world.cars["E2"] = None
    world.cars["E1"].wants_ma = 32000
    world.run(60)
    world.pv_w, world.other_w = 6000, 1000
    world.wanted = (None, "C1")
    assert world.run(30) == [13300, 0]
    assert (world.dimming.limit_w, world.dimming.own_w) == (4200, 5000)
    assert world.dimming.budget_w == 9200
    assert world.dimming.allotments == {"S1": 13300 * 690 // 1000}
    assert world.dimming.used_w == world.drawn_from_grid_w() <= 4200
    assert world.evses[0].reason.code == "dimming_binds"
    assert world.evses[0].reason.source == "C1"
    world.wanted = None
    assert world.run(30) == [16000, 0]
    assert world.dimming.budget_w is None and not world.dimming.active


def test_a_one_phase_car_may_have_the_whole_budget():
    world = Dimmed([box(phases=1, max_current_ma=32000)], [steerable("S1", device="E1")])
    world.cars["E1"].lines = 1
    world.wanted = (None, "C1")
    assert world.run(30) == [18200]
    world = Dimmed(
        [box(phases=1, max_current_ma=32000)],
        [steerable("S1", device="E1")],
        world={"max_total_current": 200000, "max_unbalance_ma": 16000},
    )
    world.cars["E1"].lines = 1
    world.wanted = (None, "C1")
    assert world.run(30) == [16000]


def test_three_phases_have_six_amperes_of_it_or_pause():
    world = Dimmed([box()], [steerable("S1", device="E1")])
    world.run(30)
    world.wanted = (4200, "C1")
    assert world.run(1) == [6000]
    world.wanted = (4139, "C1")
    assert world.run(1) == [0]
    world.wanted = (4140, "C1")
    assert world.run(330) == [6000]
    world.wanted = (0, "http")
    assert world.run(1) == [0]


def test_who_is_not_in_the_list_or_too_small_is_not_limited():
    world = Dimmed(
        [box(), box("E2"), box("E3", phases=1)],
        [steerable("S1", device="E1"), steerable("S3", power_w=3700, device="E3")],
    )
    world.cars["E3"].lines = 1
    world.wanted = (None, "C1")
    assert world.run(60) == [6000, 16000, 16000]
    assert world.dimming.p_min_w == 4200


def test_without_a_grid_meter_nothing_is_added():
    world = Dimmed([box()], [steerable("S1", device="E1")], meter=None, grid_id=None)
    world.pv_w = 9000
    world.wanted = (None, "C1")
    assert world.run(30) == [6000]
    assert world.dimming.own_code == "dimming_no_meter"


def test_a_silent_grid_meter_takes_the_sun_back():
    world = Dimmed([box()], [steerable("S1", device="E1")])
    world.pv_w = 9000
    world.wanted = (None, "C1")
    assert world.run(30) == [16000]
    world.meter = False
    assert world.run(7) == [6000]
    assert world.dimming.own_code == "dimming_meter_late"
    assert world.dimming.budget_w == 4200


def test_a_car_that_ramps_is_no_surplus():
    for early_ms in (300, 900):
        world = Dimmed(
            [box(), box("E2")], [steerable("S1", device="E1"), steerable("S2", device="E2")]
        )
        world.early_ms = early_ms
        world.wanted = (20000, "C1")
        for _ in range(40):
            world.run(1)
            assert world.dimming.own_w == 0
        assert world.evses[0].setpoint_ma > 14000
        world.wanted = (None, "C1")
        for _ in range(40):
            world.run(1)
            assert world.dimming.own_w == 0
        world.pv_w = 5000
        world.run(40)
        assert world.dimming.own_w == 5000


def test_own_generation_can_be_left_out():
    world = Dimmed([box()], [steerable("S1", device="E1")], own_generation=False)
    world.pv_w = 9000
    world.wanted = (None, "C1")
    assert world.run(30) == [6000]
    assert world.dimming.own_code is None


def heat_pump(**changes):
    values = {"kind": "heat_pump", "power_w": 5000, "relay": 1, "reduced_w": 1000}
    values.update(changes)
    return steerable("S2", **values)


def test_a_heat_pump_makes_room_for_the_cars():
    world = Dimmed([box()], [steerable("S1", device="E1"), heat_pump()])
    world.run(30)
    world.wanted = (None, "C1")
    world.run(1)
    assert world.dimming.p_min_w == 7560
    assert world.dimming.reduced == ["S2"]
    assert world.run(30) == [9500]  # 7560 - 1000 W
    assert world.dimming.allotments == {"S1": 6555, "S2": 1000}
    world.wanted = None
    world.run(1)
    assert world.dimming.reduced == []


def test_a_heat_pump_runs_on_where_there_is_room():
    world = Dimmed([box()], [steerable("S1", device="E1"), heat_pump()])
    world.cars["E1"] = None
    world.wanted = (None, "C1")
    world.run(30)
    assert world.dimming.reduced == []
    assert world.dimming.allotments == {"S1": 0, "S2": 5000}


def test_a_compressor_is_not_switched_more_often_than_in_ten_minutes():
    world = Dimmed([box()], [steerable("S1", device="E1"), heat_pump()])
    world.wanted = (None, "C1")
    world.run(30)
    world.cars["E1"] = None
    world.run(560)
    assert world.dimming.reduced == ["S2"]
    world.run(20)
    assert world.dimming.reduced == []
    world.cars["E1"] = Car()
    world.run(2)
    assert world.dimming.reduced == ["S2"]


def test_clouds_do_not_release_a_heat_pump_for_moments():
    world = Dimmed([box()], [steerable("S1", device="E1"), heat_pump()])
    world.wanted = (None, "C1")
    world.run(660)
    for _ in range(5):
        world.pv_w = 6000
        world.run(40)
        assert world.dimming.reduced == ["S2"]
        world.pv_w = 0
        world.run(10)
    world.pv_w = 6000
    world.run(80)
    assert world.dimming.reduced == []


def test_what_cannot_be_reduced_takes_from_the_cars():
    world = Dimmed([box()], [steerable("S1", device="E1"), heat_pump(relay=None, power_w=4500)])
    world.wanted = (None, "C1")
    assert world.run(60) == [10900]  # it is off
    world.drawn_w["S2"] = 3000
    assert world.run(10) == [6600]
    world.seen = False  # its rated power counts
    assert world.run(10) == [0]
    assert world.dimming.devices[1].code == "steerable_fixed"


def test_a_measured_storage_counts_what_it_charges():
    storage = steerable("S2", "storage", 5000)
    world = Dimmed([box()], [steerable("S1", device="E1"), storage])
    world.wanted = (None, "C1")
    assert world.run(30) == [10900]  # 7560 W
    world.drawn_w["S2"] = 3000
    assert world.run(30) == [6600]
    world.pv_w = 3000
    assert world.run(30) == [10900]
    world.drawn_w["S2"] = -3000  # it discharges, for the car
    world.pv_w = 0
    assert world.run(30) == [15300]
    assert world.drawn_from_grid_w() <= 7560 + 69


def test_a_storage_without_a_meter_counts_its_rated_power():
    storage = steerable("S2", "storage", 5000)
    world = Dimmed([box()], [steerable("S1", device="E1"), storage])
    world.seen = False
    world.wanted = (9500, "C1")
    assert world.run(30) == [6500]


def test_direct_control_limits_each_alone():
    world = Dimmed(
        [box(), box("E2")],
        [
            steerable("S1", device="E1"),
            steerable("S2", device="E2"),
            steerable("S3", "heat_pump", 12000, relay=1, reduced_w=4800),
            steerable("S4", "cooling", 6000, relay=2, reduced_w=3000),
        ],
        control="direct",
    )
    world.pv_w = 20000
    world.wanted = (None, "C1")
    assert world.run(30) == [6000, 6000]
    assert world.dimming.limit_w == 4200 * 3 + 4800
    assert world.dimming.reduced == ["S3", "S4"]
    assert world.evses[1].reason.arguments == (4200, "C1")
    world.wanted = (6000, "C1")
    assert world.run(30) == [8600, 8600]
    assert world.evses[1].reason.arguments == (6000, "C1")


def test_of_two_who_dim_the_smaller_counts_for_each():
    world = Dimmed(
        [box(), box("E2")],
        [
            steerable("S1", device="E1"),
            steerable("S2", device="E2"),
            steerable("S3", "heat_pump", 20000, relay=1, reduced_w=4200),
        ],
        control="direct",
    )
    world.wanted = [(5000, "http"), (None, "C1")]  # owed are 4200, 4200 and 8000 W
    assert world.run(30) == [6000, 6000]
    assert world.dimming.limit_w == 4200 + 4200 + 5000
    assert world.dimming.source == "http"
    assert world.dimming.owes_more(5000) and not world.dimming.owes_more(8000)
    world = Dimmed([box()], [steerable("S1", device="E1")])
    world.wanted = [(5000, "http"), (None, "C1")]
    world.run(30)
    assert (world.dimming.limit_w, world.dimming.source) == (4200, "C1")


def test_a_heat_pump_that_runs_makes_room_for_a_second_car():
    for seen in (True, False):
        devices = [steerable("S1", device="E1"), steerable("S2", device="E2")]
        devices.append(steerable("S3", "heat_pump", 5000, relay=1))
        world = Dimmed([box(), box("E2")], devices)
        world.seen = seen
        world.drawn_w = {"S3": 5000}
        world.run(60)
        world.wanted = (None, "C1")  # 10500 W
        for _ in range(400):  # the second car had to pause first
            world.run(1)
            if world.dimming.reduced:
                world.drawn_w = {"S3": 0}
        assert world.dimming.reduced == ["S3"], seen
        assert world.run(1) == [7600, 7600]


def test_who_paused_for_it_begins_soon_after():
    world = Dimmed([box()], [steerable("S1", device="E1")], world={"max_total_current": 63000})
    world.run(60)
    assert world.evses[0].setpoint_ma > 0
    world.wanted = (0, "C1")
    assert world.run(20) == [0]
    world.wanted = None
    assert world.run(28) == [0]
    assert world.run(5)[0] > 0


def test_a_silent_wallbox_counts_what_it_may_still_draw():
    world = Dimmed(
        [box(), box("E2")], [steerable("S1", device="E1"), steerable("S2", device="E2")]
    )
    world.wanted = (None, "C1")
    world.run(60)
    sent_ma = world.evses[0].sent_ma
    world.evses[0].silent_since_ms = world.now_ms
    left_w = 7560 - sent_ma * 690 // 1000
    assert world.run(10)[1] * 690 // 1000 <= left_w


def test_changed_settings_keep_what_is_reduced():
    world = Dimmed([box()], [steerable("S1", device="E1"), heat_pump()])
    world.wanted = (None, "C1")
    world.run(30)
    evses = {"E1": world.evses[0]}
    world.dimming.configure(SETTINGS, [steerable("S1", device="E1"), heat_pump()], evses, 230)
    assert world.dimming.reduced == ["S2"]
    world.run(1)
    assert world.dimming.reduced == ["S2"]
