"""``connector stop``: cancel all open orders now, and report whether the exchange confirms it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from decimal import Decimal

import attrs
import click
import msgspec
import trio

from connector.app.numbers import FiniteRange
from connector.app.options import epilog
from connector.app.trading.access import (
    SIMULATED_NAME,
    Access,
    Venue,
    access_options,
    open_access,
    paper_market,
    venue_of,
)
from connector.app.trading.stopping import Ended, Stopped, stop_orders
from connector.errors import ConfigError, ConnectorError
from connector.inputs.decimals import written
from connector.keys import Kind
from connector.testing import OrderFlow, SimulatedExchange
from connector.trading.client_ids import ClientIds, check_name, new_run
from connector.trading.reports import OrderReport

Say = Callable[[str], None]


@attrs.frozen(kw_only=True)
class Options:
    """The account to stop, and its exchange."""

    name: str | None
    """The account name; None for the whole account."""
    venue: Venue = attrs.field(factory=Venue)
    seconds: float = 30.0

    @property
    def subject(self) -> str:
        """The stopped account in words."""
        return "the account" if self.name is None else self.name


async def run_stop(options: Options, say: Say) -> Stopped:
    """Stop, and say each order.

    Raises:
        ConfigError, ConnectorError: it cannot be done.

    Cancellation: orders may be cancelled or not.
    """
    # A made-up market stands still: its orders are there when they are looked at.
    async with open_access(options.venue, _still(options.venue.exchange)) as access:
        if access.simulated is not None:
            say("simulated exchange, made-up orders: add --live --key PREFIX for a real one")
            make_up_orders(access.simulated, options.name or "mm1")
        return await stop_access(access, options, say)


async def stop_access(access: Access, options: Options, say: Say) -> Stopped:
    """Stop on an exchange that is reached already; errors as of `run_stop`."""

    def told(ended: Ended) -> None:
        say(sentence(ended))

    stopped = await stop_orders(access, options.name, seconds=options.seconds, told=told)
    for order in stopped.left:
        say(f"NOT CONFIRMED  {described(order)}")
    say(verdict(stopped, options))
    return stopped


def _still(exchange: str) -> OrderFlow:
    """A market on which nobody trades."""
    return OrderFlow(symbols=(paper_market(exchange)[0],), rate_per_second=1e-6)


def make_up_orders(exchange: SimulatedExchange, name: str) -> None:
    """Orders of an account name, of another one and of the exchange's app."""
    ids = ClientIds(name, new_run(1, 1), "hex")
    symbol, quantity = paper_market(exchange.rules.name)
    others = ClientIds("other" if name != "other" else "other2", new_run(1, 1), "hex")
    for client_id, side, price in (
        (ids.make(), "BUY", "2990.10"),
        (ids.make(), "BUY", "2989.50"),
        (ids.make(), "SELL", "3010.40"),
        (others.make(), "BUY", "2980.00"),
        ("web_1", "SELL", "3050.00"),
    ):
        exchange.trading.place(
            SIMULATED_NAME,
            symbol=symbol,
            side=side,
            type="LIMIT",
            timeInForce="GTC",
            quantity=quantity,
            price=price,
            newClientOrderId=client_id,
        )


# --- in words


def described(order: OrderReport) -> str:
    """An order on one line."""
    quantity = "all" if order.quantity is None else written(order.quantity)
    at = "" if order.price is None else f" at {written(order.price)}"
    kind = " (conditional)" if order.conditional else ""
    return f"{order.side} {quantity} {order.symbol}{at}{kind}, id {order.client_id}"


def sentence(ended: Ended) -> str:
    """The outcome of one order, as a line."""
    filled = f", {written(ended.filled)} filled" if ended.filled else ""
    return f"{ended.end:<9}  {described(ended.order)}{filled}"


def verdict(stopped: Stopped, options: Options) -> str:
    """The last line."""
    count, others = len(stopped.ended), len(stopped.untouched)
    kept = ""
    if others:
        kept = f"; {others} open {_orders(others)} of others {_were(others)} not touched"
    if stopped.confirmed:
        return (
            f"confirmed: {count} {_orders(count)} of {options.subject} {_have(count)} ended, none "
            f"is open at {options.venue.origin}{kept}"
        )
    why = f": {stopped.trouble}" if stopped.trouble else ""
    if stopped.newly_placed:
        why = (
            f": {stopped.newly_placed} {_orders(stopped.newly_placed)} appeared meanwhile; a "
            "program is still placing orders, end it and stop again"
        )
    return (
        f"NOT CONFIRMED within {options.seconds:g} s{why}. {len(stopped.left)} "
        f"{_orders(len(stopped.left))} may be open; look at the exchange"
    )


def _orders(count: int) -> str:
    return "order" if count == 1 else "orders"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def as_json(stopped: Stopped, options: Options) -> str:
    """The result as plain values, for `--json`."""

    def plain(order: OrderReport) -> dict[str, object]:
        return {
            "symbol": order.symbol,
            "side": order.side,
            "quantity": _number(order.quantity),
            "price": _number(order.price),
            "client_id": order.client_id,
            "exchange_id": order.exchange_id,
            "conditional": order.conditional,
        }

    return msgspec.json.encode(
        {
            "exchange": options.venue.origin,
            "name": options.name,
            "confirmed": stopped.confirmed,
            "ended": [
                {**plain(each.order), "end": each.end, "filled": written(each.filled)}
                for each in stopped.ended
            ],
            "left": [plain(each) for each in stopped.left],
            "untouched": [plain(each) for each in stopped.untouched],
            "newly_placed": stopped.newly_placed,
            "trouble": stopped.trouble,
        }
    ).decode()


def _number(value: Decimal | None) -> str | None:
    return None if value is None else written(value)


# --- the command


@click.command(
    short_help="Cancel every open order of an account, from outside.",
    epilog=epilog(
        "stop mm1", "stop mm1 --live --key BINANCE", "stop --all --testnet --key BINANCE --json"
    ),
)
@click.argument("name", required=False)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Every order on the account: of all programs and people, conditional ones too.",
)
@access_options
@click.option(
    "--timeout",
    type=FiniteRange(min=1),
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    help="Give up after this time.",
)
@click.option("--json", "json_only", is_flag=True, help="Print one JSON object and nothing else.")
def stop(
    *,
    name: str | None,
    everything: bool,
    exchange: str,
    live: bool,
    testnet: bool,
    key: str | None,
    key_kind: Kind,
    timeout: float,
    json_only: bool,
) -> None:
    """Cancel now every open order of the account NAME, or of the whole account.

    NAME is what your program gives to open_account(name=…): its orders are found by their client
    ids, whichever run has placed them. Your program may run, hang or be gone. The exit status is 0
    if the exchange confirms that nothing of it is open, and 1 if not.

    The exchange is simulated unless you say --live or --testnet; the key is then read from the
    environment.
    """
    if (name is None) == (not everything):
        raise click.UsageError("write a NAME, or --all")
    if name is not None:
        try:
            check_name(name)
        except ConfigError as error:
            raise click.UsageError(str(error)) from error
    venue = venue_of(exchange=exchange, live=live, testnet=testnet, key=key, key_kind=key_kind)
    options = Options(name=name, venue=venue, seconds=timeout)
    logging.getLogger("connector").addHandler(logging.NullHandler())
    try:
        stopped = trio.run(run_stop, options, _say_nothing if json_only else click.echo)
    except (ConnectorError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if json_only:
        click.echo(as_json(stopped, options))
    sys.exit(0 if stopped.confirmed else 1)


def _say_nothing(_: str) -> None:
    """For machines."""
