"""Whatever is lost, repeated or out of order: a synced book is one that the venue had."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import strategies

from connector.book import RenewedBook
from connector.channels import BookDeltas, OrderBook
from connector.events import BookSnapshot
from connector.exchanges import bitget, deribit

Sides = tuple[dict[int, int], dict[int, int]]


@attrs.frozen
class Message:
    """A snapshot or changes, as a venue writes them."""

    whole: bool
    previous: int
    number: int
    sides: Sides


def write_deribit(said: Message) -> bytes:
    words = ("new",) if said.whole else ("new", "change", "delete")
    data: dict[str, Any] = {
        "type": "snapshot" if said.whole else "change", "timestamp": said.number,
        "instrument_name": "A", "change_id": said.number,
    } | ({} if said.whole else {"prev_change_id": said.previous})  # fmt: skip
    for side, levels in zip(("bids", "asks"), said.sides, strict=True):
        data[side] = [
            [words[-1] if not lots else words[0], price, lots] for price, lots in levels.items()
        ]
    return json.dumps(data).encode()


def writer_of_bitget(bids: str, asks: str) -> Callable[[Message], bytes]:
    def write(said: Message) -> bytes:
        row: dict[str, Any] = {
            "seq": said.number, "pseq": 0 if said.whole else said.previous, "ts": "1",
        }  # fmt: skip
        for side, levels in zip((bids, asks), said.sides, strict=True):
            row[side] = [[str(price), str(lots)] for price, lots in levels.items()]
        action = "snapshot" if said.whole else "update"
        return json.dumps({"action": action, "arg": {}, "data": [row], "ts": 1}).encode()

    return write


VENUES: dict[str, tuple[Any, int, Callable[[Message], bytes]]] = {
    "deribit": (deribit.Deribit(), 100, write_deribit),
    "bitget v3": (bitget.Spot(), 100, writer_of_bitget("b", "a")),
    "bitget v2": (bitget.Futures(), 150, writer_of_bitget("bids", "asks")),
}
CHANGES = strategies.lists(
    strategies.tuples(
        strategies.sampled_from("ba"), strategies.integers(1, 6), strategies.integers(0, 3)
    ),
    max_size=4,
)
TROUBLES = strategies.sampled_from(
    ["none", "none", "none", "lost", "twice", "swapped", "old", "again"]
)


def market(changes: list[list[Any]]) -> tuple[list[Message], dict[int, Sides]]:
    """What a venue says in a row, and the truth after each id."""
    book: Sides = ({10: 1}, {20: 1})
    said = [Message(True, 0, 7, (dict(book[0]), dict(book[1])))]
    truth: dict[int, Sides] = {7: (dict(book[0]), dict(book[1]))}
    for number, rows in enumerate(changes):
        before, after = 7 + 5 * number, 12 + 5 * number
        sides: Sides = ({}, {})
        for side, offset, lots in rows:
            price, own = (11 - offset, 0) if side == "b" else (19 + offset, 1)
            sides[own][price] = lots
            book[own].pop(price, None)
            if lots:
                book[own][price] = lots
        said.append(Message(False, before, after, sides))
        truth[after] = (dict(book[0]), dict(book[1]))
    return said, truth


def troubled(said: list[Message], troubles: list[str], truth: dict[int, Sides]) -> list[Message]:
    """The same with something wrong at each message."""
    heard: list[Message] = []
    for number, message in enumerate(said):
        trouble = troubles[number % len(troubles)]
        if trouble == "lost":
            continue
        heard.append(message)
        if trouble == "twice":
            heard.append(message)
        elif trouble == "swapped" and len(heard) > 1:
            heard[-1], heard[-2] = heard[-2], heard[-1]
        elif trouble == "old":
            heard.append(said[number // 2])
        elif trouble == "again":
            bids, asks = truth[message.number]
            heard.append(Message(True, 0, message.number, (dict(bids), dict(asks))))
    return heard


@pytest.mark.parametrize("venue", VENUES)
@hypothesis.given(
    strategies.lists(CHANGES, min_size=1, max_size=12),
    strategies.lists(TROUBLES, min_size=1, max_size=9),
)
@hypothesis.settings(max_examples=60)
def test_a_synced_book_is_one_that_the_venue_had(
    venue: str, changes: list[list[Any]], troubles: list[str]
) -> None:
    exchange, interval_ms, write = VENUES[venue]
    source = exchange.stream(OrderBook("A", interval_ms=interval_ms)).book
    decode = exchange.stream(BookDeltas("A", interval_ms)).decode
    said, truth = market(changes)
    book = RenewedBook(source.rules, source.extent)
    for message in troubled(said, troubles, truth):
        event = decode(write(message))
        if isinstance(event, BookSnapshot):
            book.restarted(event)
        else:
            book.delta(event)
        if book.synced:
            shown = book.book
            bids, asks = truth[shown.update_id]
            assert [tuple(level) for level in shown.bids] == sorted(bids.items(), reverse=True)
            assert [tuple(level) for level in shown.asks] == sorted(asks.items())


@pytest.mark.parametrize("venue", VENUES)
def test_without_trouble_every_message_is_taken(venue: str) -> None:
    exchange, interval_ms, write = VENUES[venue]
    source = exchange.stream(OrderBook("A", interval_ms=interval_ms)).book
    decode = exchange.stream(BookDeltas("A", interval_ms)).decode
    said, truth = market([[("b", 1, 2)], [], [("a", 1, 3), ("b", 1, 0)]])
    book = RenewedBook(source.rules, source.extent)
    book.restarted(decode(write(said[0])))
    for message in said[1:]:
        book.delta(decode(write(message)))
        assert book.synced
        assert book.book.update_id == message.number
    assert dict(map(tuple, book.book.asks)) == truth[said[-1].number][1]  # type: ignore[arg-type]
