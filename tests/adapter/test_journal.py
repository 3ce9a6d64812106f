"""A flood of events is a few lines of the log and then a count, and nothing is left untold."""

from __future__ import annotations

import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.adapter.journal import FEW, INTERVAL_SECONDS, Journal
from connector.channels import Trades
from connector.errors import DecodeError
from connector.lifecycle import Connected, Lifecycle, Stale


def undecodable(number: int) -> DecodeError:
    return DecodeError("ethusdc@trade", f"not JSON {number}", b"")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def told(texts: list[str]) -> int:
    """How many events the lines tell of."""
    counts = [re.search(r" more=(\d+)", text) for text in texts]
    return sum(1 if found is None else int(found[1]) for found in counts)


def test_eight_hundred_a_second_are_a_line_each_ten_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = Journal()
    for number in range(800 * 60):
        journal.tell(undecodable(number), number / 800)
    journal.close(60.0)

    texts = lines(caplog)
    assert len(texts) == FEW + 60 / INTERVAL_SECONDS
    assert texts[0] == "undecodable frame: " + str(undecodable(0))
    assert texts[FEW] == (
        f"undecodable frames more={8000 - FEW} seconds=10 "
        'latest="cannot decode a frame of ethusdc@trade: not JSON 7999"'
    )
    assert told(texts) == 800 * 60


def test_rare_events_are_logged_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal()
    for number in range(50):
        journal.tell(undecodable(number), number * INTERVAL_SECONDS / 3)
    journal.close(1000.0)

    assert len(lines(caplog)) == 50


def test_another_event_tells_what_was_counted(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal()
    with caplog.at_level(logging.INFO, "connector"):
        for number in range(FEW + 3):
            journal.tell(undecodable(number), 0.0)
        journal.tell(Connected(link="a/b", session=2), 1.0)
        assert told(lines(caplog)) == FEW + 1
        journal.tell(Connected(link="a/b", session=3), 11.0)

    assert lines(caplog)[-2].startswith("undecodable frames more=3 seconds=11 ")


def test_streams_that_fall_silent_together_are_counted_by_themselves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = Journal()
    for number in range(300):
        channel = Trades(f"S{number}")
        journal.tell(
            Stale(link="a/b", session=1, stream=f"s{number}", channel=channel, silent_seconds=5.0),
            0.0,
        )
        journal.tell(undecodable(number), 0.0)
    journal.close(1.0)

    texts = lines(caplog)
    assert len(texts) == 2 * (FEW + 1)
    assert told([text for text in texts if text.startswith("stale")]) == 300


@given(st.lists(st.floats(0, 30), max_size=60))
def test_every_event_is_logged_once(pauses: list[float]) -> None:
    texts: list[str] = []

    class Gathering(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(record.getMessage())

    logger, handler = logging.getLogger("connector.lifecycle"), Gathering()
    logger.addHandler(handler)
    try:
        journal, now = Journal(), 0.0
        event: Lifecycle
        for number, pause in enumerate(pauses):
            now += pause
            event = undecodable(number)
            journal.tell(event, now)
        journal.close(now)
    finally:
        logger.removeHandler(handler)

    assert told(texts) == len(pauses)
    assert len(texts) <= (FEW + 1) * (now // INTERVAL_SECONDS + 1) + 1
