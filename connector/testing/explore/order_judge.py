"""Judge an account: compare its values and events with those of the exchange.

The judge takes the truth from the simulated exchange, at every step of the program and after it
has ended. It never asks the account whether it is right (`docs/design.md`):

====  ============================================================================================
I13   an intent becomes at most one order; no order that is called refused or absent is open
I14   the account shows a recent state of the exchange; at rest it shows the current one
I15   each fill is reported once, with its numbers, in the sequence of its order; none is missing
I16   after the block, no order of the block is open unless it is named
I17   the book and the position never hold more than is wanted and allowed
I18   no key, secret or signature is in the log
====  ============================================================================================
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import trio

from connector.account import Account
from connector.accounts import Fill
from connector.errors import NotSynced
from connector.orders import Intent

if TYPE_CHECKING:
    from connector.testing.exchange.exchange import SimulatedExchange
    from connector.testing.exchange.trading.accounts import SimulatedAccount

Broken = tuple[str, str]
"""The broken invariant, and a description."""

STALE_SECONDS = 40.0
"""Maximum age of what the account shows: two audits and the time to read."""
ZERO = Decimal(0)


@attrs.frozen
class Wanted:
    """Limits of the quotes since the last `want`: quantity per side, and position."""

    bids: Decimal
    asks: Decimal
    max_long: Decimal
    max_short: Decimal
    fills_before: int


@attrs.define(eq=False)
class OrderJudge:
    """Judges one account of the simulated exchange. Made by `Stage.orders_of`.

    Args:
        exchange: the simulated exchange, which knows the truth.
        name: the account's name there.
        symbol: the traded instrument.
        find: called with each broken invariant.
    """

    exchange: SimulatedExchange
    name: str
    symbol: str
    find: Callable[[str, str], None]
    accounts: list[Account] = attrs.field(factory=list)
    fills: list[Fill] = attrs.field(factory=list)
    foreign: set[str] = attrs.field(factory=set)
    """Client ids of orders of other programs: the account must not cancel them."""
    _intents: Counter[tuple[str, Decimal | None, Decimal | None]] = attrs.field(factory=Counter)
    _feeds: list[Any] = attrs.field(factory=list)
    _wanted: Wanted | None = None
    _held: list[tuple[int, Decimal]] = attrs.field(factory=list)
    _seen_fills: int = 0
    _found: set[str] = attrs.field(factory=set)
    _kept: bool = False
    _due: frozenset[str] = frozenset()
    """Trades that must have been reported by now."""

    @cached_property
    def truth(self) -> SimulatedAccount:
        """The account as it is at the exchange."""
        return self.exchange.accounts[self.name]

    # --- what the program says

    def runs(self, account: Account, feed: Any, *, kept: bool = False) -> None:
        """Judge this account from now on, and take the events of its feed at every look.

        Args:
            account: the account under test.
            feed: a feed of all of its events.
            kept: whether its orders stay open after the block.
        """
        self.accounts.append(account)
        self._feeds.append(feed)
        self._kept = kept

    def intends(self, intent: Intent) -> Intent:
        """Note that the program is about to place this, once."""
        self._intents[_key(intent.side, getattr(intent, "price", None), intent.quantity)] += 1
        return intent

    def wants(self, *, bids: Decimal, asks: Decimal, max_long: Decimal, max_short: Decimal) -> None:
        """Note the total quantities and position limits of the quotes that the program wants."""
        fills = len(self.truth.fills)
        self._wanted = Wanted(bids, asks, max_long, max_short, fills)

    async def rest(self, seconds: float = 300.0) -> None:
        """Repair the exchange, wait until everything is known, and compare all values."""
        account = self.accounts[-1]
        self.exchange.trading.mend()
        await trio.sleep(1.0)
        with trio.move_on_after(seconds):
            while not self._agrees(account):  # noqa: ASYNC110 - the exchange has no event for it
                await trio.sleep(1.0)
        self.look()
        if not account.synced:
            self._say("I14", f"not synced {seconds:g} s after the exchange was repaired")
            return
        for difference in self._differences():
            self._say("I14", f"synced and at rest, but {difference}")
        self._due = frozenset(str(each.trade_id) for each in self.truth.fills)

    def _agrees(self, account: Account) -> bool:
        on_their_way = ("queued", "sent", "unknown")
        known = not any(each.state in on_their_way for each in account.orders.values())
        self._take_events()
        told = {each.trade_id for each in self.fills}
        all_told = all(str(each.trade_id) in told for each in self.truth.fills)
        return account.synced and known and all_told and not self._differences()

    # --- at every step

    def look(self) -> None:
        """Check what must hold at any moment."""
        self._read_truth()
        if self.accounts:
            account = self.accounts[-1]
            self._take_events()
            for each in self.truth.open_orders:
                client_id = each.client_id
                order = account.orders.get(client_id)
                if order is not None and order.state in ("absent", "refused"):
                    self._say("I13", f"{client_id} is called {order.state}, and is open")
            self._look_at_view(account)
        self._look_at_exposure()

    def _take_events(self) -> None:
        for feed in self._feeds:
            try:
                while True:
                    event = feed.receive_nowait()
                    if isinstance(event, Fill):
                        self.fills.append(event)
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                continue

    def _look_at_view(self, account: Account) -> None:
        try:
            shown = account.positions[self.symbol].quantity
        except NotSynced:
            return
        if shown == self._held[-1][1]:
            return
        oldest = self._now_ms() - STALE_SECONDS * 1000
        valid = {
            quantity
            for (_, quantity), (until, _) in zip(
                self._held, [*self._held[1:], (self._now_ms() + 1, ZERO)], strict=True
            )
            if until >= oldest
        }
        if shown not in valid:
            self._say(
                "I14", f"shows {shown} {self.symbol}, and the exchange has {self._held[-1][1]}"
            )

    def _look_at_exposure(self) -> None:
        wanted = self._wanted
        if wanted is None:
            return
        bought, sold = ZERO, ZERO
        for fill in self.truth.fills[wanted.fills_before :]:
            bought, sold = (
                (bought + fill.quantity, sold)
                if fill.side == "BUY"
                else (bought, sold + fill.quantity)
            )
        ours = [each for each in self.truth.open_orders if each.client_id not in self.foreign]
        bids = sum((each.remaining for each in ours if each.side == "BUY"), ZERO)
        asks = sum((each.remaining for each in ours if each.side == "SELL"), ZERO)
        held = self._held[-1][1]
        for what, is_now, most in (
            ("bids", bids + bought, wanted.bids),
            ("asks", asks + sold, wanted.asks),
            ("long", held + bids, max(wanted.max_long, held)),
            ("short", asks - held, max(wanted.max_short, -held)),
        ):
            if is_now > most:
                self._say("I17", f"{what}: {is_now}, more than the {most} that are wanted")

    def _read_truth(self) -> None:
        truth = self.truth
        if self._held and self._seen_fills == len(truth.fills):
            return
        base = self.symbol.removesuffix("USDC").removesuffix("USDT")
        if not self._held:
            start = truth.balances.get(base, ZERO) if self.exchange.rules.name == "spot" else ZERO
            self._held.append((0, start))
        for fill in truth.fills[self._seen_fills :]:
            held = self._held[-1][1] + (fill.quantity if fill.side == "BUY" else -fill.quantity)
            if fill.fee_asset == base:
                held -= fill.fee
            self._held.append((fill.ms, held))
        self._seen_fills = len(truth.fills)

    def _now_ms(self) -> int:
        return self.exchange.trading.now_ms()

    # --- when it is over

    def judge(self) -> Iterator[Broken]:
        """Check what must hold after the program has ended."""
        self.look()
        truth = self.truth
        yield from self._judge_intents()
        yield from self._judge_fills()
        named = {order.client_id for account in self.accounts for order in account.left}
        if not self._kept:
            for order in truth.open_orders:
                if order.client_id not in named | self.foreign:
                    yield "I16", f"{order.client_id} is open after its block, and not named"

    def _judge_intents(self) -> Iterator[Broken]:
        truth = self.truth
        for client_id, times in Counter(truth.client_ids).items():
            if times > 1:
                yield "I13", f"{times} orders have the client id {client_id}"
        if not self._intents:
            return
        made: Counter[tuple[str, Decimal | None, Decimal | None]] = Counter()
        for number in truth.orders:
            history = truth.history(number.order_id)
            first = number if history is None else history.all[0]
            if first.client_id not in self.foreign:
                price = None if first.type == "MARKET" else first.price
                made[_key(first.side.lower(), price, first.quantity)] += 1
        for key, times in made.items():
            if times > self._intents[key]:
                side, price, quantity = key
                yield "I13", f"{times} orders of one intent: {side} {quantity} at {price}"

    def _judge_fills(self) -> Iterator[Broken]:
        true = {str(each.trade_id): each for each in self.truth.fills}
        told = Counter(each.trade_id for each in self.fills)
        for trade_id, times in told.items():
            if times > 1:
                yield "I15", f"trade {trade_id} was reported {times} times"
            if trade_id not in true:
                yield "I15", f"trade {trade_id} was reported but did not happen"
        for each in self.fills:
            fill = true.get(each.trade_id)
            if fill is not None and (each.price, each.quantity) != (fill.price, fill.quantity):
                yield "I15", f"trade {each.trade_id} was reported with different numbers"
        last: dict[str, int] = {}
        for each in self.fills:
            if int(each.trade_id) < last.get(each.client_id, 0):
                yield "I15", f"trade {each.trade_id} was reported after a later trade of its order"
            last[each.client_id] = int(each.trade_id)
        for trade_id in self._due - told.keys():
            yield "I15", f"trade {trade_id} was never reported"

    def _differences(self) -> list[str]:
        account, truth = self.accounts[-1], self.truth
        try:
            balances = {asset: each.total for asset, each in account.balances.items() if each.total}
            shown = account.positions[self.symbol].quantity
        except NotSynced:
            return ["it is not synced"]
        found = []
        self._read_truth()
        if balances != {asset: amount for asset, amount in truth.balances.items() if amount}:
            found.append(f"balances are {balances}, not {dict(truth.balances)}")
        if shown != self._held[-1][1]:
            found.append(f"the position is {shown}, not {self._held[-1][1]}")
        open_now = {each.client_id: each for each in truth.open_orders}
        ours = {key: each for key, each in account.orders.items() if not each.ended}
        others = {each.client_id for each in account.other_orders}
        if ours.keys() | others != open_now.keys():
            found.append(f"open are {sorted(ours.keys() | others)}, not {sorted(open_now)}")
        found += [
            f"{key} has {each.filled} filled, not {open_now[key].filled}"
            for key, each in ours.items()
            if key in open_now and each.filled != open_now[key].filled
        ]
        return found

    def _say(self, invariant: str, what: str) -> None:
        if what not in self._found:
            self._found.add(what)
            self.find(invariant, what)


@contextmanager
def secrets_watched(judge: OrderJudge) -> Iterator[None]:
    """Search every log record for secrets within the block."""
    log = logging.getLogger("connector")
    handler = _Watch(judge)
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    # Otherwise other handlers would format every record of thousands of runs.
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


class _Watch(logging.Handler):
    def __init__(self, judge: OrderJudge) -> None:
        super().__init__()
        self._judge = judge
        truth = judge.truth
        self._secrets = (truth.secret, truth.key, "signature=", "listenKey=")

    def emit(self, record: logging.LogRecord) -> None:
        """Search one record for the secrets."""
        text = f"{record.getMessage()} {record.__dict__.get('lifecycle', '')}"
        for secret in self._secrets:
            if secret in text:
                self._judge._say("I18", f"the log shows {secret[:4]}…")


def _key(
    side: str, price: Decimal | None, quantity: Decimal | None
) -> tuple[str, Decimal | None, Decimal | None]:
    return side, price, quantity
