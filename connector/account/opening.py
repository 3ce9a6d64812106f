"""Open an account for the duration of a block, and leave it properly after any error."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Protocol, cast

import attrs
import trio

from connector.account.account import Account
from connector.account.account_state import Office
from connector.account.asking import Asking
from connector.account.dead_man import Switch
from connector.account.exchange_clock import ExchangeClock
from connector.account.leave_deadline import LeaveDeadline
from connector.account.leaving import is_cancellation, leave, orders_left
from connector.account.order_link import OrderLink
from connector.account.patience import Patience
from connector.account.reconnecting import Announcer, Dialling
from connector.account.running import RunningAccount
from connector.account.stream_link import PrivateStream
from connector.accounts import DeadMan, Timing
from connector.errors import ConfigError
from connector.instruments import Instrument
from connector.keys import ApiKey
from connector.link.outcome import only_error
from connector.link.settings import Settings
from connector.orders import Limits
from connector.trading.bookmarks import Bookmark
from connector.trading.client_ids import ClientIds, check_name, new_run
from connector.trading.venue import Trading


class AccountOwner(Announcer, Protocol):
    """The adapter of the account; its end also ends the account."""

    def opened(self, running: RunningAccount) -> None:
        """Raises trio.ClosedResourceError when the adapter's block has been left meanwhile."""

    def closed(self, running: RunningAccount) -> None: ...


@attrs.frozen(kw_only=True)
class AccountSettings:
    """The arguments of `open_account`, checked."""

    key: ApiKey
    name: str
    limits: Limits
    symbols: tuple[str, ...]
    orphans: str
    on_leave: str
    bookmark: Bookmark | None
    timing: Timing
    dead_man: DeadMan | None
    trading: Trading


def check_settings(
    exchange: object,
    key: ApiKey,
    *,
    name: str,
    limits: Limits,
    symbols: Iterable[str],
    orphans: str,
    on_leave: str,
    bookmark: str | None,
    timing: Timing,
    dead_man: DeadMan | None,
) -> AccountSettings:
    """The settings of an account that does not run yet.

    Raises:
        ConfigError: an argument cannot work, or the exchange has no private side.
    """
    trading = cast("Trading | None", getattr(exchange, "trading", None))
    if trading is None:
        raise ConfigError(f"{getattr(exchange, 'name', exchange)} has no accounts")
    if not isinstance(key, ApiKey):
        raise ConfigError("open_account() needs an ApiKey, such as ApiKey.from_environment('X')")
    trading.check_key(key)
    if not isinstance(limits, Limits):
        raise ConfigError(f"limits={limits!r}: write Limits(…), or Limits.none()")
    if not isinstance(timing, Timing):
        raise ConfigError(f"timing={timing!r}: write a Timing, such as Timing(patience=3)")
    if orphans not in ("cancel", "adopt", "leave"):
        raise ConfigError(f"orphans={orphans!r}: write 'cancel', 'adopt' or 'leave'")
    if on_leave not in ("cancel", "keep"):
        raise ConfigError(f"on_leave={on_leave!r}: write 'cancel' or 'keep'")
    if isinstance(symbols, str):
        raise ConfigError(f"symbols={symbols!r}: write a tuple, such as ({symbols!r},)")
    spelled = {trading.symbol(each): limit for each, limit in (limits.position or {}).items()}
    return AccountSettings(
        key=key,
        name=check_name(name),
        limits=attrs.evolve(limits, position=spelled or None) if limits.position else limits,
        symbols=tuple(trading.symbol(each) for each in symbols),
        orphans=orphans,
        on_leave=on_leave,
        bookmark=_read_bookmark(bookmark),
        timing=timing,
        dead_man=_checked_switch(trading, dead_man),
        trading=trading,
    )


def _checked_switch(trading: Trading, dead_man: DeadMan | None) -> DeadMan | None:
    if dead_man is None:
        return None
    if not isinstance(dead_man, DeadMan):
        raise ConfigError(f"dead_man={dead_man!r}: write a DeadMan, such as DeadMan(30)")
    scope = trading.promises.dead_man
    if scope is None:
        raise ConfigError(f"{trading.name} has no dead man's switch")
    if not dead_man.others_too:
        raise ConfigError(
            f"the dead man's switch of {trading.name} cancels all orders of the {scope}, those of "
            "other programs too; if you want that, write DeadMan(…, others_too=True)"
        )
    return dead_man


