"""Devices whose values are pushed: what ages, and what is new."""

from controller.pushed import PushedEvse, PushedMeter


def test_values_that_nobody_renews_are_none():
    meter = PushedMeter({"id": "M1"})
    assert meter.com_error and meter.read_ms is None
    meter.sample(0)
    meter.push({"power_w": 100, "current_l1_ma": 400}, 1000)
    assert not meter.com_error and meter.read_ms == 1000
    meter.sample(31000)
    assert not meter.com_error
    meter.sample(31001)
    assert meter.com_error and meter.error_since_ms == 31001 and "30 s" in meter.problem
    assert meter.readings["power_w"] == 100  # known, but old
    meter.sample(40000)
    assert meter.error_since_ms == 31001
    meter.push({"power_w": 200}, 50000)
    assert not meter.com_error and meter.error_since_ms is None and meter.problem is None
    assert meter.readings == {"power_w": 200, "current_l1_ma": 400}


def test_an_energy_alone_makes_no_load_new():
    meter = PushedMeter({"id": "M1"})
    meter.push({"soc": 50}, 1000)
    assert meter.read_ms == 1000  # it has nothing else
    meter.push({"power_w": 100}, 2000)
    meter.push({"import_wh": 5, "soc": 51}, 20000)
    assert meter.read_ms == 2000 and meter.readings["soc"] == 51
    meter.sample(32001)
    assert meter.com_error


def test_a_state_is_news_of_a_wallbox():
    box = PushedEvse({"id": "E1"})
    box.push({"state": "B", "power_w": 0}, 1000)
    box.push({"state": "C"}, 5000)
    assert box.read_ms == 5000 and box.setpoint_ma is None
    box.order(8000)
    assert box.setpoint_ma == 8000 and box.sent_ma is None
