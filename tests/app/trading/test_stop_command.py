"""`connector stop` as a person and a script see it: its words, its options and its exit status."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from click.testing import CliRunner
from trio.testing import MockClock

from connector.app.commands import group
from connector.app.trading import stop_command
from connector.app.trading.access import WITH_ACCOUNTS, paper_market
from connector.app.trading.stop_command import Options, run_stop


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs in a moment."""
    run = trio.run

    def at_once(*arguments: Any) -> Any:
        return run(*arguments, clock=MockClock(autojump_threshold=0))

    monkeypatch.setattr(stop_command.trio, "run", at_once)


def invoke(*arguments: str, **environment: str) -> Any:
    return CliRunner().invoke(group, ["stop", *arguments], env=environment)


@pytest.mark.parametrize("exchange", WITH_ACCOUNTS)
def test_it_says_order_by_order_what_it_did(exchange: str) -> None:
    result = invoke("mm1", "--exchange", exchange)

    assert result.exit_code == 0
    first, *orders, last = result.output.splitlines()
    assert "simulated" in first
    assert len(orders) == 3
    _, quantity = paper_market(exchange)
    assert all(
        line.startswith((f"cancelled  buy {quantity}", f"cancelled  sell {quantity}"))
        for line in orders
    )
    assert last == (
        f"confirmed: 3 orders of mm1 have ended, none is open at simulated {exchange}; "
        "2 open orders of others were not touched"
    )


def test_everything_for_a_machine() -> None:
    result = invoke("--all", "--json")

    assert result.exit_code == 0
    said = json.loads(result.output)
    assert said["confirmed"] is True and said["name"] is None
    assert len(said["ended"]) == 5 and said["left"] == said["untouched"] == []
    assert {each["end"] for each in said["ended"]} == {"cancelled"}
    assert said["ended"][0]["quantity"] == "0.035"


async def test_what_is_not_confirmed_is_named(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    made_up = stop_command.make_up_orders

    def and_break(exchange: Any, name: str) -> None:
        made_up(exchange, name)
        exchange.trading.lose_request("order.cancel", times=None)

    monkeypatch.setattr(stop_command, "make_up_orders", and_break)
    said: list[str] = []

    stopped = await run_stop(Options(name="mm1", seconds=10.0), said.append)

    assert not stopped.confirmed
    assert sum(line.startswith("NOT CONFIRMED  ") for line in said) == 3
    assert "NOT CONFIRMED within 10 s" in said[-1]
    assert "3 orders may be open; look at the exchange" in said[-1]


def test_the_exit_status_is_1_if_it_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = stop_command.make_up_orders

    def and_ban(exchange: Any, name: str) -> None:
        made_up(exchange, name)
        exchange.trading.ban(1000)

    monkeypatch.setattr(stop_command, "make_up_orders", and_ban)

    result = invoke("mm1", "--timeout", "5")

    assert result.exit_code == 1
    assert "NOT CONFIRMED within 5 s" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "write a NAME, or --all"),
        (("mm1", "--all"), "write a NAME, or --all"),
        (("MM-1",), "write 1 to 8 of a-z and 0-9"),
        (("mm1", "--live"), "--live needs --key PREFIX"),
        (("mm1", "--testnet"), "--testnet needs --key PREFIX"),
        (("mm1", "--live", "--testnet", "--key", "X"), "not both"),
        (("mm1", "--key", "X"), "--key is for a real exchange"),
        (("mm1", "--exchange", "okx"), "'okx' is not one of"),
        (("mm1", "--timeout", "inf"), "not a finite number"),
    ],
)
def test_options_that_cannot_work(arguments: tuple[str, ...], words: str) -> None:
    result = invoke(*arguments)

    assert result.exit_code == 2
    assert words in result.output


def test_a_key_that_is_missing_says_which_variable() -> None:
    result = invoke("mm1", "--live", "--key", "NOBODY", NOBODY_SECRET="hush-hush-hush")

    assert result.exit_code == 1
    assert "set NOBODY_KEY" in result.output
    assert "hush-hush-hush" not in result.output
