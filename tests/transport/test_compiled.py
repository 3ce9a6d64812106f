"""The compiled loops do exactly what those in Python do, leave nothing behind, and are optional."""

from __future__ import annotations

import gc
import sys
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from itertools import accumulate, pairwise
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.channels import BookDeltas
from connector.exchanges import binance
from connector.exchanges.envelope import Envelope, Part, Shape
from connector.exchanges.shortcuts import once_in_python
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Overflow
from connector.feeds.hot_loop import take_and_put_in_python, take_in_python
from connector.feeds.intake import IntakeInPython
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription
from connector.transport import compiled, deflate
from connector.transport.deflate import inflate_text_in_python
from connector.transport.websocket_frames import lift_text_in_python
from tests.toy import ENVELOPE, Tick, Toy, frame, keyed, rising, subscription

if compiled.EXTENSION is None:
    # Then `Subscription` is not compiled either, without which the compiled loop takes nothing.
    pytest.skip(
        "connector.transport._speedups is not compiled here, or not wanted", allow_module_level=True
    )
COMPILED = compiled.EXTENSION

SHAPE = ENVELOPE.shape
LIMIT = 70_000


def test_the_compiled_part_is_used_where_it_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONNECTOR_NO_EXTENSION", raising=False)
    assert compiled.load() is COMPILED


def test_the_compiled_part_is_left_out_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_NO_EXTENSION", "1")
    assert compiled.load() is None


def test_the_compiled_part_is_left_out_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONNECTOR_NO_EXTENSION", raising=False)
    monkeypatch.setitem(sys.modules, "connector.transport._speedups", None)
    assert compiled.load() is None


# --- frames


def framed(payload: bytes, *, first: int = 0x81, mask: int = 0, width: int | None = None) -> bytes:
    length = len(payload)
    if width is None:
        width = 0 if length < 126 else 2 if length < 65_536 else 8
    second = length if width == 0 else 126 if width == 2 else 127
    extended = length.to_bytes(width) if width else b""
    return bytes([first, second & 0x7F | mask]) + extended + payload


texts = st.one_of(
    st.text(max_size=40).map(str.encode),
    st.sampled_from([0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, LIMIT]).map(bytes),
)
not_texts = st.one_of(st.binary(max_size=20), texts.map(lambda text: text + b"\xc3"))
lengths = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([2**63 - 1, 2**63, 2**64 - 1]))
limits = st.sampled_from([0, LIMIT, sys.maxsize - 1, sys.maxsize, 2**64])
wires = st.lists(
    st.one_of(
        texts.map(framed),
        texts.map(framed),
        not_texts.map(framed),
        st.builds(
            framed,
            texts,
            first=st.sampled_from([0x01, 0x80, 0x82, 0x88, 0x89, 0xC1]),
            mask=st.sampled_from([0, 0x80]),
        ),
        st.builds(framed, st.binary(max_size=9), width=st.sampled_from([2, 8])),
        st.binary(max_size=4),
        lengths.map(lambda length: b"\x81\x7f" + length.to_bytes(8)),
    ),
    max_size=5,
).map(b"".join)


@settings(max_examples=400)
@given(wires, st.integers(0, 12), st.integers(0, 3), limits)
@example(b"\x81\x7f\x7f" + b"\xff" * 7 + b"x" * 90, 0, 0, sys.maxsize)
def test_lifting_text(wire: bytes, cut: int, skipped: int, limit: int) -> None:
    data = b"-" * skipped + wire[: len(wire) - cut]
    seen = []
    for lift in (lift_text_in_python, COMPILED.lift_text):
        messages: list[bytes] = [b"before"]
        seen.append((lift(data, skipped, limit, messages), messages))

    assert seen[0] == seen[1]


# --- compressed frames


def deflated(payloads: list[bytes], *, final: bool) -> bytes:
    """Frames of one compressor, or of a compressor each with a final block."""
    frames = []
    stream = zlib.compressobj(wbits=-15)
    for payload in payloads:
        if final:
            stream = zlib.compressobj(wbits=-15)
            body = stream.compress(payload) + stream.flush(zlib.Z_FINISH)
        else:
            body = (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]
        frames.append(framed(body, first=0xC1))
    return b"".join(frames)


