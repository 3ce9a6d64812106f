"""Instructions per message, counted by valgrind: the same on an idle and on a busy machine.

    python -m benchmarks.instructions depth5 trade

The replay (`benchmarks.replay`) runs twice, with few and with more messages; the difference is
what messages cost, without the start of the interpreter. Two counts of one version differ by less
than a thousandth; other versions of Python, or other compilers of it, count otherwise.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.replay import frames

FEW, MANY = 500, 4_500


def instructions(workload: str, symbols: int, messages: int) -> int:
    """Of a whole process that replays so many messages."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "frames"
        data.write_bytes(frames(workload, messages, symbols))
        finished = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
             sys.executable, "-m", "benchmarks.replay", workload, "--symbols", str(symbols),
             "--messages", str(messages), "--data", str(data)],
            capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
    found = re.search(r"Collected : (\d+)", finished.stderr)
    assert found is not None, finished.stderr
    return int(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", default=["depth5", "trade"])
    parser.add_argument("--symbols", type=int, nargs="*", default=[1, 50])
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        parser.exit(1, "valgrind is not installed\n")
    for workload in options.workloads:
        for symbols in options.symbols:
            few, many = (instructions(workload, symbols, count) for count in (FEW, MANY))
            print(f"{workload}, {symbols} symbols: {(many - few) / (MANY - FEW):,.0f}", flush=True)


if __name__ == "__main__":
    main()
