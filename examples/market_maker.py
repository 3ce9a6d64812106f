"""A market maker: quotes on both sides of the market, within a position, gone when it is.

python examples/market_maker.py ETHUSDC

It trades on Binance's testnet, with the key in BINANCE_KEY and BINANCE_SECRET. It has no reconnect
loop, no flag that says whether it is connected, and no list of what it has to cancel.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TextIO

import attrs
import trio

from connector import Adapter, Overflow, open_adapter
from connector.account import Account, Quotes
from connector.accounts import Fill, Synced, Unsynced
from connector.channels import BestQuote
from connector.errors import OrderInvalid
from connector.events import Quote
from connector.exchanges import binance
from connector.instruments import Instrument
from connector.keys import ApiKey
from connector.orders import Keep, Limits

Levels = list[tuple[Decimal, Decimal]]


@attrs.frozen(kw_only=True)
class Strategy:
    """Where to quote, and how much."""

    symbol: str
    quantity: Decimal = Decimal("0.035")
    """Of one quote."""
    levels: int = 2
    """Quotes per side."""
    edge: Decimal = Decimal("0.0005")
    """Between the middle of the market and the first quote, and between quotes, as a fraction."""
    max_position: Decimal = Decimal("0.2")

    def quotes(
        self, market: Quote[Decimal], position: Decimal, instrument: Instrument
    ) -> tuple[Levels, Levels]:
        """Bids and asks around the middle, which leans against the position."""
        middle = (market.bid_price + market.ask_price) / 2
        middle *= 1 - self.edge * position / self.max_position
        # Not inside the market: a post-only order that would take is refused.
        bid = min(instrument.tick(middle * (1 - self.edge), "down"), market.bid_price)
        ask = max(instrument.tick(middle * (1 + self.edge), "up"), market.ask_price)
        step = instrument.tick(middle * self.edge, "up")
        bids = [(bid - level * step, self.quantity) for level in range(self.levels)]
        asks = [(ask + level * step, self.quantity) for level in range(self.levels)]
        return bids, asks


async def keep_quoting(
    market: Adapter[Decimal],
    account: Account,
    quotes: Quotes,
    strategy: Strategy,
    instrument: Instrument,
) -> None:
    """Want new quotes whenever the market moves.

    There is nothing here about disconnects. If the market is silent, no `want` comes, and the
    quotes are withdrawn when the last one is `max_age` old. If the account is not synced, they are
    withdrawn as well; its positions would raise.
    """
    # The latest quote is enough: a slow program skips the others.
    channel = BestQuote(strategy.symbol)
    async with market.subscribe(channel, overflow=Overflow.CONFLATE) as best:
        async for event in best:
            if not account.synced:
                continue
            position = account.positions[strategy.symbol].quantity
            bids, asks = strategy.quotes(event, position, instrument)
            try:
                quotes.want(bids=bids, asks=asks)
            except OrderInvalid as error:
                print(f"not quoted: {error}", file=sys.stderr)


async def tell(account: Account, out: TextIO) -> None:
    """Write each fill, and when the account knows what it has."""
    async with account.events() as feed:
        async for event in feed:
            match event:
                case Fill():
                    print(f"{event.side} {event.quantity} at {event.price}", file=out)
                case Unsynced():
                    print(f"not synced: {event.reason}", file=out)
                case Synced():
                    print("synced", file=out)


async def make_market(
    adapter: Adapter[Decimal], key: ApiKey, strategy: Strategy, out: TextIO
) -> None:
    """Quote until cancelled; then no order of it is open."""
    instruments = {each.symbol: each for each in await adapter.instruments()}
    most = strategy.max_position
    limits = Limits(position={strategy.symbol: most}, open_notional="5000", orders_per_minute=600)
    async with (
        # Orders that a killed run has left are found by the name, and cancelled.
        adapter.open_account(key, name="mm1", limits=limits) as account,
        account.quotes(
            strategy.symbol, max_long=most, max_short=most, max_age=1.0, keep=Keep(ticks=3)
        ) as quotes,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(tell, account, out)
        await keep_quoting(adapter, account, quotes, strategy, instruments[strategy.symbol])


async def main(symbol: str) -> None:
    """The program."""
    exchange = binance.UsdMFutures(numbers=Decimal, endpoints=binance.TESTNET)
    async with open_adapter(exchange) as adapter:
        key = ApiKey.from_environment("BINANCE")
        await make_market(adapter, key, Strategy(symbol=symbol), sys.stdout)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
