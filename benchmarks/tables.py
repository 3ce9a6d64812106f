"""The results as Markdown, and into the page of the documentation that shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.field import BARE_TRIO, MARK, TWO_TASKS, US

Results = Mapping[str, Any]
"""What `benchmarks.run` writes as JSON."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]], texts: int) -> str:
    """A table whose first `texts` columns are text, and the others numbers."""
    head = list(head)
    rule = ["---"] * texts + ["---:"] * (len(head) - texts)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def ratio(figures: Mapping[str, Any], mark: Mapping[str, Any] | None, what: str) -> str:
    return f"{figures[what] / mark[what]:.2f}" if mark else "–"


def cost(results: Results) -> str:
    """CPU per message, all contestants."""
    rows = []
    for workload, contestants in results.items():
        mark, other = contestants.get(MARK), contestants.get("websockets")
        for name, figures in contestants.items():
            shown = f"**{name}**" if name == US else name
            if "failed" in figures:
                rows.append([workload, shown, f"– ({figures['failed']})", "", "", "", ""])
                continue
            rows.append([
                workload, shown, f"{figures['cpu_us']:.2f}", ratio(figures, mark, "cpu_us"),
                ratio(figures, other, "cpu_us"), f"{figures['per_second']:,.0f}",
                f"{figures['rss_mib']:.0f}",
            ])  # fmt: skip
    head = ("workload", "client", "CPU µs per message", f"ratio to {MARK}",
            "ratio to websockets", "messages/s", "peak RSS MiB")  # fmt: skip
    return table(head, rows, 2)


def headlines(results: Results) -> str:
    """The ratio of each workload, in a line each."""
    lines = []
    for workload, contestants in results.items():
        mark, ours = contestants.get(MARK, {}), contestants.get(US, {})
        if "cpu_us" in mark and "cpu_us" in ours:
            lines.append(f"{workload}: {ours['cpu_us'] / mark['cpu_us']:.2f} × {MARK}")
    return "\n".join(lines)


def latency_headline(offered: str, contestants: Results) -> str:
    """The ratio of the medians beside the least that two tasks of trio can do."""
    least, ours = contestants.get(TWO_TASKS, {}), contestants.get(US, {})
    if "p50" not in least or "p50" not in ours:
        return f"latency at {offered}: not measured"
    return f"latency at {offered}: {ours['p50'] / least['p50']:.2f} × {TWO_TASKS}"


def latency(results: Results) -> str:
    """From the moment of sending to the user's object."""
    rows = []
    for offered, contestants in results.items():
        mark = contestants.get(MARK)
        for name, figures in contestants.items():
            shown = f"**{name}**" if name == US else name
            if "failed" in figures:
                rows.append([offered, shown, f"– ({figures['failed']})", "", "", "", ""])
                continue
            numbers = [f"{figures[key]:,.0f}" for key in ("p50", "p99", "p999")]
            rows.append([offered, shown, *numbers, ratio(figures, mark, "p50"),
                         f"{figures['cpu_us']:.1f}"])  # fmt: skip
    head = ("offered", "client", "p50 µs", "p99 µs", "p99.9 µs", f"p50 to {MARK}",
            "CPU µs per message")  # fmt: skip
    return table(head, rows, 2)


def orders_headline(contestants: Results) -> str:
    """The ratios of CPU per order and per fill."""
    ours = contestants.get(US, {})
    marks = [(name, contestants.get(name, {})) for name in (MARK, BARE_TRIO)]
    found = [
        f"an order: {ours['order_us'] / mark['order_us']:.2f} × {name}; "
        f"a fill: {ours['event_us'] / mark['event_us']:.2f} ×"
        for name, mark in marks
        if "order_us" in mark and "order_us" in ours
    ]
    return "; ".join(found) or "orders: not measured"


