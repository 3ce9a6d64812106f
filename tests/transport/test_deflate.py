"""permessage-deflate: every way a server may compress is undone, every way it must not is told."""

from __future__ import annotations

import zlib
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
import wsproto
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

from connector.transport import CompressionRefused, Ended, open_connection
from connector.transport.deflate import Inflater, agree

TEXT, BINARY, CONTINUATION, PING, PONG = 1, 2, 0, 9, 10
RSV1 = 4
LIMIT = 100_000


@attrs.frozen
class Heard:
    messages: list[bytes]
    pongs: list[bytes]
    ended: Ended
    compressed: bool


def hear(far: Any, answer: Any, cut: Any = lambda data: [data], **options: Any) -> Heard:
    """Listen to a server whose part of the conversation is `answer(request)`, to its end."""

    async def listen() -> Heard:
        sink, end = far.Bucket(), far.End(answer, cut)
        options.setdefault("max_message_bytes", LIMIT)
        async with open_connection(
            "ws://far/",
            sink,
            dialer=far.Dialer(lambda: end),
            compression=True,
            sockets=set(),
            **options,
        ) as connection:
            ended = await connection.run()
            pongs = [body for opcode, body in end.frames if opcode == PONG]
            return Heard(sink.messages, pongs, ended, connection.compressed)
        raise AssertionError

    heard: Heard = trio.run(listen, clock=MockClock(autojump_threshold=0))
    return heard


def accepting(far: Any, said: bytes, extension: bytes = b"permessage-deflate") -> Any:
    header = b"Sec-WebSocket-Extensions: " + extension
    return lambda request: far.switching_protocols(request, header) + said


def cuts(length: int) -> st.SearchStrategy[Any]:
    def at(places: list[int]) -> Any:
        def cut(data: bytes) -> list[bytes]:
            edges = sorted({0, len(data), *(p for p in places if p < len(data))})
            return [data[a:b] for a, b in pairwise(edges)]

        return cut

    places = st.lists(st.integers(0, length + 300), max_size=10)
    return st.one_of(places, st.just(list(range(min(length + 300, 2_500))))).map(at)


class Compressor:
    """The server's half, written from RFC 7692 §7.2.1 with zlib alone."""

    def __init__(self, window: int, *, keeps_context: bool) -> None:
        self._window = window
        self._keeps_context = keeps_context
        self._new()

    def _new(self) -> None:
        self._stream = zlib.compressobj(wbits=-self._window)

    def message(self, payload: bytes) -> bytes:
        data = self._stream.compress(payload) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        if not self._keeps_context:
            self._new()
        assert data.endswith(b"\x00\x00\xff\xff")
        return data[:-4]


BOOK = b'{"stream":"ethusdc@depth5@100ms","data":{"e":"depthUpdate","b":[["3021.10","7.219"]]}}'
BODIES = st.one_of(
    st.just(BOOK),
    st.text(max_size=200).map(str.encode),
    st.integers(0, LIMIT).map(lambda n: (BOOK * (n // len(BOOK) + 1))[:n]),
)


@settings(max_examples=120)
@given(data=st.data(), window=st.integers(9, 15), keeps_context=st.booleans())
def test_inflates_whatever_zlib_deflates(
    far: Any, data: st.DataObject, window: int, keeps_context: bool
) -> None:
    compressor = Compressor(window, keeps_context=keeps_context)
    said, messages, pings = b"", [], []
    for payload in data.draw(st.lists(BODIES, max_size=6)):
        opcode = data.draw(st.sampled_from([TEXT, TEXT, BINARY]))
        compressed = data.draw(st.booleans())
        body = compressor.message(payload) if compressed else payload
        places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=3)))
        fragments = [body[a:b] for a, b in pairwise([0, *places, len(body)])]
        for index, fragment in enumerate(fragments):
            said += far.frame(
                opcode if index == 0 else CONTINUATION,
                fragment,
                fin=index == len(fragments) - 1,
                reserved=RSV1 if compressed and index == 0 else 0,
            )
            if data.draw(st.integers(0, 3)) == 0:
                pings.append(b"%d" % len(pings))
                said += far.frame(PING, pings[-1])
        messages.append(payload)
    extension = b"permessage-deflate; server_max_window_bits=%d" % window
    if not keeps_context:
        extension += b"; server_no_context_takeover"

    heard = hear(far, accepting(far, said, extension), data.draw(cuts(len(said))))

    assert heard.messages == messages
    assert heard.pongs == pings
    assert heard.ended == Ended("eof", 1006)
    assert heard.compressed


