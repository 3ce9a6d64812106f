"""Real books whose stream is damaged on the way, and somebody who knows the truth.

A `Truth` is a window of a capture: the book before it, and after each of its deltas. `damaged`
breaks the stream as networks and bugs do. `Driver` lets a book live through it, fetching
snapshots as an exchange would give them, and checks after every step that a synced book is right.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import attrs

from connector.book import Book, BookRules, Extent, Outcome, State
from connector.events import BookDelta, BookSnapshot, Level, Quote
from tests.book import recordings

Side = dict[float, Level]
CUT = None
"""In a damaged stream: the connection breaks here."""


@attrs.frozen(eq=False, slots=False)
class Truth:
    """What the exchange's book was, delta by delta."""

    rules: BookRules
    deltas: list[BookDelta]
    before: list[tuple[Side, Side]]
    """The book before each delta; one more at the end."""
    levels: int
    """Best levels that the rules promise to be right."""
    _tops: dict[int, tuple[list[Level], list[Level]]] = attrs.field(factory=dict)

    def snapshot(self, index: int, rng: random.Random) -> recordings.Snapshot:
        """The book before delta `index`, or a little later: within it, if its ids allow that."""
        bids, asks = (dict(side) for side in self.before[index])
        update_id = self.id_before(index)
        if self.rules.snapshot == "rest" and index < len(self.deltas) and rng.random() < 0.5:
            delta = self.deltas[index]
            update_id = rng.randint(update_id, delta.last_update_id)
            if update_id >= delta.first_update_id:
                # In the middle of a delta: some of its changes are there already, or all.
                share = rng.random() if update_id < delta.last_update_id else 1.0
                for side, changes in ((bids, delta.bids), (asks, delta.asks)):
                    apply(side, [each for each in changes if rng.random() < share])
        return recordings.Snapshot(
            symbol="", bids=list(bids.values()), asks=list(asks.values()), update_id=update_id
        )

    def id_before(self, index: int) -> int:
        if index == 0:
            previous = self.deltas[0].previous_update_id
            return self.deltas[0].first_update_id - 1 if previous is None else previous
        return self.deltas[index - 1].last_update_id

    def top(self, index: int) -> tuple[list[Level], list[Level]]:
        """The best levels after delta `index`."""
        if index not in self._tops:
            bids, asks = self.before[index + 1]
            self._tops[index] = (
                [bids[price] for price in sorted(bids, reverse=True)[: self.levels]],
                [asks[price] for price in sorted(asks)[: self.levels]],
            )
        return self._tops[index]

    @property
    def numbered(self) -> bool:
        """Whether the deltas have ids."""
        return self.deltas[0].last_update_id != self.deltas[1].last_update_id

    def index_of(self, update_id: int) -> int:
        """After which delta the book had this id."""
        return self._indices[update_id]

    @cached_property
    def _indices(self) -> dict[int, int]:
        return {delta.last_update_id: index for index, delta in enumerate(self.deltas)}


def apply(side: Side, changes: list[Level]) -> None:
    for level in changes:
        side.pop(level.price, None)
        if level.quantity:
            side[level.price] = level


def truth(folder: Path, name: str, *, count: int, levels: int) -> Truth:
    """The first `count` deltas after the snapshot of the liveliest book of a capture."""
    if name in recordings.FETCHED:
        rules, events = recordings.FETCHED[name], recordings.fetched(folder, name)
    else:
        rules, events = recordings.STREAMED[name][0], recordings.streamed(folder, name)
    by_symbol: dict[str, list[BookDelta | BookSnapshot]] = {}
    for symbol, event in events:
        if not isinstance(event, Quote):
            by_symbol.setdefault(symbol, []).append(event)
            if sum(isinstance(each, BookDelta) for each in by_symbol[symbol]) > 3 * count:
                break
    symbol = max(by_symbol, key=lambda each: len(by_symbol[each]))
    deltas: list[BookDelta] = []
    books: list[tuple[Side, Side]] = []
    book = Book(rules, Extent(truncated=1000 if rules.truncates else None))
    for event in by_symbol[symbol]:
        if isinstance(event, BookSnapshot):
            outcome = book.fetched(event) if rules.snapshot == "rest" else book.restarted(event)
        else:
            outcome = book.delta(event)
            if book.wants_snapshot:
                book.asked()
                book.delta(event)
        if outcome is Outcome.UPDATED:
            if books and isinstance(event, BookDelta):
                deltas.append(event)
            books.append(tuple({l.price: l for l in side} for side in (book.bids, book.asks)))  # type: ignore[arg-type]  # noqa: E741
        if len(deltas) == count:
            break
    return Truth(rules, deltas, books, levels)