@settings(max_examples=300)
@given(
    wire=st.one_of(
        st.builds(deflated, st.lists(st.one_of(texts, not_texts), max_size=4), final=st.booleans()),
        wires,
        st.binary(max_size=30).map(lambda body: framed(body, first=0xC1)),
    ),
    cut=st.integers(0, 5),
    limit=st.sampled_from([50, 100_000, 100_000_000, sys.maxsize, 2**80]),
)
def test_inflating_text(wire: bytes, cut: int, limit: int) -> None:
    data = wire[: len(wire) - cut]
    seen = []
    for inflate in (inflate_text_in_python, COMPILED.inflate_text):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deflate, "inflate_text", inflate)
            inflater = deflate.Inflater(limit)
            messages: list[bytes] = []
            place = inflater.lift(data, 0, limit, messages)
        failure = inflater.failure and (inflater.failure.code, inflater.failure.text)
        # Where a connection failed nobody looks any further.
        seen.append((failure or place, messages))

    assert seen[0] == seen[1]


# --- events


def picky(last_id: int, event: Any) -> int:
    """`rising`, with a verdict that no C integer holds."""
    verdict = rising(last_id, event)
    return verdict * 10**20 if verdict < 0 else verdict


numbers = st.integers(1, 9)
payloads = st.lists(
    st.one_of(
        st.builds(frame, st.sampled_from("AB"), numbers),
        st.builds(frame, st.just("A"), numbers),
        st.builds(frame, st.sampled_from(["Z", "C*"]), numbers),
        st.lists(numbers, max_size=4).map(lambda several: frame("C*", *sorted(several))),
        st.sampled_from(
            [
                b'{"stream":"A","data":{"n":"x"}}',
                b'{"stream":"A","data":',
                b'{"stream":"A","data":}',
                b'{"stream":"A"}',
                b'{"stream":"A',
                b'{"stream":"AX',
                b"{",
                b"",
            ]
        ),
    ),
    max_size=12,
)


def other(last: Tick | None, event: Tick) -> list[Tick]:
    """Nothing that was delivered last already."""
    return [] if last is not None and event.n == last.n else [event]


def sums(last: Tick | None, event: Tick) -> list[Tick]:
    """Nothing for an odd number, else it and what it makes with the one before."""
    before = 0 if last is None else last.n
    return [] if event.n % 2 else [event, Tick(symbol=event.symbol, n=before + event.n)]


def world(
    rule: Any, *, capacity: int = 100, readers: str = "ABC", fold: Any = None
) -> dict[bytes, Subscription]:
    """Streams A, B and the lists C*, with one buffer, and one more for those of `readers`."""
    streams = keyed(*(subscription(name, Toy(sequence=rule)) for name in ("A", "B", "C*")))
    first, second = (make_buffer(capacity, Overflow.BLOCK, gaps=False) for _ in range(2))
    for name, each in streams.items():
        each.fold = fold
        each.attach(first)
        if name.decode()[0] not in readers:
            each.attach(second)
    return streams


def state(streams: dict[bytes, Subscription]) -> list[tuple[Any, ...]]:
    return [
        (each.last_id, each.latest, each.messages, each.payload_bytes) for each in streams.values()
    ]


def take(
    module: ModuleType | None,
    streams: Any,
    batch: list[bytes],
    events: list[Any],
    shape: Shape = SHAPE,
) -> Any:
    take = take_in_python if module is None else module.take
    return take(batch, 0, 12345, 7, events, streams, shape)


def put_outcome(module: ModuleType | None, streams: Any, batch: list[bytes]) -> Any:
    """What `take_and_put` returns, and what it does to streams and buffers."""
    put = take_and_put_in_python if module is None else module.take_and_put
    taken, timed, unusual = put(batch, 0, 12345, 7, streams, SHAPE)
    if unusual is not None:
        subscription, event, odd, verdict = unusual
        unusual = subscription and subscription.name, verdict is not None and event, odd, verdict
    buffers = {buffer: None for each in streams.values() for buffer in each.buffers()}
    times = [each.tells_time for each in streams.values()]
    return taken, timed, unusual, times, [list(each.items) for each in buffers], state(streams)


