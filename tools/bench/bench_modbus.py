"""Time and heap of lib/modbus, on the VM: bench_modbus.py LIB. Prints one JSON line.

crc_250_us: checksum of 250 bytes; sdm630_block_us: decoding an SDM630's hot block of 18 registers;
heap: bytes that each module keeps, client_heap: all that a client needs (the checker of templates
is given back after start-up); templates: bytes that each shipped template keeps.
"""

import gc
import json
import struct
import sys
import time

lib = sys.argv[1]
sys.path.insert(0, lib)
_RUNS = 20


def used():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()


def best_us(function, calls):
    best = 1e9
    for _ in range(_RUNS):
        gc.collect()
        start = time.ticks_us()
        for _ in range(calls):
            function()
        best = min(best, time.ticks_diff(time.ticks_us(), start) / calls)
    return round(best, 2)


def load(folder, name):
    with open("%s/%s.json" % (folder, name)) as file:
        return json.load(file)


def heap():
    kept = {}
    for name in ("pdu", "rtu", "tcp", "types", "template", "checker", "server"):
        before = used()
        __import__("modbus." + name)
        kept[name] = used() - before
    return kept


def templates(folder):
    """{name: bytes} of the templates, each made after the checker is there."""
    from modbus.template import Template

    sizes = {}
    made = {}
    for name in ("sdm630", "sdm72", "heidelberg", "keba_p30", "cfos_power_brain"):
        made[name] = sizes[name] = None
        before = used()
        made[name] = Template(load(folder, name))
        sizes[name] = used() - before
    return sizes, made["sdm630"]


def main():
    kept = heap()
    sizes, sdm630 = templates(lib + "/../data/templates")
    from modbus import rtu

    frame = bytes(range(250))
    block = struct.pack(">9f", 230.4, 231.5, 229.6, 10.2, 0.1, 3.0, 2361.6, 28.9, -688.8)
    readings = {}
    figures = {
        "crc_250_us": best_us(lambda: rtu.crc16(frame, 0, 250), 50),
        "sdm630_block_us": best_us(lambda: sdm630.decode(0, block, 0, readings), 50),
        "heap": kept,
        "client_heap": sum([kept[n] for n in ("pdu", "rtu", "tcp", "types", "template")]),
        "templates": sizes,
    }
    print(json.dumps(figures))


main()
