"""Count the instructions of an order with valgrind: placed and cancelled, and of a fill.

    python -m benchmarks.order_instructions "trio bare" connector
    python -m benchmarks.order_instructions --parts

A client runs twice, with few and with more orders, and is counted from its second chunk on; the
difference is what orders cost. The kernel is not counted. Whether the reply and the private event
of an order arrive in one turn of the scheduler is chance, so that two counts differ by 2 %.
With ``--parts`` it counts the parts of an order (`benchmarks.order_parts`), which is exact.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import trio

from benchmarks.build import warn_if_not_compiled
from benchmarks.counting import mark_in
from benchmarks.field import ORDERS, Contestant
from benchmarks.launch import server
from benchmarks.order_parts import PARTS, Stage, part_of
from benchmarks.order_workload import OrderMeasure

FEW, MANY = 100, 500
FEW_FILLS, MANY_FILLS = 500, 4_500
FEW_TIMES, MANY_TIMES = 100, 600
_RUN, _REPEAT = "run", "repeat"


def counted(folder: Path, *command: object, **around: str) -> int:
    """Instructions of a process of this module, from where it begins to its end."""
    out = folder / "counted"
    subprocess.run(
        ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no",
         f"--callgrind-out-file={out}", sys.executable, "-m", __spec__.name,
         str(mark_in(folder)), *map(str, command)],
        check=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONHASHSEED": "0", **around},
    )  # fmt: skip
    found = re.search(r"^totals: (\d+)", out.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def contested(contestant: Contestant, folder: Path, *options: object) -> int:
    """From the second chunk, or the first fill, to the end."""
    around = {} if contestant.compiled else {"CONNECTOR_NO_EXTENSION": "1"}
    with server(["benchmarks.order_server"]) as port:
        return counted(
            folder, _RUN, contestant.module, port, *options, *contestant.options, **around
        )


def of_orders(contestant: Contestant) -> Mapping[str, float]:
    """What an order takes from place to the end of its cancel, and a fill."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = (
            contested(contestant, folder, "--orders", number, "--fills", 0)
            for number in (FEW, MANY)
        )
        few_fills, many_fills = (
            contested(contestant, folder, "--orders", 1, "--fills", number)
            for number in (FEW_FILLS, MANY_FILLS)
        )
    return {
        "an order placed and cancelled": (many - few) / (MANY - FEW),
        "a fill": (many_fills - few_fills) / (MANY_FILLS - FEW_FILLS),
    }


def of_part(name: str) -> float:
    """What a part of an order takes."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = (
            counted(Path(folder), _REPEAT, name, times) for times in (FEW_TIMES, MANY_TIMES)
        )
    return (many - few) / (MANY_TIMES - FEW_TIMES)


def run(begin: Callable[[], object], module: str, arguments: list[str]) -> None:
    """Be a contestant that says where to begin."""
    OrderMeasure.beginnings = (begin,)
    sys.argv[1:] = arguments
    runpy.run_module(f"benchmarks.contestants.{module}", run_name="__main__")


async def repeat(begin: Callable[[], object], name: str, times: int) -> None:
    """Do a part of an order so many times."""
    part = part_of(Stage(), name)
    begin()
    for number in range(times):
        part(number)


def main() -> None:
    warn_if_not_compiled()
    match sys.argv[1:]:
        case library, what, *rest if what in (_RUN, _REPEAT):
            begin = ctypes.CDLL(library).begin
            if what == _RUN:
                run(begin, rest[0], rest[1:])
            else:
                trio.run(repeat, begin, rest[0], int(rest[1]))
            return
        case ["--parts"]:
            for name, what in PARTS.items():
                print(f"{what}: {of_part(name):,.0f}", flush=True)
            return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clients", nargs="+", choices=[
        name for name, each in ORDERS.items() if each.package is None
    ])  # fmt: skip
    for client in parser.parse_args().clients:
        for what, each in of_orders(ORDERS[client]).items():
            print(f"{what}, {client}: {each:,.0f}", flush=True)


if __name__ == "__main__":
    main()
