"""Run the simulated installation alone: python -m tools.twin --port-base 18000."""

import argparse
import asyncio
import json
import logging
import pathlib
import signal
import sys

from . import Twin, TwinError


def _arguments():
    parser = argparse.ArgumentParser(prog="python -m tools.twin", description=__doc__)
    parser.add_argument("--port-base", type=int, default=18000, help="0: any free ports")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--scenario", default="default", help="name, or path of a .json file")
    parser.add_argument("--board", type=pathlib.Path, help="board.json whose inputs are wired")
    parser.add_argument("--record", type=pathlib.Path, help="folder for twin.csv and twin.png")
    parser.add_argument("--duration", type=float, default=0, help="seconds; 0: until stopped")
    return parser.parse_args()


async def _run(args):
    board = json.loads(args.board.read_text(encoding="utf-8")) if args.board else None
    twin = Twin(
        port_base=args.port_base,
        scenario=args.scenario,
        record_dir=args.record,
        board=board,
        host=args.host,
    )
    await twin.start()
    print(
        "twin",
        json.dumps(
            {
                "panel": f"http://{args.host}:{twin.http_port}/",
                "ptys": twin.ptys,
                "tcp_ports": twin.tcp_ports,
                "chip_port": twin.chip_port,
            }
        ),
        flush=True,
    )
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    try:
        await asyncio.wait_for(over.wait(), args.duration or None)
    except TimeoutError:
        pass
    await twin.stop()


def main():
    """Run until stopped; one sentence and exit 1 when it cannot start."""
    logging.basicConfig(format="%(name)s: %(message)s")
    try:
        asyncio.run(_run(_arguments()))
    except (TwinError, OSError, ValueError) as error:
        sys.exit(f"twin: {error}")


if __name__ == "__main__":
    main()