def orders(results: Results) -> str:
    """From `place` to accepted, and fills."""
    rows = []
    for offered, contestants in results.items():
        picows, bare = contestants.get(MARK), contestants.get(BARE_TRIO)
        for name, figures in contestants.items():
            shown = f"**{name}**" if name == US else name
            if "failed" in figures:
                rows.append([offered, shown, f"– ({figures['failed']})", *[""] * 6])
                continue
            fills = "event_us" in figures
            rows.append([
                offered, shown, f"{figures['order_us']:.0f}", ratio(figures, picows, "order_us"),
                ratio(figures, bare, "order_us"), f"{figures['least_us']:.0f}",
                ratio(figures, bare, "least_us"), f"{figures['p50_us']:,.0f}",
                f"{figures['event_us']:.1f}" if fills else "–",
            ])  # fmt: skip
    head = ("offered", "client", "CPU µs per order", f"ratio to {MARK}", f"ratio to {BARE_TRIO}",
            "CPU µs, least of the chunks", f"least, to {BARE_TRIO}", "accepted after, p50 µs",
            "CPU µs per fill")  # fmt: skip
    return table(head, rows, 2)


def late(results: Results) -> str:
    """Offered more than is wanted."""
    mark = results.get(MARK)
    rows = [
        [name, f"{figures['cpu_us']:.2f}", ratio(figures, mark, "cpu_us")]
        for name, figures in results.items()
        if "failed" not in figures
    ]
    return table(("client", "CPU µs per offered message", f"ratio to {MARK}"), rows, 1)


def idle(results: Results) -> str:
    """What a connection at rest holds."""
    rows = [
        [name, f"{figures['kib']:.0f}", f"{figures['open_ms']:.1f}"]
        for name, figures in results.items()
        if "failed" not in figures
    ]
    return table(("one more of 200", "KiB", "CPU ms to open"), rows, 1)


def reconnect(results: Results) -> str:
    """The way back with 1,000 streams."""
    rows = [
        ["connected, the pause before it included", f"{results['connected_ms']:,.0f} ms"],
        ["all acknowledged, at the rate that the exchange allows",
         f"{results['subscribed_ms']:,.0f} ms"],
        ["CPU for all of it", f"{results['cpu_ms']:,.0f} ms"],
    ]  # fmt: skip
    return table(("reconnect with 1,000 streams", ""), rows, 1)


def growth(results: Results) -> str:
    """The curves as numbers."""
    rows = [
        [title, workload, ", ".join(f"{size}: {us:.2f}" for size, us in curve.items())]
        for title, workloads in results.items()
        for workload, curve in workloads.items()
    ]
    return table(("how many", "workload", "CPU µs per message that comes in"), rows, 3)


def fairness(results: Results) -> str:
    """How long others wait."""
    rows = [
        ["a consumer that never awaits, per turn", f"{results['consumer_ms']:.2f} ms"],
        ["a read of 64 KiB with all its messages", f"{results['reader_ms']:.2f} ms"],
        ["another task, between two of its turns, beside a burst of 1 MB",
         f"{results['behind_burst_ms']:.2f} ms"],
    ]  # fmt: skip
    return table(("who keeps the loop, at depth5", "longest"), rows, 1)


SECTIONS = {
    "cost": cost,
    "latency": latency,
    "orders": orders,
    "late": late,
    "idle": idle,
    "reconnect": reconnect,
    "growth": growth,
    "fairness": fairness,
}


def sections(results: Results) -> dict[str, str]:
    """The tables of those parts that were measured."""
    return {name: make(results[name]) for name, make in SECTIONS.items() if results.get(name)}


def into_page(page: Path, results: Results) -> None:
    """Replace what stands between the marks of each part that was measured."""
    text = page.read_text()
    tables = {"conditions": results["conditions"], **sections(results)}
    for name, content in tables.items():
        begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
        pattern = re.compile(f"{begin}\n.*?{end}", re.DOTALL)
        found = pattern.search(text)
        if found is None:
            raise LookupError(f"{page} has no place for {name}: {begin} … {end}")
        made = f"{begin}\n\n{content}\n\n{end}"
        text = text[: found.start()] + made + text[found.end() :]
    page.write_text(text)
