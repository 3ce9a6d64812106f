"""The known state of an account: orders, balances and positions, complete and without duplicates.

A pure state machine (`connector.trading.account_states`). It takes reports in any order, and
returns events. Reports about orders count at once, because an order moves in one direction only.
Balances and positions are absolute numbers with a time: those that arrive before a reading is
joined are kept, and those that are older than the current value are dropped.

Source of the join rules: binance_trading §8.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

import attrs

from connector.accounts import AnyAccountEvent, Fill, FundingPayment, Synced, Unsynced
from connector.instruments import Instrument
from connector.orders import Intent
from connector.trading.account_states import AccountState, Happening, follow
from connector.trading.bookmarks import Bookmark, ToldTrades
from connector.trading.client_ids import ClientIds
from connector.trading.holdings import Holdings
from connector.trading.known_trades import (
    REMEMBERED_TRADES,
    KnownTrades,
    is_later,
    trade_number,
)
from connector.trading.live_orders import LiveOrders
from connector.trading.order_record import Contradiction, OrderRecord, Stranger
from connector.trading.other_orders import OrderKey, OtherOrders, key_of
from connector.trading.reports import (
    BalanceChange,
    BalanceReport,
    FillReport,
    FundingReport,
    Ignored,
    ModeChanged,
    OrderReport,
    PositionReport,
    Report,
    StreamEnded,
)
from connector.trading.venue import AccountReading


@attrs.frozen
class OrphanFound:
    """An open order of our name and another run."""

    report: OrderReport


@attrs.frozen
class ReadAnew:
    """A report of the exchange after which the account must be read again."""

    reason: str
    stream_over: bool = False
    """Whether the private stream must also be reopened."""


Told: TypeAlias = AnyAccountEvent | Contradiction | Stranger | OrphanFound | ReadAnew


class AccountBook:
    """The state of one account.

    Args:
        ids: the client ids of this run.
        bases: the base asset by symbol, where positions are balances; else None.
        instruments: the instruments, to compute the value of orders.
    """

    def __init__(
        self,
        ids: ClientIds,
        bases: Mapping[str, str] | None = None,
        instruments: Mapping[str, Instrument] | None = None,
    ) -> None:
        self.state: AccountState = "off"
        self.records: dict[str, OrderRecord] = {}
        self._others = OtherOrders()
        self.others: Mapping[OrderKey, OrderReport] = self._others.open
        """Open orders that are not of this run."""
        self.holdings = Holdings(bases or {})
        self.holes = 0
        """How often the private stream has lost, or may have lost, events."""
        self.as_of_ns: int | None = None
        self.last_trades: dict[str, str] = {}
        """The latest known trade, by symbol."""
        self.read_trades: dict[str, str] = {}
        """The trade up to which none can be missing, by symbol; later trades are read."""
        self._ids = ids
        self._by_exchange_id: dict[tuple[str, str], str] = {}
        self.trades = KnownTrades()
        self._instruments = instruments or {}
        self.told_trades = ToldTrades()
        self.live = LiveOrders(instruments or {})
        """Our orders that are not over."""
        self._early: deque[FillReport] = deque(maxlen=REMEMBERED_TRADES)
        """Trades of orders that are not known yet, told while the account was being read."""

    # --- visible values

    @property
    def synced(self) -> bool:
        """Whether the visible values equal those of the exchange."""
        return self.state == "live"

    # --- our orders

    def remember(
        self, intent: Intent, client_id: str, symbol: str, now: float, worth: Decimal | None = None
    ) -> OrderRecord:
        """A new order, remembered before its request is signed; `worth` as of `LiveOrders.add`."""
        record = OrderRecord(intent, client_id, symbol, now, holes_before=self.holes)
        self.records[client_id] = record
        self.live.add(record, worth)
        return record

    def sending(self, record: OrderRecord, now_ns: int | None) -> None:
        """A place is about to be sent: note what is held and heard before it."""
        record.signed_ns, record.holes_before, record.before = now_ns, self.holes, None
        instrument = self._instruments.get(record.symbol)
        if self.synced and instrument is not None:
            record.before = self.holdings.standing(instrument, record.intent.leg)

    def explains(self, record: OrderRecord, reading: AccountReading) -> bool | None:
        """Whether the known trades explain a reading; None if that cannot be told."""
        if record.before is None:
            return None
        instrument = self._instruments[record.symbol]
        now = self.holdings.of(reading).standing(instrument, record.intent.leg)
        return self.trades.explain(record.before, now, self._instruments)

    def adopt(self, record: OrderRecord) -> None:
        """Take an order of another run as one of ours."""
        self.records[record.client_id] = record
        self.live.add(record)

    def forget(self, client_id: str) -> None:
        """Drop an order that has been over for long."""
        record = self.records.pop(client_id, None)
        if record is not None and record.exchange_id is not None:
            self._by_exchange_id.pop((record.symbol, record.exchange_id), None)

    def is_ours(self, client_id: str) -> bool:
        """Whether the order is of this run, or was adopted."""
        return client_id in self.records or self._ids.is_ours(client_id)

    # --- the states

    def happen(self, happening: Happening, reason: str, received_ns: int) -> list[Told]:
        """Move to another state, and return the events."""
        was_synced = self.synced
        self.state = follow(self.state, happening)
        if happening in ("lost", "connecting"):
            self.holdings.drop_kept()
        if happening == "lost":
            self.holes += 1
        if was_synced and not self.synced:
            return [Unsynced(reason=reason, received_ns=received_ns)]
        return []

    def join(self, reading: AccountReading, received_ns: int) -> list[Told]:
        """Join a reading with the reports since; the account is synced then."""
        self.state = follow(self.state, "read")
        events: list[Told] = list(self.holdings.join(reading, received_ns))
        self._others.join(reading)
        for order in reading.orders:
            events += self.read_order(order, received_ns)
        self.state = follow(self.state, "joined")
        early, self._early = self._early, deque(maxlen=REMEMBERED_TRADES)
        for fill in early:
            # Those of its order that came before have been read by now.
            events += self.read_fill(fill, received_ns)
        self.as_of_ns = received_ns
        events.append(Synced(received_ns=received_ns))
        return events

    def missing(self, orders: Collection[OrderReport]) -> list[OrderRecord]:
        """Our orders that are open as far as we know, and are not among the open `orders`."""
        there = {("", each.client_id) for each in orders} | set(map(key_of, orders))
        return [
            record
            for record in self.records.values()
            if record.state == "open"
            and ("", record.client_id) not in there
            and (record.symbol, record.exchange_id) not in there
        ]

    def differences(self, reading: AccountReading) -> list[str]:
        """Describe the differences between a new reading and the visible values, for the audit."""
        found = self.holdings.differences(reading)
        found += [
            f"order {record.client_id} is shown open, and was not read"
            for record in self.missing(reading.orders)
        ]
        for order in reading.orders:
            ours = self.records.get(order.client_id)
            if ours is not None and ours.over:
                found.append(f"order {order.client_id} is shown {ours.state}, and was read open")
            elif ours is not None and order.filled > ours.filled:
                found.append(
                    f"order {order.client_id} is shown with {ours.filled} filled, and was read "
                    f"with {order.filled}"
                )
            elif ours is not None and not ours.is_shown_as(order):
                shown = f"{ours.quantity} at {ours.price}"
                found.append(f"{shown} is shown, {order.quantity} at {order.price} was read")
            elif ours is None and key_of(order) not in self.others:
                found.append(f"order {order.exchange_id} was read, and is not shown")
        return found

    def agree(self, reading: AccountReading, lag_ns: int) -> None:
        """An audit found no differences. Nothing else tells that orders of others are gone.

        Args:
            reading: of the audit.
            lag_ns: how long its list of orders may lag.
        """
        self.holdings.agree(reading)
        self._others.join(reading, lag_ns)

    # --- reports of the exchange

    def read(self, report: Report, received_ns: int) -> list[Told]:
        """Process one report, and return the events."""
        match report:
            case OrderReport():
                return self.read_order(report, received_ns)
            case FillReport():
                return self.read_fill(report, received_ns)
            case BalanceReport() | PositionReport():
                return self._read_absolute(report, received_ns)
            case FundingReport():
                return [
                    FundingPayment(
                        symbol=report.symbol,
                        asset=report.asset,
                        amount=report.amount,
                        exchange_time_ns=report.time_ns,
                        received_ns=received_ns,
                    )
                ]
            case StreamEnded(reason=reason):
                return [ReadAnew(reason, stream_over=True)]
            case ModeChanged(what=what):
                return [ReadAnew(f"{what} has changed")]
            case BalanceChange():
                # Whether the absolute number follows is not documented.
                return [ReadAnew(f"{report.asset} was moved: {report.reason}")]
            case Ignored():
                return []

    def read_fill(
        self, fill: FillReport, received_ns: int, *, backfilled: bool = False
    ) -> list[Told]:
        """Take a trade, from an event or from the account's history."""
        if not fill.early:
            self._note_trade(fill)
        record = self.record_of(fill)
        if record is not None:
            if not fill.early:
                self.trades.remember(fill)
            return self._once(record.read_fill(fill, received_ns, backfilled=backfilled))
        if fill.early:
            return []
        if not backfilled and not self.synced:
            self._early.append(fill)
            return []
        if not self.trades.remember(fill):
            return []
        self.trades.tell_as_others(fill)
        return [
            Fill(
                trade_id=fill.trade_id,
                client_id=fill.client_id,
                symbol=fill.symbol,
                side=fill.side,
                leg=fill.leg,
                price=fill.price,
                quantity=fill.quantity,
                fee=fill.fee,
                fee_asset=fill.fee_asset,
                maker=fill.maker,
                realised=fill.realised,
                exchange_time_ns=fill.time_ns,
                received_ns=received_ns,
                backfilled=backfilled,
            )
        ]

    def record_of(self, fill: FillReport) -> OrderRecord | None:
        """Our order to which a trade belongs."""
        client_id = fill.client_id
        if client_id not in self.records:
            client_id = self._by_exchange_id.get((fill.symbol, fill.exchange_id), "")
        return self.records.get(client_id)

    def is_known_trade(self, fill: FillReport) -> bool:
        """Whether the trade has been delivered."""
        return fill in self.trades

    def read_order(self, report: OrderReport, received_ns: int) -> list[Told]:
        """Process the report of an order, and return the events."""
        fill = report.fill
        if fill is not None:
            self._note_trade(fill)
        record = self.records.get(report.client_id)
        if record is None and report.exchange_id is not None:
            known = self._by_exchange_id.get((report.symbol, report.exchange_id), "")
            record = self.records.get(known)
        if record is None:
            return self._read_other(report, received_ns)
        was_named = record.exchange_id is not None
        told: list[Told] = [*record.read(report, received_ns)]
        if self.trades.of_others:
            told = self._once(told)
        if told and type(told[0]) is Stranger:
            return told
        if not was_named and record.exchange_id is not None:
            self._by_exchange_id[record.symbol, record.exchange_id] = record.client_id
            for earlier in self.trades.belongs_to_ours(record.symbol, record.exchange_id):
                # Told before anything tied it to its order.
                told += self._once(record.read_fill(earlier, received_ns, backfilled=True))
        if fill is not None:
            self.trades.remember(fill)
        return told

    # --- inside

    def _read_other(self, report: OrderReport, received_ns: int) -> list[Told]:
        told: list[Told] = []
        if self._ids.is_ours(report.client_id):
            # One that was forgotten after it had been over for long.
            return [Stranger(report.client_id, "an order that was over long ago is told again")]
        if self._others.read(report) and self._ids.is_of_our_name(report.client_id):
            told.append(OrphanFound(report))
        if report.fill is not None:
            told += self.read_fill(report.fill, received_ns)
        return told

    def _read_absolute(
        self, report: BalanceReport | PositionReport, received_ns: int
    ) -> list[Told]:
        if self.state != "live":
            if self.state != "off":
                self.holdings.keep(report)
            return []
        if not self.holdings.apply(report):
            return []
        self.as_of_ns = received_ns
        if isinstance(report, BalanceReport):
            return [self.holdings.balance_update(report.asset, report.reason, received_ns)]
        return [self.holdings.position_update(report.symbol, report.reason, received_ns)]

    def trades_are_complete(self, up_to: Mapping[str, str]) -> None:
        """None is missing up to these: they were read, or an audit found nothing wrong."""
        self.read_trades.update(up_to)
        for symbol, trade_id in up_to.items():
            self.told_trades.complete(symbol, trade_id)

    def bookmark(self, since_ns: int, symbols: Iterable[str]) -> Bookmark:
        """The bookmark for the next run: the reported trades of these instruments."""
        told = self.told_trades.behind(self.read_trades)
        return Bookmark(since_ns, dict(self.read_trades), told, frozenset(symbols))

    def go_on(self, bookmark: Bookmark) -> None:
        """Do not deliver trades again that the run with this bookmark has delivered."""
        self.last_trades.update(bookmark.read)
        self.read_trades.update(bookmark.read)
        for symbol, told in bookmark.told.items():
            self.last_trades[symbol] = max(told, key=trade_number)
            for trade_id in told:
                self.told_trades.note(symbol, trade_id)
                self.trades.was_told(symbol, trade_id)

    def _note_trade(self, fill: FillReport) -> None:
        symbol, trade_id = fill.symbol, fill.trade_id
        self.holdings.last_prices[symbol] = fill.price
        last = self.last_trades.get(symbol)
        if last is None or is_later(trade_id, last):
            self.last_trades[symbol] = trade_id

    def _once(self, told: Sequence[Told]) -> list[Told]:
        """Without the trades that have been told before we knew whose they are."""
        if not self.trades.of_others:
            return list(told)
        return [
            each
            for each in told
            if not isinstance(each, Fill)
            or not self.trades.was_told_as_others(each.symbol, each.trade_id)
        ]
