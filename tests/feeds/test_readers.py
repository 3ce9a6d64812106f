"""All readers of a stream have what each has room for."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.events import Trade
from connector.feeds.buffer import Buffer
from connector.feeds.readers import Readers


@given(st.lists(st.integers(1, 9), max_size=4))
def test_every_reader_has_every_event_that_all_have_room_for(capacities: list[int]) -> None:
    buffers: list[Buffer[Any]] = [Buffer(capacity, gaps=False) for capacity in capacities]
    readers = Readers(dict.fromkeys(buffers))

    assert readers.room() == min(capacities, default=sys.maxsize)
    events = [
        Trade(symbol="A", price=1.0, quantity=1.0, side="buy", trade_id=number)
        for number in range(min(readers.room(), 9))
    ]
    readers.put_run(events, "a")

    for buffer in buffers:
        assert list(buffer.items) == events
    assert not buffers or any(buffer.blocking for buffer in buffers)
