"""A live view tells when its book changed, and is a view like any other."""

from __future__ import annotations

import pickle
from copy import copy
from typing import Any

from connector.adapter import live_view
from connector.channels import BookDeltas
from connector.events import BookView, Level, asdict, plain
from connector.exchanges import kraken

FRAME = (
    b'{"channel":"book","type":"update","data":[{"symbol":"A/B","bids":[],"asks":[],"checksum":1,'
    b'"timestamp":"2026-08-01T12:00:00.000001Z"}]}'
)
TIME_NS = 1_785_585_600_000_001_000


def test_the_time_of_a_view_is_that_of_the_last_applied_delta() -> None:
    view: Any = live_view.BookView(symbol="A/B", bids=[Level(1.0, 2.0)], asks=[])
    assert view.exchange_time_ns is None
    view.wire_exchange_time_ns = kraken.Spot().stream(BookDeltas("A/B")).decode(FRAME)

    same = BookView(symbol="A/B", bids=[Level(1.0, 2.0)], asks=[], exchange_time_ns=TIME_NS)
    for each in (view, copy(view), plain(view), pickle.loads(pickle.dumps(view))):
        assert each.exchange_time_ns == TIME_NS
        assert each == same
        assert asdict(each) == asdict(same)
        assert repr(each) == repr(same)
    assert type(plain(view)) is BookView
