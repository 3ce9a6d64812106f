"""Instructions per message, counted by valgrind: the same on an idle and on a busy machine.

    python -m benchmarks.instructions depth5 trade
    python -m benchmarks.instructions --alone
    python -m benchmarks.instructions --table
    python -m benchmarks.instructions depth5 --clients "picows bare" connector --tls

The replay (`benchmarks.replay`) runs twice, with few and with more messages; the difference is
what messages cost, without the start of the interpreter. Two counts of one version differ by less
than a thousandth; other versions of Python, or other compilers of it, count otherwise.
With ``--alone`` the messages come one at a time (`benchmarks.alone`): what latency is made of.
With ``--clients`` contestants of `benchmarks.run` are counted, which read a socket of the load
server (`benchmarks.counting`): TLS is in it, and the kernel is not. ``--table`` counts the bare
client and `connector`, compiled and not, in every workload, and prints ratios.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

from benchmarks.alone import CLIENTS
from benchmarks.build import warn_if_not_compiled
from benchmarks.counting import Counting
from benchmarks.field import CONTESTANTS, MARK, UNCOMPILED, US, Contestant, Workload
from benchmarks.launch import HERE, Site
from benchmarks.replay import frames

FEW, MANY = 500, 4_500
ROWS = (
    *(
        Workload(name, MANY, symbols, tls)
        for tls in (False, True)
        for name, symbols in [("depth5", 1), ("depth5", 50), ("trade", 1), ("trade", 50),
                              ("bookTicker", 1), ("bookTicker", 50), ("depth", 1), ("mix", 1)]
    ),
    Workload("depth5", MANY, deflate=True),
    Workload("trade", MANY, deflate=True),
)  # fmt: skip
"""Those of the table: a bare client never compresses, and the last stand beside another client."""
COMPRESSED = "picows.websockets"
TABLE = ((MARK, COMPRESSED), (US,), (UNCOMPILED,))

FEW_ALONE, MANY_ALONE = 300, 1_300


def counted(*command: str, **around: str) -> int:
    """Instructions of a whole process that runs a module of Python, with `around` around it."""
    finished = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         sys.executable, "-m", *command],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "0", **around},
    )  # fmt: skip
    found = re.search(r"Collected : (\d+)", finished.stderr)
    assert found is not None, finished.stderr
    return int(found[1])


def read_perf(said: str) -> int | None:
    """The count in what ``perf stat -x,`` says; None if the processor's counter is not readable."""
    found = re.search(r"^(\d+),[^,]*,instructions", said, re.MULTILINE)
    return None if found is None else int(found[1])


def counted_by_processor(*command: str) -> int | None:
    """As `counted`, by the processor itself: in a second, and less exactly; None without perf."""
    if shutil.which("perf") is None:
        return None
    finished = subprocess.run(
        ["perf", "stat", "-x,", "-e", "instructions:u", "--", sys.executable, "-m", *command],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    return read_perf(finished.stderr)


def replayed(workload: str, symbols: int, messages: int) -> int:
    """Of a whole process that replays so many messages."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "frames"
        data.write_bytes(frames(workload, messages, symbols))
        return counted(
            "benchmarks.replay", workload, "--symbols", str(symbols),
            "--messages", str(messages), "--data", str(data),
        )  # fmt: skip


def alone(client: str, count: Callable[..., int | None] = counted) -> float | None:
    """Per message that comes alone; None if they cannot be counted in that way."""
    few, many = (
        count("benchmarks.alone", client, "--messages", str(messages))
        for messages in (FEW_ALONE, MANY_ALONE)
    )
    return None if few is None or many is None else (many - few) / (MANY_ALONE - FEW_ALONE)


def main() -> None:
    warn_if_not_compiled()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", default=["depth5", "trade"])
    parser.add_argument("--symbols", type=int, nargs="*", default=[1, 50])
    parser.add_argument("--alone", action="store_true", help="messages one at a time")
    parser.add_argument("--clients", nargs="*", choices=[
        name for name, each in CONTESTANTS.items() if each.package is None
    ], help="contestants, over a socket")  # fmt: skip
    parser.add_argument("--tls", action="store_true", help="for --clients")
    parser.add_argument("--deflate", action="store_true", help="for --clients")
    parser.add_argument("--table", action="store_true", help="every workload, as ratios")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        parser.exit(1, "valgrind is not installed\n")
    if options.table:
        table()
        return
    if options.alone:
        for client in CLIENTS:
            print(f"a trade alone, {client}: {alone(client):,.0f}", flush=True)
        return
    if options.clients:
        compare(options)
        return
    for workload in options.workloads:
        for symbols in options.symbols:
            few, many = (replayed(workload, symbols, count) for count in (FEW, MANY))
            print(f"{workload}, {symbols} symbols: {(many - few) / (MANY - FEW):,.0f}", flush=True)


def compare(options: argparse.Namespace) -> None:
    """Print what a message costs each client, and the ratio to the first of them."""
    wanted = [
        Workload(name, MANY, symbols, options.tls, options.deflate)
        for name in options.workloads
        for symbols in options.symbols
    ]
    with Site.prepared(HERE / ".environments") as site:
        first: dict[Workload, float] = {}
        for client in options.clients:
            for workload, each in contested(site, CONTESTANTS[client], wanted):
                ratio = each / first.setdefault(workload, each)
                print(f"{workload}, {client}: {each:,.0f}, {ratio:.2f}", flush=True)


def contested(
    site: Site, contestant: Contestant, wanted: Iterable[Workload]
) -> Iterator[tuple[Workload, float]]:
    """What a message of each workload costs a contestant that reads it from a socket."""
    with Counting.of(site, contestant) as counting:
        for workload in wanted:
            few = counting.count(site, attrs.evolve(workload, messages=FEW))
            many = counting.count(site, attrs.evolve(workload, messages=MANY))
            yield workload, (many - few) / (MANY - FEW)


def table() -> None:
    """Print what a message costs the bare client, and what `connector` costs beside it."""
    columns: list[dict[Workload, float]] = []
    with Site.prepared(HERE / ".environments") as site:
        for clients in TABLE:
            column: dict[Workload, float] = {}
            for client in clients:
                others = client in {MARK, COMPRESSED}
                fit = [w for w in ROWS if not others or w.deflate == (client == COMPRESSED)]
                column |= dict(contested(site, CONTESTANTS[client], fit))
            columns.append(column)
    print("| | bare client | `connector` | ratio | not compiled | ratio |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in ROWS:
        bare, compiled, uncompiled = (column[row] for column in columns)
        print(
            f"| {row} | {bare:,.0f} | {compiled:,.0f} | {compiled / bare:.2f} "
            f"| {uncompiled:,.0f} | {uncompiled / bare:.2f} |"
        )


if __name__ == "__main__":
    main()
