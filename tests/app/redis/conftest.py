"""A real redis-server for the tests, on a free port of the loopback interface."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

pytest.importorskip("coredis", reason="the extra [redis] is not installed")

SERVER = shutil.which("redis-server")


@attrs.define
class Server:
    """A redis-server that can be killed and started again; it keeps what it has acknowledged."""

    folder: Path
    port: int
    fsync: str = "always"
    process: subprocess.Popen[bytes] | None = None
    config: Path | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def run(self) -> None:
        """Start it; whoever connects too early tries again."""
        assert SERVER is not None
        options = {
            "--bind": "127.0.0.1", "--port": str(self.port), "--dir": str(self.folder),
            "--save": "", "--appendonly": "yes", "--appendfsync": self.fsync,
        }  # fmt: skip
        words = [word for option in options.items() for word in option]
        self.process = subprocess.Popen(
            [SERVER, *([str(self.config)] if self.config else []), *words],
            stdout=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Let it answer nobody, and close nothing: what a lost network looks like."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def forget(self) -> None:
        """Lose everything that was written."""
        assert self.process is None
        shutil.rmtree(self.folder)
        self.folder.mkdir()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if SERVER is None:
        pytest.skip("there is no redis-server here: apt-get install redis-server")
    folder = tmp_path / "redis"
    folder.mkdir()
    running = Server(folder, free_port())
    running.run()
    yield running
    running.kill()
