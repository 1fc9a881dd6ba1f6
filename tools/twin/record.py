"""The recording: one row a second as CSV, and a picture drawn from that CSV."""

import asyncio
import collections
import csv
import io
import logging
import pathlib
import sys
import tempfile

_ROWS = 6 * 3600
_PICTURE = pathlib.Path(__file__).with_name("picture.py")
_DRAW_S = 60


class Recorder:
    """Keeps the last six hours of rows in memory, and all of them in `folder`/twin.csv."""

    def __init__(self, twin, folder):
        self._twin = twin
        self._folder = folder
        self._rows = collections.deque(maxlen=_ROWS)
        self._file = None
        self._lock = asyncio.Lock()

    def row(self):
        """Record the state of this second."""
        row = self._flat(self._twin.state())
        self._rows.append(row)
        if not self._folder:
            return
        if not self._file:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / "twin.csv"
            self._file = path.open("w", newline="", encoding="utf-8", buffering=1)
            csv.writer(self._file).writerow(row)
        csv.writer(self._file).writerow(row.values())

    def _flat(self, state):
        row = {"t_ms": state["t_ms"], "house_w": sum(state["load_w"]), "pv_w": state["pv_w"]}
        row["clear_w"], row["battery_w"] = state["sun"]["clear_w"], state["battery"]["power_w"]
        row["battery_soc"] = "" if state["battery"]["soc"] is None else state["battery"]["soc"]
        row["clock"] = (state["clock"] or "")[11:19]
        for meter in self._twin.config["meters"]:
            id_ = meter["id"]
            row[f"{id_}_power_w"] = state["meters"][id_]["power_w"]
            currents = enumerate(state["meters"][id_]["current_ma"], 1)
            row.update((f"{id_}_l{line}_ma", ma) for line, ma in currents)
            for key in ("fuse_ma", "unbalance_ma"):
                row[f"{id_}_{key}"] = meter[key] or ""
        for id_, box in state["wallboxes"].items():
            row[f"{id_}_state"] = box["state"]
            row[f"{id_}_setpoint_ma"] = box["setpoint_ma"]
            row[f"{id_}_offered_ma"] = box["offered_ma"]
            row.update((f"{id_}_l{i + 1}_ma", ma) for i, ma in enumerate(box["current_ma"]))
            row[f"{id_}_power_w"] = box["power_w"]
            row[f"{id_}_phases"] = min(state["cars"][id_]["phases"], self._twin.boxes[id_].phases)
            row[f"{id_}_written_ms"] = "" if box["written_ms"] is None else box["written_ms"]
            row[f"{id_}_soc"] = state["cars"][id_]["soc"]
        row.update((f"contact{n}", int(closed)) for n, closed in state["contacts"].items())
        row.update((f"relay{n}", int(closed)) for n, closed in state["relays"].items())
        operator = state["operator"]
        for name in ("dim_w", "grid_w"):
            limit_w = operator[name]["limit_w"]
            row[f"operator_{name}"] = "" if limit_w is None else limit_w
        row["controllable_w"] = operator["dim_w"]["drawn_w"]
        says = [(name, operator[name]["wants"]) for name in ("modbus", "http", "gateway")]
        row["operator"] = " ".join(
            f"{name}:{wants.replace(' ', '_')}" for name, wants in says if wants
        )
        row["appliances"] = " ".join(name for name, on in state["appliances"].items() if on)
        row["asleep"] = " ".join(id_ for id_, car in state["cars"].items() if car["asleep"])
        row["faults"] = " ".join(f"{place}:{fault}" for place, fault in state["faults"].items())
        return row

    def rows(self, last=None):
        """Return the recorded rows as dicts, the `last` ones or all."""
        rows = list(self._rows)
        return rows[-last:] if last else rows

    def text(self):
        """Return the recorded rows as CSV."""
        out = io.StringIO()
        if self._rows:
            writer = csv.DictWriter(out, self._rows[0].keys())
            writer.writeheader()
            writer.writerows(self._rows)
        return out.getvalue()

    async def picture(self, lang="en"):
        """Return the recording so far as a PNG, or None when nothing is recorded yet.

        Drawn by another process: matplotlib would hold up the simulated wires for a second.
        Raises RuntimeError when that fails.
        """
        if not self._rows:
            return None
        async with self._lock:
            with tempfile.TemporaryDirectory() as folder:
                source, target = pathlib.Path(folder, "twin.csv"), pathlib.Path(folder, "twin.png")
                source.write_text(self.text(), encoding="utf-8")
                await _draw(source, target, lang)
                return target.read_bytes()

    async def close(self):
        """Close the CSV file and draw its picture beside it."""
        if self._file:
            self._file.close()
            path = self._folder / "twin.csv"
            try:
                await _draw(path, path.with_suffix(".png"), "en")
            except RuntimeError as error:
                logging.getLogger("twin").error("%s", error)


async def _draw(source, target, lang):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_PICTURE),
        str(source),
        str(target),
        lang,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, text = await asyncio.wait_for(process.communicate(), _DRAW_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise RuntimeError(f"the picture was not drawn within {_DRAW_S} s") from None
    if process.returncode:
        raise RuntimeError(f"the picture could not be drawn: {text.decode()[-300:]}")
