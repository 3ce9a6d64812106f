"""What every test gets: hypothesis without deadlines, and a network that ends at loopback."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import random
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from trio._core import _run as scheduler

pytest_plugins = ("pytester",)

# A deadline measures the machine, and a slow machine is no bug of ours. The tests of a change
# look at the same examples and draw the same waits every time, and at fewer than `random` and
# `explore`, which draw anew: what forty examples have not found once, they never find.
settings.register_profile(
    "random", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("random"), max_examples=2_000)
settings.register_profile("test", settings.get_profile("random"), derandomize=True, max_examples=40)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "test")
settings.load_profile(PROFILE)

# A shell has what it runs in the background ignore it, and tests press Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _stay_on_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to connect anywhere else: a test never depends on, or bothers, a real exchange."""
    if event != "socket.connect":
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        return
    try:
        local = address[0] == "localhost" or ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        local = False
    if not local:
        raise AssertionError(f"a test tried to connect to {address!r}; tests use loopback only")


sys.addaudithook(_stay_on_loopback)


# The collector of garbage passes 700 new objects by default. Half of its work is in vain: it took
# a twentieth of the time. Tests of leaks collect by themselves.
gc.set_threshold(20_000)


def pytest_runtestloop() -> None:
    """Let the collector of garbage pass over what was imported and collected: it stays."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Do the same for what each module of tests leaves behind, such as caches.

    Tests of leaks collect garbage hundreds of times. Each collection would pass over all of it.
    """
    if nextitem is not None and nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Seed the waits between attempts, and the order in which trio runs tasks that are ready."""
    if PROFILE == "test":
        random.seed(item.nodeid)
        scheduler._r.seed(item.nodeid)
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """The log of `connector`: a program that a test runs configures it for its whole process."""
    logger = logging.getLogger("connector")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before
