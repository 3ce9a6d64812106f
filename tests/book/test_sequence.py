"""A connection whose messages are counted: whatever is missing, every book on it is unsynced."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.book import Book, MessageSequence, Outcome, rules
from connector.events import BookDelta, BookSnapshot
from tests.book import recordings

PRODUCTS = ("BTC-USD", "ETH-USD")


@given(st.lists(st.sampled_from(["next", "skip", "again"]), max_size=30))
def test_missing_messages_are_counted(steps: list[str]) -> None:
    sequence, number = MessageSequence(), -1
    for step in steps:
        skipped = 3 if step == "skip" else 0
        if step == "again" and number >= 0:
            assert sequence.take(number) == -1
            continue
        number += 1 + skipped
        assert sequence.take(number) == skipped


def test_the_first_message_of_a_connection_is_number_0() -> None:
    assert MessageSequence().take(0) == 0
    assert MessageSequence().take(2) == 2


def frame(folder: Path, name: str, **parts: Any) -> dict[str, Any]:
    path = folder / "coinbase_advanced/frames/nautilus" / f"ws_{name}.json"
    message: dict[str, Any] = json.loads(path.read_text()) | parts
    return message


def connection(folder: Path) -> list[dict[str, Any]]:
    """The documented frames as one connection sends them: two books, and what else comes."""
    messages = [frame(folder, "subscriptions")]
    for product in PRODUCTS:
        snapshot = frame(folder, "l2_data_snapshot")
        snapshot["events"][0]["product_id"] = product
        messages.append(snapshot)
    rng = random.Random(0)
    for number in range(20):
        update = frame(folder, "l2_data_update")
        update["events"][0]["product_id"] = rng.choice(PRODUCTS)
        update["events"][0]["updates"][0]["new_quantity"] = f"{number + 1}.5"
        messages += [update, frame(folder, rng.choice(["heartbeats", "ticker", "market_trades"]))]
    return [message | {"sequence_num": number} for number, message in enumerate(messages)]


def drive(messages: list[dict[str, Any]], books: dict[str, Book]) -> list[Outcome]:
    """What reads a connection does, until it must have another one."""
    sequence, outcomes = MessageSequence(), []
    for message in messages:
        if sequence.take(message["sequence_num"]) != 0:
            outcomes += [book.lost("sequence") for book in books.values()]
            break
        for product, event in recordings.coinbase_advanced([json.dumps(message)]):
            book = books[product]
            assert isinstance(event, BookDelta | BookSnapshot)
            take: Any = book.restarted if isinstance(event, BookSnapshot) else book.delta
            outcomes.append(take(event))
    return outcomes


def new_books() -> dict[str, Book]:
    return {product: Book(rules.COINBASE_ADVANCED) for product in PRODUCTS}


def test_nothing_is_missing(data_folder: Path) -> None:
    books = new_books()

    outcomes = drive(connection(data_folder), books)

    assert set(outcomes) == {Outcome.UPDATED}
    assert len(outcomes) == 22
    assert {book.bids[0].price for book in books.values()} == {68900.0}
    assert all(book.asks for book in books.values())


@pytest.mark.parametrize("damage", ["drop", "swap", "again"])
def test_damage_at_every_position_unsyncs_every_book(data_folder: Path, damage: str) -> None:
    whole = connection(data_folder)
    # The books are there after the reply and two snapshots.
    for at in range(3, len(whole) - 1):
        messages = list(whole)
        if damage == "drop":
            del messages[at]
        elif damage == "swap":
            messages[at], messages[at + 1] = messages[at + 1], messages[at]
        else:
            messages.insert(at, messages[at - 1])
        books = new_books()

        outcomes = drive(messages, books)

        assert outcomes.count(Outcome.LOST) == len(PRODUCTS), at
        assert not any(book.synced for book in books.values())
        assert all(book.wants_resubscription for book in books.values())
        assert {book.reason for book in books.values()} == {"sequence"}

        # The next connection counts anew, and brings snapshots.
        for book in books.values():
            book.interrupted()
        drive(whole, books)
        assert all(book.synced for book in books.values())
