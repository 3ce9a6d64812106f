"""Check the invariants after a run, from the ledger, the task tree and the exchange's log."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import attrs

from connector.testing.exchange.exchange import SimulatedExchange
from connector.testing.explore.scenario import Scenario
from connector.testing.explore.stage import Stage
from connector.testing.network.ledger import DialRecord, Ledger

Broken = tuple[str, str]
"""The broken invariant, and a description."""

_AT_ONCE = ("cancel", "interrupt")
_DEAFENING = ("half_open", "stall")
"""Faults that keep one side from learning that the other has ended the connection."""


@attrs.frozen(kw_only=True)
class Evidence:
    """The state of a run at the moment at which its program has ended."""

    scenario: Scenario
    stage: Stage
    error: BaseException | None
    """What the program raised."""
    struck: tuple[tuple[str, float], ...]
    """The faults and the times at which they struck."""
    broken: tuple[DialRecord, ...]
    """Connections that the first fault broke such that a reader notices."""
    ended_at: float
    tasks_left: list[str]
    most_tasks: int


def judge(evidence: Evidence) -> Iterator[Broken]:
    """Yield every broken invariant."""
    stage, scenario = evidence.stage, evidence.scenario
    yield from check_error(evidence)
    yield from check_time(evidence)
    yield from check_noticed(evidence)
    yield from check_left(stage.network.ledger, evidence.tasks_left)
    yield from check_ledger(stage.network.ledger, scenario)
    if not any(fault in _DEAFENING for fault, _ in evidence.struck):
        yield from check_server(stage.exchange, scenario)
    yield from check_requests(stage.exchange)
    for each in stage.judges:
        yield from each.judge()
    if evidence.most_tasks > scenario.most_tasks:
        yield "I3", f"{evidence.most_tasks} tasks at once, more than {scenario.most_tasks}"


def check_error(evidence: Evidence) -> Iterator[Broken]:
    """I12: the program raises exactly the error that it should."""
    error, planned = evidence.error, evidence.stage.consumer_error
    interrupted = any(fault == "interrupt" for fault, _ in evidence.struck)
    if error is None:
        if planned is not None:
            yield "I12", "the consumer's exception was lost"
        return
    for leaf in leaves(error):
        if (
            leaf is not planned
            and not isinstance(leaf, evidence.scenario.errors)
            and not (interrupted and isinstance(leaf, KeyboardInterrupt))
        ):
            yield "I12", f"the program raised {leaf!r}"
    if isinstance(error, BaseExceptionGroup) and not evidence.scenario.groups:
        yield "I12", f"the program raised a group: {error!r}"


def check_time(evidence: Evidence) -> Iterator[Broken]:
    """I4, I12: the exit takes no longer than allowed."""
    scenario, ended = evidence.scenario, evidence.ended_at
    told = [moment for fault, moment in evidence.struck if fault in _AT_ONCE]
    ends = evidence.stage.scope.cancelled_caught or evidence.error is not None
    if told and ends and ended - told[0] > scenario.cancel_seconds:
        yield "I12", f"left {ended - told[0]:.3f} s after it was cancelled"
    leaving = evidence.stage.leaving_at
    if leaving is not None and ended - leaving > scenario.leave_seconds:
        yield "I4", f"leaving took {ended - leaving:.3f} s"


def check_ledger(ledger: Ledger, scenario: Scenario) -> Iterator[Broken]:
    """I1, I2 and I6: the number of simultaneous connections, and the rate of dials."""
    links = scenario.links
    records = list(ledger)
    if ledger.max_open() > links:
        yield "I1", f"{ledger.max_open()} connections were open at once, on {links} link(s)"
    if links == 1:
        for old, new in itertools.pairwise(records):
            if old.ended_order is None or old.ended_order > new.began_order:
                yield "I2", f"{_said(new)} began before {_said(old)} was closed"
                break
    began = [record.began for record in records]
    burst = scenario.dials_at_once * links
    for first, last in zip(began, began[burst:], strict=False):
        if last - first < 1.0:
            yield "I6", f"more than {burst} dials within a second, from {first:.3f} s on"
            break
    for number, moment in enumerate(began, 1):
        allowed = links * (2 * scenario.dials_at_once + scenario.dials_per_second * moment)
        if number > allowed:
            yield "I6", f"{number} dials in {moment:.1f} s: the waits between them do not grow"
            break


def check_noticed(evidence: Evidence) -> Iterator[Broken]:
    """I7: an audibly broken connection is closed soon, unless the network hides the break."""
    if any(fault in _DEAFENING for fault, _ in evidence.struck):
        return
    bound = evidence.scenario.notice_seconds
    for record in evidence.broken:
        _, struck_at = evidence.struck[0]
        seconds = (evidence.ended_at if record.ended is None else record.ended) - struck_at
        if seconds > bound:
            yield "I7", f"{_said(record)} broke at {struck_at:.3f} s, noticed {seconds:.3f} s later"


def check_left(ledger: Ledger, left: list[str]) -> Iterator[Broken]:
    """I4: no task and no socket is left after the program has ended."""
    if left:
        yield "I4", f"{len(left)} task(s) alive after the program has ended: {', '.join(left)}"
    still = [record for record in ledger if record.ended is None]
    if still:
        yield "I4", f"{len(still)} socket(s) open after the program has ended: {_said(still[0])}"


def check_server(exchange: SimulatedExchange, scenario: Scenario) -> Iterator[Broken]:
    """I1 from the server's side, unless a fault hides the end of a connection from it."""
    if exchange.max_concurrent > scenario.links:
        yield "I1", f"the server saw {exchange.max_concurrent} connections at once"
    per_route = scenario.links if scenario.links_per_route is None else scenario.links_per_route
    for route, most in exchange.max_concurrent_by_route.items():
        if most > per_route:
            yield "I1", f"the server saw {most} connections at once on {route}"


def check_requests(exchange: SimulatedExchange) -> Iterator[Broken]:
    """I10: no stream is subscribed twice on one connection."""
    subscribed: dict[int, set[str]] = {}
    asked: dict[tuple[int, object], tuple[str, set[str]]] = {}
    for entry in exchange.log:
        if entry.what not in ("request", "reply"):
            continue
        try:
            message = json.loads(entry.detail)
        except ValueError:
            continue
        names = subscribed.setdefault(entry.connection, set())
        key = (entry.connection, message.get("id"))
        if entry.what == "reply":
            method, streams = asked.pop(key, ("", set()))
            if method == "SUBSCRIBE" and "result" not in message:
                names -= streams
            continue
        method = str(message.get("method"))
        streams = {str(stream) for stream in message.get("params") or ()}
        asked[key] = (method, streams)
        if method == "UNSUBSCRIBE":
            names -= streams
        elif method == "SUBSCRIBE":
            if twice := names & streams:
                yield "I10", f"{min(twice)} was subscribed twice on connection {entry.connection}"
                return
            names |= streams


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group, or the single exception."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]


def _said(record: DialRecord) -> str:
    state = record.state if record.ended is None else f"{record.state} at {record.ended:.3f} s"
    return f"connection {record.number} (dialled at {record.began:.3f} s, {state})"
