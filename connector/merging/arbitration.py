"""A/B arbitration: use the exchange's ids to turn several copies of a stream into one.

Pure: it takes the events of each side and the current time, and returns the events to deliver.

.. code-block:: text

    event of a side ──▶ its id, by the stream's rule ──┬─ seen, or older ──▶ dropped, counted
                                                       ├─ the next ────────▶ delivered
                                                       └─ ids are missing ─▶ held back
    held back ──┬─ another side brings what is missing ────────────────────▶ delivered
                └─ every side is past it, or `patience` or `window` is over ▶ Gap, delivered

If the ids of a stream are consecutive, they show which side lost which events. A gap is reported
only where every side has lost the same span. In other streams each event is independent (a quote, a
partial book, a candle). Their events are never held back: an event is delivered if it is newer than
all before it, and a gap is reported where every side was interrupted at the same time.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence

import attrs

from connector.channels import AnyChannel
from connector.errors import ConfigError
from connector.events import Candle, Event, Gap, Trade
from connector.exchanges.protocol import AnyStream, SequenceRule
from connector.merging.event_identity import Kind, identity, kind_of, plain, rule_of

_MAX_OLD_IDS = 64
"""When a side brings more events in a row that are older than what it brought itself, the exchange
counts anew: better to deliver too much than to stall silently. A connection that begins behind the
end of the one before it is not so far behind."""


@attrs.frozen
class SideStatistics:
    """One side of a merged feed."""

    events: int
    """The number of events that arrived on this side."""
    first: int
    """The number of those that arrived here first and were delivered."""
    duplicates: int
    """The number of those that were dropped as old: the same or a newer event was delivered."""
    lost: int
    """The number of events that arrived only on another side, since this side's first event."""
    gaps: int
    """The number of losses on this side. The consumer does not see most of them."""
    lag_seconds: float | None
    """The average delay behind the first side, in seconds; None if nothing was compared. It
    compares `received_ns` of events that arrived on both sides."""
    most_lag_seconds: float | None
    """The largest such lag, in seconds; None if nothing was compared."""
    ended: bool
    """Whether its subscription has ended. The other sides continue."""


@attrs.define
class _Tally:
    """The counts of one side (`SideStatistics`)."""

    events: int = 0
    first: int = 0
    duplicates: int = 0
    lost: int = 0
    gaps: int = 0
    compared: int = 0
    """Number of events that this side and another delivered."""
    lag_ns: int = 0
    """The sum of its lags behind the side that was first."""
    most_lag_ns: int = 0
    ended: bool = False

    def late_by(self, lag_ns: int) -> None:
        self.lag_ns += lag_ns
        self.most_lag_ns = max(self.most_lag_ns, lag_ns)

    def statistics(self) -> SideStatistics:
        return SideStatistics(
            events=self.events,
            first=self.first,
            duplicates=self.duplicates,
            lost=self.lost,
            gaps=self.gaps,
            lag_seconds=self.lag_ns / self.compared / 1e9 if self.compared else None,
            most_lag_seconds=self.most_lag_ns / 1e9 if self.compared else None,
            ended=self.ended,
        )


@attrs.define
class _Position:
    """The position of one side in one lane."""

    reached: int = 0
    """The highest id that this side delivered; 0: none yet."""
    awaited: dict[int, tuple[int, int]] = attrs.field(factory=dict)
    """Events that arrived on other sides but not here: the side and the time, by id."""
    old: int = 0
    """Number of events in a row whose ids do not exceed `reached`."""


@attrs.define
class _Held:
    """An event that waits for missing events before it."""

    id: int
    event: Event
    since: float
    """Time of its arrival."""


@attrs.define(eq=False)
class _Lane:
    """The order of the events of one stream and symbol."""

    course: _Course
    positions: list[_Position]
    last_id: int = 0
    """The id of the last delivered event; 0: none yet."""
    latest: Event | None = None
    held: list[_Held] = attrs.field(factory=list)

    def tells_losses(self) -> bool:
        """Whether the ids show a loss. Ids that do not rise by 1 cannot."""
        return self.latest is not None and self.course.rule(1, self.latest) < 0


@attrs.define(eq=False)
class _Course:
    """One channel, as all sides carry it."""

    channel: AnyChannel
    rule: SequenceRule
    carriers: set[int] = attrs.field(factory=set)
    """The sides that have the channel."""
    lost: dict[int, Gap] = attrs.field(factory=dict)
    """The interrupted sides: they reported a loss and delivered no event since. Latest last."""
    told: bool = False
    """Whether the current loss of all sides was delivered as a gap."""
    lanes: dict[object, _Lane] = attrs.field(factory=dict)


