"""The suite can fail: an exchange value that is broken in one way is found by the check for it."""

# Parameters take the place of properties, and specimens override what they break.
# mypy: disable-error-code="override,misc,type-arg"
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest

from connector.channels import BestQuote, OrderBook, Trades
from connector.exchanges import binance, bybit, okx
from connector.exchanges.protocol import (
    Heartbeat,
    Inbound,
    Limits,
    Liveness,
    Reply,
    RestRequest,
    Stream,
)
from connector.exchanges.requests import PublicRequests, Span
from connector.testing.conformance import Check, NotConforming, Venue, simulated


class TakesMakersSide(bybit.Linear):
    """Every trade's side is the other one."""

    def stream(self, channel: Any) -> Stream:
        stream = super().stream(channel)
        if not isinstance(channel, Trades):
            return stream

        def flipped(payload: bytes) -> list[Any]:
            events: Any = stream.decode(payload)
            other = {"buy": "sell", "sell": "buy"}
            return [each.__replace__(side=other[each.side]) for each in events]

        return attrs.evolve(stream, decode=flipped, decode_unchecked=None)


class SwapsBidAndAsk(okx.Okx):
    """The quantity of the bid is that of the ask."""

    def stream(self, channel: Any) -> Stream:
        stream = super().stream(channel)
        if not isinstance(channel, BestQuote):
            return stream

        def swapped(payload: bytes) -> Any:
            quote: Any = stream.decode(payload)
            quote = quote[0] if isinstance(quote, list) else quote
            return quote.__replace__(
                bid_quantity=quote.ask_quantity, ask_quantity=quote.bid_quantity
            )

        return attrs.evolve(stream, decode=swapped, decode_unchecked=None)


class SaysDecimal(bybit.Spot):
    """Its numbers are float, and it says Decimal."""

    def __init__(self, endpoints: Any) -> None:
        super().__init__(endpoints=endpoints, numbers=Decimal)  # type: ignore[arg-type]

    def stream(self, channel: Any) -> Stream:
        return self.catalogue.stream(channel, float)


class AsksTwice(binance.Spot):
    """Names every stream twice in its requests."""

    def subscribe(self, request_id: int, streams: Sequence[Stream]) -> str:
        return super().subscribe(request_id, [*streams, *streams])


class IgnoresGaps(bybit.Linear):
    """A book that takes any delta for the next one."""

    def stream(self, channel: Any) -> Stream:
        stream = super().stream(channel)
        if not isinstance(channel, OrderBook) or stream.book is None:
            return stream
        rules = attrs.evolve(stream.book.rules, follow=lambda _, delta: delta.last_update_id)
        deltas = attrs.evolve(stream.book.deltas, sequence=None)
        return attrs.evolve(stream, book=attrs.evolve(stream.book, rules=rules, deltas=deltas))


class NeverPings(bybit.Linear):
    """The venue wants to see a message every ten minutes at least."""

    @property
    def liveness(self) -> Liveness:
        return Liveness()


class MissesRefusals(bybit.Linear):
    """A refusal is taken for a pong."""

    def parse(self, frame: bytes) -> Inbound:
        said = super().parse(frame)
        refuses = isinstance(said, Reply) and said.message is not None
        return Heartbeat() if refuses else said


class AsksForTooMuch(bybit.Spot):
    """The venue takes ten topics in a request."""

    @property
    def limits(self) -> Limits:
        return attrs.evolve(super().limits, streams_per_request=100)


class ReadsOnlyWhatItExpects(bybit.Linear):
    """A frame without a topic is a `KeyError`."""

    def parse(self, frame: bytes) -> Inbound:
        said = msgspec.json.decode(frame)
        if "op" not in said:
            said["topic"]
        return super().parse(frame)


class ReadsAnotherPayload(bybit.Linear):
    """The slow path sees other sides than the fast one."""

    def parse(self, frame: bytes) -> Inbound:
        return super().parse(frame.replace(b'"S":"Buy"', b'"S":"Sell"'))


class OffersWhatTheVenueLacks(bybit.Spot):
    """Spot has no liquidations."""

    catalogue = bybit.Linear.catalogue


BTC = "BTCUSDT", "ETHUSDT"


class SwapsOpenAndClose(bybit.Linear):
    """A candle that is fetched opens where it closes."""

    @property
    def requests(self) -> PublicRequests:
        requests = super().requests
        offer = requests.candles
        assert offer is not None

        def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
            asked = offer.request(symbol, interval, span)

            def swapped(body: bytes) -> Any:
                candles = asked.decode(body)
                return [each.__replace__(open=each.close, close=each.open) for each in candles]

            return attrs.evolve(asked, decode=swapped)

        return attrs.evolve(requests, candles=attrs.evolve(offer, request=request))


class NewestFirst(okx.Okx):
    """Trades that are fetched are as the venue sends them: the newest first."""

    @property
    def requests(self) -> PublicRequests:
        requests = super().requests
        offer = requests.recent_trades
        assert offer is not None

        def request(symbol: str, limit: int) -> RestRequest[Any]:
            asked = offer.request(symbol, limit)
            return attrs.evolve(asked, decode=lambda body: asked.decode(body)[::-1])

        return attrs.evolve(requests, recent_trades=attrs.evolve(offer, request=request))


def broken(exchange: Any, venue: Any, *symbols: str) -> Venue:
    return simulated(exchange, venue, *(symbols or BTC), unknown="NOPEUSDT")


@pytest.mark.parametrize(
    ("venue", "check", "says"),
    [
        (broken(TakesMakersSide, "bybit_linear"), "channels", "knows of no trade"),
        (broken(SwapsBidAndAsk, "okx", "BTC-USDT-SWAP"), "channels", "book never was"),
        (broken(SaysDecimal, "bybit_spot"), "channels", "not Decimal"),
        (broken(OffersWhatTheVenueLacks, "bybit_spot"), "at-once", "handler not found"),
        (broken(AsksTwice, "spot"), "reconnect", "names something twice"),
        (broken(NeverPings, "bybit_linear"), "busy", "a connection was closed"),
        (broken(IgnoresGaps, "bybit_linear"), "books", "book never was"),
        (broken(MissesRefusals, "bybit_linear"), "unknown-symbol", "has a gap"),
        (broken(AsksForTooMuch, "bybit_spot"), "at-once", "args size >10"),
        (broken(ReadsOnlyWhatItExpects, "bybit_linear"), "damaged-frames", "only UNDECODABLE"),
        (broken(ReadsAnotherPayload, "bybit_linear"), "decoding", "the two paths read"),
        (broken(SwapsOpenAndClose, "bybit_linear"), "requests", "differs from the stream"),
        (broken(NewestFirst, "okx", "BTC-USDT-SWAP"), "requests", "is older than"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_broken_exchange_is_found(venue: Venue, check: str, says: str) -> None:
    with pytest.raises(NotConforming, match=says):
        Check(venue, check)()
