"""The rows of a side in C are exactly those in Python, and so are the digits in a frame."""

from __future__ import annotations

import gc
import json
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.book import rows
from connector.book.checksum import asks_then_bids, interleaved
from connector.book.digits import read_digits, read_digits_in_python
from connector.book.rows import RowsInPython, checksum_in_python
from connector.events import Level

if rows.EXTENSION is None:
    pytest.skip("connector.book._rows is not compiled here, or not wanted", allow_module_level=True)
COMPILED = rows.EXTENSION

# --- rows

NEAR = ["1.00000000000000000001", "1.00000000000000000002", "1", "1.0", "1.00", "0.1", "0.10"]
"""Prices that have one float, and prices that are spelled in two ways."""
TEXTS = st.one_of(
    st.integers(1, 40).map(lambda number: f"{number / 10:.2f}"),
    st.sampled_from([*NEAR, "1E+3", "1e-7", "99999999999999999", "0.000000000000001"]),
)
QUANTITIES = st.sampled_from(["0", "0.000", "1", "1.0", "2.50", "3"])
CHANGES = st.lists(st.tuples(TEXTS, QUANTITIES), max_size=8)
EXTENTS = st.one_of(
    st.just((sys.maxsize, 20, sys.maxsize, sys.maxsize, False)),
    st.builds(
        lambda shown, needed, kept, more: (shown, needed, kept, kept + more, False),
        st.integers(0, 6), st.integers(1, 5), st.integers(1, 6), st.integers(0, 3),
    ),
    st.builds(
        lambda shown, kept: (shown, 1, kept, kept, True), st.integers(0, 6), st.integers(0, 6)
    ),
)  # fmt: skip


@attrs.frozen
class Fill:
    """A snapshot."""

    changes: list[tuple[str, str]]
    digits: bool
    complete: bool


@attrs.frozen
class Apply:
    """A delta."""

    changes: list[tuple[str, str]]
    digits: bool


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),
        st.one_of(
            st.builds(Apply, CHANGES, st.booleans()),
            st.builds(Apply, CHANGES, st.booleans()),
            st.builds(Fill, CHANGES, st.booleans(), st.booleans()),
            st.none(),
        ),
    ),
    max_size=12,
)


def decode(
    changes: list[tuple[str, str]], number: Callable[[str], Any]
) -> tuple[list[Level[Any]], list[bytes]]:
    levels = [Level(number(price), number(quantity)) for price, quantity in changes]
    return levels, [f"{price}:{quantity}".encode() for price, quantity in changes]


def take(side: Any, step: Fill | Apply | None, number: Callable[[str], Any], is_bids: bool) -> None:
    if step is None:
        side.clear()
        return
    levels, digits = decode(step.changes, number)
    if isinstance(step, Apply):
        side.apply(levels, digits if step.digits else None)
        return
    once = {level.price: (level, each) for level, each in zip(levels, digits, strict=True)}
    worst_first = [
        once[price] for price in sorted(once, reverse=not is_bids) if once[price][0].quantity
    ]
    written = [digits for _, digits in worst_first]
    side.fill([level for level, _ in worst_first], written if step.digits else None, step.complete)


def seen(side: Any) -> list[Any]:
    def exact(levels: list[Level[Any]]) -> list[tuple[str, str]]:
        return [(repr(level.price), repr(level.quantity)) for level in levels]

    return [
        len(side), exact(side[:]), exact(side[::-2]), exact(side[-3:2]), exact(side.top(4)),
        exact(side.top(99)), side.top(0), side.top_is_known, side.is_running_out, side.stored,
        side.version, exact([side[index] for index in range(len(side))]),
        exact([side[-1]] if len(side) else []),
    ]  # fmt: skip


