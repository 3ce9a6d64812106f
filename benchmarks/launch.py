"""Processes of a benchmark: a server on one processor, a contestant on another, what it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import trustme

from benchmarks.field import Contestant, Workload

HERE = Path(__file__).parent
PATIENCE_SECONDS = 90
Figures = dict[str, float]


class Failed(Exception):
    """A contestant gave no figures; says why."""


@attrs.frozen
class Site:
    """Where everything runs."""

    folder: Path
    """Holds the certificate, and the authority that is to be trusted."""
    environments: Path
    """Holds the environments of those who bring many packages."""

    @classmethod
    @contextmanager
    def prepared(cls, environments: Path) -> Iterator[Site]:
        """A site for the length of a block, with a certificate for ``localhost``."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            authority = trustme.CA()
            authority.cert_pem.write_to_path(str(folder / "trust.pem"))
            authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
                str(folder / "server.pem")
            )
            yield cls(folder, environments)

    @contextmanager
    def load_server(self, workload: Workload) -> Iterator[int]:
        """A server that sends as fast as it can; its port."""
        command = ["benchmarks.server", workload.name, "--messages", str(workload.messages),
                   "--symbols", str(workload.symbols), *["--deflate"] * workload.deflate,
                   *["--certificate", str(self.folder / "server.pem")] * workload.tls]  # fmt: skip
        with server(command) as port:
            yield port

    def run(self, contestant: Contestant, arguments: Sequence[object]) -> Figures:
        """The figures of one run.

        Raises:
            Failed: there are none.
        """
        python = interpreter(contestant, self.environments)
        command = [python, "-m", f"benchmarks.contestants.{contestant.module}",
                   *map(str, arguments), *contestant.options]  # fmt: skip
        around = {"SSL_CERT_FILE": str(self.folder / "trust.pem")}
        if not contestant.compiled:
            around["CONNECTOR_NO_EXTENSION"] = "1"
        try:
            finished = subprocess.run(
                pinned(command, 1), capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                check=False, env={**os.environ, **around},
            )  # fmt: skip
            return dict(json.loads(finished.stdout))
        except subprocess.TimeoutExpired:
            raise Failed(f"not ready after {PATIENCE_SECONDS} s") from None
        except json.JSONDecodeError:
            said = finished.stderr.strip().splitlines() or ["no output"]
            raise Failed(said[-1][:200]) from None


@contextmanager
def server(command: Sequence[str]) -> Iterator[int]:
    """A server's module and arguments, for the length of a block; the port that it prints."""
    words = pinned([sys.executable, "-m", *command], 0)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def pinned(command: list[str], processor: int) -> list[str]:
    """On one processor, where the system can: the server must not disturb the client."""
    many = len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else False
    return ["taskset", "-c", str(processor), *command] if many else command


def interpreter(contestant: Contestant, environments: Path) -> str:
    """The Python that has the contestant, which is installed first if need be.

    Raises:
        Failed: it cannot be installed.
    """
    if contestant.package is None:
        return sys.executable
    folder = environments / contestant.module
    python = str(folder / "bin" / "python")
    if not (folder / "installed").exists():
        venv.create(folder, with_pip=True, clear=True)
        installed = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "msgspec", contestant.package],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if installed.returncode:
            said = [line for line in installed.stderr.splitlines() if line.startswith("ERROR")]
            raise Failed(f"cannot be installed: {(said or ['pip failed'])[-1][:200]}")
        (folder / "installed").touch()
    return python