class Arbiter:
    """Decides which events of several sides to deliver.

    Args:
        streams: those of each side.
        patience: seconds that an event waits for what another side may still bring before it.
        window: how many events of one stream and symbol may wait, and of how many ids it is known
            for each side whether it has brought them.
        gaps: whether losses that all sides share are delivered as a `Gap`, and not only counted.

    Raises:
        ConfigError: a channel cannot be merged, or two cannot be told apart.
    """

    def __init__(
        self,
        streams: Sequence[Iterable[AnyStream]],
        *,
        patience: float,
        window: int,
        gaps: bool = True,
    ) -> None:
        self.ready: deque[Event | Gap] = deque()
        """The events to deliver, in order. The caller takes them from here."""
        self.delivered = 0
        self.gaps = 0
        self._gaps_wanted = gaps
        self._patience = patience
        self._window = window
        self._tallies = [_Tally() for _ in streams]
        self._courses: dict[Kind, _Course] = {}
        self._lanes: dict[object, _Lane] = {}
        self._waiting: dict[_Lane, None] = {}
        """The lanes in which events wait: an ordered set."""
        self.carry(streams)

    def carry(self, streams: Sequence[Iterable[AnyStream]]) -> None:
        """The sides have these streams from now on; of others nothing is remembered.

        Raises:
            ConfigError: as for the constructor; nothing is changed.
        """
        courses: dict[Kind, _Course] = {}
        for side, carried in enumerate(streams):
            for stream in () if self._tallies[side].ended else carried:
                kind = kind_of(stream)
                course = courses.setdefault(kind, _Course(stream.channel, rule_of(stream)))
                if identity(course.channel) != identity(stream.channel):
                    raise _cannot_be_told_apart(course.channel, stream.channel)
                course.carriers.add(side)
        for kind, course in courses.items():
            everything = courses.get((kind[0], None, kind[2]), course)
            if everything is not course:
                raise _cannot_be_told_apart(everything.channel, course.channel)
        self._lanes = {}
        for kind, course in courses.items():
            known = self._courses.get(kind)
            if known is not None:
                course.lost, course.told, course.lanes = known.lost, known.told, known.lanes
            for key, lane in course.lanes.items():
                lane.course = course
                self._lanes[key] = lane
        self._courses = courses
        self._waiting = {lane: None for lane in self._lanes.values() if lane.held}

    def take(self, side: int, item: Event, now: float) -> None:
        """Take `item` of `side`, which may be a `Gap`; `now` is in seconds."""
        if type(item) is Gap:
            self._lose(side, item)
            return
        tally = self._tallies[side]
        tally.events += 1
        lane = self._lane(item)
        if lane is None:
            return  # what was still buffered of a channel that was discarded
        course = lane.course
        course.lost.pop(side, None)
        event_id = course.rule(0, item)
        mine = lane.positions[side]
        if event_id < mine.reached and self._counts_anew(lane, mine):
            event_id = course.rule(0, item)
        brought = mine.awaited.pop(event_id, None)
        if event_id > mine.reached:
            self._advance(mine, event_id, tally)
        if brought is not None:
            tally.duplicates += 1
            self._compare(side, item, *brought)
        elif event_id <= lane.last_id:
            tally.duplicates += 1
        elif not lane.last_id or course.rule(lane.last_id, item) > 0:
            self._note_first(lane, side, event_id, item)
            self._deliver(lane, event_id, item)
        else:
            self._hold(lane, side, event_id, item, now)
        if lane.held:
            # A slow side may still deliver the missing events in the same batch.
            self._settle(lane, -math.inf)

    def end(self, side: int, now: float) -> None:
        """End `side`: it delivers no more events."""
        self._tallies[side].ended = True
        for course in self._courses.values():
            course.carriers.discard(side)
            self._tell_if_all_are_lost(course)
        self.expire(now)

    def expire(self, now: float) -> None:
        """Release events that have waited too long at the time `now`."""
        for lane in tuple(self._waiting):
            self._settle(lane, now)

    def deadline(self) -> float:
        """When to call `expire` if no event arrives before; infinite if nothing waits."""
        since = min((lane.held[0].since for lane in self._waiting), default=math.inf)
        return since + self._patience

    def held(self) -> int:
        """The number of events that wait for missing events before them."""
        return sum(len(lane.held) for lane in self._waiting)

    def statistics(self) -> tuple[SideStatistics, ...]:
        """The counts of each side."""
        return tuple(tally.statistics() for tally in self._tallies)

    # Inside.

    def _lane(self, event: Event) -> _Lane | None:
        interval = event.interval if isinstance(event, Candle) else None
        key = (type(event), event.symbol, interval)
        lane = self._lanes.get(key)
        if lane is None:
            course = self._course(event, interval)
            if course is None:
                return None
            lane = _Lane(course, [_Position() for _ in self._tallies])
            self._lanes[key] = course.lanes[key] = lane
        return lane

    def _course(self, event: Event, interval: str | None) -> _Course | None:
        for symbol in (plain(event.symbol), None):
            for kind, course in self._courses.items():
                if isinstance(event, kind[0]) and kind[1:] == (symbol, interval):
                    return course
        # An exchange may write a symbol quite otherwise than its user.
        alike = (course for kind, course in self._courses.items() if isinstance(event, kind[0]))
        return next(alike, None)

    def _advance(self, mine: _Position, event_id: int, tally: _Tally) -> None:
        """A side has reached `event_id`: it will not deliver earlier events."""
        awaited = mine.awaited
        while awaited and (oldest := next(iter(awaited))) < event_id:
            del awaited[oldest]
            tally.lost += bool(mine.reached)
        mine.reached = event_id
        mine.old = 0

    def _counts_anew(self, lane: _Lane, mine: _Position) -> bool:
        """Count one more event that seems old; True if the exchange has restarted its ids."""
        mine.old += 1
        if mine.old <= _MAX_OLD_IDS:
            return False
        for held in lane.held:
            self._deliver(lane, held.id, held.event)
        lane.held.clear()
        self._waiting.pop(lane, None)
        self._tell(lane.course, "sequence", since_ns=_received_ns(lane.latest))
        lane.last_id = 0
        for position in lane.positions:
            position.reached = position.old = 0
            position.awaited.clear()
        return True

    def _compare(self, side: int, event: Event, first_side: int, first_ns: int) -> None:
        """Note which of two sides delivered the same event earlier, and by how much."""
        lag_ns = event.received_ns - first_ns
        for each in (side, first_side):
            self._tallies[each].compared += 1
        self._tallies[side if lag_ns >= 0 else first_side].late_by(abs(lag_ns))

    def _note_first(self, lane: _Lane, side: int, event_id: int, event: Event) -> None:
        """Note that the other sides have not delivered this event yet."""
        self._tallies[side].first += 1
        for other, position in enumerate(lane.positions):
            if other == side:
                continue
            if position.reached > event_id:
                self._tallies[other].lost += 1
                continue
            position.awaited[event_id] = side, event.received_ns
            if len(position.awaited) > self._window:
                del position.awaited[next(iter(position.awaited))]
                self._tallies[other].lost += bool(position.reached)

    def _hold(self, lane: _Lane, side: int, event_id: int, event: Event, now: float) -> None:
        place = bisect_left(lane.held, event_id, key=lambda held: held.id)
        if place < len(lane.held) and lane.held[place].id == event_id:
            self._tallies[side].duplicates += 1
            return
        lane.held.insert(place, _Held(event_id, event, now))
        self._waiting[lane] = None
        self._note_first(lane, side, event_id, event)

    def _settle(self, lane: _Lane, now: float) -> None:
        """Deliver waiting events up to a missing one that may still arrive."""
        held = lane.held
        while held:
            first = held[0]
            verdict = lane.course.rule(lane.last_id, first.event)
            if verdict < 0:
                waits = len(held) <= self._window and now < first.since + self._patience
                if waits and not self._is_lost(lane, first.id):
                    return
                self._tell(
                    lane.course,
                    "sequence",
                    dropped=_missing(lane.latest, first.event),
                    received_ns=first.event.received_ns,
                    since_ns=_received_ns(lane.latest),
                )
            del held[0]
            if verdict:
                self._deliver(lane, first.id, first.event)
        self._waiting.pop(lane, None)

    def _is_lost(self, lane: _Lane, event_id: int) -> bool:
        """Whether every side is past the events that are missing before `event_id`."""
        return all(lane.positions[side].reached >= event_id for side in lane.course.carriers)

    def _deliver(self, lane: _Lane, event_id: int, event: Event) -> None:
        lane.last_id = event_id
        lane.latest = event
        lane.course.told = False
        self.delivered += 1
        self.ready.append(event)

    def _lose(self, side: int, gap: Gap) -> None:
        """Note that `side` is interrupted in some channels; report a gap if all sides are."""
        self._tallies[side].gaps += 1
        lost = set(map(identity, gap.channels))
        for course in self._courses.values():
            if identity(course.channel) in lost:
                course.lost.pop(side, None)
                course.lost[side] = gap
                self._tell_if_all_are_lost(course)

    def _tell_if_all_are_lost(self, course: _Course) -> None:
        """Report a gap if every side is interrupted now, and ids cannot show the loss."""
        if course.told or not course.carriers or not course.carriers <= course.lost.keys():
            return
        if any(lane.tells_losses() for lane in course.lanes.values()):
            return
        course.told = True
        last = next(reversed(course.lost.values()))  # until then something came
        self._tell(course, last.reason, received_ns=last.received_ns, since_ns=last.since_ns)

    def _tell(
        self,
        course: _Course,
        reason: str,
        *,
        dropped: int | None = None,
        received_ns: int = 0,
        since_ns: int | None = None,
    ) -> None:
        """Deliver a `Gap`."""
        self.gaps += 1
        if not self._gaps_wanted:
            return
        self.ready.append(
            Gap(
                symbol=getattr(course.channel, "symbol", None) or "",
                received_ns=received_ns,
                channels=(course.channel,),
                reason=reason,
                dropped=dropped,
                since_ns=since_ns,
            )
        )


def _received_ns(event: Event | None) -> int | None:
    return None if event is None else event.received_ns


def _missing(before: Event | None, after: Event) -> int | None:
    """The number of events missing between two, if their ids show it, as those of trades do."""
    if isinstance(before, Trade) and isinstance(after, Trade):
        return after.trade_id - before.trade_id - 1
    return None


def _cannot_be_told_apart(one: AnyChannel, other: AnyChannel) -> ConfigError:
    return ConfigError(
        f"the events of {one!r} and {other!r} cannot be told apart; merge each in feeds of its own"
    )
