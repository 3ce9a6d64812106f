"""Check whether everything in a run is connected and synced, or list what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from connector import Adapter
from connector.app.running.service import Service

STUCK_SECONDS = 10.0
"""Seconds in a call after which a sink is not ready."""
_NAMED = 5
"""The most books and streams of an adapter to name; others are counted."""


def unready(service: Service) -> list[str]:
    """The reasons why the run is not ready; empty if it is."""
    if service.stopping:
        return ["stopping"]
    return [
        *_of_adapters(service),
        *(reason for name, each in service.adapters.items() for reason in _of_adapter(name, each)),
        *_of_accounts(service),
        *_of_groups(service),
        *_of_sinks(service),
    ]


def _of_adapters(service: Service) -> Iterator[str]:
    for name, slot in service.adapter_slots.items():
        trouble = slot.trouble
        if trouble.reason:
            when = f", tried again in {trouble.retry_seconds:.0f} s" if slot.adapter is None else ""
            yield f"adapter {name} has failed{when}: {trouble.reason}"


def _of_adapter(name: str, adapter: Adapter) -> Iterator[str]:
    now = adapter.statistics()
    for link in now.links:
        if link.streams and link.state != "streaming":
            yield f"{link.name} is {link.state}"
    if unsynced := now.books_unsynced:
        counts = f"{len(unsynced)} of {len(now.books)} books of {name} are not synced"
        yield f"{counts}: {_listed(unsynced)}"
    if silent := now.streams_silent:
        counts = f"{len(silent)} of {len(now.streams)} streams of {name} are silent"
        yield f"{counts}: {_listed(silent)}"
    if now.rest is not None and now.rest.failing:
        yield f"requests of {name} fail: {now.rest.failing}"


def _of_accounts(service: Service) -> Iterator[str]:
    for name in service.configuration.accounts:
        slot = service.accounts.slots.get(name)
        account = None if slot is None else slot.account
        if slot is not None and slot.trouble.reason:
            yield f"account {name} has failed: {slot.trouble.reason}"
        elif account is None:
            yield f"account {name} is not open yet"
        elif not account.synced:
            reason = account.statistics().unsynced_reason
            yield f"account {name} is not synced{reason and ': '}{reason}"


def _of_groups(service: Service) -> Iterator[str]:
    for group in sorted({group for (group, _), pump in service.pumps.items() if not pump.live}):
        yield f"group {group} is not subscribed yet"


def _of_sinks(service: Service) -> Iterator[str]:
    for name, slot in service.slots.items():
        if slot.trouble.reason:
            yield f"sink {name} has failed: {slot.trouble.reason}"
        elif slot.stuck_seconds >= STUCK_SECONDS:
            yield f"sink {name} is stuck: it has been busy for {slot.stuck_seconds:.0f} s"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(islice(names, _NAMED)) + (f" and {more} more" if more > 0 else "")