@settings(max_examples=200)
@given(
    payloads,
    st.sampled_from([None, rising, picky]),
    st.integers(1, 4),
    st.sampled_from(["ABC", "B", ""]),
    st.sampled_from([None, 5]),
)
@example([frame("A", 1), frame("A", 3)], rising, 3, "ABC", 5)
@example([frame("A", 1), frame("Z", 1)], rising, 3, "ABC", 5)
@example([frame("C*", 1, 2), frame("A", 3)], rising, 3, "ABC", None)
def test_taking_and_putting(
    batch: list[bytes], rule: Any, capacity: int, readers: str, time_ns: int | None
) -> None:
    def timed(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def decode_timed(payload: bytes) -> Any:
            found = decode(payload)
            for each in found if isinstance(found, list) else [found]:
                each.exchange_time_ns = time_ns
            return found

        return decode_timed

    seen = []
    for module in (None, COMPILED):
        streams = world(rule, capacity=capacity, readers=readers)
        for each in streams.values():
            each.decode = timed(each.decode)
        seen.append(put_outcome(module, streams, batch))

    assert seen[0] == seen[1]


@settings(max_examples=300)
@given(
    payloads,
    st.sampled_from([None, rising, picky]),
    st.sampled_from([1, 3, 100]),
    st.sampled_from(["ABC", "A", "B", ""]),
    st.sampled_from([None, other, sums]),
)
@example([frame("C*", 1, 2), frame("A", 2), frame("C*", 4)], rising, 4, "ABC", sums)
@example([frame("C*", 2, 4), frame("C*", 6, 2), frame("C*", 8)], rising, 100, "ABC", other)
@example([frame("A", 1), frame("A", 1), frame("A", 2)], None, 100, "ABC", other)
def test_taking(batch: list[bytes], rule: Any, capacity: int, readers: str, fold: Any) -> None:
    seen = []
    for module in (None, COMPILED):
        streams = world(rule, capacity=capacity, readers=readers, fold=fold)
        seen.append(outcome(module, streams, batch))

    assert seen[0] == seen[1]


class Timed(Tick, gc=False, kw_only=True):
    """An event without an id in order."""

    fields = (*Tick.fields, "time", "seen")

    time: Any
    seen: tuple[int, ...] = ()


moments = st.sampled_from([-1, 0, 1, 2, 1.5, 2**70])
unordered = st.builds(Timed, time=moments, n=st.sampled_from([1, 2, 3, 2**70]))


@given(st.lists(st.one_of(unordered, st.lists(unordered, max_size=5)), max_size=5))
@example([[Timed(time=1, n=n) for n in (1, 2, 1)], [Timed(time=t, n=2) for t in (1, 2, 1)]])
@example([[Timed(time=1, n=n % 70) for n in range(100)], [Timed(time=1, n=n) for n in (3, 71)]])
def test_the_fold_once_in_c_agrees_with_python(messages: list[Any]) -> None:
    found = []
    for module, once in ((None, once_in_python), (COMPILED, COMPILED.once)):
        streams = world(None, capacity=1_000, fold=once("time", "n", "seen"))
        one = streams[b"C*"]
        told = deepcopy(messages)
        one.decode = lambda data, told=told: told[int(data)]  # type: ignore[misc]
        one.decode_unchecked = None
        said: list[Any] = []
        for n in range(len(messages)):
            events: list[Any] = []
            take(module, streams, [b'{"stream":"C*","data":%d}' % n], events)
            said.append([(each.time, each.n, each.received_ns) for each in events])
            said.append(one.latest and (one.latest.time, one.latest.n, one.latest.seen))
        found.append(said)

    assert found[0] == found[1]


def newer(last_id: int, event: Any) -> int:
    """Any id above the last one."""
    number: int = event.n
    return max(number, 1) if number > last_id else 0


def dense(last_id: int, event: Any) -> int:
    """One behind the last id, or whatever comes first."""
    number: int = event.n
    if number == last_id + 1 or not last_id:
        return number
    return 0 if number <= last_id else -number


ids = st.sampled_from([-1, 0, 1, 2, 3, 4, 2**30, 2**60, 2**62, 2**63 - 1, 2**63, 2**70])
ticks_of_two_types = st.lists(
    st.one_of(
        st.builds(Tick, symbol=st.just("A"), n=ids),
        st.builds(Timed, symbol=st.just("A"), n=ids, time=st.just(1)),
    ),
    max_size=6,
)


@given(
    st.lists(
        st.one_of(
            ticks_of_two_types,
            st.tuples(st.integers(1, 4), st.integers(1, 6)).map(
                lambda run: [Tick(symbol="A", n=n) for n in range(run[0], sum(run))]
            ),
        ),
        max_size=5,
    ),
    st.sampled_from(["rising", "dense"]),
    st.sampled_from(["", "symbol"]),
)
@example([[Tick(symbol="A", n=n) for n in (1, 2, 3, 3)]], "rising", "")
@example([[Tick(symbol="A", n=n) for n in (1, 2, 3, 5)]], "dense", "")
@example([[Tick(symbol="A", n=n) for n in (1, 2, 3, 4, 5)], [Tick(symbol="A", n=6)]], "dense", "")
def test_lists_whose_ids_a_compiled_rule_follows(
    messages: list[list[Any]], name: str, filled: str
) -> None:
    rule = {"rising": newer, "dense": dense}[name]
    found = []
    for module, follow in ((None, rule), (COMPILED, getattr(COMPILED, name)(rule, "n", filled))):
        streams = world(follow, capacity=1_000)
        one, told = streams[b"C*"], deepcopy(messages)
        one.decode = lambda data, told=told: told[int(data)]  # type: ignore[misc]
        one.decode_unchecked = None
        batch = [b'{"stream":"C*","data":%d}' % n for n in range(len(messages))]
        stamps = [[(each.received_ns, each.session) for each in several] for several in told]
        found.append((outcome(module, streams, batch), stamps))

    assert found[0] == found[1]


SHAPES = [
    Envelope((Part(b'"stream":"', b'"'),), anchored=False, tail=b"}").shape,
    Envelope((Part(b'{"s":"', b'"'), Part(b'"t":"', b'"')), tail=b"").shape,
    Envelope((Part(b"", b"t"), Part(b"", b"t"), Part(b"s", b""), Part(b'"', b'"'))).shape,
    Envelope((Part(b'"stream":"', b'"'),), anchored=False).shape,
    Envelope(()).shape,
]
texts = st.text(alphabet='{}":,stramABC*0', max_size=24)


@settings(max_examples=300)
@given(
    st.lists(st.one_of(payloads.map(b"".join), texts.map(str.encode)), max_size=6),
    st.sampled_from(SHAPES),
    st.sampled_from([None, rising]),
    st.sampled_from([1, 3, 100]),
)
@example([b'{"s":"A","t":"B"}', b'{"s":"A","t":"B"}{"n":2}'], SHAPES[1], rising, 3)
@example([b'{"n":1,"stream":"A"}', b'{"n":2,"stream":"A"}'], SHAPES[3], rising, 3)
@example([b'{"s":"A","t":"B"}', b' {"s":"A"t","t":"B"}', b'{"s":"A","t":"C"}'], SHAPES[1], None, 3)
def test_taking_from_frames_of_other_shapes(
    batch: list[bytes], shape: Shape, rule: Any, capacity: int
) -> None:
    seen = []
    for module in (None, COMPILED):
        streams = world(rule, capacity=capacity)
        streams[b"A:B"] = streams[b"A"]
        seen.append(outcome(module, streams, batch, shape))

    assert seen[0] == seen[1]


def test_the_events_of_a_list_are_taken_together_or_not_at_all() -> None:
    streams = world(rising, capacity=3)
    batch = [frame("C*", 1, 2), frame("C*", 3, 4), frame("C*", 5)]

    events: list[Any] = []
    taken, found, _, odd, _ = take(COMPILED, streams, batch, events)

    assert (taken, found.name, odd, [each.n for each in events]) == (1, "C*", 0, [1, 2])


def test_a_list_in_which_an_event_does_not_follow_is_left_to_the_long_way() -> None:
    streams = world(rising)
    batch = [frame("C*", 1, 2), frame("C*", 3, 5)]

    events: list[Any] = []
    taken, found, _, odd, _ = take(COMPILED, streams, batch, events)

    assert (taken, found.last_id, odd, [each.n for each in events]) == (1, 2, 1, [1, 2])


@pytest.mark.parametrize("module", [None, COMPILED], ids=["python", "compiled"])
def test_what_a_fold_makes_of_a_message_is_taken_together_or_not_at_all(
    module: ModuleType | None,
) -> None:
    streams, events = world(None, capacity=3, fold=sums), list[Any]()
    batch = [frame("A", 2), frame("A", 3), frame("A", 4)]
    taken, run, _, odd, verdict = take(module, streams, batch, events)

    assert (taken, run, odd, verdict) == (2, streams[b"A"], 0, None)
    assert [each.n for each in events] == [2, 2]
    assert streams[b"A"].latest is events[-1]


def test_events_taken_together_go_to_the_same_buffers() -> None:
    batch = [frame("A", 1), frame("B", 1), frame("A", 2), frame("A", 3)]
    taken = {}
    for readers in ("ABC", "B", "A", ""):
        streams = world(None, readers=readers)
        # Of two readers a stream is on its own, whatever others of the two there are.
        taken[readers] = take(None, streams, batch, [])[0]

    assert taken == {"ABC": 4, "B": 1, "A": 1, "": 1}


def outcome(
    module: ModuleType | None,
    streams: dict[bytes, Subscription],
    batch: list[bytes],
    shape: Shape = SHAPE,
) -> Any:
    events: list[Any] = []
    taken, found, event, odd, verdict = take(module, streams, batch, events, shape)
    return (
        taken,
        found and found.name,
        # Which event is left over says something only if it does not follow.
        verdict is not None and event,
        odd,
        verdict,
        events,
        [(each.received_ns, each.session) for each in events],
        state(streams),
    )


class Broken(Exception):
    pass


def breaks(*_: object) -> Any:
    raise Broken


@pytest.mark.parametrize("module", [None, COMPILED], ids=["python", "compiled"])
@pytest.mark.parametrize("what", ["decode", "sequence", "fold"])
def test_an_error_that_is_none_of_the_exchange_is_not_hidden(
    module: ModuleType | None, what: str
) -> None:
    streams = world(None)
    setattr(streams[b"A"], what, breaks)
    with pytest.raises(Broken):
        take(module, streams, [frame("A", 1)], [])


@pytest.mark.parametrize("module", [None, COMPILED], ids=["python", "compiled"])
def test_an_error_of_a_buffer_is_not_hidden(
    module: ModuleType | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = world(None)
    (buffer,) = streams[b"A"].buffers()
    monkeypatch.setattr(type(buffer), "put_run", breaks)
    with pytest.raises(Broken):
        put_outcome(module, streams, [frame("A", 1)])


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.lift_text(b"", 0, LIMIT),
        lambda c: c.lift_text("", 0, LIMIT, []),
        lambda c: c.lift_text(b"", "0", LIMIT, []),
        lambda c: c.inflate_text(None, b"", 0, 1, 1),
        lambda c: c.inflate_text(None, b"", 0, None, 1, []),
        lambda c: c.take([], 0, 0),
        lambda c: c.take(1, 0, 0, 0, [], {}, SHAPE),
        lambda c: c.take([], None, 0, 0, [], {}, SHAPE),
        lambda c: c.take([1], 0, 0, 0, [], {}, SHAPE),
        lambda c: c.take([], 0, 0, 0, [], {}, (0, "", 0)),
        lambda c: c.take([], 0, 0, 0, [], {}, (((0, "", b""),), True, 0)),
        lambda c: c.take([], 0, 0, 0, [], {}, (((None, b"", b""),), True, 0)),
        lambda c: c.take([], 0, 0, 0, [], {}, (((0, b"", b""),) * 5, True, 0)),
        lambda c: c.take([], 0, 0, 0, [], {}, ((), True, None)),
        lambda c: c.take([], 0, 0, 0, [], [], SHAPE),
        lambda c: c.take([], 0, 0, 0, (), {}, SHAPE),
        lambda c: c.take([], 0, 0, 0, [], {}, None),
        lambda c: c.consecutive(len, [], 0),
        lambda c: c.consecutive(len, 1, 0, None),
        lambda c: c.take_and_put([], 0, 0, 0, {}),
        lambda c: c.take_and_put(1, 0, 0, 0, {}, SHAPE),
        lambda c: c.take_and_put([], None, 0, 0, {}, SHAPE),
        lambda c: c.take_and_put([], 0, 0, 0, [], SHAPE),
        lambda c: c.take_and_put([], 0, 0, 0, {}, None),
    ],
)
def test_a_call_with_wrong_arguments_is_a_type_error(call: Any) -> None:
    with pytest.raises(TypeError):
        call(COMPILED)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.lift_text(b"\x81\x01a", -1, LIMIT, []),
        lambda c: c.lift_text(b"\x81\x01a", 4, LIMIT, []),
        lambda c: c.lift_text(b"\x81\x01a", 2**80, LIMIT, []),
        lambda c: c.lift_text(b"\x81\x01a", 0, -1, []),
        lambda c: c.inflate_text(zlib.decompressobj(-15), b"\xc1\x00", -1, LIMIT, 1, []),
        lambda c: c.inflate_text(zlib.decompressobj(-15), b"\xc1\x00", 3, LIMIT, 1, []),
        lambda c: c.take([b"x"], -1, 0, 0, [], {}, SHAPE),
        lambda c: c.take([b"x"], -sys.maxsize, 0, 0, [], {}, SHAPE),
        lambda c: c.take([b"x"], 0, 0, 0, [], {}, (((-2, b"", b"x"),), False, 0)),
        lambda c: c.take([b"x"], 0, 0, 0, [], {}, (((0, b"", b"x"),), False, -1)),
    ],
)
def test_an_offset_outside_of_the_data_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"negative|position"):
        call(COMPILED)


