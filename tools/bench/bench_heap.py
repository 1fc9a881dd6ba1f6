"""Heap that each module keeps after its import: bench_heap.py TREE|IMAGE CHIP MODULE...

Runs on the VM. Prints one JSON object {module: bytes}; modules are imported in the given order,
so that what several share is booked to the first.
"""

import gc
import json
import sys

tree, chip = sys.argv[1:3]
sys.path[:] = [chip, ".frozen"]
if tree.endswith(".img"):
    import rom

    rom.mount(tree, "/rom")
    tree = "/rom"
sys.path[:0] = [tree, tree + "/lib"]

# What every firmware has in any case, and what stands for the chip.
import asyncio.stream  # noqa: E402,F401
import binascii  # noqa: E402,F401
import hashlib  # noqa: E402,F401

import machine  # noqa: E402,F401
import network  # noqa: E402,F401


def used():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()


result = {}
for name in sys.argv[3:]:
    before = used()
    __import__(name)
    result[name] = used() - before
print(json.dumps(result))
