"""The metrics of a run: what fails, is stuck, lost or full is a number."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from connector import __version__
from connector.app.running.configuration import read_configuration
from connector.app.running.program import Options, Requests, run_program
from connector.app.running.registry import PrometheusRegistry
from connector.app.running.service import Service, open_service
from connector.app.running.service_metrics import SERVICE_FAMILIES
from connector.app.running.sinks.jsonl import JsonLinesSink
from connector.app.running.venues import open_simulated_world
from connector.testing import Fault
from tests.app.running.test_service import SPOT, TEMPLATE, ready


def values(registry: PrometheusRegistry) -> dict[str, dict[tuple[str, ...], float]]:
    """By name and the values of the labels, as a scraper reads them."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(registry.text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


async def test_what_goes_wrong_is_a_number(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TEMPLATE.format(path=tmp_path / "events.jsonl").replace("symbols", "buffer = 8\nsymbols")
    configuration = read_configuration(text + SPOT)
    registry = PrometheusRegistry()
    async with open_simulated_world(configuration) as world:
        spot = world.exchanges["binance_spot"]
        async with open_service(configuration, world, registry) as service:
            registry.show_service(service)
            await ready(service)
            well = values(registry)

            async def refuse(sink: JsonLinesSink, data: bytes) -> None:
                raise OSError("no room")

            monkeypatch.setattr(JsonLinesSink, "_write", refuse)
            spot.inject(Fault("http_status", status=404))
            spot.break_connections("reset")
            await trio.sleep(30)
            ill = values(registry)

            async def hang(sink: JsonLinesSink, data: bytes) -> None:
                await trio.sleep_forever()

            monkeypatch.setattr(JsonLinesSink, "_write", hang)
            await trio.sleep(60)
            stuck = values(registry)
            monkeypatch.undo()

    # Redis and accounts have tests of their own.
    others = ("connector_redis", "connector_account")
    names = {each.name for each in SERVICE_FAMILIES if not each.name.startswith(others)}
    assert names <= {*well, *ill}
    (build,) = well["connector_build_info"]
    assert build[0] in ("yes", "no") and build[2] == __version__
    assert well["connector_ready"] == {(): 1} and ill["connector_ready"] == {(): 0}
    assert well["connector_sink_failed"] == {("jsonl",): 0}
    assert ill["connector_sink_failed"] == {("jsonl",): 1}
    assert ill["connector_sink_failures_total"]["jsonl",] > 3
    assert ill["connector_sink_lost_total"]["jsonl",] > 10
    assert stuck["connector_sink_busy_seconds"]["jsonl",] > 20
    free = well["connector_sink_disk_free_bytes"]["jsonl",]
    assert 0 < free <= well["connector_sink_disk_bytes"]["jsonl",]
    assert set(well["connector_adapter_failed"]) == {("futures",), ("spot",)}
    assert well["connector_last_reload_success"] == {(): 1}


async def test_a_reload_that_finds_mistakes_is_a_number(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services: list[Service] = []
    apply = Service.apply

    async def remember(service: Service, new: object) -> None:
        services.append(service)
        await apply(service, new)  # type: ignore[arg-type]

    monkeypatch.setattr(Service, "apply", remember)
    text = TEMPLATE.format(path=tmp_path / "events.jsonl")
    config, requests = tmp_path / "run.toml", Requests()
    config.write_text(text.replace("trades", "trade"))
    found = []
    async with trio.open_nursery() as nursery:
        options = Options(path=config, simulate=True)
        nursery.start_soon(run_program, options, read_configuration(text), requests)
        await trio.sleep(5)
        applied = services[0].last_reload.applied_at
        for written in (text.replace("trades", "trade"), text):
            config.write_text(written)
            requests.reload.set()
            await trio.sleep(5)
            found.append(services[0].last_reload)
        requests.stop.set()

    assert [each.success for each in found] == [False, True]
    assert found[0].applied_at == applied <= found[1].applied_at