@pytest.mark.parametrize("module", [None, COMPILED], ids=["python", "compiled"])
@pytest.mark.parametrize(
    "shape", [(sys.maxsize, b'"', 1), (0, b'"', sys.maxsize), (sys.maxsize, b"", sys.maxsize)]
)
def test_a_shape_that_no_message_has(
    module: ModuleType | None, shape: tuple[int, bytes, int]
) -> None:
    streams = world(None)
    streams[b"{"] = streams[b"A"]
    found = take_in_python if module is None else module.take

    begin, after, tail = shape
    wrapped = ((begin, b"", after),), False, tail
    taken, _, _, odd, verdict = found([frame("A", 1)], 0, 0, 0, [], streams, wrapped)

    # The second finds a stream and nothing behind its name.
    assert (taken, odd, verdict) == (0, int(shape[1:] == (b'"', sys.maxsize)), None)


WRITTEN = st.sampled_from(
    [
        *("1.5", "3", "NaN", "nan", "-nAN", "Infinity", "-inf", "INF"),
        *(r"\u004eaN", r"\u0069nf", r"n\u0061n", r"1\u002e5"),
    ]
)


@given(
    symbol=st.sampled_from(["ETHUSDC", "LINKUSDT", "NANUSDT", "BNBUSDT"]),
    pairs=st.lists(st.tuples(WRITTEN, WRITTEN), min_size=1, max_size=3),
)
def test_what_is_decoded_unchecked_need_not_be_checked(
    symbol: str, pairs: list[tuple[str, str]]
) -> None:
    stream = binance.UsdMFutures().stream(BookDeltas(symbol))
    assert stream.decode_unchecked is not None
    levels = ",".join(f'["{price}","{quantity}"]' for price, quantity in pairs)
    name = stream.name
    text = (
        f'{{"stream":"{name}","data":{{"e":"depthUpdate","E":1,"T":1,"s":"{symbol}",'
        f'"U":1,"u":2,"pu":0,"b":[{levels}],"a":[]}}}}'
    )
    seen = []
    for module in (None, COMPILED):
        subscription = Subscription(stream, Full())
        subscription.attach(make_buffer(10, Overflow.BLOCK, gaps=False))
        seen.append(outcome(module, keyed(subscription), [text.encode()]))

    assert seen[0] == seen[1]
    events = seen[0][5]
    good = {"1.5", "3", r"1\u002e5"}
    assert bool(events) == all(good.issuperset(pair) for pair in pairs)


