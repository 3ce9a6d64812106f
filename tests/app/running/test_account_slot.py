"""Accounts in `connector run`: watched while the adapter is open, shown, and never touched."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio
from rich.console import Console
from trio.testing import MockClock

from connector.app.running.configuration import Misconfigured, read_configuration
from connector.app.running.pages import Pages
from connector.app.running.readiness import unready
from connector.app.running.registry import PrometheusRegistry
from connector.app.running.service import Service, open_service
from connector.app.running.state import State
from connector.app.running.top_screen import TopScreen
from connector.app.running.venues import SimulatedWorld, open_simulated_world
from connector.trading.client_ids import ClientIds, new_run

BASE = """
[metrics]

[adapters.futures]
exchange = "binance_usdm"

[groups.ticks]
adapter = "futures"
channels = ["trades:ETHUSDC"]

[[sinks]]
kind = "log"
"""
ACCOUNT = """
[accounts.mm1]
adapter = "futures"
key = { env = "MM1_KEY" }
secret = { env = "MM1_SECRET" }
"""
SECRET = "hush-hush-hush"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MM1_KEY", "the-key-in-the-environment")
    monkeypatch.setenv("MM1_SECRET", SECRET)


@asynccontextmanager
async def running(text: str) -> AsyncIterator[tuple[Service, SimulatedWorld, Pages]]:
    configuration = read_configuration(text)
    async with open_simulated_world(read_configuration(BASE + ACCOUNT)) as world:
        registry = PrometheusRegistry()
        async with open_service(configuration, world, registry) as service:
            yield service, world, Pages(service, registry)


async def ready(service: Service) -> None:
    with trio.fail_after(60):
        while unready(service):
            await trio.sleep(0.05)


async def test_an_account_is_shown_on_every_page(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(BASE + ACCOUNT) as (service, world, pages):
        assert "account mm1 is not open yet" in unready(service)
        await ready(service)
        exchange = world.exchanges["binance_usdm"]
        ours = ClientIds("mm1", new_run(1, 1), "hex").make()
        exchange.trading.place(
            "mm1", symbol="ETHUSDC", side="BUY", type="LIMIT", timeInForce="GTC",
            quantity="0.1", price="2900", newClientOrderId=ours,
        )  # fmt: skip
        await trio.sleep(1)

        page = pages.answer("/live", {}).body.decode()
        assert "account mm1: futures" in page and "synced" in page
        assert "USDC" in page and "10000" in page and ours in page
        state = msgspec.json.decode(pages.answer("/state", {}).body, type=State)
        console = Console(width=80, height=24, color_system=None)
        with console.capture() as screen:
            console.print(TopScreen(state))
        assert "mm1: futures" in screen.get() and "10000 USDC" in screen.get()
        assert SECRET not in screen.get()
        metrics = pages.answer("/metrics", {}).body.decode()
        labels = 'account="binance_usdm/mm1",adapter="futures"'
        assert f"connector_account_synced{{{labels}}} 1.0" in metrics
        assert f"connector_account_other_orders{{{labels}}} 1.0" in metrics
        assert 'connector_account_failed{account="mm1"} 0.0' in metrics
        for text in (page, metrics):
            assert SECRET not in text and "the-key-in-the-environment" not in text
            assert exchange.accounts["mm1"].secret not in text

        exchange.break_connections("reset")
        with trio.fail_after(10):
            while not any("account mm1 is not synced: " in each for each in unready(service)):
                await trio.sleep(0.01)
        assert "not synced: " in pages.answer("/live", {}).body.decode()
        await ready(service)
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
    # Not even an order of its own name.
    assert [each.client_id for each in exchange.accounts["mm1"].open_orders] == [ours]


async def test_a_reload_adds_and_removes_an_account_and_nothing_else(
    autojump_clock: MockClock,
) -> None:
    async with running(BASE) as (service, _, pages):
        await ready(service)
        sessions = [each.session for each in service.adapters["futures"].statistics().links]

        await service.apply(read_configuration(BASE + ACCOUNT))
        await ready(service)
        assert service.adapters["futures"].statistics().accounts
        await service.apply(read_configuration(BASE))
        await trio.sleep(1)

        assert service.adapters["futures"].statistics().accounts == ()
        assert "account mm1" not in pages.answer("/live", {}).body.decode()
        now = [each.session for each in service.adapters["futures"].statistics().links]
        assert now == sessions


async def test_an_account_that_is_refused_does_not_end_the_rest(autojump_clock: MockClock) -> None:
    async with running(BASE + ACCOUNT) as (service, world, pages):
        await ready(service)
        world.exchanges["binance_usdm"].trading.revoke_key("mm1")
        world.exchanges["binance_usdm"].break_connections("reset")
        with trio.fail_after(120):
            while not any("account mm1 has failed: " in each for each in unready(service)):
                await trio.sleep(0.5)

        adapter = service.adapters["futures"]
        assert all(link.state == "streaming" for link in adapter.statistics().links)
        assert "account mm1" in pages.answer("/live", {}).body.decode()
        world.exchanges["binance_usdm"].accounts["mm1"].revoked = False
        await ready(service)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": '"abcdefgh"'}, "the file must not contain a secret"),
        ({"secret": ""}, "secret is missing"),
        ({"adapter": '"future"'}, "did you mean 'futures'"),
        ({"key": '{ env = "NOBODY" }'}, "NOBODY is not set"),
        ({"adapter": '"okx"'}, "okx has no accounts"),
    ],
)
def test_what_cannot_work_is_a_mistake_with_its_line(changes: dict[str, str], words: str) -> None:
    fields = {
        "adapter": '"futures"',
        "key": '{ env = "MM1_KEY" }',
        "secret": '{ env = "MM1_SECRET" }',
    } | changes
    lines = [f"{name} = {value}" for name, value in fields.items() if value]
    okx = '[adapters.okx]\nexchange = "okx"'

    with pytest.raises(Misconfigured) as caught:
        read_configuration("\n".join([BASE, okx, "[accounts.mm1]", *lines]))

    (mistake,) = caught.value.mistakes
    assert words in mistake.message and mistake.key.startswith("accounts.mm1")
    assert "abcdefgh" not in str(caught.value)


def test_the_name_is_one_of_an_account() -> None:
    with pytest.raises(Misconfigured, match="write 1 to 8 of a-z and 0-9"):
        read_configuration(BASE + ACCOUNT.replace("mm1]", "Main-1]"))
