"""A level whose numbers are made when they are read is a level like any other."""

from __future__ import annotations

import copy
import pickle
from decimal import Context, Decimal, localcontext
from typing import Any

import msgspec
import pytest

from connector.book.rows import EXTENSION
from connector.channels import BookDeltas
from connector.events import BookDelta, BookSnapshot, Level, plain
from connector.exchanges import okx
from connector.exchanges.okx import written

DECODE = okx.Okx(numbers=Decimal).stream(BookDeltas("A-B")).decode


def frame(kind: str, *bids: str) -> bytes:
    rows = ",".join(bids)
    return (
        f'{{"arg":{{"channel":"books","instId":"A-B"}},"action":"{kind}","data":[{{"asks":[],'
        f'"bids":[{rows}],"ts":"5","checksum":0,"prevSeqId":1,"seqId":2}}]}}'
    ).encode()


def test_a_level_is_a_level() -> None:
    event: Any = DECODE(frame("update", '["1.50","0.10000000000000000000000000001","0","2"]'))
    level, same = event.bids[0], Level(Decimal("1.5"), Decimal("0.10000000000000000000000000001"))

    assert type(level) is (Level if EXTENSION is None else written.Level)
    assert level == same and same == level
    assert hash(level) == hash(same)
    with localcontext(Context(prec=3)):
        assert tuple(level) == tuple(same)
    assert repr(level.price) == "Decimal('1.50')"
    assert repr(level) == f"Level(price={level.price!r}, quantity={level.quantity!r})"
    assert msgspec.json.encode(level) == msgspec.json.encode(
        Level(Decimal("1.50"), Decimal("0.10000000000000000000000000001"))
    )
    match level:
        case Level(price, quantity):
            assert (price, quantity) == tuple(same)
    for each in (copy.copy(level), pickle.loads(pickle.dumps(level))):
        assert each == same
    with pytest.raises(AttributeError):
        level.price = Decimal(1)


def test_an_event_is_an_event() -> None:
    for kind, expected in (("update", BookDelta), ("snapshot", BookSnapshot)):
        event: Any = DECODE(frame(kind, '["1","2","0","2"]'))
        assert type(plain(event)) is expected
        assert plain(event) == event
        assert type(plain(event).bids[0]) is Level
        assert (event.symbol, event.exchange_time_ns, len(event.bids)) == ("A-B", 5_000_000, 1)


@pytest.mark.parametrize("number", ["1E-3", "1e3", "+1", "-1.5"])
def test_other_numbers_are_numbers_too(number: str) -> None:
    event: Any = DECODE(frame("update", f'["{number}","2","0","2"]'))
    assert event.bids[0] == Level(Decimal(number), Decimal(2))


@pytest.mark.parametrize(
    "number", ["NaN", "", " 1", "1_0", "\u0661", "Infinity", ".", "1.2.3", "x"]
)
def test_what_is_no_number_does_not_decode(number: str) -> None:
    for row in (f'["{number}","2","0","2"]', f'["2","{number}","0","2"]'):
        with pytest.raises(msgspec.DecodeError):
            DECODE(frame("update", row))


def test_what_is_missing_does_not_decode() -> None:
    good = frame("update", '["1","2","0","2"]')
    for bad in (
        good.replace(b'"ts":"5"', b'"ts":"x"'),
        good.replace(b'"asks":[],', b""),
        good.replace(b'"update"', b'"other"'),
        good[:-1],
        good + b"x",
    ):
        with pytest.raises(msgspec.DecodeError):
            DECODE(bad)
