"""Whatever happens to a connection is one value and one record of the log."""

from __future__ import annotations

import logging
import time
import typing

import attrs
import pytest

from connector import lifecycle
from connector.channels import Trades
from connector.errors import DecodeError, SubscriptionRejected
from connector.lifecycle import (
    BookCrossed,
    Connected,
    Connecting,
    Disconnected,
    Lifecycle,
    NotTrading,
    Rejected,
    RequestsFailing,
    RequestsRecovered,
    ShutdownAnnounced,
    Stale,
    Subscribed,
)

CHANNEL = Trades("ETHUSDC")
LINK = "toy/all"
EVENTS: dict[Lifecycle, int] = {
    Connecting(link=LINK, session=1, attempt=1): logging.DEBUG,
    Connected(link=LINK, session=1): logging.INFO,
    Subscribed(link=LINK, session=1, streams=3): logging.INFO,
    Stale(
        link=LINK, session=1, stream="ethusdc@trade", channel=CHANNEL, silent_seconds=3.5
    ): logging.WARNING,
    NotTrading(
        link=LINK, session=1, stream="ethusdc@trade", channel=CHANNEL, status="BREAK"
    ): logging.WARNING,
    BookCrossed(link=LINK, session=1, channel=CHANNEL, crossed_seconds=6.5): logging.WARNING,
    ShutdownAnnounced(link=LINK, session=1, detail="maintenance"): logging.INFO,
    Rejected(
        link=LINK, session=1, error=SubscriptionRejected(CHANNEL, 2, "unknown")
    ): logging.ERROR,
    Disconnected(
        link=LINK, session=1, reason="eof", detail="", connected=True, retry_seconds=0.25
    ): logging.WARNING,
    Disconnected(
        link=LINK, session=1, reason="left", detail="", connected=True, retry_seconds=0
    ): logging.INFO,
    RequestsFailing(
        link="toy/rest",
        session=1,
        reason="unavailable",
        detail="HTTP status 503: 'busy'",
        target="/depth?symbol=ETHUSDC",
        waiting=2,
    ): logging.WARNING,
    RequestsRecovered(link="toy/rest", session=4, failing_seconds=3.5, failures=3): logging.INFO,
    DecodeError("ethusdc@trade", "not JSON", b"<private>"): logging.WARNING,
}

each_event = pytest.mark.parametrize(
    ("event", "level"), EVENTS.items(), ids=[type(event).__name__ for event in EVENTS]
)


def test_all_of_them_are_here() -> None:
    assert {type(event) for event in EVENTS} == set(typing.get_args(Lifecycle))


@each_event
def test_each_is_one_record(caplog: pytest.LogCaptureFixture, event: Lifecycle, level: int) -> None:
    with caplog.at_level(logging.DEBUG, "connector"):
        lifecycle.log(event)

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("connector.lifecycle", level)
    assert "private" not in record.getMessage()
    if isinstance(event, DecodeError):
        assert vars(record)["stream"] == event.stream
    else:
        fields = vars(record)["lifecycle"]
        assert fields == attrs.asdict(event, recurse=False)
        assert record.getMessage().endswith(lifecycle.write_fields(fields))


@each_event
def test_who_does_not_listen_pays_nothing(
    caplog: pytest.LogCaptureFixture, event: Lifecycle, level: int
) -> None:
    with caplog.at_level(level + 1, "connector"):
        lifecycle.log(event)

    assert not caplog.records


def test_an_event_has_its_moment() -> None:
    before = time.time_ns()
    event = Connected(link=LINK, session=1)

    assert before <= event.time_ns <= time.time_ns()


def test_fields_are_written_for_people() -> None:
    fields = {
        "link": LINK,
        "time_ns": 1_795_626_573_515_341_862,
        "retry_seconds": 0.04005126081776106,
        "silent_seconds": 12.3456,
        "up": 98_765.4321,
        "count": 123_456,
        "detail": "",
        "error": None,
        "why": 'it said "no"',
        "connected": True,
        "reconnects": {"reset": 6, "eof": 1},
        "added": ["trades:ETHUSDC", "candles:ETHUSDC"],
        "removed": [],
    }

    assert lifecycle.write_fields(fields) == (
        "link=toy/all time=2026-11-25T17:09:33.515Z retry_seconds=0.0401 silent_seconds=12.3 "
        'up=98765 count=123456 why="it said \\"no\\"" connected=yes reconnects=reset:6,eof:1 '
        "added=trades:ETHUSDC,candles:ETHUSDC removed=none"
    )
