"""A model of link, session, server and network, small enough to visit every state.

Each rule that moves a link belongs to a transition in `connector.link.states.TRANSITIONS`, the
table that `connector.link.link` must obey. The other rules are actions of the server, the network,
the clock and the program between two transitions. `check` visits every state that any interleaving
can reach:

- I1: at most one transport is open or being opened; I2: none is when a dial begins;
- I4: when the loop has ended, its tasks and its socket are gone;
- progress: once the network is fair, every run ends, either streaming all wanted data or gone.

A rule is *fair* if it happens eventually once it can: actions of the link, the clock and a healthy
server are. Faults of the network and requests of the program are not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

import attrs

from connector.link.states import TRANSITIONS, State

Peer: TypeAlias = Literal["well", "broken", "silent"]
Socket: TypeAlias = Literal["none", "dialling", "open"]
Transition: TypeAlias = tuple[State, State]

MOST_LOOPS = 3
"""The walk stops at this many loops, because two are already wrong."""
MOST_ORPHANS = 2
"""At most this many connections that we have left, and the server not yet, are tracked."""


@attrs.frozen
class Loop:
    """One link with its session and its connection."""

    state: State = "idle"
    gone: bool = False
    """Whether the loop has ended."""
    socket: Socket = "none"
    upgraded: bool = False
    """Whether the server has answered the handshake."""
    acknowledged: bool = False
    """Whether the server has acknowledged all wanted streams."""
    tasks: bool = False
    """Whether tasks of the session are alive."""
    ended: bool = False
    """Whether the attempt or the session was asked to end, or has failed."""
    cancelled: bool = False
    """Whether the adapter was left while no session existed to be notified."""
    peer: Peer = "well"

    def __str__(self) -> str:
        marks: list[str] = [self.socket] if self.socket != "none" else []
        marks += [name for name in ("gone", "tasks", "ended", "cancelled") if getattr(self, name)]
        marks += [self.peer] if self.peer != "well" else []
        return f"{self.state}({', '.join(marks)})" if marks else self.state


@attrs.frozen
class World:
    """The state of everything at one moment."""

    loops: tuple[Loop, ...] = (Loop(),)
    wanted: bool = False
    leaving: bool = False
    exhausted: bool = False
    """Whether a replay has ended; an exchange never ends."""
    orphans: int = 0
    """Connections of the server whose client end is closed."""

    def with_loop(self, number: int, **changes: Any) -> World:
        """The same world with one loop replaced."""
        loops = list(self.loops)
        loops[number] = attrs.evolve(loops[number], **changes)
        return attrs.evolve(self, loops=tuple(loops))

    def __str__(self) -> str:
        said = [" + ".join(map(str, self.loops))]
        said += [name for name in ("wanted", "leaving", "exhausted") if getattr(self, name)]
        return ", ".join(said)


@attrs.frozen
class Rule:
    """An action that can happen to one loop."""

    who: Literal["link", "session", "server", "network", "clock", "program"]
    what: str
    guard: Callable[[World, Loop], bool]
    effect: Callable[[World, int], World]
    moves: Transition | None = None
    """The transition of the table to which it belongs, if any."""
    fair: bool = True

    def __str__(self) -> str:
        arrow = "" if self.moves is None else f" [{self.moves[0]} → {self.moves[1]}]"
        return f"{self.who}: {self.what}{arrow}"


def _change(**changes: Any) -> Callable[[World, int], World]:
    return lambda world, number: world.with_loop(number, **changes)


def _move(
    before: State,
    after: State,
    guard: Callable[[World, Loop], bool] = lambda world, loop: True,
    *,
    fair: bool = True,
    effect: Callable[[World, int], World] = lambda world, number: world,
    **changes: Any,
) -> Rule:
    """Make the rule of a transition, allowed by `guard`."""

    def moved(world: World, number: int) -> World:
        return effect(world.with_loop(number, state=after, **changes), number)

    return Rule(
        "link" if fair else "program",
        TRANSITIONS[before][after],
        lambda world, loop: loop.state == before and guard(world, loop),
        moved,
        (before, after),
        fair,
    )


def _back_to_idle(world: World, number: int) -> World:
    """Return to the head of the loop, for a new round or its end; the old round leaves nothing."""
    loop = world.loops[number]
    fresh = Loop(state=loop.state, socket=loop.socket, tasks=loop.tasks, gone=world.leaving)
    loops = (*world.loops[:number], fresh, *world.loops[number + 1 :])
    return attrs.evolve(world, loops=loops)


def _close(world: World, number: int) -> World:
    """Close our end of the connection; the server does not know it yet."""
    known = world.loops[number].socket == "open"
    orphans = min(world.orphans + known, MOST_ORPHANS)
    return attrs.evolve(world.with_loop(number, socket="none"), orphans=orphans)


def _runs(loop: Loop) -> bool:
    return loop.state in ("subscribing", "streaming") and not loop.ended


def _has_what_is_wanted(loop: Loop) -> bool:
    """Whether all wanted streams are acknowledged; after leaving, none are wanted."""
    return (loop.acknowledged or loop.cancelled) and not loop.ended


def _is_over(loop: Loop) -> bool:
    """Whether nothing is left of an attempt, or of a session that was cancelled."""
    return loop.ended and loop.socket == "none" and not loop.tasks


def _is_trying(loop: Loop) -> bool:
    return loop.state in ("connecting", "subscribing", "streaming") and not loop.ended


MOVES: tuple[Rule, ...] = (
    _move("idle", "waiting", lambda world, _: world.wanted and not world.leaving),
    _move("idle", "idle", lambda world, _: world.leaving, gone=True),
    _move("waiting", "connecting", lambda world, _: not world.exhausted, socket="dialling"),
    _move("waiting", "idle", lambda world, _: world.leaving, effect=_back_to_idle),
    _move("waiting", "ended", lambda world, _: world.exhausted, gone=True),
    _move(
        "connecting", "subscribing", lambda _, loop: loop.upgraded and not loop.ended,
        tasks=True,
    ),
    _move("connecting", "idle", lambda _, loop: _is_over(loop), effect=_back_to_idle),
    _move("subscribing", "streaming", lambda _, loop: _has_what_is_wanted(loop)),
    _move("subscribing", "closing", lambda _, loop: loop.ended, tasks=False),
    _move(
        "streaming", "subscribing", lambda _, loop: not loop.ended,
        fair=False, acknowledged=False,
    ),
    _move("streaming", "streaming", lambda _, loop: not loop.ended),
    _move("streaming", "closing", lambda _, loop: loop.ended, tasks=False),
    _move(
        "streaming", "idle", lambda _, loop: loop.cancelled and _is_over(loop),
        effect=_back_to_idle,
    ),
    _move("closing", "idle", lambda _, loop: loop.socket == "none", effect=_back_to_idle),
)  # fmt: skip
"""The transitions of the table, each with its condition and its effect."""

TOO_LATE = Rule(
    "clock", "the handshake has taken too long",
    lambda _, loop: loop.state == "connecting" and not loop.ended and loop.peer == "silent",
    _change(ended=True),
)  # fmt: skip
SILENCE = Rule(
    "clock", "silence is noticed", lambda _, loop: _runs(loop) and loop.peer == "silent",
    _change(ended=True),
)  # fmt: skip
GIVE_UP_CLOSING = Rule(
    "clock", "closing has taken too long",
    lambda _, loop: loop.state == "closing" and loop.socket != "none", _close,
)  # fmt: skip

OTHERS: tuple[Rule, ...] = (
    Rule(
        "network", "the connection is established",
        lambda _, loop: loop.socket == "dialling" and loop.peer == "well" and not loop.ended,
        _change(socket="open"),
    ),
    Rule(
        "server", "answers the handshake",
        lambda _, loop: loop.state == "connecting" and loop.socket == "open"
        and loop.peer == "well" and not loop.upgraded,
        _change(upgraded=True),
    ),
    Rule(
        "server", "acknowledges",
        lambda _, loop: _runs(loop) and loop.state == "subscribing" and loop.peer == "well"
        and not loop.acknowledged,
        _change(acknowledged=True),
    ),
    Rule(
        "session", "sees that the connection is broken",
        lambda _, loop: _is_trying(loop) and loop.peer == "broken", _change(ended=True),
    ),
    Rule(
        "session", "learns that the adapter is left",
        lambda world, loop: world.leaving and _runs(loop), _change(ended=True),
    ),
    Rule(
        "link", "is cancelled, because the adapter is left",
        lambda world, loop: world.leaving and loop.state == "connecting" and not loop.cancelled,
        _change(cancelled=True),
    ),
    Rule(
        "link", "notices that it is cancelled",
        lambda _, loop: loop.cancelled and loop.state != "subscribing"
        and (loop.tasks or not loop.ended),
        _change(tasks=False, ended=True),
    ),
    TOO_LATE,
    SILENCE,
    Rule(
        "link", "closes the socket of an attempt that is over",
        lambda _, loop: (loop.state == "connecting" or loop.cancelled) and loop.ended
        and not loop.tasks and loop.socket != "none",
        _close,
    ),
    Rule(
        "server", "answers the close frame",
        lambda _, loop: loop.state == "closing" and loop.socket != "none" and loop.peer == "well",
        _close,
    ),
    GIVE_UP_CLOSING,
    Rule(
        "server", "notices that we have gone", lambda world, _: world.orphans > 0,
        lambda world, _: attrs.evolve(world, orphans=world.orphans - 1),
    ),
    # What nobody can count on.
    Rule(
        "network", "breaks", lambda _, loop: loop.socket != "none" and loop.peer == "well",
        _change(peer="broken"), fair=False,
    ),
    Rule(
        "network", "falls silent", lambda _, loop: loop.socket != "none" and loop.peer == "well",
        _change(peer="silent"), fair=False,
    ),
    Rule(
        "program", "asks for a new connection", lambda _, loop: _runs(loop), _change(ended=True),
        fair=False,
    ),
    Rule(
        "network", "has nothing more to play", lambda world, _: not world.exhausted,
        lambda world, _: attrs.evolve(world, exhausted=True), fair=False,
    ),
    Rule(
        "program", "wants something", lambda world, _: not world.wanted and not world.leaving,
        lambda world, _: attrs.evolve(world, wanted=True), fair=False,
    ),
    Rule(
        "program", "wants no streams any more", lambda world, _: world.wanted,
        lambda world, _: attrs.evolve(world, wanted=False), fair=False,
    ),
    Rule(
        "program", "leaves the adapter", lambda world, _: not world.leaving,
        lambda world, _: attrs.evolve(world, leaving=True), fair=False,
    ),
)  # fmt: skip

STRUCTURED: tuple[Rule, ...] = (*MOVES, *OTHERS)
"""How it is."""


def with_callback(rules: Sequence[Rule] = STRUCTURED) -> tuple[Rule, ...]:
    """The original bug: a disconnect callback starts a new loop while the old one continues."""

    def restarting(rule: Rule) -> Rule:
        def effect(world: World, number: int) -> World:
            after = rule.effect(world, number)
            if world.leaving or len(world.loops) >= MOST_LOOPS:
                return after
            return attrs.evolve(after, loops=(*after.loops, Loop()))

        return attrs.evolve(rule, what=f"{rule.what}; on_disconnect() starts a loop", effect=effect)

    return tuple(restarting(rule) if rule.moves == ("closing", "idle") else rule for rule in rules)


# --- the walk


@attrs.frozen
class Step:
    """One action, and the world after it."""

    rule: Rule | None
    loop: int
    world: World

    def __str__(self) -> str:
        if self.rule is None:
            return f"at first                {self.world}"
        which = f"loop {self.loop + 1}, " if len(self.world.loops) > 1 else ""
        return f"{which}{self.rule}\n                        {self.world}"


@attrs.frozen
class Counterexample:
    """The broken invariant, and the shortest way to it."""

    invariant: str
    what: str
    trace: tuple[Step, ...]

    def __str__(self) -> str:
        steps = "\n".join(f"{number:3}. {step}" for number, step in enumerate(self.trace))
        return f"{self.invariant}: {self.what}, after {len(self.trace) - 1} steps\n{steps}"


@attrs.frozen
class Walk:
    """The result of walking the whole model."""

    states: int
    steps: int
    taken: frozenset[Transition]
    """Transitions of the table that some run takes."""
    broken: Counterexample | None


def check(rules: Sequence[Rule] = STRUCTURED) -> Walk:
    """Visit every reachable state, nearest first; stop at the first broken one."""
    start = World()
    came_from: dict[World, tuple[World, Rule, int] | None] = {start: None}
    fair: dict[World, list[World]] = {}
    taken: set[Transition] = set()
    steps = 0
    queue = deque([start])

    def broken(invariant: str, what: str, world: World) -> Walk:
        example = Counterexample(invariant, what, _trace(came_from, world))
        return Walk(len(came_from), steps, frozenset(taken), example)

    while queue:
        world = queue.popleft()
        if found := _violated(world):
            return broken(*found, world)
        fair[world] = []
        for rule, number, after in _successors(rules, world):
            steps += 1
            if rule.moves is not None:
                taken.add(rule.moves)
                if rule.moves[1] == "connecting" and world.loops[number].socket != "none":
                    return broken("I2", "a dial begins while the old socket is open", world)
            if rule.fair and after != world:
                fair[world].append(after)
            if after not in came_from:
                came_from[after] = world, rule, number
                queue.append(after)
    for world in came_from:
        if not fair[world] and not _is_done(world):
            return broken("progress", "nothing happens any more", world)
    for world in _endless(fair):
        if not _is_done(world):
            return broken("progress", "this can go on forever", world)
    return Walk(len(came_from), steps, frozenset(taken), None)


def _successors(rules: Sequence[Rule], world: World) -> Iterator[tuple[Rule, int, World]]:
    for number, loop in enumerate(world.loops):
        if loop.gone:
            # What is left of it cannot act; the server may still have to notice.
            able: Sequence[Rule] = [rule for rule in rules if rule.who == "server"]
        else:
            able = rules
        for rule in able:
            if rule.guard(world, loop):
                yield rule, number, rule.effect(world, number)


def _violated(world: World) -> tuple[str, str] | None:
    """The violated invariant, with a description."""
    sockets = sum(loop.socket != "none" for loop in world.loops)
    if sockets > 1:
        return "I1", f"{sockets} transports are open or being opened"
    for loop in world.loops:
        if loop.gone and (loop.socket != "none" or loop.tasks):
            return "I4", "the loop is gone, and something of it is left"
    return None


def _is_done(world: World) -> bool:
    """Whether the goal is reached: the loop is gone, or has what the program wants."""
    if world.orphans:
        return False
    for loop in world.loops:
        streams = loop.state == "streaming" and loop.peer == "well" and not loop.ended
        rests = loop.state == "ended" or (loop.state == "idle" and not world.wanted)
        if not (loop.gone if world.leaving else streams or rests):
            return False
    return True


def _endless(fair: dict[World, list[World]]) -> Iterator[World]:
    """States from which fair steps alone may never end."""
    into: dict[World, list[World]] = {world: [] for world in fair}
    left = {world: len(after) for world, after in fair.items()}
    for world, after in fair.items():
        for each in after:
            into[each].append(world)
    ends = deque(world for world, count in left.items() if not count)
    while ends:
        for world in into[ends.popleft()]:
            left[world] -= 1
            if not left[world]:
                ends.append(world)
    return (world for world, count in left.items() if count)


def _trace(
    came_from: dict[World, tuple[World, Rule, int] | None], world: World
) -> tuple[Step, ...]:
    steps: list[Step] = []
    while (origin := came_from[world]) is not None:
        before, rule, number = origin
        steps.append(Step(rule, number, world))
        world = before
    return (Step(None, 0, world), *reversed(steps))


__all__ = [
    "Counterexample",
    "Loop",
    "Rule",
    "Step",
    "Walk",
    "World",
    "check",
    "with_callback",
]
