"""What verify counts is what decoding one frame after another would find, for less work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.exchanges.protocol import UNDECODABLE, Data
from connector.link.raw_frames import RawFrame
from connector.recording import Span, read_frames, verification
from connector.recording.verification import verify
from tests.recording.parts import LINK, raw, write
from tests.toy import Ticks, Toy, frame, rising

STREAMS = ("A", "B", "C*")


def one_by_one(paths: Iterable[Path], toy: Toy) -> dict[str, tuple[int, int, int, int, int]]:
    """Frames, ids checked, gaps, repeated and undecodable of each stream, by the definition."""
    result: dict[str, list[int]] = {}
    last: dict[Any, int] = {}
    for path in paths:
        for item in read_frames(path):
            if not isinstance(item, RawFrame) or item.stream is None:
                continue
            stream = toy.stream(Ticks(item.stream))
            counts = result.setdefault(item.stream, [0, 0, 0, 0, 0])
            counts[0] += 1
            try:
                message = toy.parse(item.payload)
                found: Any = stream.decode(message.payload) if isinstance(message, Data) else []
            except UNDECODABLE:
                counts[4] += 1
                continue
            for event in found if isinstance(found, list) else [found]:
                counts[1] += 1
                key = item.link, item.session, item.stream
                verdict = rising(last.get(key, 0), event)
                counts[2] += verdict < 0
                counts[3] += verdict == 0
                last[key] = abs(verdict) or last[key]
    return {name: tuple(counts) for name, counts in result.items()}  # type: ignore[misc]


@st.composite
def frames(draw: st.DrawFn) -> list[RawFrame]:
    """Frames of some streams over some sessions; ids jump, repeat and do not decode."""
    result = []
    sessions = [1, 1]
    for ns in range(1, draw(st.integers(1, 60))):
        link = draw(st.sampled_from([0, 0, 1]))
        sessions[link] += draw(st.sampled_from([0] * 9 + [1]))
        stream = draw(st.sampled_from(STREAMS))
        n = draw(st.integers(1, 9))
        what = draw(st.sampled_from(["tick"] * 6 + ["broken", "spaced", "other"]))
        payload = frame(stream, n, n + 1)
        if what == "broken":
            payload = payload[:-3] + b"}}"
        elif what == "spaced":
            payload = payload.replace(b'{"stream":', b'{ "stream" : ')
        elif what == "other":
            payload = b'{"bye":"now"}'
        result.append(RawFrame(f"toy/{link}", sessions[link], ns, stream, payload))
    return result


@settings(max_examples=settings().max_examples // 2)
@given(items=frames(), every=st.integers(1, 70), enveloped=st.booleans())
def test_verify_finds_what_reading_one_by_one_finds(
    tmp_path_factory: pytest.TempPathFactory, items: list[RawFrame], every: int, enveloped: bool
) -> None:
    path = write(tmp_path_factory.mktemp("r") / "a.rec.zst", items, every=every)
    toy = Toy(sequence=rising) if enveloped else Toy(sequence=rising, envelope=None)

    report = verify([path], toy, [toy.stream(Ticks(name)) for name in STREAMS])

    found = {
        name: (each.frames, each.checked, each.gaps, each.repeated, each.undecodable)
        for name, each in report.streams.items()
    }
    assert found == one_by_one([path], toy)
    for name, each in report.streams.items():
        times = [item.received_ns for item in items if item.stream == name]
        assert (each.first_ns, each.last_ns) == (times[0], times[-1])
        assert each.bytes == sum(len(item.payload) for item in items if item.stream == name)


def test_frames_are_parsed_once_and_only_those_of_another_shape_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard of what verify costs: no work per frame in Python."""
    parsed, taken = [0], [0]

    class Counting(Toy):
        def parse(self, frame: bytes) -> Any:
            parsed[0] += 1
            return super().parse(frame)

    real = verification.take

    def take(*given: Any) -> Any:
        taken[0] += 1
        return real(*given)

    monkeypatch.setattr(verification, "take", take)
    items = [raw(n, stream=stream) for n in range(1, 501) for stream in ("A", "B")]
    items += [RawFrame(LINK, 1, 600, "A", frame("A", 501).replace(b'"data"', b' "data"'))]
    path = write(tmp_path / "a.rec.zst", items, every=200)
    toy = Counting(sequence=rising)

    report = verify([path], toy, [toy.stream(Ticks(name)) for name in "AB"])

    assert (report.streams["A"].checked, report.streams["A"].gaps) == (501, 0)
    assert parsed == [1]
    assert taken[0] <= len(items) / verification._AT_ONCE + 2 * report.blocks + 1


@given(since=st.integers(0, 35) | st.none(), until=st.integers(0, 35) | st.none())
@settings(max_examples=60)
def test_a_span_of_a_recording_is_verified(
    tmp_path_factory: pytest.TempPathFactory, since: int | None, until: int | None
) -> None:
    folder = tmp_path_factory.mktemp("r")
    paths = [
        write(folder / f"{begin}.rec.zst", [raw(n) for n in range(begin, begin + 10)], every=4)
        for begin in (1, 11, 21)
    ]
    toy = Toy(sequence=rising)

    report = verify(paths, toy, [toy.stream(Ticks("A"))], Span(since, until))

    wanted = [n for n in range(1, 31) if n >= (since or 0) and (until is None or n < until)]
    assert report.frames == len(wanted)
    if wanted:
        assert (report.first_ns, report.last_ns) == (wanted[0], wanted[-1])
