"""Instructions per message, counted by valgrind: the same on an idle and on a busy machine.

    python -m benchmarks.instructions depth5 trade
    python -m benchmarks.instructions --alone

The replay (`benchmarks.replay`) runs twice, with few and with more messages; the difference is
what messages cost, without the start of the interpreter. Two counts of one version differ by less
than a thousandth; other versions of Python, or other compilers of it, count otherwise.
With ``--alone`` the messages come one at a time (`benchmarks.alone`): what latency is made of.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.alone import CLIENTS
from benchmarks.replay import frames

FEW, MANY = 500, 4_500
FEW_ALONE, MANY_ALONE = 300, 1_300


def counted(*command: str) -> int:
    """Instructions of a whole process that runs a module of Python."""
    finished = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         sys.executable, "-m", *command],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", default=["depth5", "trade"])
    parser.add_argument("--symbols", type=int, nargs="*", default=[1, 50])
    parser.add_argument("--alone", action="store_true", help="messages one at a time")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        parser.exit(1, "valgrind is not installed\n")
    if options.alone:
        for client in CLIENTS:
            print(f"a trade alone, {client}: {alone(client):,.0f}", flush=True)
        return
    for workload in options.workloads:
        for symbols in options.symbols:
            few, many = (replayed(workload, symbols, count) for count in (FEW, MANY))
            print(f"{workload}, {symbols} symbols: {(many - few) / (MANY - FEW):,.0f}", flush=True)


if __name__ == "__main__":
    main()