@settings(max_examples=300)
@given(EXTENTS, st.sampled_from([float, Decimal]), STEPS, st.integers(0, 5))
def test_both_hold_the_same_levels(
    extent: tuple[Any, ...], number: Callable[[str], Any], steps: list[Any], levels: int
) -> None:
    kinds: tuple[Any, ...] = (RowsInPython, COMPILED.Rows)
    books = [[kind(is_bids, *extent) for is_bids in (True, False)] for kind in kinds]
    sums: tuple[Any, ...] = (checksum_in_python, COMPILED.checksum)
    for index, step in steps:
        for book in books:
            take(book[index], step, number, is_bids=index == 0)
        assert [seen(side) for side in books[0]] == [seen(side) for side in books[1]]
        for form in (True, False):
            made = [make(*book, levels, form) for make, book in zip(sums, books, strict=True)]
            assert made[0] == made[1]
            # Also when it was made before, of what has not changed since.
            assert COMPILED.checksum(*books[1], levels, form) == made[1]


PLAIN = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=12)


@given(st.sampled_from([RowsInPython, COMPILED.Rows]), st.lists(st.tuples(PLAIN, PLAIN)))
def test_a_checksum_is_that_of_the_best_levels(kind: Any, steps: list[Any]) -> None:
    sides = [kind(is_bids, sys.maxsize, 1, 8, 8, True) for is_bids in (True, False)]
    make = checksum_in_python if kind is RowsInPython else COMPILED.checksum
    naive: list[dict[Decimal, Level[Decimal]]] = [{}, {}]
    for step in steps:
        for index, changes in enumerate(step):
            texts = [(f"{price}.50", f"{quantity}.0") for price, quantity in changes]
            levels, digits = decode(texts, Decimal)
            sides[index].apply(levels, digits)
            for level in levels:
                naive[index].pop(level.price, None)
                if level.quantity:
                    naive[index][level.price] = level
            best = sorted(naive[index].items(), reverse=index == 0)[:8]
            naive[index] = dict(best)
        bids, asks = (list(side.values())[:5] for side in naive)
        assert make(*sides, 5, True) == interleaved(bids, asks)
        stripped = [kind(is_bids, sys.maxsize, 1, 8, 8, True) for is_bids in (True, False)]
        for side, best in zip(stripped, (bids, asks), strict=True):
            digits = [f"{level.price}{level.quantity}".replace(".", "").encode() for level in best]
            side.apply(list(best), digits)
        assert make(*stripped, 5, False) == asks_then_bids(bids, asks)


@pytest.mark.parametrize("kind", [RowsInPython, COMPILED.Rows])
def test_a_level_without_digits_has_no_checksum(kind: Any) -> None:
    make = checksum_in_python if kind is RowsInPython else COMPILED.checksum
    bids, asks = (kind(is_bids, 9, 1, 9, 9, True) for is_bids in (True, False))
    bids.apply([Level(1.0, 1.0), Level(2.0, 1.0)], [b"1:1", b"2:1"])
    assert make(bids, asks, 2, True) is not None
    bids.apply([Level(1.0, 2.0)])
    assert make(bids, asks, 2, True) is None
    assert make(bids, asks, 1, True) is not None
    bids.apply([Level(1.0, 2.0)], [b"1:2"])
    assert make(bids, asks, 2, True) is not None


@pytest.mark.parametrize("kind", [RowsInPython, COMPILED.Rows])
def test_as_many_digits_as_levels(kind: Any) -> None:
    side = kind(True, 9, 1, 9, 9, True)
    for digits in ([], [b"1:1", b"2:2"]):
        with pytest.raises(ValueError, match="digits of each level"):
            side.apply([Level(1.0, 1.0)], digits)
    assert len(side) == 0


class Meddling(float):
    """A price that changes the side when it is compared."""

    side: Any = None

    def __eq__(self, other: object) -> bool:
        self.side.apply([Level(5.0, 1.0)])
        return False

    __hash__ = float.__hash__


def test_comparing_levels_cannot_change_the_side() -> None:
    side = COMPILED.Rows(True, 9, 1, 9, 9, True)
    Meddling.side = side
    side.apply([Level(Meddling(1.0), 1.0)])
    with pytest.raises(RuntimeError, match="being changed already"):
        side.apply([Level(Meddling(1.0), 1.0)])
    assert [each.price + 0 for each in side[:]] == [1.0]
    side.apply([Level(2.0, 1.0)])  # and it is not stuck
    assert len(side) == 2


