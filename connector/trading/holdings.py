"""Balances and positions: absolute numbers with a time; the newest one counts.

Values that arrive before a reading is joined are kept until then. Values that are older than the
current one are dropped. If a reading does not mention an asset or position, it was zero at that
time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from connector.accounts import Balance, BalanceUpdate, Position, PositionUpdate, Summary
from connector.inputs.decimals import ZERO, difference, plus, total
from connector.instruments import Instrument
from connector.orders import Leg
from connector.trading.reports import BalanceReport, PositionReport
from connector.trading.venue import AccountReading

LEGS: tuple[Leg | None, ...] = (None, "long", "short")
"""Of a position: the only one, or the two of hedge mode."""


class Standing(msgspec.Struct, frozen=True):
    """The amounts that an order of an instrument and leg can move, at some moment.

    Each order makes one before it is sent.
    """

    symbol: str
    leg: Leg | None
    assets: tuple[str, ...]
    """Those that are traded for each other; none where there are positions."""
    amounts: tuple[Decimal, ...]
    """Of the assets, or of the position, with a sign."""
    time_ns: int | None
    """The exchange's time since which they are so."""


class Holdings:
    """The balances and positions of an account.

    Args:
        bases: the base asset by symbol, where positions are balances; else empty.
    """

    def __init__(self, bases: Mapping[str, str]) -> None:
        self.hedge_mode = False
        self.summary: Summary | None = None
        self.last_prices: dict[str, Decimal] = {}
        self._bases = bases
        self._balances: dict[str, BalanceReport] = {}
        self._positions: dict[tuple[str, Leg | None], PositionReport] = {}
        self._read_ns: int | None = None
        """Exchange's time before the last reading: what it did not mention was nothing then."""
        self.agreed_ns = 0
        """Exchange's time at which what is shown was last what was read."""
        self._kept: list[BalanceReport | PositionReport] = []
        self._tells_available = True
        """Whether what is available is known of a balance, perhaps."""

    def balances(self) -> dict[str, Balance]:
        """The known balance of each asset."""
        return {
            asset: Balance(
                asset=asset,
                total=each.total,
                available=each.available,
                locked=each.locked,
            )
            for asset, each in self._balances.items()
        }

    def position(self, symbol: str) -> Position:
        """The position in an instrument; 0 if the exchange does not mention it."""
        base = self._bases.get(symbol)
        if base is not None:
            held = self._balances.get(base)
            return Position(symbol=symbol, long=(held and held.total) or ZERO)
        legs = [each for (of, _), each in self._positions.items() if of == symbol]
        long = total(each.quantity for each in legs if _is_long(each))
        short = total(each.quantity.copy_abs() for each in legs if not _is_long(each))
        open_legs = [each for each in legs if each.quantity != 0]
        only = open_legs[0] if len(open_legs) == 1 else None
        return Position(
            symbol=symbol,
            long=long,
            short=short,
            entry_price=None if only is None else only.entry_price,
            unrealised=_sum_or_none(each.unrealised for each in open_legs),
            mark_price=None if only is None else only.mark_price,
            exchange_time_ns=max((each.time_ns or 0 for each in legs), default=0) or None,
        )

    def held(self, symbol: str, leg: Leg | None = None) -> Decimal:
        """How much of an instrument is held, with a sign: of one leg, or of all together."""
        base = self._bases.get(symbol)
        if base is not None:
            balance = self._balances.get(base)
            return (balance and balance.total) or ZERO
        held = ZERO
        for side in LEGS if self._positions else ():
            each = self._positions.get((symbol, side))
            if each is None or not each.quantity:
                continue
            if _is_long(each):
                held = held if leg == "short" else plus(held, each.quantity)
            else:
                held = held if leg == "long" else difference(held, each.quantity.copy_abs())
        return held

    def standing(self, instrument: Instrument, leg: Leg | None) -> Standing:
        """What an order of an instrument would move, and since when it is what it is."""
        symbol = instrument.symbol
        if symbol not in self._bases:
            position = self._positions.get((symbol, leg))
            quantity = ZERO if position is None else position.quantity
            signed = difference(ZERO, quantity.copy_abs()) if leg == "short" else quantity
            time_ns = self._read_ns if position is None else position.time_ns or self._read_ns
            return Standing(symbol, leg, (), (signed,), time_ns)
        assets = instrument.base, instrument.quote
        found = [self._balances.get(asset) for asset in assets]
        amounts = tuple((each and each.total) or ZERO for each in found)
        times = [self._read_ns if each is None else each.time_ns or self._read_ns for each in found]
        return Standing(symbol, leg, assets, amounts, max(each or 0 for each in times) or None)

    def of(self, reading: AccountReading) -> Holdings:
        """What a reading alone says, in the same form."""
        read = Holdings(self._bases)
        read.join(reading, 0)
        return read

    def symbols_held(self) -> set[str]:
        """The instruments of which something is held."""
        return {symbol for (symbol, _), each in self._positions.items() if each.quantity != 0}

    def forget_available(self) -> None:
        """The available amount is unknown until the next report."""
        if not self._tells_available:
            return
        for asset, each in self._balances.items():
            if each.available is not None:
                self._balances[asset] = msgspec.structs.replace(each, available=None)
        self._tells_available = False

    def keep(self, report: BalanceReport | PositionReport) -> None:
        """Remember it until a reading is joined."""
        self._kept.append(report)

    def drop_kept(self) -> None:
        """Drop the kept values: reports before the next one are missing."""
        self._kept.clear()

    def apply(self, report: BalanceReport | PositionReport) -> bool:
        """Apply `report` unless a newer one was applied, and return whether it was."""
        if isinstance(report, BalanceReport):
            shown = self._balances.get(report.asset)
            since_ns = self._read_ns if shown is None else shown.time_ns
            if _is_older(report.time_ns, since_ns):
                return False
            if shown is not None:
                # What is not told stays what it was, except where the total has moved under it.
                same = report.total is None or report.total == shown.total
                report = BalanceReport(
                    asset=report.asset,
                    total=shown.total if report.total is None else report.total,
                    available=shown.available
                    if report.available is None and same
                    else report.available,
                    locked=shown.locked if report.locked is None and same else report.locked,
                    reason=report.reason,
                    time_ns=report.time_ns,
                )
            self._balances[report.asset] = report
            self._tells_available = True
            return True
        key = report.symbol, report.leg
        position = self._positions.get(key)
        shown_ns = None if position is None else position.time_ns
        # One that never was has no time of its own: it was so when it was read.
        if _is_older(report.time_ns, shown_ns or self._read_ns):
            return False
        self._positions[key] = report
        if report.mark_price is not None:
            self.last_prices[report.symbol] = report.mark_price
        return True

    def join(
        self, reading: AccountReading, received_ns: int
    ) -> list[BalanceUpdate | PositionUpdate]:
        """Join a reading with the kept reports, and return the changes."""
        before, before_positions = self.balances(), self._shown_positions()
        self._read_ns = reading.time_ns
        self.agree(reading)
        self.hedge_mode = reading.hedge_mode
        self.summary = reading.summary
        self._balances = {each.asset: each for each in reading.balances}
        self._tells_available = True
        self._positions = {(each.symbol, each.leg): each for each in reading.positions}
        for each in reading.positions:
            if each.mark_price is not None:
                self.last_prices[each.symbol] = each.mark_price

        for report in self._kept:
            self.apply(report)
        self._kept.clear()
        changed: list[BalanceUpdate | PositionUpdate] = [
            self.balance_update(asset, "reading", received_ns)
            for asset, balance in self.balances().items()
            if before.get(asset) != balance
        ]
        positions = self._shown_positions()
        changed += [
            self.position_update(symbol, "reading", received_ns)
            for symbol in dict.fromkeys([*before_positions, *positions])
            if before_positions.get(symbol) != positions.get(symbol)
        ]
        return changed

    def agree(self, reading: AccountReading) -> None:
        """Note that a reading equals the visible values."""
        self.agreed_ns = reading.time_ns or self.agreed_ns

    def moved(self, reading: AccountReading) -> tuple[set[str], set[str]]:
        """Assets and instruments of which a reading has another amount than what is shown."""
        totals = {asset: each.total or ZERO for asset, each in self._balances.items()}
        read = {each.asset: each.total or ZERO for each in reading.balances}
        assets = {
            asset for asset in {*totals, *read} if totals.get(asset, ZERO) != read.get(asset, ZERO)
        }
        held = {key: each.quantity for key, each in self._positions.items()}
        found = {(each.symbol, each.leg): each.quantity for each in reading.positions}
        symbols = {key[0] for key in {*held, *found} if held.get(key, ZERO) != found.get(key, ZERO)}
        return assets, symbols

    def differences(self, reading: AccountReading) -> list[str]:
        """Describe the differences between a reading and the visible values."""
        found = []
        if reading.hedge_mode != self.hedge_mode:
            found.append("the position mode has changed")
        totals = {each.asset: each.total or ZERO for each in reading.balances}
        # Spot does not list what is nothing.
        for asset in dict.fromkeys([*totals, *self._balances]):
            shown = self._balances.get(asset)
            known, total_read = (shown and shown.total) or ZERO, totals.get(asset, ZERO)
            if known != total_read:
                found.append(f"{asset}: {known} is shown, {total_read} was read")
        read = {(each.symbol, each.leg): each.quantity for each in reading.positions}
        for key in {*read, *self._positions}:
            quantity = self._positions[key].quantity if key in self._positions else ZERO
            if quantity != read.get(key, ZERO):
                found.append(f"{key[0]}: {quantity} is shown, {read.get(key, ZERO)} was read")
        return found

    def balance_update(self, asset: str, reason: str, received_ns: int) -> BalanceUpdate:
        """The visible balance of an asset, as an event."""
        shown = self._balances[asset]
        return BalanceUpdate(
            asset=asset,
            total=shown.total,
            available=shown.available,
            locked=shown.locked,
            reason=reason,
            exchange_time_ns=shown.time_ns,
            received_ns=received_ns,
        )

    def position_update(self, symbol: str, reason: str, received_ns: int) -> PositionUpdate:
        """The visible position in an instrument, as an event."""
        position = self.position(symbol)
        return PositionUpdate(
            symbol=symbol,
            quantity=position.quantity,
            long=position.long,
            short=position.short,
            entry_price=position.entry_price,
            unrealised=position.unrealised,
            reason=reason,
            exchange_time_ns=position.exchange_time_ns,
            received_ns=received_ns,
        )

    def _shown_positions(self) -> dict[str, Position]:
        return {symbol: self.position(symbol) for symbol, _ in self._positions}


def _is_long(position: PositionReport) -> bool:
    return position.leg == "long" or (position.leg is None and position.quantity > 0)


def _is_older(time_ns: int | None, than_ns: int | None) -> bool:
    return time_ns is not None and than_ns is not None and time_ns < than_ns


def _sum_or_none(values: Iterable[Decimal | None]) -> Decimal | None:
    known = list(values)
    if not known or any(each is None for each in known):
        return None
    return total(each for each in known if each is not None)