def renumbered(known: Truth, rules: BookRules, numbering: str) -> Truth:
    """The same book as an exchange would number it; no checksum tells what is wrong.

    Args:
        numbering: "dense" ids; "named" ones, which jump, with a heartbeat now and then; "reset" as
            these, and in the middle the exchange begins anew, below its last id.
    """
    rng = random.Random(numbering)
    deltas: list[BookDelta] = []
    before = known.before[:1]
    last = 100_000
    for index, delta in enumerate(known.deltas):
        previous = last
        if numbering == "reset" and index == len(known.deltas) // 3:
            last = 7  # okx §5: maintenance
        else:
            last += 1 if numbering == "dense" else rng.randint(1, 90)
        named = None if numbering == "dense" else previous
        deltas.append(_numbered(delta.bids, delta.asks, last, named))
        before.append(known.before[index + 1])
        if numbering != "dense" and index % 7 == 3:
            deltas.append(_numbered([], [], last, last))
            before.append(known.before[index + 1])
    return Truth(rules, deltas, before, known.levels)


def _numbered(
    bids: Sequence[Level], asks: Sequence[Level], last: int, previous: int | None
) -> recordings.Delta:
    return recordings.Delta(
        symbol="", bids=list(bids), asks=list(asks), first_update_id=last, last_update_id=last,
        previous=previous,
    )  # fmt: skip


Stream = list[int | None]
"""Indices of deltas as they arrive, and `CUT`."""


def damaged(stream: Stream, kind: str, at: int, rng: random.Random) -> Stream:
    """`stream` with one more fault at position `at`."""
    length = rng.randint(1, 6)
    match kind:
        case "drop":
            return stream[:at] + stream[at + length :]
        case "duplicate":
            return stream[: at + length] + stream[at:]
        case "reorder":
            part = stream[at : at + length + 1]
            rng.shuffle(part)
            return stream[:at] + part + stream[at + length + 1 :]
        case "cut":
            return [*stream[:at], CUT, *stream[at + length :]]
        case "splice":
            # The past, once more, in the middle of the present.
            start = rng.randint(0, at)
            return stream[:at] + stream[start : start + length] + stream[at:]
    raise AssertionError(kind)


KINDS = ("drop", "duplicate", "reorder", "cut", "splice")


@attrs.define
class Driver:
    """Drives a book through a damaged stream."""

    truth: Truth
    book: Book
    rng: random.Random
    delay: int = 2
    """Deltas between the request for a snapshot and its arrival."""
    staleness: int = 0
    """How far behind the exchange's stream its snapshots are at most."""
    synced_steps: int = 0
    _due: int | None = None
    _seen: int = 0

    def run(self, stream: Stream) -> None:
        for step, index in enumerate(stream):
            if index is CUT:
                self.book.interrupted()
                self._due = None
                self._seen = 0
                continue
            self._seen = max(self._seen, index)
            self.book.delta(self.truth.deltas[index])
            self.check(index)
            self._serve(step, index)
            self.check(index)

    def _serve(self, step: int, index: int) -> None:
        """What the exchange does besides: snapshots that were asked for arrive."""
        book = self.book
        if self._due is None and book.wants_snapshot:
            book.asked()
            self._due = step + self.delay
        if self._due is None and book.wants_resubscription:
            self._due = step + self.delay
        if self._due is not None and step >= self._due:
            self._due = None
            if self.truth.rules.snapshot == "rest":
                # The exchange is ahead of what has arrived, or its snapshots are behind.
                newest = min(self._seen + self.delay + 1, len(self.truth.deltas))
                oldest = max(newest - self.staleness, 0)
                snapshot = self.truth.snapshot(self.rng.randint(oldest, newest), self.rng)
                book.fetched(snapshot)
            else:
                book.restarted(self.truth.snapshot(index + 1, self.rng))

    def check(self, index: int) -> None:
        book, truth = self.book, self.truth
        if not book.synced:
            assert not book.bids and not book.asks
            return
        self.synced_steps += 1
        where = truth.index_of(book.update_id) if truth.numbered else index
        # What it was is not what it is: a delta that is new has been applied.
        assert where >= index or index < self._seen
        assert (book.bids.top(truth.levels), book.asks.top(truth.levels)) == truth.top(where)


__all__ = ["CUT", "KINDS", "Driver", "State", "Stream", "Truth", "damaged", "renumbered", "truth"]
