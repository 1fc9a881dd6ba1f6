"""Times formulas on MicroPython against functions written by hand; prints one line of JSON.

    tools/mp tools/bench/bench_formula.py build/files/lib

The functions ask the same lookup for the same names. The shortest of many short runs counts: what
else the machine does can only lengthen a run. The ratio is that of the worse of the two formulas.
"""

import gc
import json
import sys
import time

sys.path.insert(0, sys.argv[1])

from formula import parse  # noqa: E402

SMALL = "PB.input1 ? 25000 : 0"
BIG = "(PB.input1 && !PB.input2) ? min(25000, M1.power_w*1000+6000) : 0"
RUNS = 200
CALLS = 200

VALUES = {"pb": {"input1": 1, "input2": 0}, "m1": {"power_w": 3}}


def lookup(name, field):
    return VALUES[name][field]


def hand_small(lookup):
    return 25000 if lookup("pb", "input1") else 0


def hand_big(lookup):
    if lookup("pb", "input1") and not lookup("pb", "input2"):
        return min(25000, lookup("m1", "power_w") * 1000 + 6000)
    return 0


def run_us(function):
    start = time.ticks_us()
    for _ in range(CALLS):
        function(lookup)
    return time.ticks_diff(time.ticks_us(), start) / CALLS


def compare_us(text, by_hand):
    """Microseconds of an evaluation and of the function by hand, measured in turns."""
    evaluate = parse(text).value
    assert evaluate(lookup) == by_hand(lookup)
    formula = hand = 1e9
    for _ in range(RUNS):
        gc.collect()
        formula = min(formula, run_us(evaluate))
        hand = min(hand, run_us(by_hand))
    return formula, hand


def live_bytes(text):
    """Heap that a parsed formula keeps, the names' texts included unless they exist already."""
    gc.collect()
    before = gc.mem_alloc()
    kept = [parse(text) for _ in range(16)]
    gc.collect()
    return (gc.mem_alloc() - before) // len(kept)


def main():
    small, by_hand_small = compare_us(SMALL, hand_small)
    big, by_hand_big = compare_us(BIG, hand_big)
    figures = {
        "formula_ratio": round(max(small / by_hand_small, big / by_hand_big), 2),
        "small_us": round(small, 3),
        "big_us": round(big, 3),
        "hand_small_us": round(by_hand_small, 3),
        "hand_big_us": round(by_hand_big, 3),
        "live_bytes_small": live_bytes(SMALL),
        "live_bytes_big": live_bytes(BIG),
    }
    print(json.dumps(figures))


main()
