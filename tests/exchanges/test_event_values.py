"""Every event of every venue is a value: built, compared, printed, copied, pickled and encoded."""

from __future__ import annotations

import copy
import functools
import pickle
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
import trio
from trio.testing import MockClock

from connector import Adapter, open_adapter
from connector.app.naming import EXCHANGES
from connector.channels import Liquidations
from connector.errors import ConfigError
from connector.events import Event, Level, N_co, asdict, kind_of, plain
from connector.exchanges import binance, bitget, bybit, coinbase, deribit, hyperliquid, kraken, okx
from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.testing.conformance.offered import channels_of

VENUES: dict[str, tuple[Any, str]] = {
    "binance_spot": (binance.Spot, "ETHUSDT"),
    "binance_usdm": (binance.UsdMFutures, "ETHUSDT"),
    "binance_coinm": (binance.CoinMFutures, "ETHUSD_PERP"),
    "bitget_spot": (bitget.Spot, "ETHUSDT"),
    "bitget_futures": (bitget.Futures, "ETHUSDT"),
    "bybit_spot": (bybit.Spot, "ETHUSDT"),
    "bybit_linear": (bybit.Linear, "ETHUSDT"),
    "bybit_inverse": (bybit.Inverse, "ETHUSD"),
    "coinbase": (coinbase.AdvancedTrade, "ETH-USD"),
    "deribit": (deribit.Deribit, "ETH-PERPETUAL"),
    "hyperliquid": (hyperliquid.Hyperliquid, "ETH"),
    "kraken": (kraken.Spot, "ETH/USD"),
    "kraken_futures": (kraken.Futures, "PF_ETHUSD"),
    "kraken_unified": (kraken.Unified, "PF_ETHUSD"),
    "okx": (okx.Okx, "ETH-USDT-SWAP"),
}
PATIENCE_SECONDS = 70.0
"""Virtual: longer than any simulated venue takes to send an event of a channel."""
RARE_SECONDS = 1.0
"""The same of liquidations, of which there may be none."""


def test_every_venue_is_tried() -> None:
    assert VENUES.keys() == EXCHANGES.keys()


@pytest.mark.parametrize("numbers", [float, Decimal], ids=["float", "decimal"])
@pytest.mark.parametrize("venue", VENUES)
async def test_every_event_is_a_value(
    autojump_clock: MockClock, venue: str, numbers: type[Any]
) -> None:
    make, symbol = VENUES[venue]
    network = MemoryNetwork()
    flow = OrderFlow(symbols=(symbol,), rate_per_second=5.0)
    async with (
        open_exchange(venue, source=flow, network=network) as simulated,  # type: ignore[arg-type]
        open_adapter(
            make(endpoints=simulated.endpoints, numbers=numbers), dialer=network
        ) as adapter,
    ):
        for channel in channels_of(adapter.exchange, symbol):
            rare = isinstance(channel, Liquidations)
            async with adapter.subscribe(channel) as feed:
                with trio.move_on_after(RARE_SECONDS if rare else PATIENCE_SECONDS) as waiting:
                    check_value(await feed.receive(), numbers)
            assert rare or not waiting.cancelled_caught, channel
        for event in await answers(adapter, symbol):
            check_value(event, numbers)


async def answers(adapter: Adapter[Any], symbol: str) -> list[Event]:
    """An event of each request that the venue offers."""
    found: list[Event] = [await adapter.depth(symbol, limit=5)]
    hour_ago = int(found[0].received_ns) - 3_600_000_000_000
    interval = "5m" if adapter.exchange.name == "coinbase" else "1m"
    try:
        found += await adapter.recent_trades(symbol, limit=1)
        found += (await adapter.funding_rates(symbol, hour_ago))[:1]
    except ConfigError:
        pass  # the venue has no such request
    try:
        async for candle in adapter.candles(symbol, interval, start=hour_ago):
            return [*found, candle]
    except ConfigError:
        pass  # it writes the interval in another way
    return found


def check_value(event: Any, numbers: type[Any]) -> None:
    kind: Any = kind_of(event)
    same = kind(**asdict(event))

    assert tuple(asdict(event)) == kind.fields
    assert same == event == plain(event) == copy.copy(event) == copy.deepcopy(event)
    assert type(same) is type(plain(event)) is kind
    assert repr(same) == repr(event)
    there_and_back = pickle.loads(pickle.dumps(event))
    assert there_and_back == event
    assert type(there_and_back) is kind
    for codec in (msgspec.json, msgspec.msgpack):
        assert codec.decode(codec.encode(plain(event)), type=kind[numbers]) == event
    hints = hints_of(kind)
    for name in kind.fields:
        check_type(getattr(event, name), hints[name], numbers, f"{kind}.{name}")


hints_of = functools.cache(get_type_hints)


def check_type(value: Any, hint: Any, numbers: type[Any], where: str) -> None:
    """Prices and quantities are of the type that was asked for."""
    if isinstance(value, Level):
        assert type(value.price) is type(value.quantity) is numbers, where
    elif hint is N_co or (N_co in get_args(hint) and value is not None):
        assert type(value) is numbers, where
    elif isinstance(value, list):
        for each in value:
            check_type(each, None, numbers, where)