@pytest.mark.parametrize("kind", [RowsInPython, COMPILED.Rows])
def test_a_change_that_fails_is_a_change(kind: Any) -> None:
    side = kind(True, 9, 1, 9, 9, True)
    side.apply([Level(1.0, 1.0), Level(2.0, 1.0)])
    before = side.version
    with pytest.raises(AttributeError):
        side.apply([Level(1.0, 0.0), None])
    assert side.stored == 1
    assert side.version > before


def test_a_destructor_during_a_read_may_fail_to_change_levels() -> None:
    side = COMPILED.Rows(True, 2_000, 1, sys.maxsize, sys.maxsize, False)
    emptied: Any = [*(Level(float(price), 0.0) for price in range(1_000)), None]

    class Empties:
        def __init__(self) -> None:
            self.around = self

        def __del__(self) -> None:
            with suppress(AttributeError):
                side.apply(emptied)

    def read() -> list[Any]:
        try:
            return side.top(1_000)
        except RuntimeError:
            return []

    kept = [[None] for _ in range(200)]  # so that a new list is allocated, and not a spare one
    for _ in range(3):  # at times it is collected before or behind
        side.fill([Level(float(price), 1.0) for price in range(1_000)], None, True)
        gc.collect()
        Empties()
        before = gc.get_threshold()
        gc.set_threshold(1)
        try:
            levels = read()
        finally:
            gc.set_threshold(*before)
        assert {type(level) for level in levels} <= {Level}
    assert kept


def test_wrong_arguments_are_refused() -> None:
    side = COMPILED.Rows(True, 9, 1, 9, 9, True)
    wrong: list[tuple[Any, tuple[Any, ...]]] = [
        (side.apply, ()),
        (side.apply, (1,)),
        (side.apply, ([1],)),
        (side.apply, ([Level(1.0, 1.0)], (b"1:1",))),
        (side.apply, ([Level(1.0, 1.0)], ["1:1"])),
        (side.apply, ([Level("1", 1.0)],)),  # type: ignore[type-var]
        (side.fill, ([], None)),
        (side.fill, ((), None, True)),
        (side.fill, ([1], None, True)),
        (side.top, ("1",)),
        (COMPILED.Rows, (True, -1, 1, 9, 9, True)),
        (COMPILED.Rows, (True, 1, 1, 9, 8, True)),
        (COMPILED.Rows, (True,)),
        (COMPILED.checksum, (side, side, 1)),
        (COMPILED.checksum, (side, [], 1, True)),
        (COMPILED.checksum, (side, side, "1", True)),
        (COMPILED.read_digits, (b"",)),
        (COMPILED.read_digits, ("", True)),
    ]
    for call, arguments in wrong:
        with pytest.raises((TypeError, ValueError, AttributeError)):
            call(*arguments)
    for index in (0, -1, 1):
        with pytest.raises(IndexError):
            side[index]
    with pytest.raises(TypeError):
        side["0"]


class Watched:
    """A price of which is known when it is gone."""

    def __init__(self, price: float) -> None:
        self.price, self.quantity = price, 1.0


def test_nothing_is_left_behind() -> None:
    side = COMPILED.Rows(False, 9, 1, 3, 5, False)
    references = []
    for price in range(9, 0, -1):
        level: Any = Watched(float(price))
        references.append(weakref.ref(level))
        side.apply([level], [b"1:1"])
    del level
    alive = [reference() is not None for reference in references]
    assert sum(alive) == side.stored
    side.clear()
    assert all(reference() is None for reference in references)

    # A cycle is found by the collector.
    around: Any = Watched(1.0)
    around.side = side
    side.apply([around])
    reference = weakref.ref(around)
    del around, side
    gc.collect()
    assert reference() is None


# --- the digits in a frame

BLANKS = st.sampled_from(["", "", "", " ", "\n\t"])
NUMBERS = st.sampled_from(
    ["0", "0.0", "1", "1.50", "0.000120", "100000.10", "1e-7", "1E+3", "-1", "1.5e2", "00", "1.2.3",
     "9" * 63 + ".5", "9" * 70]
)  # fmt: skip
MORE = st.sampled_from(
    ['"ts":"1"', '"x":{"a":[1,{"b":"}]"}]}', '"y":null', '"z":-1.5e3', '"s":"a\\"b"', '"u":[]',
     '"bids":[]', '"\\u0062ids":[]', '"data":1']
)  # fmt: skip


