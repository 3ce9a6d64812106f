"""Run the contestants side by side; print the tables, and write them.

python -m benchmarks.run --quick            # the headline ratios, in about a minute
python -m benchmarks.run                    # everything; benchmarks/results.{json,md}
python -m benchmarks.run --page docs/performance.md --chart docs/_static/growth.svg
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import chart, tables
from benchmarks.build import warn_if_not_compiled
from benchmarks.field import (
    CONTESTANTS,
    HEADLINES,
    IDLE,
    LATE,
    MARK,
    ORDERS,
    PACED,
    TWO_TASKS,
    US,
    WORKLOADS,
    Contestant,
    Workload,
)
from benchmarks.launch import HERE, Failed, Figures, Site, server
from benchmarks.workloads import CAPTURE

RATES = {"1,000/s": (1_000, 3_000), "5,000/s": (5_000, 10_000), "20,000/s": (20_000, 40_000),
         "bursts of 1,131 in 100 ms": (0, 11_310)}  # fmt: skip
"""Messages per second, 0 for bursts, and how many of them."""
QUICK_RATE = "5,000/s"
ORDER_RATES = {"one by one": (0, 2_000, 5_000), "1/s": (1, 10, 0), "10/s": (10, 50, 0),
               "100/s": (100, 300, 0)}  # fmt: skip
"""Orders per second (0: each as soon as the last is accepted), how many, and fills behind them."""
QUICK_ORDERS = "one by one"
LATE_RATE, LATE_MESSAGES = 50_000, 100_000
PACKAGES = ("picows", "aiohttp", "websockets", "trio", "trio-websocket", "msgspec")

Run = Callable[[str, Contestant], Figures]


def interleaved(contestants: dict[str, Contestant], rounds: int, run: Run) -> dict[str, Any]:
    """Medians by contestant, or why there are none; one run of each per round."""
    runs: dict[str, list[Figures]] = {name: [] for name in contestants}
    failed: dict[str, str] = {}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            if name in failed and not runs[name]:
                continue
            try:
                runs[name].append(run(name, contestant))
            except Failed as error:
                failed[name] = str(error)
                print(f"  {name}: {error}", file=sys.stderr)
    return {
        name: {key: statistics.median(run[key] for run in figures) for key in figures[0]}
        if figures
        else {"failed": failed[name]}
        for name, figures in runs.items()
    }


def cost(site: Site, workload: Workload, names: Sequence[str], rounds: int) -> dict[str, Any]:
    """CPU per message."""
    fit = {name: CONTESTANTS[name] for name in names if workload.fits(CONTESTANTS[name])}
    with site.load_server(workload) as port:

        def run(_: str, contestant: Contestant) -> Figures:
            return site.run(contestant, [
                workload.name, port, "--messages", workload.messages // contestant.share,
                "--symbols", workload.symbols, *["--tls"] * workload.tls,
                *["--deflate"] * workload.deflate,
            ])  # fmt: skip

        return interleaved(fit, rounds, run)


def paced(
    site: Site,
    workload: str,
    rate: int,
    messages: int,
    *,
    field: dict[str, Contestant],
    rounds: int,
) -> dict[str, Any]:
    """Offered at a rate: latency, or the cost of what nobody wants."""
    command = ["benchmarks.paced", workload, "--messages", str(messages), "--rate", str(rate)]
    with server(command) as port:
        arguments = [workload, port, "--messages", messages]
        return interleaved(field, rounds, lambda _, each: site.run(each, arguments))


def orders(
    site: Site, offered: str, *, field: dict[str, Contestant], rounds: int
) -> dict[str, Any]:
    """What an order costs and takes, and what a fill costs; a server of its own for each run."""
    rate, count, fills = ORDER_RATES[offered]

    def run(_: str, contestant: Contestant) -> Figures:
        with server(["benchmarks.order_server"]) as port:
            return site.run(contestant, [port, "--orders", count, "--fills", fills, "--rate", rate])

    return interleaved(field, rounds, run)


def idle(site: Site, rounds: int) -> dict[str, Any]:
    """What one more connection at rest holds."""
    script = Contestant("idle")
    with site.load_server(Workload("trade", 1)) as port:
        return interleaved(
            dict.fromkeys(IDLE, script),
            rounds,
            lambda name, each: site.run(each, [IDLE[name], port]),
        )


def reconnect(site: Site, rounds: int) -> dict[str, Any]:
    """The way back of a link with 1,000 streams."""
    script = Contestant("reconnect_connector")
    with site.load_server(Workload("trade", 1)) as port:
        found = interleaved({US: script}, rounds, lambda _, each: site.run(each, [port]))
    return dict(found[US])


def grown() -> dict[str, Any]:
    """Curves and fairness, in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.growth"]
    return dict(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))


