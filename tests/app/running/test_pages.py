"""The pages of a run, over loopback: metrics that stay flat, health, and what a person sees."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import trio

from connector.app.running.configuration import read_configuration
from connector.app.running.pages import Pages
from connector.app.running.readiness import unready
from connector.app.running.registry import PrometheusRegistry
from connector.app.running.server import serve
from connector.app.running.service import Service, open_service
from connector.app.running.venues import SimulatedWorld, open_simulated_world
from connector.app.secret import Secret

TEXT = """
[adapters.futures]
exchange = "binance_usdm"
reconnect = { initial = 0.05, cap = 0.2, stable_after = 0.1 }
[groups.ticks]
adapter = "futures"
channels = ["trades:ETHUSDC", "best_quote:ETHUSDC"]
[[sinks]]
kind = "log"
"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CURL = shutil.which("curl")


@asynccontextmanager
async def served(token: Secret | None = None) -> AsyncIterator[tuple[Service, SimulatedWorld, str]]:
    configuration = read_configuration(TEXT)
    registry = PrometheusRegistry()
    with trio.fail_after(60):
        async with (
            open_simulated_world(configuration) as world,
            open_service(configuration, world, registry) as service,
            trio.open_nursery() as nursery,
        ):
            pages = Pages(service, registry, token)
            url = await nursery.start(serve, pages, "127.0.0.1:0")
            while unready(service):
                await trio.sleep(0.01)
            yield service, world, url
            nursery.cancel_scope.cancel()


async def test_what_found_the_leak_shows_a_flat_line() -> None:
    """``curl -s localhost:9090/metrics | grep connector_tasks`` while connections break."""
    if CURL is None:
        pytest.skip("there is no curl on this machine")
    lines = set()
    async with served() as (service, world, url):
        for _ in range(5):
            sessions = service.summary().sessions
            world.exchanges["binance_usdm"].break_connections("reset")
            while service.summary().sessions < sessions + 2 or unready(service):
                await trio.sleep(0.01)
            answer = await trio.run_process([CURL, "-s", f"{url}/metrics"], capture_stdout=True)
            lines |= {
                line
                for line in answer.stdout.decode().splitlines()
                if line.startswith(("connector_tasks{", "connector_sockets_open{"))
            }
        assert service.summary().reconnects["reset"] >= 10

    assert len(lines) == 2, lines
    assert 'connector_sockets_open{adapter="futures"} 2.0' in lines


async def test_health_and_readiness() -> None:
    async with served() as (service, _, url), httpx2.AsyncClient() as client:
        health = await client.get(f"{url}/healthz")
        ready = await client.get(f"{url}/readyz")
        service.stopping = True
        stopping = await client.get(f"{url}/readyz")
        nowhere = await client.get(f"{url}/nowhere")
        wrong = await client.post(f"{url}/healthz")

    assert (health.status_code, health.text) == (200, "ok\n")
    assert (ready.status_code, ready.text) == (200, "ready\n")
    assert (stopping.status_code, stopping.text) == (503, "stopping\n")
    assert (nowhere.status_code, wrong.status_code) == (404, 405)
    assert "/metrics" in nowhere.text


async def test_a_token_guards_all_but_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "hunter2")
    async with served(Secret(env="METRICS_TOKEN")) as (_, _, url), httpx2.AsyncClient() as client:
        right = {"authorization": "Bearer hunter2"}
        statuses = [
            (await client.get(f"{url}{path}", headers=headers)).status_code
            for path in ("/metrics", "/", "/live", "/state", "/healthz")
            for headers in ({}, {"authorization": "Bearer x"}, right)
        ]

    assert statuses == [401, 401, 200] * 4 + [200] * 3


async def test_a_browser_asks_for_the_token_as_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "hunter2:x")
    async with served(Secret(env="METRICS_TOKEN")) as (_, _, url), httpx2.AsyncClient() as client:
        asked = await client.get(f"{url}/")
        answers = [
            (await client.get(f"{url}/live", headers={"authorization": each})).status_code
            for each in ("Basic Omh1bnRlcjI6eA==", "basic bWU6aHVudGVyMjp4", "Basic bWU6eA==",
                         "Basic %", "Basic", "hunter2:x", "")
        ]  # fmt: skip

    assert 'Basic realm="connector"' in asked.headers.get_list("www-authenticate")
    assert answers == [200, 200, 401, 401, 401, 401, 401]


async def test_metrics_have_the_process_and_the_sinks_too() -> None:
    async with served() as (_, _, url), httpx2.AsyncClient() as client:
        text = (await client.get(f"{url}/metrics")).text

    assert 'connector_sink_events_total{sink="log"}' in text
    assert "process_resident_memory_bytes" in text


async def test_a_browser_shows_the_live_state(tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    async with served() as (service, world, url):
        # Only the fragment that the script fetches can know of the second session.
        world.exchanges["binance_usdm"].break_connections("reset")
        while service.summary().sessions < 4 or unready(service):
            await trio.sleep(0.01)
        seen = await trio.run_process(
            [
                CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu",
                f"--user-data-dir={tmp_path}", "--virtual-time-budget=4000", "--dump-dom", url,
            ],
            capture_stdout=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    page = seen.stdout.decode()
    assert '<span class="good">ready</span>' in page
    assert "binance_usdm/market" in page
    assert "Disconnected: reset" in page
    # The script has run: it is what sets the class.
    assert '<body class="">' in page


async def test_the_page_needs_nothing_from_elsewhere() -> None:
    async with served() as (_, _, url), httpx2.AsyncClient() as client:
        page = (await client.get(url)).text

    assert "http:" not in page and "https:" not in page and "//" not in page
