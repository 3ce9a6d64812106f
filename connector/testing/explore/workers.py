"""Run a sweep in several processes: assign units to them, and kill a process that hangs."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from typing import Protocol, Self

import msgspec
import trio

from connector.testing.explore.plan import Case
from connector.testing.explore.report import Report, Tally
from connector.testing.explore.result import Finding
from connector.testing.explore.sweep import Unit
from connector.testing.explore.worker import News

HANG_SECONDS = 120.0
"""A process that reports nothing for this time is killed; its last run becomes a finding."""
_COMMAND = (sys.executable, "-m", "connector.testing.explore.worker")


class Watcher(Protocol):
    """Show the progress of a sweep."""

    def advanced(self, report: Report, unit: Unit, *, finished: bool) -> None:
        """Show news about `unit`."""
        ...


async def sweep_in_processes(
    units: Sequence[Unit],
    *,
    processes: int,
    watcher: Watcher,
    seconds: float = math.inf,
    report: Report | None = None,
) -> Report:
    """Run all `units`, several at a time.

    Args:
        units: the parts of the sweep.
        processes: how many processes to run at a time.
        watcher: called with all news.
        seconds: real time after which no further unit begins.
        report: where to count; a new one by default.

    Cancellation: the processes are killed.
    """
    report = Report() if report is None else report
    waiting = deque(units)
    began = trio.current_time()

    async def serve() -> None:
        while waiting and trio.current_time() - began < seconds:
            async with _Worker() as worker:
                while waiting and trio.current_time() - began < seconds:
                    unit = waiting.popleft()
                    if not await worker.do(unit, report, watcher):
                        break

    try:
        async with trio.open_nursery() as nursery:
            for _ in range(processes):
                nursery.start_soon(serve)
    finally:
        report.seconds = trio.current_time() - began
    return report


class _Worker:
    """A worker process."""

    async def __aenter__(self) -> Self:
        self._process = await trio.lowlevel.open_process(
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._buffer = b""
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        process.kill()
        with trio.CancelScope(deadline=trio.current_time() + 5.0, shield=True):
            await process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            await trio.aclose_forcefully(stream)

    async def do(self, unit: Unit, report: Report, watcher: Watcher) -> bool:
        """Run one unit, and return whether the process can run another."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(msgspec.json.encode(unit) + b"\n")
        done = 0
        while True:
            with trio.move_on_after(HANG_SECONDS) as patience:
                line = await self._line()
            if patience.cancelled_caught or not line:
                what = "hangs" if patience.cancelled_caught else "has died"
                report.tally(unit.scenario).findings += 1
                report.findings.append(_lost(unit, done, what))
                watcher.advanced(report, unit, finished=True)
                return False
            news = msgspec.json.decode(line, type=News)
            done += news.runs
            _add(report, unit, news)
            watcher.advanced(report, unit, finished=news.finished)
            if news.finished:
                return True

    async def _line(self) -> bytes:
        """Read the next line of the process; empty when the process has ended."""
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            chunk = await self._process.stdout.receive_some()
            if not chunk:
                return b""
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def _add(report: Report, unit: Unit, news: News) -> None:
    report.tally(unit.scenario).merge(
        Tally(
            runs=news.runs,
            steps=news.steps,
            most_steps=news.most_steps,
            faults=news.faults,
            findings=news.findings,
            cpu_seconds=news.cpu_seconds,
            names=set(news.names),
        )
    )
    report.keep(found.as_finding() for found in news.found)


def _lost(unit: Unit, done: int, what: str) -> Finding:
    return Finding(
        invariant="progress",
        what=f"the process {what}, in the unit '{unit}' soon after its run {done}",
        case=Case(unit.scenario),
        step=0,
        seconds=0.0,
    )
