"""Checks that the fast and the slow path read every frame alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any, TypeAlias

import attrs
import trio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector.events import Event, asdict, kind_of
from connector.exchanges.envelope import find_name
from connector.exchanges.protocol import UNDECODABLE, AnyStream, Data
from connector.testing.conformance import offered
from connector.testing.conformance.stage import offer_of, open_stage, require
from connector.testing.conformance.venue import NotConforming, Venue

COLLECT_SECONDS = 3.0
EACH = 10
"""Number of frames per stream to check."""
EXAMPLES = 24
Streams: TypeAlias = dict[str, AnyStream]
_OPTIONS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    phases=(Phase.generate, Phase.shrink),
)


@attrs.frozen
class Material:
    """An exchange, and frames to read."""

    exchange: Any
    streams: Streams
    data: tuple[bytes, ...]
    """Frames of these streams."""
    others: tuple[bytes, ...]
    """Replies, pongs and all other frames."""


async def frames_are_read_alike_both_ways(venue: Venue) -> None:
    """Both paths agree on original frames, and on frames with reordered keys and added spaces."""
    for material in await _collect(venue):
        known = 0
        for frame in material.data:
            fast = _fast(material, frame)
            if fast is not None:
                known += 1
                _same(frame, _slowly(material, frame), fast)
        require(
            known or not material.data or material.exchange.envelope is None,
            f"no frame takes the fast path, such as {material.data[:1]}",
        )
        _check_permuted(material)


async def nothing_but_the_declared_errors_is_raised(venue: Venue) -> None:
    """A frame that is cut, or has a changed value, raises only `UNDECODABLE`."""
    for material in await _collect(venue):
        _check_damaged(material)


async def _collect(venue: Venue) -> list[Material]:
    """Collect the server's frames and the stored ones, for both kinds of numbers if supported."""
    groups = await _heard(venue)
    if venue.frames:
        async with open_stage(venue) as stage:
            symbols = venue.frame_symbols or venue.symbols
            streams = _streams(
                stage.exchange,
                [
                    each
                    for symbol in symbols
                    for each in offered.channels_of(stage.exchange, symbol)
                ],
            )
            groups.append(_sorted(stage.exchange, streams, venue.frames))
    return [each for group in groups for each in _both_numbers(group)]


async def _heard(venue: Venue) -> list[Material]:
    offer = await offer_of(venue)
    together = offered.groups(offer.exchange, offer.channels)
    found = []
    for group in together:
        async with open_stage(venue) as stage:
            async with stage.open_adapter() as adapter, AsyncExitStack() as feeds:
                for channel in group:
                    feed = adapter.subscribe(channel, buffer=100_000)
                    await feeds.enter_async_context(feed)
                await trio.sleep(COLLECT_SECONDS)
            heard = [text for each in stage.network.websockets for text in each.heard]
            found.append(_sorted(stage.exchange, _streams(stage.exchange, group), heard))
    return found


def _streams(exchange: Any, channels: Iterable[Any]) -> Streams:
    found = [offered.wire_stream(exchange, channel) for channel in channels]
    return {stream.name: stream for stream in found}


def _sorted(exchange: Any, streams: Streams, frames: Iterable[bytes]) -> Material:
    """The first and the last frames of each stream, and all kinds of others."""
    by_stream: dict[str, list[bytes]] = {}
    others: dict[type, list[bytes]] = {}
    for frame in frames:
        said = exchange.parse(frame)
        if isinstance(said, Data) and said.stream in streams:
            by_stream.setdefault(said.stream, []).append(frame)
        elif not isinstance(said, Data):
            others.setdefault(type(said), []).append(frame)
    data = [frame for each in by_stream.values() for frame in (*each[:EACH], *each[EACH:][-EACH:])]
    rest = [frame for each in others.values() for frame in each[:EACH]]
    return Material(exchange, streams, tuple(data), tuple(rest))


def _both_numbers(material: Material) -> list[Material]:
    """Repeat the material with Decimals, if the exchange supports both."""
    plain = material.exchange._exchange
    if not attrs.has(type(plain)) or not hasattr(attrs.fields(type(plain)), "numbers"):
        return [material]
    exact = attrs.evolve(plain, numbers=Decimal)
    streams = _streams(exact, [each.channel for each in material.streams.values()])
    return [material, attrs.evolve(material, exchange=exact, streams=streams)]


# --- two ways to read a frame


def _slowly(material: Material, frame: bytes) -> list[Event]:
    said = material.exchange.parse(frame)
    if not isinstance(said, Data) or said.stream not in material.streams:
        raise NotConforming(f"parse returns {said!r} for {frame[:300]!r}")
    return _listed(material.streams[said.stream].decode(said.payload))


