"""A floor with nothing but its books: what accounts do there is all that happens."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from connector.testing.exchange.trading.accounts import SimulatedAccount, TradingAccount
from connector.testing.exchange.trading.clearing import Clearing
from connector.testing.exchange.trading.engine import Engine
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import Draft, Execution
from connector.testing.exchange.trading.spot.clearing import SpotClearing
from connector.testing.exchange.trading.tape import Tape
from connector.testing.exchange.trading.usdm.clearing import UsdmClearing
from connector.testing.market.matching import OrderBook, Resting, Scale, Side
from connector.testing.market.order_flow import Accounts
from connector.testing.market.payloads import SPOT_SCALE, TradeFacts

SYMBOL = "ETHUSDC"
NOW_MS = 1_785_000_000_000


@attrs.define(eq=False)
class Pit:
    """Implements `connector.testing.exchange.trading.market_access.Floor`."""

    scale: Scale = SPOT_SCALE
    symbols: tuple[str, ...] = (SYMBOL,)
    accounts: Accounts | None = None
    shown: list[tuple[Side, int]] = attrs.field(factory=list)
    trades: list[TradeFacts] = attrs.field(factory=list)
    mark_price: Decimal = Decimal(3000)
    _books: dict[str, OrderBook] = attrs.field(factory=dict)

    def attend(self, accounts: Accounts) -> None:
        self.accounts = accounts

    def wake(self) -> None: ...

    def advance(self) -> None: ...

    def book(self, symbol: str) -> OrderBook:
        return self._books.setdefault(symbol, OrderBook(self.scale))

    def last_price(self, symbol: str) -> Decimal:
        return self.mark_price

    def mark(self, symbol: str) -> Decimal:
        return self.mark_price

    def trade(self, symbol: str, price: int, lots: int, *, taker_buys: bool, ms: int) -> TradeFacts:
        number = len(self.trades) + 1
        self.trades.append(TradeFacts(ms, number, price, lots, taker_buys, number, number))
        return self.trades[-1]

    def show(
        self,
        symbol: str,
        ms: int,
        changed: Sequence[tuple[Side, int]],
        trades: Sequence[TradeFacts],
    ) -> None:
        self.shown.extend(changed)

    def quote(self, side: Side, price: int, lots: int) -> None:
        """Rests an order that is no account's, in ticks and lots."""
        self.book(SYMBOL).side(side).add(price, lots)

    def take(self, side: Side, lots: int) -> None:
        """Lets somebody take from a side, as the order flow does."""
        for fill in self.book(SYMBOL).side(side).take(lots):
            trade = self.trade(
                SYMBOL, fill.price, fill.quantity, taker_buys=side == "ask", ms=NOW_MS
            )
            if isinstance(fill.maker, Resting):
                assert self.accounts is not None
                self.accounts.meet(SYMBOL, fill.maker, trade)


@attrs.define(eq=False)
class Told:
    """Keeps what accounts were told, in order."""

    executions: list[Execution] = attrs.field(factory=list)

    def tell(self, account: SimulatedAccount, execution: Execution) -> None:
        self.executions.append(execution)

    @property
    def kinds(self) -> list[str]:
        return [f"{each.kind} {each.order.status}" for each in self.executions]


@attrs.frozen
class Exchange:
    """An engine with a pit and accounts."""

    pit: Pit
    engine: Engine
    told: Told
    accounts: dict[str, SimulatedAccount]


def exchange(
    venue: str, *specs: TradingAccount, scale: Scale = SPOT_SCALE, **options: bool
) -> Exchange:
    """An exchange of one symbol, ETHUSDC, without a network."""
    pit = Pit(scale)
    instruments = {SYMBOL: Instrument(symbol=SYMBOL, base="ETH", quote="USDC", scale=scale)}
    accounts = {spec.name: SimulatedAccount(spec, NOW_MS) for spec in specs}
    told = Told()
    clearing: Clearing = (
        SpotClearing(instruments) if venue == "spot" else UsdmClearing(instruments, pit.mark)
    )
    tape = Tape(pit, told, trade_before_new=options.pop("trade_before_new", False))
    engine = Engine(pit, instruments, accounts, clearing, tape, **options)
    pit.attend(engine)
    return Exchange(pit, engine, told, accounts)


def limit(side: str, quantity: str | Decimal, price: str | Decimal, **fields: object) -> Draft:
    """A limit order of ETHUSDC."""
    return Draft(
        symbol=SYMBOL,
        side="BUY" if side == "buy" else "SELL",
        type="LIMIT",
        client_id="a",
        quantity=Decimal(quantity),
        price=Decimal(price),
        **fields,  # type: ignore[arg-type]
    )
