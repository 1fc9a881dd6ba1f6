"""A Modbus master that dims and dies, hour after hour in faked time: the whole real controller."""

from operator_world import World

SETTINGS = {
    "site": {"max_total_current": 35000, "failsafe_current_ma": 6000},
    "meters": [{"id": "M1", "template": "http_input", "role": "grid"}],
    "evses": [{"id": "E1", "template": "http_input", "max_current_ma": 16000}],
    "sunspec_server": {"enabled": True, "port": 5020},
    "channels": [{"channel": "sunspec", "timeout_s": 60, "failsafe": "20 %", "duration_s": 7200}],
}


def until(world, second):
    while world.s < second:
        world.step(1 if second - world.s < 120 else 10)


def test_a_master_that_dims_and_dies(tmp_path, monkeypatch):
    world = World(tmp_path, SETTINGS, monkeypatch)
    assert world.states() == {"sunspec": "init"}
    assert world.effective()[0] == 6000  # nobody has said anything since the boot
    until(world, 10)
    for _ in range(6):  # it writes 30 every 5 s
        assert world.write_sunspec(30.0) == 0
        world.step(5)
        assert world.effective()[0] == 10500 and world.states() == {"sunspec": "limited"}
    dead_s = world.s - 5
    until(world, dead_s + 59)
    assert world.effective()[0] == 10500
    until(world, dead_s + 60)
    assert world.effective()[0] == 7000 and world.states() == {"sunspec": "failsafe"}
    until(world, dead_s + 3600)
    world.restart()  # a power cut frees nobody
    until(world, dead_s + 3610)
    assert world.effective()[0] == 7000 and world.states() == {"sunspec": "failsafe"}
    until(world, dead_s + 7250)
    assert world.effective()[0] == 7000
    until(world, dead_s + 7260 + 901)  # what is left of a time is saved each quarter of an hour
    assert world.effective()[0] == 35000 and world.states() == {"sunspec": "autonomous"}
    assert world.write_sunspec(50.0) == 0
    world.step(1)
    assert world.effective()[0] == 17500 and world.states() == {"sunspec": "limited"}
    world.step(30)
    assert world.write_sunspec(100.0) == 0
    world.step(1)
    assert world.effective()[0] == 35000
    world.step(2)
    orders = [
        (row["boot"], row["kind"], row["source"], row.get("value"))
        for row in world.journal()
        if row["kind"] in ("command", "release")
    ]
    assert orders == [
        (1, "command", "sunspec failsafe", 20),  # until the first command after the boot
        (1, "release", "sunspec failsafe", None),
        (1, "command", "sunspec", 30),
        (1, "release", "sunspec", None),
        (1, "command", "sunspec failsafe", 20),
        (2, "command", "sunspec failsafe", 20),
        (2, "release", "sunspec failsafe", None),
        (2, "command", "sunspec", 50),
        (2, "release", "sunspec", None),
    ]
    events = [row["code"] for row in world.journal("e") if row["kind"] == "event"]
    assert [code for code in events if code.startswith("channel")] == [
        "channel_limited",
        "channel_failsafe",
        "channel_autonomous",
        "channel_limited",
    ]
