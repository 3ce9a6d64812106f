"""Draw the state of a run on a terminal: as much as fits, with the newest events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from connector.app.running.live_page import clock
from connector.app.running.state import AdapterLine, State
from connector.app.words import counted

BARS = "▁▂▃▄▅▆▇█"
CURVE_CHARACTERS = 24
STATES = {"streaming": "green", "works": "green", "idle": "dim"}
_LEAST_EVENTS = 3


class TopScreen:
    """Draws a state into the height that the terminal has.

    Args:
        state: what to show; None before the first answer.
        trouble: why there is no newer one; empty while there is.
    """

    def __init__(self, state: State | None, trouble: str = "") -> None:
        self._state = state
        self._trouble = trouble

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or console.height
        lines: list[RenderableType] = []
        if self._trouble:
            lines.append(Text(f"no answer: {self._trouble}", style="bold red"))
        if self._state is not None:
            rest = height - 1 - len(lines)
            lines += _fitted(self._state, console, options, rest)
        yield Group(*lines)


def _fitted(
    state: State, console: Console, options: ConsoleOptions, height: int
) -> Iterator[RenderableType]:
    """Blocks from the top as long as they fit; the events take what is left, but always some."""
    blocks = [_headline(state), *_adapters(state), *_accounts(state)]
    blocks += [*_sinks(state), *_market(state)]
    free = height - _LEAST_EVENTS
    for block in blocks:
        taken = len(console.render_lines(block, options.update(height=None), pad=False))
        if taken <= free:
            yield block
            free -= taken
    for event in state.recent[: free + _LEAST_EVENTS]:
        text = f"{clock(event.time_ns)}  {event.adapter}  {event.text}  {event.where}"
        yield Text(text, style="dim", no_wrap=True, overflow="ellipsis")


def _headline(state: State) -> Text:
    ready = ("ready", "bold green")
    if state.reasons:
        ready = (f"not ready: {'; '.join(state.reasons[:3])}", "bold red")
    facts = [
        clock(state.time_ns),
        f"up {state.up_seconds:,.0f} s",
        counted(state.messages, "message"),
        counted(state.gaps, "gap"),
        counted(state.drops, "drop"),
    ]
    line = Text.assemble(ready, *(f"  {fact}" for fact in facts))
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _adapters(state: State) -> Iterator[RenderableType]:
    yield _grid(
        ("link", "state", "session", "msg/s", "KB/s", "lag ms", "reconnects"),
        [
            (
                link.name,
                Text(link.state, style=STATES.get(link.state, "yellow")),
                f"{link.session}",
                f"{link.messages_per_second:,.0f}",
                f"{link.bytes_per_second / 1000:,.1f}",
                "–" if link.lag_ms is None else f"{link.lag_ms:,.0f}",
                f"{sum(link.reconnects.values())}",
            )
            for adapter in state.adapters
            for link in adapter.links
        ],
        texts=2,
    )
    for adapter in state.adapters:
        yield _curves(adapter)
    for adapter in state.adapters:
        yield from _troubles(adapter)


def _troubles(adapter: AdapterLine) -> Iterator[RenderableType]:
    unsynced = [book for book in adapter.books if not book.synced]
    for book in unsynced[:2]:
        said = f"{book.name} not synced for {book.unsynced_seconds:.0f} s {book.cause}"
        yield Text(said, style="red", no_wrap=True, overflow="ellipsis")
    if adapter.silent:
        said = ", ".join(f"{each.name} for {each.seconds:.0f} s" for each in adapter.silent)
        yield Text(f"silent: {said}", style="red", no_wrap=True, overflow="ellipsis")


def _curves(adapter: AdapterLine) -> Text:
    values = adapter.curves.messages_per_second[-CURVE_CHARACTERS:]
    line = Text.assemble(
        (f"{adapter.name} ", "bold"),
        (bars(values), "cyan"),
        f" msg/s, {adapter.curves.step_seconds:g} s each; "
        f"{counted(adapter.tasks, 'task')}, {counted(adapter.sockets, 'socket')}",
    )
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def bars(values: Sequence[float | None]) -> str:
    """Values as bars; a space where there is none."""
    highest = max((each for each in values if each is not None), default=0.0) or 1.0
    top = len(BARS) - 1
    return "".join(" " if each is None else BARS[round(each / highest * top)] for each in values)


def _accounts(state: State) -> Iterator[RenderableType]:
    if state.accounts:
        yield _grid(
            ("account", "state", "open orders", "fills", "sync lost"),
            [
                (
                    f"{each.name}: {each.adapter}",
                    Text("synced", style="green")
                    if each.synced
                    else Text(f"not synced: {each.cause}", style="bold red"),
                    f"{each.open_orders:,}",
                    f"{each.fills:,}",
                    f"{each.unsynced:,}",
                )
                for each in state.accounts
            ],
            texts=2,
        )
    for account in state.accounts:
        held = ", ".join(f"{each.quantity} {each.name}" for each in account.holdings)
        yield Text(f"{account.name}: {held or 'nothing'}", no_wrap=True, overflow="ellipsis")


def _sinks(state: State) -> Iterator[RenderableType]:
    yield _grid(
        ("sink", "state", "events", "events/s", "waiting", "lost"),
        [
            (
                each.name,
                Text(each.state, style=STATES.get(each.state, "bold red")),
                f"{each.events:,}",
                f"{each.events_per_second:,.0f}",
                f"{each.waiting:,}",
                f"{each.lost:,}",
            )
            for each in state.sinks
        ],
        texts=2,
    )


def _market(state: State) -> Iterator[RenderableType]:
    if state.tops:
        yield _grid(
            ("symbol", "from", "bid", "ask", "spread", "age s"),
            [
                (
                    top.symbol,
                    f"{top.adapter} {top.channel}" + " not synced" * (not top.synced),
                    Text(top.bid or "–", style="green"),
                    Text(top.ask or "–", style="red"),
                    top.spread or "–",
                    f"{top.age_seconds:,.1f}",
                )
                for top in state.tops[:8]
            ],
            texts=2,
        )
    for trade in state.trades[:3]:
        style = {"buy": "green", "sell": "red"}.get(trade.side, "default")
        text = f"{trade.symbol} {trade.side} {trade.quantity} @ {trade.price}"
        yield Text.assemble(f"{clock(trade.time_ns)}  ", (text, style))


def _grid(
    head: Sequence[str], rows: Iterable[Sequence[RenderableType]], *, texts: int
) -> RenderableType:
    """A table without lines; the first `texts` columns are text, the others numbers."""
    grid = Table(box=None, expand=True, pad_edge=False, header_style="dim")
    for index, name in enumerate(head):
        justify = "left" if index < texts else "right"
        grid.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    for row in rows:
        grid.add_row(*row)
    return grid
