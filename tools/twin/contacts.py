"""The inputs of the board: contacts with bounce, S0 pulses, and the chip channel.

The chip channel is a TCP server. A simulated chip that connects is sent the level of every
input that the board has, then each change: "pin <n> <0|1>" or, behind an expander,
"i2c <address> <byte>" (decimal) for its eight bits; "ready" ends the first levels. It sends
"out <pin> <0|1>". Lines end with a line feed.
"""

import asyncio
import logging

_BOUNCE_MS = (1, 6)
_BOUNCES = 9
_LINE_MAX = 100


class Inputs:
    """Levels of all inputs of a board; tells `send(line)` each change."""

    def __init__(self, board, rng, send):
        self._by_id = {item["id"]: item for item in board["inputs"]}
        self._expanders = board.get("expanders") or []
        self._active = {id_: False for id_ in self._by_id}
        self._resting = {}
        self._timers = {}
        self._rng = rng
        self._send = send

    def is_active(self, id_):
        """Return whether input `id_` is closed at this moment, bounce included."""
        return self._active[id_]

    def set(self, id_, active, bounce=False):
        """Close or open the contact at input `id_`; `bounce`: with chatter before it rests."""
        self._cancel(id_)
        self._resting[id_] = active
        if not bounce:
            self._put(id_, active)
            return
        loop = asyncio.get_running_loop()
        timers, after_s = self._timers.setdefault(id_, []), 0
        for i in range(_BOUNCES):
            level = active if i % 2 == 0 else not active
            timers.append(loop.call_later(after_s, self._put, id_, level))
            after_s += self._rng.uniform(*_BOUNCE_MS) / 1000

    def burst(self, id_):
        """Let the contact at input `id_` chatter and rest where it was: an induced pulse."""
        active = self._resting.get(id_, False)
        self.set(id_, active, bounce=True)
        self._put(id_, not active)

    def pulse(self, id_, after_s, pulse_s):
        """Give one S0 pulse at input `id_` in after_s."""
        loop = asyncio.get_running_loop()
        old = [t for t in self._timers.get(id_, []) if t.when() > loop.time()]
        self._timers[id_] = old + [
            loop.call_later(after_s, self._put, id_, True),
            loop.call_later(after_s + pulse_s, self._put, id_, False),
        ]

    def stop(self):
        """Cancel what is still to come."""
        for id_ in list(self._timers):
            self._cancel(id_)

    def lines(self):
        """Return the lines that say the present level of every input, and that an expander of
        relays is there.
        """
        lines = {self._line(id_) for id_ in self._by_id}
        relays = [part for part in self._expanders if part.get("role") == "outputs"]
        return sorted(lines | {f"i2c {part['address']} 255\n" for part in relays})

    def _cancel(self, id_):
        for timer in self._timers.pop(id_, []):
            timer.cancel()

    def _put(self, id_, active):
        if active != self._active[id_]:
            self._active[id_] = active
            self._send(self._line(id_))

    def _level(self, item):
        return int(self._active[item["id"]] != bool(item.get("active_low")))

    def _line(self, id_):
        item = self._by_id[id_]
        number = item.get("expander")
        if number is None:
            return f"pin {item['pin']} {self._level(item)}\n"
        value = 0xFF
        for other in self._by_id.values():
            if other.get("expander") == number and not self._level(other):
                value &= ~(1 << other["bit"])
        return f"i2c {self._expanders[number]['address']} {value & 0xFF}\n"


class ChipChannel:
    """The TCP server that simulated chips connect to; `outputs` is what they drive."""

    def __init__(self):
        self.inputs = None
        self.outputs = {}
        self.on_lost = []
        self.connects = 0
        self._writers = set()

    @property
    def clients(self):
        """The number of chips connected now."""
        return len(self._writers)

    async def start(self, host, port):
        """Listen; port 0 takes any free one."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_LINE_MAX)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """Close the port and all connections; nobody is told that they are lost."""
        self.on_lost = []
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()

    def send(self, line):
        """Tell every chip one line."""
        for writer in self._writers:
            writer.write(line.encode())

    async def _serve(self, reader, writer):
        self.connects += 1
        self._writers.add(writer)
        writer.writelines(line.encode() for line in self.inputs.lines())
        writer.write(b"ready\n")
        try:
            while line := await reader.readline():
                self._take(line.decode("ascii", "replace").split())
        except ValueError:
            logging.getLogger("twin").warning("chip: a line of more than %d bytes", _LINE_MAX)
        except ConnectionError:
            pass  # A chip that was killed.
        finally:
            self._writers.discard(writer)
            writer.close()
            if not self._writers:  # nobody drives the pins any more; expanders keep their bits
                for pin in [name for name in self.outputs if name.isdigit()]:
                    del self.outputs[pin]
            for call in self.on_lost:
                call()

    def _take(self, words):
        if len(words) == 3 and words[0] in ("out", "i2c") and all(w.isdigit() for w in words[1:]):
            prefix = "i2c" if words[0] == "i2c" else ""
            self.outputs[prefix + words[1]] = int(words[2])
        else:
            logging.getLogger("twin").warning("chip: line not understood: %s", words)