class Roomy:
    """A group of buffers that takes whatever comes."""

    def room(self) -> int:
        return 2**80

    def put_run(self, events: Any, stream: str) -> None:
        raise AssertionError


@pytest.mark.parametrize("module", [None, COMPILED], ids=["python", "compiled"])
def test_more_room_than_memory(module: ModuleType | None) -> None:
    streams = world(None)
    streams[b"A"].group = Roomy()  # type: ignore[assignment]

    assert take(module, streams, [frame("A", 1), frame("A", 2)], [])[0] == 2
    streams[b"C*"].group = Roomy()  # type: ignore[assignment]
    assert take(module, streams, [frame("C*"), frame("C*", 1, 2), frame("C*", 3)], [])[0] == 3


class Greedy(Roomy):
    """A group of buffers that takes the list as well."""

    def put_run(self, events: Any, stream: str) -> None:
        events.clear()


@pytest.mark.parametrize("module", [None, COMPILED], ids=["python", "compiled"])
def test_a_list_that_is_emptied_when_it_is_put(module: ModuleType | None) -> None:
    streams = world(None)
    streams[b"A"].group = Greedy()  # type: ignore[assignment]
    with pytest.raises(IndexError):
        put_outcome(module, streams, [frame("A", 1)])


@pytest.mark.parametrize("module", [None, COMPILED], ids=["python", "compiled"])
def test_a_stream_that_leaves_while_it_is_decoded(module: ModuleType | None) -> None:
    # Nobody holds it but the streams, from which it takes itself.
    streams = world(None)
    decode = streams[b"A"].decode

    def leaving(payload: bytes) -> Any:
        # Only in a run is a stream not looked up again.
        if payload == second and streams.pop(b"A", None) is not None:
            gc.collect()
        return decode(payload)

    streams[b"A"].decode = leaving
    events: list[Any] = []
    batch = [frame("A", 1), frame("A", 2), frame("A", 3), frame("B", 1)]
    second = batch[1][batch[1].index(b'"data":') + 7 : -1]

    taken, left, *_ = take(module, streams, batch, events)

    assert (taken, left.name, b"A" in streams) == (4, "B", False)
    assert [event.n for event in events] == [1, 2, 3, 1]


