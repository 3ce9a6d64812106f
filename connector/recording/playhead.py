"""The shared position of all links in a replay: it advances one step at a time, in order.

A step belongs to one link: frames that arrived together, or a mark. Its link takes it when its time
has come, and the next step is read; the other links wait. The frames of two connections therefore
arrive in the recorded order, at any speed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import attrs
import trio

from connector.errors import ExchangeUnavailable
from connector.recording.format import CLOCK_SET, Answer, Hole, Mark
from connector.recording.reader import ALWAYS, Span
from connector.recording.steps import AnyStep, Elapsed, Frames, Unrecorded, steps_of
from connector.transport.http import Response

_IN_A_ROW = 64
"""Number of steps without a checkpoint, while no buffer is full."""
_LOOKS = 2
"""Number of checkpoints in which a woken consumer reads its event."""
_CHANCES = 50
"""Number of checkpoints in which a task can request the answer recorded at this place."""


Step = Frames | Mark


class Ear(Protocol):
    """A playing session: it takes frames without a turn of the scheduler."""

    number: int

    @property
    def deltas(self) -> Mapping[str | None, object]:
        """Streams that may feed local books, by name."""
        ...

    def accept(self, step: Frames) -> Frames | None:
        """Take `step`; return the part that has to wait for room in a buffer."""
        ...

    def shows(self, step: Frames | None) -> bool:
        """Whether `step` changes a local book. None stands for a change of any book."""
        ...

    def unread(self, step: Frames | None) -> int:
        """The number of unread events in the feeds of the books that `step` changes."""
        ...

    def keep_unread(self, step: Frames | None) -> None:
        """Freeze the views that wait in these feeds, so that they show the books before `step`."""
        ...


@attrs.define(eq=False)
class _Asking:
    """A caller that waits for an answer."""

    target: str
    done: trio.Event = attrs.field(factory=trio.Event)
    taken: trio.Event = attrs.field(factory=trio.Event)
    body: bytes | None = None
    bounced: bool = False


class Playhead:
    """The position of a replay.

    Args:
        paths: the files.
        speed: 1 is the recorded speed, 10 is ten times as fast, `math.inf` does not pause.
        span: the part to play.
        zero_ns: the recorded time at which its clock begins; None: that of the first step.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        speed: float,
        span: Span = ALWAYS,
        zero_ns: int | None = None,
    ) -> None:
        self._steps = steps_of(paths, span)
        self._speed = speed
        self._links: set[str] = set()
        self._ears: dict[str, Ear] = {}
        self._step: Step | None = None
        self._ahead: AnyStep | None = None
        """The step that was read and is not due yet."""
        self._moving = False
        self._moved = trio.Event()
        self._zero: float | None = None
        self._elapsed = Elapsed(zero_ns)
        self._asking: _Asking | None = None
        self._question = False
        """Whether a task is about to send a request."""
        self._kept: dict[str, bytes] = {}
        self._answered: set[str] = set()
        self._in_a_row = 0
        self.over = False
        self.holes = 0
        """Number of passed places at which the recorder had dropped frames."""
        self.now_ns = 0
        """Time of the last step that was taken, nanoseconds since the epoch."""
        self.switches = 0
        """How often a step had to wait for a task to take it: what a replay costs beside decoding.
        """

    def close(self) -> None:
        """Close the file that is being read."""
        self._steps.close()

    def expect(self, link: str) -> None:
        """Play the steps of `link`: they wait until the link takes them."""
        self._links.add(link)

    def dismiss(self, link: str) -> None:
        """Skip the steps of `link` from now on."""
        self._links.discard(link)
        if self._step is not None and self._step.link == link:
            self._move()

    def attend(self, link: str, ear: Ear) -> None:
        """Deliver frames of `link` directly to `ear`, until `leave`."""
        self._ears[link] = ear

    def leave(self, link: str) -> None:
        """Undo `attend`."""
        self._ears.pop(link, None)

    def expect_question(self) -> None:
        """Pause the replay until a task has sent the request that it is about to send."""
        self._question = True

    def take(self, step: Step, rest: Frames | None = None) -> None:
        """Take the current step, except for `rest`, which waits for room."""
        if self._step is step:
            self._step = rest
            if rest is None:
                self._wake()

    async def turn(self, link: str) -> Step:
        """Wait until the present step is one of `link`, and its time has come.

        One of the waiting tasks advances the playback for all links. Executes a checkpoint now and
        then, not always.

        Raises:
            trio.EndOfChannel: the recording has ended.

        Cancellation: nothing is lost.
        """
        await self._count()
        while True:
            step = self._step
            if self.over:
                raise trio.EndOfChannel
            if step is not None and step.link == link:
                self.switches += 1
                return step
            if step is None and not self._moving:
                await self._read()
            else:
                await self._moved.wait()

    async def answer(self, target: str) -> Response:
        """Return the recorded answer to a REST request.

        Raises:
            ExchangeUnavailable: another request was recorded before this one, and must be sent
                first. Or the recording has ended and its answers to this request are used up.

        Cancellation: an answer on its way is kept.
        """
        kept = next((each for each in self._kept if serves(each, target)), None)
        if kept is not None or self.over:
            await trio.lowlevel.checkpoint()
            self._question = False
            return self._none(target) if kept is None else _found(self._kept.pop(kept))
        asking = self._asking = _Asking(target)
        self._question = False
        try:
            await asking.done.wait()
        finally:
            self._asking = None
            asking.taken.set()
        if asking.bounced:
            raise ExchangeUnavailable("the recording answers another request first")
        return self._none(target) if asking.body is None else _found(asking.body)

    def _none(self, target: str) -> Response:
        """The answer to a request after the end of the recording."""
        if any(serves(each, target) for each in self._answered):
            # Not a refusal: a task that got answers before would take it as its rejection.
            raise ExchangeUnavailable("the recording is over")
        return Response(404, {}, b"the recording has no such answer")

    async def _count(self) -> None:
        """Count a step; executes a checkpoint now and then."""
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:
            self._in_a_row = 0
            await trio.lowlevel.checkpoint()

    async def _wait_until_due(self, time_ns: int) -> None:
        """Wait until a step is due. Executes no checkpoint if it is."""
        zero = self._zero
        if zero is None:
            zero = self._zero = trio.current_time()
        passed_ns = self._elapsed.until(time_ns)
        if not math.isinf(self._speed):
            due = zero + passed_ns / 1e9 / self._speed
            if due > trio.current_time():
                await trio.sleep_until(due)
        self.now_ns = time_ns

    async def _read(self) -> None:
        """Read up to the next step that a task must take, and deliver frames on the way."""
        self._moving = True
        try:
            while True:  # noqa: ASYNC913 - ends with the steps
                step = self._ahead if self._ahead is not None else next(self._steps, None)
                if isinstance(step, Frames) and step.link in self._links:
                    if not await self._play(step):
                        return
                    continue
                if step is not None and not isinstance(step, Frames):
                    # The end of a session and a snapshot also change books.
                    self._ahead = step
                    for ear in [each for each in self._ears.values() if each.shows(None)]:
                        await self._let_look(ear, None)
                self._ahead = None
                if isinstance(step, Frames):
                    await self._count()
                    continue
                if step is None:
                    self.over = True
                    if self._asking is not None:
                        self._asking.done.set()
                    return
                if isinstance(step, Hole):
                    self.holes += 1
                elif isinstance(step, Answer):
                    self._ahead = step
                    await self._wait_until_due(step.received_ns)
                    self._ahead = None
                    await self._offer(step)
                elif isinstance(step, Unrecorded) or step.kind == CLOCK_SET:
                    self._elapsed.see(step)
                elif step.link in self._links:
                    self._ahead = step
                    await self._wait_until_due(step.time_ns)
                    self._ahead, self._step = None, step
                    return
        finally:
            self._moving = False
            self._wake()

    async def _play(self, step: Frames) -> bool:
        """Play consecutive frames. False if a task must take the rest of a step."""
        unpaced = math.isinf(self._speed) and self._zero is not None
        ears, steps = self._ears, self._steps
        while True:  # noqa: ASYNC913 - ends with the steps
            self._ahead = step
            if unpaced:
                self.now_ns = step.time_ns
            else:
                await self._wait_until_due(step.time_ns)
            self._in_a_row += 1
            if self._in_a_row >= _IN_A_ROW:
                await self._count()
            if self._question:
                await self._wait_for_question()
            ear = ears.get(step.link)
            if ear is not None and ear.number == step.session:
                streams = step.streams
                if (streams[0] in ear.deltas or len(streams) > 1) and ear.shows(step):
                    await self._let_look(ear, step)
                    if ears.get(step.link) is not ear:
                        continue  # it has ended meanwhile
                rest = ear.accept(step)
            else:
                rest = step if step.link in self._links else None  # dismissed meanwhile
            self._ahead, self._step = None, rest
            if rest is not None:
                return False
            following = next(steps, None)
            if type(following) is not Frames or following.link not in ears:
                self._ahead = following
                return True
            step = following

    async def _wait_for_question(self) -> None:
        """Give tasks time to send a request: its answer may be the next step."""
        for _ in range(_CHANCES):
            if not self._question or self._asking is not None:
                break
            await trio.lowlevel.checkpoint()
        self._question = False

    async def _let_look(self, ear: Ear, step: Frames | None) -> None:
        """Let consumers read the books before `step` changes them.

        For a task that does not read within a few turns, the views are frozen.
        """
        for _ in range(_LOOKS):
            await trio.lowlevel.checkpoint()
        left, idle = ear.unread(step), 0
        while left and idle < _LOOKS:
            await trio.lowlevel.checkpoint()
            now = ear.unread(step)
            left, idle = now, idle + 1 if now >= left else 0
        if left:
            ear.keep_unread(step)

    async def _offer(self, answer: Answer) -> None:
        """Pass an answer to the task that requests it here; keep it if no task does."""
        self._kept[answer.target] = answer.body
        self._answered.add(answer.target)
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
    """Let tasks react to the last step before the next one."""
    for _ in range(_CHANCES):
        await trio.lowlevel.checkpoint()


def _found(body: bytes) -> Response:
    return Response(200, {}, body)


def serves(recorded: str, asked: str) -> bool:
    """Whether an answer also answers another target: the same one, with no more levels."""
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