def missing() -> list[str]:
    """The packages of contestants that run in this environment, and are not in it."""
    return [name for name in PACKAGES if not installed(name)]


def installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def conditions(rounds: int) -> str:
    """Where, when and how busy."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    load = os.getloadavg()[1] if hasattr(os, "getloadavg") else 0.0
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, "
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} "
        f"processors, medians of {rounds} interleaved rounds. Load average at the end: {load:.1f} "
        f"(the benchmark itself makes 2). {versions}."
    )


def main() -> None:
    warn_if_not_compiled()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the headline ratios")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--parts", nargs="*", choices=tables.SECTIONS, default=tables.SECTIONS)
    parser.add_argument("--only", nargs="*", help="names of workloads, for the part cost")
    parser.add_argument("--contestants", nargs="*", help="names of clients, for the part cost")
    parser.add_argument(
        "--environments", type=Path, default=HERE / ".environments",
        help="where the clients are installed that are not in this one",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, default=HERE / "results",
                        help="where to write .json and .md")  # fmt: skip
    parser.add_argument("--page", type=Path, help="a page with marked places for the tables")
    parser.add_argument("--chart", type=Path, help="an SVG for the curves")
    options = parser.parse_args()
    if absent := missing():
        parser.exit(1, f"not installed here: {', '.join(absent)}; install the group bench\n")
    if options.quick:
        quick(options.rounds or 3)
        return

    rounds = options.rounds or 5
    # What was measured before stays, until it is measured again.
    kept = options.output.with_suffix(".json")
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for part, found in measured(options, rounds):
        if part == "cost":
            for workload, figures in found.items():
                results.setdefault(part, {}).setdefault(workload, {}).update(figures)
        else:
            results[part] = found
        results["conditions"] = conditions(rounds)
        kept.write_text(json.dumps(results, indent=2) + "\n")
        made = tables.sections(results)
        text = "\n\n".join([results["conditions"], *made.values()])
        options.output.with_suffix(".md").write_text(text + "\n")
        print(tables.SECTIONS[part](found), end="\n\n", flush=True)
    if options.page:
        tables.into_page(options.page, results)
    if options.chart and results.get("growth"):
        chart.draw(results["growth"], options.chart)


def measured(options: argparse.Namespace, rounds: int) -> Iterator[tuple[str, Any]]:
    """Part by part; the cost of each workload is a part of its own."""
    parts = set(options.parts)
    with Site.prepared(options.environments) as site:
        for workload in WORKLOADS if "cost" in parts else ():
            if options.only and not {workload.name, str(workload)} & set(options.only):
                continue
            if workload.name == "mix" and not CAPTURE.exists():
                print(f"  mix: left out, {CAPTURE} is not there", file=sys.stderr)
                continue
            names = options.contestants or list(CONTESTANTS)
            yield "cost", {str(workload): cost(site, workload, names, rounds)}
        if "latency" in parts:
            yield (
                "latency",
                {
                    offered: paced(site, "trade", rate, messages, field=PACED, rounds=rounds)
                    for offered, (rate, messages) in RATES.items()
                },
            )
        if "orders" in parts:
            yield (
                "orders",
                {each: orders(site, each, field=ORDERS, rounds=rounds) for each in ORDER_RATES},
            )
        if "late" in parts:
            yield "late", paced(site, "depth5", LATE_RATE, LATE_MESSAGES, field=LATE, rounds=rounds)
        if "idle" in parts:
            yield "idle", idle(site, 1)
        if "reconnect" in parts:
            yield "reconnect", reconnect(site, rounds)
    if parts & {"growth", "fairness"}:
        found = grown()
        yield "growth", found["curves"]
        yield "fairness", found["fairness"]


def quick(rounds: int) -> None:
    """Print the headline ratios: CPU of two workloads, latency beside two tasks of trio, orders."""
    with Site.prepared(HERE / ".environments") as site:
        results = {
            str(workload): cost(site, workload, [MARK, US], rounds) for workload in HEADLINES
        }
        field = {name: PACED[name] for name in (TWO_TASKS, US)}
        rate, messages = RATES[QUICK_RATE]
        found = paced(site, "trade", rate, messages, field=field, rounds=rounds)
        placing = {name: ORDERS[name] for name in (MARK, US)}
        placed = orders(site, QUICK_ORDERS, field=placing, rounds=rounds)
    print(tables.headlines(results))
    print(tables.latency_headline(QUICK_RATE, found))
    print(tables.orders_headline(placed))


if __name__ == "__main__":
    main()
