"""The program of ``connector run``: the service, its pages, and its signal handlers.

SIGINT and SIGTERM end it: cleanly within the ``shutdown_timeout``, a second one at once. SIGHUP
reads the file again; what is wrong with it is logged, and everything stays as it was. It also lets
sinks that write lines begin anew at their path, for a program that moves logs away.
"""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import attrs
import trio

from connector.app.running import logs
from connector.app.running.configuration import Configuration, Misconfigured, read_configuration
from connector.app.running.service import Service, open_service
from connector.app.running.showing import Registry
from connector.app.running.sink_slot import SinkFailed
from connector.app.running.systemd import Supervisor, supervisor_of_process
from connector.app.running.tally import Summary
from connector.app.running.venues import RealWorld, World, open_simulated_world
from connector.errors import ConfigError
from connector.transport.error_groups import leaves

_log = logging.getLogger("connector.run")

STOP = frozenset({signal.SIGINT, signal.SIGTERM})
HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""Windows has none."""


@attrs.frozen(kw_only=True)
class Options:
    """The options of the command line."""

    path: Path
    simulate: bool = False
    seed: int = 0
    break_every_seconds: float = 0.0
    duration_seconds: float | None = None


@attrs.define
class Requests:
    """Requests to the program from outside: stop and reload."""

    stop: trio.Event = attrs.field(factory=trio.Event)
    reload: trio.Event = attrs.field(factory=trio.Event)


async def run_program(
    options: Options, configuration: Configuration, requests: Requests | None = None
) -> Summary:
    """Run `configuration` until a signal, or until the duration is over.

    Args:
        options: where it was read from, and whether to simulate.
        configuration: what to run.
        requests: set from outside instead of by signals.

    Raises:
        What `open_service` raises, and ConfigError when the pages' address is taken, in groups.
    """
    asked = requests or Requests()
    async with trio.open_nursery() as nursery:
        if requests is None:
            await nursery.start(_receive_signals, asked, nursery.cancel_scope)
        async with (
            _world(options, configuration) as world,
            _registry(configuration) as registry,
            open_service(configuration, world, registry) as service,
            trio.open_nursery() as around,
        ):
            if configuration.metrics is not None:
                await _serve_pages(around, service, configuration, registry)
            supervisor = supervisor_of_process()
            around.start_soon(_follow_file, options.path, service, asked, supervisor)
            _log.info("started")
            supervisor.tell("READY=1")
            around.start_soon(supervisor.keep_informed, service)
            with trio.move_on_after(options.duration_seconds or math.inf):
                await asked.stop.wait()
            _log.info("stopping")
            supervisor.tell("STOPPING=1")
            around.cancel_scope.cancel()
        nursery.cancel_scope.cancel()
    return service.summary(clean=service.ended_clean)


@asynccontextmanager
async def _world(options: Options, configuration: Configuration) -> AsyncIterator[World]:
    if not options.simulate:
        yield RealWorld()
        return
    simulated: AbstractAsyncContextManager[World] = open_simulated_world(
        configuration, seed=options.seed, break_every_seconds=options.break_every_seconds
    )
    async with simulated as world:
        yield world


@asynccontextmanager
async def _registry(configuration: Configuration) -> AsyncIterator[Registry]:
    await trio.lowlevel.checkpoint()
    if configuration.metrics is None:
        yield Registry()
        return
    # The extra may be missing when nothing is to be served.
    from connector.app.running.registry import PrometheusRegistry  # noqa: PLC0415

    yield PrometheusRegistry(streams=configuration.metrics.streams)


async def _serve_pages(
    nursery: trio.Nursery, service: Service, configuration: Configuration, registry: Registry
) -> None:
    from connector.app.running.history import History  # noqa: PLC0415 - as above
    from connector.app.running.pages import Pages  # noqa: PLC0415
    from connector.app.running.server import serve  # noqa: PLC0415

    assert configuration.metrics is not None
    history = History(service)
    pages = Pages(service, registry, configuration.metrics.token, history)
    bind = configuration.metrics.bind
    try:
        url = await nursery.start(serve, pages, bind)
    except* OSError as group:
        reason = next(leaves(group))
        raise ConfigError(
            f"cannot serve the pages at {bind}: {reason}; write another address "
            "into bind of [metrics]"
        ) from reason
    nursery.start_soon(history.keep)
    _log.info("serving url=%s", url, extra={"fields": {"url": url}})


async def _receive_signals(  # noqa: ASYNC114  # started above, and no context supervisor
    requests: Requests,
    scope: trio.CancelScope,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    wanted = STOP if HANGUP is None else STOP | {HANGUP}
    with trio.open_signal_receiver(*wanted) as signals:
        task_status.started()
        async for number in signals:
            if number == HANGUP:
                requests.reload.set()
            elif requests.stop.is_set():
                scope.cancel()
            else:
                requests.stop.set()


async def _follow_file(
    path: Path, service: Service, requests: Requests, supervisor: Supervisor
) -> None:
    """Apply the file to the service at every reload."""
    while True:
        await requests.reload.wait()
        requests.reload = trio.Event()
        supervisor.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        if await _reload(path, service):
            _log.info("configuration reloaded")
        else:
            service.last_reload = attrs.evolve(service.last_reload, success=False)
        supervisor.tell("READY=1")


async def _reload(path: Path, service: Service) -> bool:
    """Apply the file to the service; False if that failed."""
    # Whatever the configuration is now: somebody may have moved files away.
    await service.reopen_sinks()
    try:
        new = read_configuration(path.read_text("utf-8-sig"))  # noqa: ASYNC240  # small, and rare
    except Misconfigured as error:
        for mistake in error.mistakes:
            fields = attrs.asdict(mistake)
            _log.error(
                "configuration not reloaded: %s: %s", path, mistake, extra={"fields": fields}
            )
        return False
    except (OSError, UnicodeDecodeError) as error:
        _log.error("configuration not reloaded: %s", error)
        return False
    if new.metrics != service.configuration.metrics:
        _log.warning("changes of the table [metrics] apply only after a restart")
    try:
        await service.apply(new)
    except SinkFailed as error:
        _log.error("configuration not reloaded: %s", error)
        return False
    logs.configure(new.log)
    return True