@pytest.mark.parametrize(
    "name", ["group", "decode", "decode_unchecked", "sequence", "last_id", "fold", "latest"]
)
@pytest.mark.parametrize("module", [None, COMPILED], ids=["python", "compiled"])
def test_a_stream_without_an_attribute_takes_nothing(module: ModuleType | None, name: str) -> None:
    # In Python, the last id is read for a rule, and the latest event for a fold.
    streams = world(rising, fold=sums if name == "latest" else None)
    delattr(streams[b"A"], name)
    events: list[Any] = []

    with suppress(AttributeError):
        take(module, streams, [frame("A", 1)], events)

    assert not events or (module is None and name == "decode_unchecked")


def test_the_compiled_loop_refuses_a_stream_of_another_kind() -> None:
    with pytest.raises(TypeError, match="Intake"):
        COMPILED.take([frame("A", 1)], 0, 0, 0, [], {b"A": object()}, SHAPE)


@pytest.mark.parametrize("kind", [IntakeInPython, COMPILED.Intake], ids=["python", "compiled"])
def test_a_stream_is_let_go_with_what_it_holds(kind: Any) -> None:
    class Held(kind):  # type: ignore[misc]
        """Has a dict and weak references, as `Subscription` has."""

    alone, one = Held(), Held()
    alone.group = one.decode = object()
    one.group = one
    seen = weakref.ref(alone), weakref.ref(one)

    del alone
    assert seen[0]() is None
    del one
    gc.collect()
    assert seen[1]() is None


