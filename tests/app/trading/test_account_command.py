"""`connector account`: it draws what the exchange has, into 80 by 24, and touches nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from click.testing import CliRunner
from rich.console import Console
from trio.testing import MockClock

from connector.accounts import Balance, Fill, Position
from connector.app.commands import group
from connector.app.trading import account_command
from connector.app.trading.access import Venue
from connector.app.trading.account_command import Options, open_watched, run_account
from connector.app.trading.board import Board, OrderLine, as_plain, board_of, line, render
from connector.trading.client_ids import ClientIds, new_run
from tests.account.trader import VENUES, bid, open_world

EXCHANGES = {"spot": "binance_spot", "usdm": "binance_usdm"}


@attrs.define
class Shown:
    boards: list[Board] = attrs.field(factory=list)

    def show(self, board: Board) -> None:
        self.boards.append(board)


def drawn(board: Board) -> list[str]:
    console = Console(width=80, height=24, color_system=None)
    with console.capture() as captured:
        console.print(render(board))
    return captured.get().splitlines()


@pytest.mark.parametrize("venue", VENUES)
async def test_it_shows_the_account_and_its_unsynced_spans(venue: str, autojump_clock: Any) -> None:
    shown = Shown()

    await run_account(
        Options(venue=Venue(exchange=EXCHANGES[venue]), break_every_seconds=4, duration_seconds=15),
        shown,
    )

    synced = [board.synced for board in shown.boards]
    assert True in synced and False in synced[synced.index(True) :]
    last = shown.boards[-1]
    assert last.orders and not any(each.ours for each in last.orders)
    assert last.fills and last.statistics.fills >= len(last.fills)
    blind = next(board for board in shown.boards if not board.synced)
    assert any("NOT SYNCED: " in each for each in drawn(blind))
    assert line(blind).startswith("NOT SYNCED (")
    # What it had last is shown all the same.
    assert blind.balances


async def test_what_is_shown_is_what_the_exchange_has(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        order = await account.place(bid("2980", "0.5"))
        world.exchange.trading.fill(world.truth.open_orders[0], "0.2")
        await world.settled(account)

        board = board_of(account, "a test", order.fills)

        (shown,) = board.orders
        assert shown.ours and shown.client_id == order.client_id
        assert shown.filled == Decimal("0.2")
        (position,) = board.positions
        assert position.quantity == world.truth.position("ETHUSDC").quantity
        assert {each.asset: each.total for each in board.balances} == dict(world.truth.balances)
        plain = as_plain(board)
        assert plain["positions"][0]["quantity"] == "0.2"  # type: ignore[index]
        assert json.loads(json.dumps(plain)) == plain


async def test_it_leaves_every_order_alone(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those whose name hash is that of the name it uses itself."""
    found: list[Any] = []

    async def place_ours(exchange: Any) -> None:
        ours = ClientIds(account_command.NAME, new_run(1, 1), "hex").make()
        exchange.trading.place(
            "paper", symbol="ETHUSDC", side="BUY", type="LIMIT", timeInForce="GTC",
            quantity="0.1", price="2900", newClientOrderId=ours,
        )  # fmt: skip
        found.append(exchange)
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(account_command, "_trade", place_ours)
    async with open_watched(Options(break_every_seconds=3)) as account:
        await trio.sleep(10)
        assert len(account.other_orders) == 1
    (exchange,) = found
    assert len(exchange.accounts["paper"].open_orders) == 1


async def test_everything_fits_into_80_by_24(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        full = attrs.evolve(
            board_of(account, "connector account · binance_usdm testnet", ()),
            balances=tuple(
                Balance(asset=f"ASSET{n}", total=Decimal("123456.12345678"), available=Decimal(n))
                for n in range(9)
            ),
            positions=tuple(
                Position(
                    symbol=f"LONGNAME{n}USDC", short=Decimal("1234.567"), unrealised=Decimal(-n),
                    entry_price=Decimal("2990.123456789"),
                )
                for n in range(9)
            ),
            orders=tuple(
                OrderLine(
                    symbol="LONGNAMEUSDC", side="sell", quantity=Decimal("1234.567"),
                    price=Decimal("123456.78"), filled=Decimal("0.001"), state="open",
                    client_id="f" * 36, ours=n % 2 == 0, conditional=n == 3,
                )
                for n in range(30)
            ),
            fills=tuple(
                Fill(
                    trade_id=str(n), client_id="", symbol="LONGNAMEUSDC", side="buy", leg=None,
                    price=Decimal("123456.78"), quantity=Decimal("1234.567"), backfilled=True,
                )
                for n in range(9)
            ),
        )  # fmt: skip

        lines = drawn(full)

        assert len(lines) <= 24
        assert max(map(len, lines)) == 80
        text = "\n".join(lines)
        assert "and 24 more" in text and "and 5 more" in text
        assert "-1234.567" in text and "conditional" in text and "found later" in text


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = trio.run

    def in_virtual_time(*arguments: Any) -> Any:
        return run(*arguments, clock=MockClock(autojump_threshold=0))

    monkeypatch.setattr(account_command.trio, "run", in_virtual_time)


def test_one_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)

    result = CliRunner().invoke(group, ["account", "--json"])

    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    assert said["synced"] is True
    assert {each["asset"]: each["total"] for each in said["balances"]} == {
        "USDC": "10000", "ETH": "3",
    }  # fmt: skip
    assert said["orders"][0]["client_id"].startswith("web_")


def test_lines_for_what_is_not_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)

    result = CliRunner().invoke(group, ["account", "--seconds", "8", "--break-every", "3"])

    assert result.exit_code == 0, result.output
    assert "synced  10000 USDC, 3 ETH  1 open" in result.output
    assert "NOT SYNCED (" in result.output


def test_a_key_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    monkeypatch.setattr(
        "connector.app.trading.access.ApiKey",
        lambda key, secret: __import__("connector.keys").keys.ApiKey("wrong", "hush-hush-hush"),
    )

    result = CliRunner().invoke(group, ["account", "--json"])

    assert result.exit_code == 1
    assert "Error: " in result.output and "hush" not in result.output
