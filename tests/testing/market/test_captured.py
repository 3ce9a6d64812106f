"""What a stream shows after the messages that were sent, and what a reader makes of a message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.testing.kits.kit import Kit
from connector.testing.kits.table import KITS
from connector.testing.market.captured import Captured, Fields, Last, Rows, ShownStates, text_rows

Side = dict[int, int]


def said(message: bytes) -> Any:
    return json.loads(message)


def book(kind: str, *, depth: int | None = None, bids: Side, asks: Side) -> Captured:
    rows = [[(str(price), str(size)) for price, size in side.items()] for side in (bids, asks)]
    shown = Rows(
        kind == "snapshot", *map(text_rows, rows), lambda b, a: json.dumps([b, a]).encode(), depth
    )
    return Captured(("book:X",), "X", b"", shown)


SIDES = st.dictionaries(st.integers(1, 12), st.integers(0, 3), max_size=6)


@settings(max_examples=60, deadline=None)
@given(first=SIDES, changes=st.lists(SIDES, max_size=5))
def test_a_book_is_its_snapshot_and_all_changes(first: Side, changes: list[Side]) -> None:
    states, expected = ShownStates(), dict(first)
    states.add(book("snapshot", bids=first, asks=first))
    for each in changes:
        states.add(book("update", bids=each, asks=each))
        expected |= each
    levels = sorted((price, size) for price, size in expected.items() if size)
    (message,) = states.first("book:X")
    bids, asks = said(message)
    assert [(int(price), int(size)) for price, size in asks] == levels
    assert [(int(price), int(size)) for price, size in bids] == levels[::-1]


def test_what_leaves_the_depth_is_forgotten() -> None:
    states = ShownStates()
    states.add(book("snapshot", depth=2, bids={3: 1, 2: 1}, asks={5: 1, 6: 1}))
    states.add(book("update", depth=2, bids={4: 1}, asks={}))  # 2 is out of it
    states.add(book("update", depth=2, bids={4: 0}, asks={}))
    (message,) = states.first("book:X")
    assert said(message) == [[["3", "1"]], [["5", "1"], ["6", "1"]]]


def test_fields_are_merged_and_whole_messages_replace_each_other() -> None:
    states = ShownStates()
    for whole, fields in ((True, {"a": 1, "b": 1}), (False, {"b": 2}), (False, {"c": 3})):
        shown = Fields(whole, fields, lambda all_of: json.dumps(all_of).encode())
        states.add(Captured(("t",), "X", b"", shown))
    assert said(states.first("t")[0]) == {"a": 1, "b": 2, "c": 3}
    for data in (b"1", b"2"):
        states.add(Captured(("q", "q2"), "X", data, Last(data)))
    assert states.first("q") == states.first("q2") == [b"2"]
    states.add(Captured(("trades",), "X", b"3"))
    assert states.first("trades") == []


@pytest.mark.parametrize("kit", KITS.values(), ids=KITS)
@pytest.mark.parametrize(
    "text", ["", "pong", "[]", "{}", "1", '{"event":"subscribe"}', '{"channel":"heartbeat"}']
)
def test_what_is_no_data_brings_nothing(kit: Kit, text: str) -> None:
    assert list(kit.capture_reader().read(text)) == []


def test_the_depth_of_a_book_of_kraken_is_in_the_reply() -> None:
    reader = KITS["kraken"].capture_reader()
    row = (
        '{"symbol":"BTC/USD","bids":[{"price":1.50,"qty":2.0}],"asks":[],"checksum":7,'
        '"timestamp":"2026-11-30T00:00:00.000000Z"}'
    )
    update = f'{{"channel":"book","type":"update","data":[{row}]}}'
    before, unasked = reader.read(update)
    assert before.streams == ("book-10:BTC/USD",)
    # For clients that subscribed with `snapshot: false`.
    assert (unasked.streams, unasked.shown, unasked.awaited) == (
        ("book-10-changes:BTC/USD",),
        None,
        False,
    )
    reply = '{"method":"subscribe","result":{"channel":"book","depth":100,"symbol":"BTC/USD"},'
    assert list(reader.read(reply + '"success":true}')) == []
    after, _ = reader.read(update)
    assert after.streams == ("book-100:BTC/USD",)
    # Digits stay, of which the checksum is made.
    states = ShownStates()
    states.add(after)
    (message,) = states.first("book-100:BTC/USD")
    assert message == update.replace('"update"', '"snapshot"').encode()


def test_what_a_trade_of_kraken_brings_to_those_who_want_the_past() -> None:
    reader = KITS["kraken"].capture_reader()
    row = '[{"symbol":"BTC/USD"}]'
    (past,) = reader.read(f'{{"channel":"trade","type":"snapshot","data":{row}}}')
    assert (past.streams, past.awaited) == (("trade-history:BTC/USD",), False)
    (trade,) = reader.read(f'{{"channel":"trade","type":"update","data":{row}}}')
    assert trade.streams == ("trade:BTC/USD", "trade-history:BTC/USD")


def test_messages_of_coinbase_are_numbered_anew() -> None:
    reader = KITS["coinbase"].capture_reader()
    events = [{"type": "update", "product_id": name, "updates": []} for name in ("A-USD", "B-USD")]
    text = json.dumps({"channel": "l2_data", "sequence_num": 7, "events": events})
    found = list(reader.read(text))
    assert [each.streams for each in found] == [("l2_data:A-USD",), ("l2_data:B-USD",)]
    assert said(found[1].data) == {"channel": "l2_data", "events": [events[1]]}