@pytest.mark.parametrize("kind", [IntakeInPython, COMPILED.Intake], ids=["python", "compiled"])
def test_a_stream_has_the_attributes_that_the_loop_needs(kind: Any) -> None:
    intake = kind()
    for name in IntakeInPython.__slots__:
        setattr(intake, name, 2**62)
        assert getattr(intake, name) == 2**62


def test_an_extension_compiled_from_older_source_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CONNECTOR_NO_EXTENSION", raising=False)
    monkeypatch.delattr(COMPILED, "Intake")
    assert compiled.load() is None


# --- memory


class Longer:
    __slots__ = ("first", "n", "second")
    n: Any


class Borrows:
    """Its field is that of objects that are longer."""

    __slots__ = ()
    n = Longer.__dict__["n"]


def test_a_field_of_objects_of_another_type_is_not_read() -> None:
    follow = COMPILED.rising(rising, "n", "")
    for _ in range(3):  # from the second on, where a field lies is known
        with pytest.raises(TypeError, match="doesn't apply to"):
            follow(1, Borrows())


class Leads(type):
    """A look at its fields leads to another type."""

    def __getattribute__(cls, name: str) -> Any:
        if name == "n":
            cls.lead()
        return super().__getattribute__(name)


class Led(metaclass=Leads):
    __slots__ = ("n",)
    n: Any
    lead: Any = staticmethod(lambda: None)