def _read_bookmark(bookmark: str | None) -> Bookmark | None:
    if bookmark is None:
        return None
    try:
        return Bookmark.parse(bookmark)
    except (ValueError, AttributeError):
        raise ConfigError(
            f"bookmark={bookmark!r}: pass a saved value of Account.bookmark"
        ) from None


@asynccontextmanager
async def run_account(
    settings: AccountSettings,
    adapter: Settings,
    instruments: Iterable[Instrument],
    owner: AccountOwner,
) -> AsyncIterator[Account]:
    """The account for the length of a block; errors and cancellation as `Adapter.open_account`.

    Its nursery is here, so that what ends the account ends this block, and nothing else.
    """
    running = _make(settings, adapter, {each.symbol: each for each in instruments}, owner)
    account = Account(running)
    body_error: BaseException | None = None
    outcome: BaseException | None = None
    owner.opened(running)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.run, name=running.name)
            try:
                with running.block:
                    await account.wait_synced()
                    await _wait_for_orphans(account, running)
                    running.office.publishing.enter()
                    yield account
            except BaseException as error:
                body_error = error
                raise
            finally:
                cancel = settings.on_leave == "cancel"
                leaving = body_error or running.error
                account.left, interrupt = await leave(running, leaving, cancel=cancel)  # noqa: ASYNC102 - bounded: it shields itself
                account._closed = True
                if interrupt is not None:
                    body_error = interrupt
                    raise interrupt
    except BaseException as error:  # noqa: BLE001, ASYNC103  # raised below, on every path
        outcome = only_error(error, body_error, "account")
    finally:
        running.deadline.forget()
        owner.closed(running)
    outcome = _with_what_is_left(outcome, running, account)
    if outcome is not None:
        # Raised out here, so that the group that carried it does not become its context.
        raise outcome


def _with_what_is_left(
    outcome: BaseException | None, running: RunningAccount, account: Account
) -> BaseException | None:
    """What the block raises: its own error, or the account's; orders that are left are named."""
    failure = running.error
    cancellation = outcome if outcome is not None and is_cancellation(outcome) else None
    if outcome is None or cancellation is not None:
        outcome = failure or outcome
    elif failure is not None and outcome is not failure:
        outcome.add_note(f"the account failed, too: {failure!r}")
    if not account.left:
        return outcome
    named = orders_left(account.name, running.office.trading.name, account.left)
    if outcome is None or outcome is cancellation:
        named.__cause__ = cancellation
        return named
    outcome.add_note(str(named))
    return outcome


async def _wait_for_orphans(account: Account, running: RunningAccount) -> None:
    """Those that are to be cancelled, for `Timing.patience` at most."""
    with trio.move_on_after(running.office.timing.patience):
        for order in account.orders.values():
            if not order._record.wanted:
                await order.wait_done()


def _make(
    settings: AccountSettings,
    adapter: Settings,
    instruments: dict[str, Instrument],
    announcer: Announcer,
) -> RunningAccount:
    trading, exchange = settings.trading, adapter.exchange
    name = f"{trading.name}/{settings.name}"
    running = RunningAccount(name)
    clock = ExchangeClock()
    asking = Asking(trading, exchange.rest, settings.key, clock, adapter.dialer)
    run = new_run(int(time.time()), random.getrandbits(16))
    office = Office(
        name=settings.name,
        trading=trading,
        instruments=instruments,
        ids=ClientIds(settings.name, run, trading.id_spelling),
        limits=settings.limits,
        timing=settings.timing,
        orphans=settings.orphans,
        asking=asking,
        tasks=running,
    )
    office.symbols_given = set(settings.symbols)
    if settings.bookmark is not None:
        office.since_ns = settings.bookmark.since_ns
        office.symbols_given |= settings.bookmark.symbols
        office.book.go_on(settings.bookmark)

    def dialling(what: str) -> Dialling:
        return Dialling(
            f"{name}/{what}",
            trading,
            exchange.limits,
            adapter.dialer,
            adapter.reconnect,
            announcer=announcer,
        )

    running.office = office
    running.deadline = LeaveDeadline(settings.timing.leave_timeout)
    running.patience = Patience(settings.timing.patience)
    window = settings.timing.window
    running.link = office.link = OrderLink(
        dialling("orders"), asking, office.budget, office, window=window
    )
    if settings.dead_man is not None:
        running.switch = Switch(office, settings.dead_man.seconds)
    running.stream = PrivateStream(dialling("private"), asking, running, office.told, window=window)
    return running
