"""An account of ours at the simulated exchange, in memory and in virtual time, and its judge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from connector import Adapter, open_adapter
from connector.account.account import Account
from connector.accounts import Fill
from connector.exchanges import binance
from connector.keys import ApiKey
from connector.orders import Limit, Limits
from connector.testing import MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange
from connector.testing.exchange.trading.accounts import SimulatedAccount, TradingAccount

SYMBOL = "ETHUSDC"
RICH = {"USDC": "100000", "ETH": "50"}
STILL = OrderFlow(rate_per_second=1e-6)
VENUES = ("spot", "usdm")
KINDS: dict[str, Any] = {
    "spot": binance.Spot,
    "usdm": binance.UsdMFutures,
    "binance_coinm": binance.CoinMFutures,
}


def bid(price: str = "2990", quantity: str = "0.5", **changes: Any) -> Limit:
    return Limit(SYMBOL, "buy", **{"quantity": quantity, "price": price} | changes)


@attrs.define(eq=False)
class World:
    """An exchange, and an adapter that is connected to it."""

    network: MemoryNetwork
    exchange: SimulatedExchange
    adapter: Adapter

    @property
    def truth(self) -> SimulatedAccount:
        """The account as the exchange has it."""
        return self.exchange.accounts["mm1"]

    @property
    def key(self) -> ApiKey:
        return ApiKey(self.truth.key, self.truth.secret)

    def account(self, **changes: Any) -> Any:
        """Open ours."""
        arguments: dict[str, Any] = {"name": "mm1", "limits": Limits.none()}
        return self.adapter.open_account(self.key, **arguments | changes)

    def judge(self, account: Account, told: Told | None = None) -> None:
        """What must hold at any moment, asked of the exchange."""
        ids = self.truth.client_ids
        assert len(set(ids)) == len(ids), "two orders of one intent"
        open_now = {each.client_id: each for each in self.truth.open_orders}
        for client_id, order in account.orders.items():
            if order.state in ("absent", "refused"):
                assert client_id not in open_now, "given up, and open"
        if told is not None:
            told.judge(self.truth)
        if account.synced:
            self._judge_what_is_shown(account, open_now)

    def _judge_what_is_shown(self, account: Account, open_now: dict[str, Any]) -> None:
        assert {asset: each.total for asset, each in account.balances.items() if each.total} == {
            asset: amount for asset, amount in self.truth.balances.items() if amount
        }
        if account._office.trading.promises.margin:
            (symbol,) = self.exchange.trading.symbols
            assert account.positions[symbol].quantity == self.truth.position(symbol).quantity
        shown = {
            client_id
            for client_id, each in account.orders.items()
            if each.state in ("open", "sent", "unknown")
        }
        others = {each.client_id for each in account.other_orders}
        assert set(open_now) <= shown | others
        certain = {key for key, each in account.orders.items() if each.state == "open"}
        assert certain | others <= set(open_now)
        for client_id in certain:
            assert account.orders[client_id].filled == open_now[client_id].filled

    async def settled(self, account: Account, seconds: float = 60.0) -> None:
        """Wait until the account is synced, and nothing is on its way."""
        with trio.fail_after(seconds):
            while True:
                await trio.sleep(0.5)
                states = {each.state for each in account.orders.values()}
                if account.synced and not states & {"queued", "sent", "unknown"}:
                    return

    def cut_streams(self) -> None:
        """Break every connection."""
        self.exchange.break_connections("reset")


@attrs.define(eq=False)
class Told:
    """What an account's feed told, from its beginning."""

    feed: Any
    events: list[Any] = attrs.field(factory=list)

    def take(self) -> list[Any]:
        while True:
            try:
                self.events.append(self.feed.receive_nowait())
            except trio.WouldBlock:
                return self.events

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.take() if isinstance(each, kind)]

    def judge(self, truth: SimulatedAccount) -> None:
        """Each fill once, in the order of its order's trades, and none that there was not."""
        fills = self.of(Fill)
        ids = [each.trade_id for each in fills]
        assert len(set(ids)) == len(ids), "a fill was told twice"
        true = {str(each.trade_id): each for each in truth.fills}
        for each in fills:
            fill = true[each.trade_id]
            assert (each.price, each.quantity) == (fill.price, fill.quantity)
        for client_id in {each.client_id for each in fills}:
            numbers = [int(each.trade_id) for each in fills if each.client_id == client_id]
            assert numbers == sorted(numbers)

    def judge_complete(self, truth: SimulatedAccount) -> None:
        """No fill is missing."""
        self.judge(truth)
        assert {each.trade_id for each in self.of(Fill)} == {
            str(each.trade_id) for each in truth.fills
        }


@asynccontextmanager
async def listening(account: Account) -> AsyncIterator[Told]:
    """Hear all that the account tells."""
    async with account.events() as feed:
        yield Told(feed)


def exchange_of(venue: str, exchange: SimulatedExchange) -> Any:
    return KINDS[venue](endpoints=exchange.endpoints)


@asynccontextmanager
async def open_world(
    venue: str, *accounts: TradingAccount, source: OrderFlow = STILL, **options: Any
) -> AsyncIterator[World]:
    """Both of them."""
    network = MemoryNetwork()
    specs = accounts or (TradingAccount("mm1", RICH),)
    async with open_exchange(
        venue,  # type: ignore[arg-type]
        source=source,
        network=network,
        accounts=specs,
        **options,
    ) as exchange:
        async with open_adapter(exchange_of(venue, exchange), dialer=network) as adapter:
            yield World(network, exchange, adapter)
        assert network.ledger.open_now() == 0