@settings(max_examples=60)
@given(
    bodies=st.lists(st.text(max_size=300), max_size=8),
    window=st.integers(9, 15),
    no_takeover=st.booleans(),
    data=st.data(),
)
def test_agrees_with_the_server_of_wsproto(
    far: Any, bodies: list[str], window: int, no_takeover: bool, data: st.DataObject
) -> None:
    def answer(request: bytes) -> bytes:
        server = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        server.receive_data(request)
        (offer,) = list(server.events())
        assert offer.extensions == ["permessage-deflate; client_max_window_bits"]
        deflate = PerMessageDeflate(
            server_max_window_bits=window, server_no_context_takeover=no_takeover
        )
        said = server.send(AcceptConnection(extensions=[deflate]))
        for body in bodies:
            said += server.send(TextMessage(body))
            said += server.send(Ping(b"p"))
            said += server.send(BytesMessage(body.encode()))
        return said + server.send(CloseConnection(1001, "bye"))

    heard = hear(far, answer, data.draw(cuts(500)))

    assert heard.messages == [body.encode() for body in bodies for _ in range(2)]
    assert heard.pongs == [b"p"] * len(bodies)
    assert heard.ended == Ended("closed", 1001, "bye")


HELLO = {
    "one frame": b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
    "two fragments": b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00",
    "no compression": b"\xc1\x0b\x00\x05\x00\xfa\xffHello\x00",
    "a final block": b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
    "a final block without padding": b"\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00",
    "two blocks": b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
}


@pytest.mark.parametrize("name", HELLO)
def test_examples_of_rfc_7692(far: Any, name: str) -> None:
    # Twice: what follows a message must not suffer from it.
    heard = hear(far, accepting(far, HELLO[name] * 2))
    assert heard.messages == [b"Hello"] * 2


def test_context_is_kept_between_messages(far: Any) -> None:
    # RFC 7692 §7.2.3.2: the second "Hello" is shorter, for it refers to the first.
    heard = hear(far, accepting(far, HELLO["one frame"] + b"\xc1\x05\xf2\x00\x11\x00\x00"))
    assert heard.messages == [b"Hello"] * 2


def deflated(far: Any, payload: bytes, opcode: int = TEXT) -> bytes:
    data = Compressor(15, keeps_context=False).message(payload)
    frame: bytes = far.frame(opcode, data, reserved=RSV1)
    return frame


def fragmented(far: Any, payload: bytes) -> bytes:
    data = Compressor(15, keeps_context=False).message(payload)
    half = len(data) // 2
    frames: bytes = far.frame(TEXT, data[:half], fin=False, reserved=RSV1)
    frames += far.frame(CONTINUATION, data[half:])
    return frames


def reserved(far: Any, opcode: int, payload: bytes = b"x", bits: int = RSV1) -> bytes:
    frame: bytes = far.frame(opcode, payload, reserved=bits)
    return frame


@pytest.mark.parametrize(
    ("bad", "code", "words"),
    [
        (lambda f: deflated(f, b"\x00" * 50_000_000), 1009, "inflates to more than 100000 bytes"),
        (lambda f: deflated(f, b"a" * (LIMIT + 1)), 1009, "inflates to more"),
        (lambda f: fragmented(f, b"a" * (LIMIT + 1)), 1009, "inflates to more"),
        (lambda f: reserved(f, TEXT, b"\x07\xff"), 1007, "does not inflate"),
        (lambda f: deflated(f, b"\xff\xfe"), 1007, "not UTF-8"),
        (
            lambda f: f.frame(TEXT, b"\xf2", fin=False, reserved=RSV1) + f.frame(TEXT, b"x"),
            1002,
            "broken off",
        ),
        (lambda f: reserved(f, CONTINUATION), 1002, "Reserved bit"),
        (lambda f: reserved(f, PING), 1002, "Reserved bit"),
        (lambda f: reserved(f, TEXT, bits=RSV1 + 1), 1002, "Reserved bit"),
        (
            lambda f: f.frame(TEXT, b"a", fin=False) + reserved(f, CONTINUATION),
            1002,
            "Reserved bit",
        ),
    ],
)
def test_a_frame_that_a_server_must_not_send_is_refused(
    far: Any, bad: Any, code: int, words: str
) -> None:
    heard = hear(far, accepting(far, deflated(far, b"before") + bad(far) + deflated(far, b"after")))

    assert heard.messages == [b"before"]
    reason = "too big" if code == 1009 else "protocol error"
    assert (heard.ended.reason, heard.ended.code) == (reason, code)
    assert words in heard.ended.text


def test_a_message_as_long_as_the_limit_is_accepted(far: Any) -> None:
    said = deflated(far, b"a" * LIMIT) + fragmented(far, b"a" * LIMIT)
    heard = hear(far, accepting(far, said * 2))
    assert heard.messages == [b"a" * LIMIT] * 4


