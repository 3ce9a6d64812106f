"""What the exchange was asked, read from its own log: the oracle of what is on the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs

from connector.testing import SimulatedExchange


@attrs.frozen
class Asked:
    """A request that reached the exchange."""

    connection: int
    seconds: float
    method: str
    streams: tuple[str, ...]
    refused: bool


def asked(exchange: SimulatedExchange) -> list[Asked]:
    """The requests of all connections, in order."""
    refused = set()
    for entry in exchange.log.of("reply"):
        reply = json.loads(entry.detail)
        if "code" in reply or "error" in reply:
            refused.add((entry.connection, reply["id"]))
    return [
        Asked(
            connection=entry.connection,
            seconds=entry.seconds,
            method=(request := json.loads(entry.detail))["method"],
            streams=tuple(request["params"]),
            refused=(entry.connection, request["id"]) in refused,
        )
        for entry in exchange.log.of("request")
    ]


def check_no_duplicate(requests: Sequence[Asked]) -> dict[int, list[str]]:
    """Check that nothing was subscribed twice, or unsubscribed without being subscribed (I10).

    Returns:
        What each connection was subscribed to in the end.
    """
    wire: dict[int, list[str]] = {}
    for request in requests:
        streams = wire.setdefault(request.connection, [])
        for name in request.streams:
            if request.method == "SUBSCRIBE":
                assert name not in streams, f"{name} subscribed twice: {requests}"
                if not request.refused:
                    streams.append(name)
            else:
                assert request.method == "UNSUBSCRIBE"
                assert name in streams, f"{name} unsubscribed, but not on the wire: {requests}"
                streams.remove(name)
    return wire


def check_pace(exchange: SimulatedExchange) -> None:
    """Check that no second of any connection held more messages than the exchange allows."""
    assert not exchange.log.of("violation")
    limit = exchange.rules.messages_per_second
    requests = asked(exchange)
    for request in requests:
        within = [
            each
            for each in requests
            if each.connection == request.connection
            and request.seconds <= each.seconds < request.seconds + 1
        ]
        assert len(within) <= limit
