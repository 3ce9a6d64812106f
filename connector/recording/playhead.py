"""The place in a recording that all links of a replay have reached: one step at a time, in order.

A step belongs to one link: frames that came together, or a mark. Whoever it belongs to takes it
when its time has come, and the next one is read; everybody else waits. So what two connections
brought comes in the order in which it came, at any speed.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import attrs
import trio

from connector.errors import ExchangeUnavailable
from connector.recording.format import Answer, Block, Hole, Mark, Start
from connector.recording.reader import whole_blocks
from connector.transport.http import Response

_IN_A_ROW = 64
"""Steps without a checkpoint, while nobody is full."""
_CHANCES = 50
"""Checkpoints for somebody to ask for an answer that was recorded at this place."""


@attrs.frozen
class Frames:
    """Frames of one connection that were received together."""

    link: str
    session: int
    time_ns: int
    streams: Sequence[str | None]
    payloads: Sequence[bytes]


Step = Frames | Mark


def steps_of(paths: Iterable[Path]) -> Generator[Step | Answer | Hole, None, None]:
    """What the files hold, in order; what a file that follows repeats is left out."""
    open_: dict[str, int] = {}
    for path in paths:
        for block in whole_blocks(path):
            for step in _steps_of_block(block):
                if isinstance(step, Start):
                    yield from _present(step, open_)
                    continue
                if isinstance(step, Mark) and step.kind == "Disconnected":
                    open_.pop(step.link, None)
                elif isinstance(step, Mark) and step.kind == "Connected":
                    open_[step.link] = step.session
                yield step


def _present(start: Start, open_: dict[str, int]) -> Iterator[Mark]:
    """The marks of sessions that were open when a file began, unless a file before has them."""
    for link, session, subscribed in start.present:
        if open_.get(link) == session:
            continue
        open_[link] = session
        yield Mark("Connected", link, session, start.started_ns)
        if subscribed:
            yield Mark("Subscribed", link, session, start.started_ns)


def _steps_of_block(block: Block) -> Iterator[Step | Answer | Hole | Start]:
    times, indices, payloads = block.times, block.sources, block.payloads
    sources = block.table.sources
    begin = 0
    for position, mark in [*block.table.marks, (len(times), None)]:
        while begin < position:
            link, session, _ = sources[indices[begin]]
            time_ns = times[begin]
            end = begin + 1
            while (
                end < position
                and times[end] == time_ns
                and sources[indices[end]][:2] == (link, session)
            ):
                end += 1
            streams = [sources[index][2] for index in indices[begin:end]]
            yield Frames(link, session, time_ns, streams, payloads[begin:end])
            begin = end
        if isinstance(mark, Start | Mark | Answer | Hole):
            yield mark


@attrs.define(eq=False)
class _Asking:
    """Somebody who waits for an answer."""

    target: str
    done: trio.Event = attrs.field(factory=trio.Event)
    taken: trio.Event = attrs.field(factory=trio.Event)
    body: bytes | None = None
    bounced: bool = False


class Playhead:
    """Where a replay is.

    Args:
        paths: the files.
        speed: 1 as it was, 10 ten times as fast, `math.inf` as fast as it is read.
    """

    def __init__(self, paths: Sequence[Path], speed: float) -> None:
        self._steps = steps_of(paths)
        self._speed = speed
        self._links: set[str] = set()
        self._step: Step | None = None
        self._moving = False
        self._moved = trio.Event()
        self._zero: tuple[int, float] | None = None
        self._asking: _Asking | None = None
        self._kept: dict[str, bytes] = {}
        self._answered: set[str] = set()
        self._in_a_row = 0
        self.over = False
        self.holes = 0
        """Places passed at which the recorder had dropped frames."""
        self.now_ns = 0
        """Time of the last step that was taken, nanoseconds since the epoch."""

    def close(self) -> None:
        """Close the file that is being read."""
        self._steps.close()

    def expect(self, link: str) -> None:
        """Let the steps of `link` wait for it."""
        self._links.add(link)

    def dismiss(self, link: str) -> None:
        """Leave the steps of `link` out."""
        self._links.discard(link)
        if self._step is not None and self._step.link == link:
            self._move()

    def take(self, step: Step) -> None:
        """The present step has been dealt with."""
        if self._step is step:
            self._move()

    async def turn(self, link: str) -> Step:
        """Wait until the present step is one of `link`, and its time has come.

        Executes a checkpoint now and then, not always.

        Raises:
            trio.EndOfChannel: there is no step any more.

        Cancellation: nothing is lost.
        """
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:
            self._in_a_row = 0
            await trio.lowlevel.checkpoint()
        while True:
            step = self._step
            if self.over:
                raise trio.EndOfChannel
            if step is not None and step.link == link:
                await self._wait_until_due(step.time_ns)
                if self._step is step:
                    return step
            elif step is None and not self._moving:
                await self._read()
            else:
                await self._moved.wait()

    async def answer(self, target: str) -> Response:
        """The answer to a REST request that was recorded next.

        Raises:
            ExchangeUnavailable: another one was; whoever waits for that must ask first. Or the
                recording is over, with answers to this one in it, but no more of them.

        Cancellation: an answer on its way is kept.
        """
        kept = next((each for each in self._kept if serves(each, target)), None)
        if kept is not None or self.over:
            await trio.lowlevel.checkpoint()
            return self._none(target) if kept is None else _found(self._kept.pop(kept))
        asking = self._asking = _Asking(target)
        try:
            await asking.done.wait()
        finally:
            self._asking = None
            asking.taken.set()
        if asking.bounced:
            raise ExchangeUnavailable("the recording answers another request first")
        return self._none(target) if asking.body is None else _found(asking.body)

    def _none(self, target: str) -> Response:
        """What whoever asks is told when the recording is over."""
        if any(serves(each, target) for each in self._answered):
            # No refusal: who was answered before would take it for one of its subscription.
            raise ExchangeUnavailable("the recording is over")
        return Response(404, {}, b"the recording has no such answer")

    async def _wait_until_due(self, time_ns: int) -> None:
        """Wait until the time of a step has come; does not execute a checkpoint when it has."""
        if self._zero is None:
            self._zero = time_ns, trio.current_time()
        if not math.isinf(self._speed):
            zero_ns, zero = self._zero
            due = zero + (time_ns - zero_ns) / 1e9 / self._speed
            if due > trio.current_time():
                await trio.sleep_until(due)
        self.now_ns = max(self.now_ns, time_ns)

    async def _read(self) -> None:
        """Read up to the next step of a link that is expected."""
        self._moving = True
        try:
            for step in self._steps:
                if isinstance(step, Answer):
                    await self._offer(step)
                elif isinstance(step, Hole):
                    self.holes += 1
                elif step.link in self._links:
                    self._step = step
                    return
            self.over = True
            if self._asking is not None:
                self._asking.done.set()
        finally:
            self._moving = False
            self._wake()

    async def _offer(self, answer: Answer) -> None:
        """Give an answer to whoever asks for it here; it is kept if nobody does."""
        self._kept[answer.target] = answer.body
        self._answered.add(answer.target)
        await self._wait_until_due(answer.received_ns)
        for _ in range(_CHANCES):
            asking = self._asking
            if asking is None:
                await trio.lowlevel.checkpoint()
                continue
            mine = serves(answer.target, asking.target)
            if mine:
                asking.body = self._kept.pop(answer.target, None)
            asking.bounced = not mine
            asking.done.set()
            # What is made of it comes before the next step.
            await asking.taken.wait()
            if mine:
                return

    def _move(self) -> None:
        self._step = None
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = trio.Event()


async def give_others_a_turn() -> None:
    """Let whatever is about to happen because of the last step happen before the next."""
    for _ in range(_CHANCES):
        await trio.lowlevel.checkpoint()


def _found(body: bytes) -> Response:
    return Response(200, {}, body)


def serves(recorded: str, asked: str) -> bool:
    """Whether the answer to one target answers another: the same, of at least as many levels."""
    if recorded == asked:
        return True
    have, want = urlsplit(recorded), urlsplit(asked)
    has, wants = dict(parse_qsl(have.query)), dict(parse_qsl(want.query))
    limits = has.pop("limit", ""), wants.pop("limit", "")
    return (
        have.path == want.path
        and has == wants
        and all(limit.isdecimal() for limit in limits)
        and int(limits[0]) >= int(limits[1])
    )