def test_a_look_at_fields_that_leads_to_others() -> None:
    follow = COMPILED.rising(rising, "n", "")
    long, led = Longer(), Led()
    long.n, led.n = 5, 7
    Led.lead = staticmethod(lambda: [follow(1, long) for _ in range(2)])
    for each in (led, led, long, long, led, led):
        assert follow(1, each) == each.n


def everything() -> Iterator[Any]:
    """Calls that end in every way."""
    wire = framed(b"a" * 300) + framed("ä".encode()) + framed(b"\xff")
    yield lambda: COMPILED.lift_text(wire, 0, LIMIT, [])
    for final in (False, True):
        packed = deflated([b"a" * 300, b"\xff", b"b"], final=final)

        def inflate(packed: bytes = packed) -> None:
            stream = zlib.decompressobj(-15)
            COMPILED.inflate_text(stream, packed, 0, LIMIT, LIMIT, [])

        yield inflate
    number = COMPILED.numbered(lambda _: None, b'"n":', 9)
    arrange = COMPILED.arranged(lambda rows: rows.sort(key=lambda row: row.n), "n", "")
    yield lambda: [number(each) for each in (b'"n":70000,', b'"n":7', b"")]
    yield lambda: [
        arrange([Tick(symbol="A", n=each) for each in several])
        for several in ((1, 2), (2, 1), (1, 3, 2), (1, 2**70))
    ]
    yield lambda: COMPILED.split(["a", 1, "b"], str)
    numbers = [b'"n":%d,' % each for each in (6, 7, 2**62, 2**62 + 1)]
    yield lambda: [COMPILED.consecutive(number, numbers, 0, last) for last in (None, 5, 2**70)]

    def deliver_once() -> None:
        fold, last = COMPILED.once("time", "number", "seen"), None
        for time, each in ((1, 7), (1, 7), (1, 8), (2, 7), (1, 9)):
            last = next(iter(fold(last, SimpleNamespace(time=time, number=each))), last)
        with suppress(AttributeError):
            fold(last, SimpleNamespace(time=2))

    yield deliver_once

    ticks = [Timed(time=n // 3, n=n) for n in (3, 4, 4, 2**70, 5, 8)]

    def deliver_a_list_once() -> None:
        streams = world(None, capacity=1_000, fold=COMPILED.once("time", "n", "seen"))
        streams[b"C*"].decode = lambda _: list(ticks)
        for n in (0, 1):
            take(COMPILED, streams, [b'{"stream":"C*","data":%d}' % n], [])

    yield deliver_a_list_once
    in_c = COMPILED.rising(newer, "n", "")
    for rule, fold in (
        (None, None), (rising, None), (picky, None), (rising, sums), (in_c, None),
    ):  # fmt: skip
        for batch in (
            [frame("A", 1), frame("A", 2), frame("B", 1), frame("A", 9), frame("B", 2)],
            [frame("A", 1), b'{"stream":"A","data":{"n":"x"}}'],
            [frame("A", 2), frame("Z", 1)],
            [frame("C*", 1, 2), frame("C*"), frame("C*", 3, 4, 9), frame("A", 1)],
            [frame("C*", 1), b'{"stream":"C*","data":[{"n":2},{"n":"x"}]}'],
            [frame("C*", 1, 2, 300, 70_000, 70_001, 70_002), frame("C*", 70_003, 2)],
        ):
            streams = world(rule, fold=fold)

            def again(streams: Any = streams, batch: list[bytes] = batch) -> None:
                for each in streams.values():
                    each.last_id = each.messages = each.payload_bytes = 0
                    each.latest = None
                take(COMPILED, streams, batch, [])

            yield again

            def put(streams: Any = streams, batch: list[bytes] = batch) -> None:
                for each in streams.values():
                    each.last_id = each.messages = each.payload_bytes = 0
                    each.latest = None
                    for buffer in each.buffers():
                        buffer.take_all()
                        buffer.unblock()
                COMPILED.take_and_put(batch, 0, 12345, 7, streams, SHAPE)

            yield put


@pytest.mark.parametrize("call", list(everything()))
def test_nothing_is_left_behind(call: Callable[[], object]) -> None:
    def blocks() -> int:
        for _ in range(500):
            call()
        return sys.getallocatedblocks()

    blocks()
    counts = list(accumulate(range(6), lambda _, __: blocks(), initial=blocks()))
    # A leak of one object per call would be 500 blocks each time.
    assert min(after - before for before, after in pairwise(counts)) < 100
