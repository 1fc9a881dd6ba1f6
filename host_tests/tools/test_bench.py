"""The benchmarks run: what they stand in for changes with the firmware."""

from tools.bench import vm


def test_a_whole_cycle_runs(micropython):
    tree = vm.build.build_files()
    found = vm.run("bench_whole_cycle.py", tree, vm.CHIP, heap="1M")
    assert found and all(value > 0 for value in found.values())
