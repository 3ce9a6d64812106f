"""Translate the channels of a subscription into the exchange's streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import attrs

from connector.channels import AnyChannel, Channel, RawStream
from connector.errors import ConfigError
from connector.exchanges.protocol import AnyStream, BackfillSource, Exchange
from connector.exchanges.requests import backfill_of, requests_of


def can_share(one: AnyStream, other: AnyStream) -> bool:
    """Whether two streams of one name can be one on the wire: they are asked for alike.

    A raw stream shares with nothing: who wants bytes and events decodes the bytes.
    """
    if one.symbol != other.symbol:
        return False
    if type(one.channel) is type(other.channel):
        return True
    raw = isinstance(one.channel, RawStream) or isinstance(other.channel, RawStream)
    return not raw and (one.batch, one.argument) == (other.batch, other.argument)


def _backfilled(exchange: Exchange, stream: AnyStream) -> AnyStream:
    """`stream`, and what it missed, as one.

    Raises:
        ConfigError: that cannot be had.
    """
    kind = type(stream.channel)
    offer = backfill_of(exchange.name, requests_of(exchange), kind)
    plain = attrs.evolve(stream, channel=attrs.evolve(cast("Any", stream.channel), backfill=False))
    source = BackfillSource(plain, offer)
    return attrs.evolve(stream, name=f"{stream.name}, backfilled", backfill=source)


def streams_of(
    exchange: Exchange, channels: Iterable[AnyChannel], wanted: Mapping[str, AnyStream]
) -> list[AnyStream]:
    """The stream of each of `channels`.

    Args:
        exchange: says what they are.
        channels: what somebody wants.
        wanted: the streams that are wanted already, by name.

    Raises:
        ConfigError: one is no channel, is not offered, or needs a stream that is asked for
            otherwise already.
    """
    streams: list[AnyStream] = []
    named = dict(wanted)
    for channel in channels:
        if not isinstance(channel, Channel):
            raise ConfigError(_not_a_channel(channel))
        stream = exchange.stream(channel)
        if getattr(channel, "backfill", False):
            stream = _backfilled(exchange, stream)
        on_wire = stream.on_wire
        known = named.setdefault(on_wire.name, on_wire)
        if not can_share(known, on_wire):
            raise ConfigError(
                f"{channel!r} and {known.channel!r} are the same stream, which is decoded once; "
                "subscribe to one of them, or to each in an adapter of its own"
            )
        streams.append(stream)
    return streams


def _not_a_channel(given: object) -> str:
    if isinstance(given, list | tuple | set | frozenset):
        return (
            f"a {type(given).__name__} is not a channel; pass channels one by one, or write a star "
            "before it: subscribe(*channels)"
        )
    return (
        f"{given!r} is not a channel; subscribe to one of connector.channels, such as "
        "Trades('ETHUSDC')"
    )