def _fast(material: Material, frame: bytes, *, unchecked: bool = False) -> list[Event] | None:
    """Read a frame as the hot path does; None if the hot path would use the slow one."""
    envelope = material.exchange.envelope
    if envelope is None:
        return None
    parts, whole, tail = envelope.shape
    name, behind = find_name(parts, frame)
    stream = material.streams.get(name.decode("latin-1"))
    if stream is None:
        return None
    decode: Callable[[bytes], Any] = stream.decode
    if unchecked and stream.decode_unchecked is not None:
        decode = stream.decode_unchecked
    try:
        return _listed(decode(frame[0 if whole else behind : -tail or None]))
    except UNDECODABLE:
        return None


def _listed(decoded: Any) -> list[Event]:
    return decoded if isinstance(decoded, list) else [decoded]


def _same(frame: bytes, one: list[Event], other: list[Event]) -> None:
    values = [[(_kind(each), _values(each)) for each in events] for events in (one, other)]
    require(
        values[0] == values[1],
        f"the two paths read {frame[:300]!r} differently: {values[0]} and {values[1]}",
    )


def _kind(event: Any) -> type[Any]:
    return kind_of(event) if isinstance(event, Event) else type(event)


def _values(event: Any) -> Any:
    if isinstance(event, Event):
        return repr(asdict(event))
    return repr(event)


# --- frames that look different


class _Number(str):
    """A number of JSON with its digits."""


def _permuted(frame: bytes, draw: Any) -> bytes:
    """Write the same JSON with its keys in another order, and spaces."""
    value = json.loads(frame, parse_float=_Number, parse_int=_Number)
    spaces = draw(st.sampled_from(("", " ", "\n ")))
    # One draw: one for each object would take longer than everything else.
    chance = draw(st.randoms(use_true_random=True))
    return _write(value, lambda keys: chance.sample(keys, len(keys)), spaces).encode()


def _as_it_is(keys: list[str]) -> list[str]:
    return keys


def _write(value: Any, order: Callable[[list[str]], list[str]], spaces: str) -> str:
    if isinstance(value, dict):
        keys = order(list(value)) if len(value) > 1 else list(value)
        inside = f",{spaces}".join(
            f"{json.dumps(key, ensure_ascii=False)}:{spaces}{_write(value[key], order, spaces)}"
            for key in keys
        )
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{f',{spaces}'.join(_write(each, order, spaces) for each in value)}]"
    if isinstance(value, _Number):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _check_permuted(material: Material) -> None:
    if not material.data:
        return

    @_OPTIONS
    @given(st.data())
    def check(data: st.DataObject) -> None:
        frame = data.draw(st.sampled_from(material.data))
        other = _permuted(frame, data.draw)
        wanted = _slowly(material, frame)
        _same(other, wanted, _slowly(material, other))
        for unchecked in (False, True):
            fast = _fast(material, other, unchecked=unchecked)
            if fast is not None:
                _same(other, wanted, fast)

    check()


def _cut(frame: bytes, draw: Any) -> bytes:
    """Remove or change bytes."""
    at = draw(st.integers(0, len(frame) - 1))
    instead = draw(st.sampled_from((b"", b"null", b"-1", b'"', b"{", b"[", b"\xff", b"e9")))
    end = draw(st.sampled_from((at + 1, at, len(frame))))
    return frame[:at] + bytes(instead) + frame[end:]


def _misspelt(frame: bytes, draw: Any) -> bytes:
    """Change the type of a value in the JSON, or remove its key."""
    try:
        root = json.loads(frame, parse_float=_Number, parse_int=_Number)
    except ValueError:
        return frame
    box = [root]
    holder: Any = box
    key: Any = 0
    while isinstance(holder[key], dict | list) and holder[key] and draw(st.integers(0, 5)):
        holder = holder[key]
        keys = list(holder) if isinstance(holder, dict) else [0, len(holder) - 1]
        key = draw(st.sampled_from(keys))
    if isinstance(holder, dict) and draw(st.booleans()):
        del holder[key]
    else:
        holder[key] = draw(st.sampled_from((None, True, -1, 10**30, "", "x", [], {}, [[]])))
    return _write(box[0], _as_it_is, "").encode()


def _check_damaged(material: Material) -> None:
    frames = (*material.data, *material.others)
    if not frames:
        return

    @_OPTIONS
    @given(st.data())
    def check(data: st.DataObject) -> None:
        frame = data.draw(st.sampled_from(frames))
        damaged = data.draw(st.sampled_from((_cut, _misspelt)))(frame, data.draw)
        try:
            said = material.exchange.parse(damaged)
            if isinstance(said, Data) and said.stream in material.streams:
                material.streams[said.stream].decode(said.payload)
        except UNDECODABLE:
            pass
        except Exception as error:
            raise NotConforming(
                f"{type(error).__name__} ({error}) of {damaged[:300]!r}: "
                "only UNDECODABLE may be raised"
            ) from error
        _fast(material, damaged)

    check()