def test_wire_bytes_count_before_and_payload_bytes_after_inflating(far: Any) -> None:
    async def main() -> None:
        said = deflated(far, b"a" * 10_000)
        end = far.End(accepting(far, said))
        async with open_connection(
            "ws://far/",
            far.Bucket(),
            dialer=far.Dialer(lambda: end),
            compression=True,
            sockets=set(),
        ) as connection:
            handshake = connection.wire_bytes
            await connection.run()
            assert connection.wire_bytes == handshake
            assert handshake < 500
            assert connection.payload_bytes == 10_000

    trio.run(main)


# --- the agreement


def test_a_server_may_decline(far: Any) -> None:
    heard = hear(far, lambda request: far.switching_protocols(request) + far.frame(TEXT, b"plain"))
    assert heard.messages == [b"plain"]
    assert not heard.compressed


@pytest.mark.parametrize(
    "answer",
    [
        "permessage-deflate",
        "Permessage-Deflate ; client_no_context_takeover",
        "permessage-deflate; server_no_context_takeover",
        'permessage-deflate;server_max_window_bits="10";client_max_window_bits=8',
    ],
)
def test_valid_answers_to_the_offer_are_accepted(answer: str) -> None:
    assert agree(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "x-webkit-deflate-frame",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=015",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; mystery",
        "permessage-deflate; =",
        "permessage-deflate;",
        "; permessage-deflate",
    ],
)
def test_answers_that_were_not_offered(far: Any, answer: str) -> None:
    with pytest.raises(CompressionRefused, match="connect without compression") as refused:
        hear(far, accepting(far, b"", answer.encode()))
    assert str(refused.value).startswith("far:80 accepted compression wrongly")


def test_nothing_is_offered_unless_asked_for(far: Any) -> None:
    async def main() -> None:
        end = far.End(far.switching_protocols)
        async with open_connection(
            "ws://far/", far.Bucket(), dialer=far.Dialer(lambda: end), sockets=set()
        ) as connection:
            assert not connection.compressed
        assert b"extensions" not in end.sent[0].lower()

    trio.run(main)


# --- messages that need no measuring


def inflated(bodies: list[bytes], limit: int, *, whole: bool) -> tuple[list[bytes], Any]:
    """What an inflater makes of `bodies`: of whole messages, or of the same in two fragments."""
    inflater = Inflater(limit)
    messages: list[bytes] = []
    for body in bodies:
        halves = framed(0x41, body[:1]) + framed(0x80, body[1:])
        said = framed(0xC1, body) if whole else halves
        inflater.lift(said, 0, limit, messages)
    failure = inflater.failure
    return messages, failure and (failure.code, failure.text)


def framed(first: int, payload: bytes) -> bytes:
    if len(payload) < 126:
        return bytes([first, len(payload)]) + payload
    return bytes([first, 126]) + len(payload).to_bytes(2, "big") + payload


@settings(max_examples=300)
@given(data=st.data(), limit=st.sampled_from([LIMIT, 40_000, 1 << 24]))
def test_short_messages_are_not_measured_and_end_the_same(data: st.DataObject, limit: int) -> None:
    stream = zlib.compressobj(wbits=-15)
    bodies = []
    for payload in data.draw(st.lists(BODIES, max_size=5)):
        if data.draw(st.integers(0, 4)) == 0:
            body = stream.compress(payload) + stream.flush(zlib.Z_FINISH)
            stream = zlib.compressobj(wbits=-15)
        else:
            body = (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]
        if data.draw(st.integers(0, 9)) == 0:
            body = body[: data.draw(st.integers(1, len(body)))] + data.draw(st.binary(max_size=3))
        bodies.append(body)

    assert inflated(bodies, limit, whole=True) == inflated(bodies, limit, whole=False)


@pytest.mark.parametrize("length", [500, 5_000])
def test_nothing_deflates_better_than_what_needs_no_measuring(length: int) -> None:
    """As long as the limit of a message that is not measured, and never too big."""
    limit = 1032 * (length + 16)
    size, body = 1032 * length, bytes(length + 1)
    while len(body) > length:
        size = size * 99 // 100
        stream = zlib.compressobj(9, wbits=-15)
        body = (stream.compress(bytes(size)) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]

    inflater, messages = Inflater(limit), list[bytes]()
    inflater.lift(framed(0xC1, body), 0, limit, messages)

    assert inflater.failure is None
    assert messages == [bytes(size)]
    assert limit * 9 // 10 * length // (length + 16) < size < limit
