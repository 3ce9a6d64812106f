"""Render the live page as HTML: one column on a phone, and dark if the system is dark.

`whole` is the page, `fragment` the part that its script fetches once a second. Every table becomes
a list of cards where the window is narrow, so that nothing stands past its edge.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from connector.app.running.account_lines import AccountLine
from connector.app.running.curves import curve
from connector.app.running.history import SAMPLES
from connector.app.running.state import NS_PER_SECOND, AdapterLine, State
from connector.app.words import counted

SCRIPT = """
const live = document.getElementById("live");
async function refresh() {
  try {
    const answer = await fetch("/live");
    if (!answer.ok) throw new Error(answer.status);
    live.innerHTML = await answer.text();
    document.body.className = "";
  } catch (error) {
    document.body.className = "away";
  }
  setTimeout(refresh, 1000);
}
refresh();
"""
STYLE = """
:root { color-scheme: light dark; --good: #1a7f37; --bad: #cf222e; --line: #0969da; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --line: #58a6ff; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 76rem;
  padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884;
  vertical-align: top; }
td.n, th.n { text-align: right; }
.good, .buy { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.sell { color: var(--bad); }
.curves { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; }
figure { margin: 0; flex: 1 1 12rem; min-width: 0; }
svg { display: block; width: 100%; height: 3rem; border-bottom: 1px solid #8884; }
polyline { fill: none; stroke: var(--line); stroke-width: 1.5; }
small { opacity: .7; }
.away #live { opacity: .35; } .note { display: none; } .away .note { display: block; }
@media (max-width: 46rem) {
  thead { display: none; }
  tr { display: grid; grid-template-columns: 1fr 1fr; gap: 0 .8rem; padding: .3rem 0;
    border-bottom: 1px solid #8884; }
  td, td.n { border: 0; padding: 0; text-align: left; min-width: 0; }
  td::before { content: attr(data-label) " "; opacity: .7; }
}
"""


def whole(state: State) -> str:
    """The whole page."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>connector</title><link rel="icon" href="data:,"><style>{STYLE}</style>'
        f"<h1>connector {escape(state.version)}</h1>"
        '<p class="note bad">No answer. This is the last state.</p>'
        f'<div id="live">{fragment(state)}</div>'
        '<p><a href="/metrics">metrics</a> · <a href="/readyz">readiness</a> · '
        '<a href="/state">state as JSON</a></p>'
        f"<script>{SCRIPT}</script></html>"
    )


def fragment(state: State) -> str:
    """The part of the page that changes."""
    return "".join(_parts(state))


def clock(time_ns: int) -> str:
    """A time of day with its zone; empty for 0."""
    return time.strftime("%H:%M:%S UTC", time.gmtime(time_ns / NS_PER_SECOND)) if time_ns else ""


def _parts(state: State) -> Iterator[str]:
    ready = '<span class="good">ready</span>'
    if state.reasons:
        ready = f'<span class="bad">not ready: {escape("; ".join(state.reasons[:5]))}</span>'
    facts = (
        clock(state.time_ns),
        f"up {state.up_seconds:.0f} s",
        counted(state.messages, "message"),
        counted(state.gaps, "gap"),
        counted(state.drops, "drop"),
    )
    yield f"<p>{ready} · {' · '.join(facts)}</p>"
    for adapter in state.adapters:
        yield from _of_adapter(adapter)
    for account in state.accounts:
        yield from _of_account(account)
    yield from _of_market(state)
    yield "<h2>sinks</h2>"
    yield table(
        ("sink", "kind", "events", "events/s", "waiting", "oldest waits s", "lost", "state"),
        [
            (each.name, each.kind, each.events, round(each.events_per_second), each.waiting,
             round(each.waiting_seconds, 1), each.lost, each.state)
            for each in state.sinks
        ],
    )  # fmt: skip
    yield "<h2>groups</h2>"
    yield table(
        ("group", "sink", "channels", "subscribed", "refused"),
        [
            (each.name, each.sink, each.channels, "yes" if each.subscribed else "not yet",
             ", ".join(each.refused) or "none")
            for each in state.groups
        ],
    )  # fmt: skip
    yield "<h2>last events</h2>"
    yield table(
        ("time", "adapter", "event", "where"),
        [(clock(each.time_ns), each.adapter, each.text, each.where) for each in state.recent],
    )


def _of_adapter(adapter: AdapterLine) -> Iterator[str]:
    owned = f"{counted(adapter.tasks, 'task')}, {counted(adapter.sockets, 'socket')}"
    yield f"<h2>{escape(f'{adapter.name}: {adapter.exchange}, {owned}')}</h2>"
    curves, places = adapter.curves, SAMPLES - 1
    yield '<div class="curves">'
    yield curve("messages", "/s", curves.messages_per_second, places)
    yield curve("lag", "ms", curves.lag_ms, places)
    yield curve("reconnects", f"in {curves.step_seconds:g} s", curves.reconnects, places)
    yield "</div>"
    yield table(
        ("link", "state", "session", "streams", "messages", "messages/s", "KB", "KB/s", "lag ms",
         "reconnects"),
        [
            (link.name, link.state, link.session, link.streams, link.messages,
             round(link.messages_per_second), round(link.wire_bytes / 1000),
             round(link.bytes_per_second / 1000, 1),
             "–" if link.lag_ms is None else round(link.lag_ms),
             ", ".join(f"{why} {count}" for why, count in link.reconnects.items()) or "none")
            for link in adapter.links
        ],
    )  # fmt: skip
    if adapter.books:
        yield table(
            ("book", "state", "levels", "losses"),
            [
                (book.name,
                 "synced" if book.synced
                 else f"not synced for {book.unsynced_seconds:.0f} s {book.cause}",
                 book.levels, book.losses)
                for book in adapter.books
            ],
        )  # fmt: skip
    if adapter.silent:
        said = ", ".join(f"{each.name} for {each.seconds:.0f} s" for each in adapter.silent)
        yield f'<p class="bad">silent: {escape(said)}</p>'


def _of_account(account: AccountLine) -> Iterator[str]:
    known = '<span class="good">synced</span>'
    if not account.synced:
        known = f'<span class="bad">not synced: {escape(account.cause)}</span>'
    yield f"<h2>{escape(f'account {account.name}: {account.adapter}')}, {known}</h2>"
    yield table(
        ("asset or position", "quantity", "free", "entry", "unrealised"),
        [
            (each.name, _price(each.quantity), _price(each.free), _price(each.entry_price),
             _price(each.unrealised))
            for each in account.holdings
        ],
    )  # fmt: skip
    yield table(
        ("open order", "side", "quantity", "price", "filled", "id"),
        [
            (each.symbol, each.side, _price(each.quantity), _price(each.price),
             _price(each.filled), each.client_id)
            for each in account.orders
        ],
    )  # fmt: skip
    yield (
        f"<p>{counted(account.open_orders, 'open order')} · {counted(account.fills, 'fill')} · "
        f"lost its sync {counted(account.unsynced, 'time')}</p>"
    )


def _of_market(state: State) -> Iterator[str]:
    if not state.tops and not state.trades:
        return
    yield "<h2>market</h2>"
    if state.tops:
        yield table(
            ("symbol", "from", "bid", "quantity", "ask", "quantity", "spread", "age s"),
            [
                (top.symbol, f"{top.adapter} {top.channel}" + " not synced" * (not top.synced),
                 _price(top.bid), _price(top.bid_quantity), _price(top.ask),
                 _price(top.ask_quantity), _price(top.spread), round(top.age_seconds, 1))
                for top in state.tops
            ],
        )  # fmt: skip
    if state.more_tops:
        yield f"<p>and {state.more_tops} more</p>"
    if state.trades:
        yield "<h2>last trades</h2>"
        yield table(
            ("time", "adapter", "symbol", "side", "price", "quantity"),
            [
                (clock(each.time_ns), each.adapter, each.symbol, _Side(each.side),
                 _price(each.price), _price(each.quantity))
                for each in state.trades
            ],
        )  # fmt: skip


NUMBER = ' class="n"'
"""The attribute of a cell that holds a number."""


class _Price(str):
    """A number that is written already."""

    __slots__ = ()


class _Side(str):
    """A side, in its colour."""

    __slots__ = ()


def _price(text: str) -> _Price:
    return _Price(text or "–")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; columns of numbers to the right, and each cell with the name of its column."""
    cells = [*rows]
    first = cells[0] if cells else [""] * len(head)
    names = "".join(
        f"<th{NUMBER if is_number(each) else ''}>{escape(name)}</th>"
        for name, each in zip(head, first, strict=True)
    )
    body = "".join("<tr>" + "".join(map(_cell, head, row)) + "</tr>" for row in cells)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def is_number(value: object) -> bool:
    """Whether `value` is shown as one."""
    return isinstance(value, int | float | _Price)


def _kind(value: object) -> str:
    if isinstance(value, _Side):
        return f' class="{escape(value)}"' if value in ("buy", "sell") else ""
    return NUMBER if is_number(value) else ""


def _cell(name: str, value: object) -> str:
    text = f"{value:,}" if isinstance(value, int | float) else escape(str(value))
    return f'<td{_kind(value)} data-label="{escape(name)}">{text}</td>'