@st.composite
def frames(draw: st.DrawFn, *, stripped: bool) -> bytes:
    def level() -> str:
        price, quantity, blank = draw(NUMBERS), draw(NUMBERS), draw(BLANKS)
        if stripped:
            parts = [f'"price":{blank}{price}', f'"qty"{blank}:{quantity}{blank}']
            if draw(st.integers(0, 20)) == 0:
                parts = draw(st.permutations([*parts, draw(MORE)]))
            return "{" + f"{blank},".join(parts) + "}"
        more = draw(st.sampled_from(["", ',"0","4"', ',{"a":"]"}', ",1,null"]))
        return f'[{blank}"{price}"{blank},"{quantity}"{more}]'

    def side() -> str:
        return "[" + ",".join(level() for _ in range(draw(st.integers(0, 3)))) + draw(BLANKS) + "]"

    parts = [f'"bids":{side()}', f'"asks":{draw(BLANKS)}{side()}']
    parts += draw(st.lists(MORE, max_size=2))
    row = "{" + ",".join(draw(st.permutations(parts))) + "}"
    rows = ",".join([row] * draw(st.sampled_from([1, 1, 1, 1, 0, 2])))
    whole = [f'"data":[{rows}]', *draw(st.lists(MORE, max_size=2))]
    return ("{" + f"{draw(BLANKS)},".join(draw(st.permutations(whole))) + "}").encode()


FRAMES = st.booleans().flatmap(
    lambda stripped: st.tuples(frames(stripped=stripped), st.just(stripped))
)


@settings(max_examples=400)
@given(FRAMES)
def test_digits_in_c_are_those_in_python_or_left_to_it(case: tuple[bytes, bool]) -> None:
    frame, stripped = case
    found = COMPILED.read_digits(frame, stripped)
    try:
        expected = read_digits_in_python(frame, stripped)
    except msgspec.DecodeError:
        # It is given only what was decoded before. But it must not see a frame of two rows as one.
        if stripped or frame.count(b'"data"') > 1 or b'"price"' in frame:
            return
        try:
            rows_of = json.loads(frame).get("data")
        except ValueError:
            return
        assert found is None or (isinstance(rows_of, list) and len(rows_of) == 1)
        return
    assert found is None or found == expected


def test_a_usual_frame_is_read_in_c() -> None:
    objects = (
        b'{"channel":"book","type":"update","data":[{"symbol":"A/B","bids":[{"price":0.0500,'
        b'"qty":10.00},{"price":1,"qty":0.0}],"asks":[],"checksum":1,"timestamp":"2026-08-01"}]}'
    )
    assert COMPILED.read_digits(objects, True) == ([b"5001000", b"1"], [])
    lists = (
        b'{"arg":{"channel":"books","instId":"A"},"action":"update","data":[{"asks":[["0.50","7",'
        b'"0","4"]],"bids":[],"ts":"1","checksum":-5,"prevSeqId":1,"seqId":2}]}'
    )
    assert COMPILED.read_digits(lists, False) == ([], [b"0.50:7"])
    # Of numbers with an exponent, Python makes those without.
    exponent = objects.replace(b"0.0500", b"5E-2")
    assert COMPILED.read_digits(exponent, True) is None
    assert read_digits(exponent, True) == ([b"51000", b"1"], [])


@settings(max_examples=300)
@given(FRAMES, st.data())
@example((b'{"data":[{"bids":[],"x":[\0]}]}', True), None)
def test_anything_else_is_survived(case: tuple[bytes, bool], data: Any) -> None:
    frame, stripped = case
    if data is not None:
        cut = data.draw(st.integers(0, len(frame)))
        flipped = data.draw(st.binary(max_size=3))
        frame = frame[:cut] + flipped + frame[cut + data.draw(st.integers(0, 4)) :]
    COMPILED.read_digits(frame, stripped)
    COMPILED.read_digits(frame[: len(frame) // 2], not stripped)
