"""The service manager hears that a run is ready and alive, over a real socket of its protocol."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from connector.app.running.configuration import read_configuration
from connector.app.running.program import Options, Requests, run_program
from connector.app.running.systemd import Supervisor
from tests.app.running.test_pages import TEXT

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        yield manager


def heard(manager: socket.socket) -> list[str]:
    notices: list[str] = []
    while True:
        try:
            notices.append(manager.recv(4096).decode())
        except BlockingIOError:
            return notices


async def test_a_run_says_what_becomes_of_it(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    config = tmp_path / "run.toml"
    config.write_text(TEXT)
    requests, notices = Requests(), []
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            options = Options(path=config, simulate=True)
            nursery.start_soon(run_program, options, read_configuration(TEXT), requests)
            while not any("STATUS=ready" in each for each in notices):
                await trio.sleep(0.01)
                notices += heard(manager)
            requests.reload.set()
            while not any("RELOADING=1" in each for each in notices):
                await trio.sleep(0.01)
                notices += heard(manager)
            requests.stop.set()
    notices += heard(manager)

    assert notices[0] == "READY=1"
    assert notices.count("READY=1") == 2
    assert "STOPPING=1" in notices
    assert sum(each.startswith("WATCHDOG=1\nSTATUS=") for each in notices) >= 2


def test_where_it_is_and_how_long_it_waits() -> None:
    def of(**environment: str) -> Supervisor:
        return Supervisor.of(environment, 7)

    assert of() == of(NOTIFY_SOCKET="relative") == Supervisor("", math.inf)
    assert of(NOTIFY_SOCKET="/run/n") == Supervisor("/run/n", math.inf)
    watched = {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "30000000"}
    assert of(**watched) == of(**watched, WATCHDOG_PID="7") == Supervisor("@n", 30.0)
    assert of(**watched, WATCHDOG_PID="8") == Supervisor("@n", math.inf)
    assert of(NOTIFY_SOCKET="@n", WATCHDOG_USEC="soon") == Supervisor("@n", math.inf)


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    Supervisor().tell("READY=1")
    Supervisor(str(tmp_path / "nothing")).tell("READY=1")
    Supervisor("@trio-connector-test-nobody").tell("READY=1")
