"""Count the instructions of a contestant from its first message on, with valgrind.

Each client has one process under valgrind, which imports it without counting, and forks for each
count. To count imports as well took a minute per count.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import re
import runpy
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks.field import Contestant, Workload
from benchmarks.launch import Failed, Site
from benchmarks.measure import Measure

_MARK = "#include <valgrind/callgrind.h>\nvoid begin(void) { CALLGRIND_START_INSTRUMENTATION; }\n"


def mark_in(folder: Path) -> Path:
    """Build a library that tells valgrind to begin, which takes a special machine instruction."""
    source, library = folder / "mark.c", folder / "mark.so"
    source.write_text(_MARK)
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@attrs.frozen
class Counting:
    """Counts one client."""

    process: subprocess.Popen[str]
    contestant: Contestant
    folder: Path

    @classmethod
    @contextmanager
    def of(cls, site: Site, contestant: Contestant) -> Iterator[Counting]:
        """For the length of a block."""
        around = {"SSL_CERT_FILE": str(site.folder / "trust.pem"), "PYTHONHASHSEED": "0"}
        if not contestant.compiled:
            around["CONNECTOR_NO_EXTENSION"] = "1"
        command = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no",
                   f"--callgrind-out-file={site.folder}/%p", sys.executable, "-m", __name__,
                   contestant.module, str(mark_in(site.folder))]  # fmt: skip
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **around},
        ) as process:  # fmt: skip
            yield cls(process, contestant, site.folder)
            assert process.stdin is not None
            process.stdin.close()  # it ends

    def count(self, site: Site, workload: Workload) -> int:
        """Instructions from the first message to the end of the process.

        Raises:
            Failed: the contestant has ended with an error.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with site.load_server(workload) as port:
            arguments = [workload.name, str(port), "--messages", str(workload.messages),
                         "--symbols", str(workload.symbols), *["--tls"] * workload.tls,
                         *["--deflate"] * workload.deflate, *self.contestant.options]  # fmt: skip
            print(json.dumps(arguments), file=self.process.stdin, flush=True)
            pid = self.process.stdout.readline().strip()
        if not pid:
            raise Failed("it ended before it was counted")
        found = re.search(r"^totals: (\d+)", (self.folder / pid).read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])


def main() -> None:
    module, library = sys.argv[1:]
    contestant = importlib.import_module(f"benchmarks.contestants.{module}")
    Measure.beginnings = (ctypes.CDLL(library).begin,)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            sys.argv[1:] = json.loads(line)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # its figures
            runpy.run_path(str(contestant.__file__), run_name="__main__")
            sys.exit()
        _, status = os.waitpid(pid, 0)
        if status:
            sys.exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
