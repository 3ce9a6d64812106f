"""The pages of a run: ``/metrics`` for Prometheus, two of health, and ``/`` for a person.

``/`` asks for the fragment ``/live`` once a second and shows it: no build step, nothing from any
other address.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from html import escape
from types import MappingProxyType

from connector._version import __version__
from connector.app.naming import write_channel
from connector.app.running.readiness import STUCK_SECONDS, unready
from connector.app.running.registry import PrometheusRegistry
from connector.app.running.server import Page
from connector.app.running.service import Registry, Service
from connector.app.running.sink_slot import AnySlot
from connector.app.secret import Secret
from connector.errors import DecodeError
from connector.lifecycle import Lifecycle

METRICS_KIND = "text/plain; version=0.0.4; charset=utf-8"
HTML = "text/html; charset=utf-8"
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
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884; }
td.n, th.n { text-align: right; }
.good { color: #1a7f37; } .bad { color: #cf222e; font-weight: 600; }
.away #live { opacity: .35; } .note { display: none; } .away .note { display: block; }
"""
POLICY = (b"content-security-policy", b"default-src 'self' 'unsafe-inline'; frame-ancestors 'none'")

ASK = ((b"www-authenticate", b"Bearer"), (b"www-authenticate", b'Basic realm="connector"'))
"""A machine sends the token; a browser asks a person for it, as the password of any name."""


class Pages:
    """The pages of `service`.

    Args:
        service: what runs.
        registry: what ``/metrics`` shows.
        token: with one, every page but the two of health asks for it.
    """

    def __init__(self, service: Service, registry: Registry, token: Secret | None = None) -> None:
        assert isinstance(registry, PrometheusRegistry)
        self._service = service
        self._registry = registry
        self._token = token
        registry.show_service(service)
        self._open: Mapping[str, Callable[[], Page]] = MappingProxyType(
            {"/healthz": self._health, "/readyz": self._readiness}
        )
        self._guarded: Mapping[str, Callable[[], Page]] = MappingProxyType(
            {"/metrics": self._metrics, "/live": self._live, "/": self._whole}
        )

    def answer(self, path: str, headers: Mapping[str, str]) -> Page:
        """The page at `path`."""
        if path in self._open:
            return self._open[path]()
        if not self._is_allowed(headers):
            return Page(401, "text/plain", b"a token is needed\n", ASK)
        if path in self._guarded:
            return self._guarded[path]()
        known = " ".join((*self._guarded, *self._open))
        return Page(404, "text/plain", f"there are: {known}\n".encode())

    def _is_allowed(self, headers: Mapping[str, str]) -> bool:
        if self._token is None:
            return True
        given = _given(headers.get("authorization", ""))
        return hmac.compare_digest(given, self._token.reveal().encode())

    def _health(self) -> Page:
        """The loop turns: whoever reads this has the proof."""
        return Page(200, "text/plain", b"ok\n")

    def _readiness(self) -> Page:
        reasons = unready(self._service)
        text = "\n".join(reasons) or "ready"
        return Page(503 if reasons else 200, "text/plain", f"{text}\n".encode())

    def _metrics(self) -> Page:
        return Page(200, METRICS_KIND, self._registry.text())

    def _whole(self) -> Page:
        body = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>connector</title>'
            f'<link rel="icon" href="data:,"><style>{STYLE}</style>'
            f"<h1>connector {__version__}</h1>"
            '<p class="note bad">No answer: this is what was there last.</p>'
            f'<div id="live">{self._fragment()}</div>'
            '<p><a href="/metrics">metrics</a> · <a href="/readyz">readiness</a></p>'
            f"<script>{SCRIPT}</script></html>"
        )
        policy = POLICY[1].replace(b"default-src", b"img-src data:; default-src")
        return Page(200, HTML, body.encode(), ((POLICY[0], policy),))

    def _live(self) -> Page:
        return Page(200, HTML, self._fragment().encode())

    def _fragment(self) -> str:
        service = self._service
        reasons = unready(service)
        state = '<span class="good">ready</span>'
        if reasons:
            state = f'<span class="bad">not ready: {escape("; ".join(reasons[:5]))}</span>'
        summary = service.summary()
        counts = f"{summary.messages:,} messages · {summary.gaps} gaps · {summary.drops} drops"
        parts = [f"<p>{state} · up {summary.seconds:.0f} s · {counts}</p>"]
        for name, adapter in service.adapters.items():
            now = adapter.statistics()
            owned = f"tasks {now.tasks}, sockets {now.sockets_open}"
            parts += [
                f"<h2>{escape(f'{name}: {adapter.exchange.name}, {owned}')}</h2>",
                table(
                    ("link", "state", "session", "streams", "messages", "KB on the wire", "lag ms",
                     "reconnects"),
                    (
                        (link.name, link.state, link.session, link.streams, link.messages,
                         round(link.wire_bytes / 1000),
                         "–" if link.lag_seconds is None else round(link.lag_seconds * 1000),
                         ", ".join(f"{why} {n}" for why, n in link.reconnects.items()) or "none")
                        for link in now.links
                    ),
                ),
            ]  # fmt: skip
        pumps = service.pumps.items()
        parts += [
            "<h2>groups</h2>",
            table(
                ("group", "sink", "channels", "subscribed", "refused"),
                (
                    (group, sink, len(pump.plan.channels), "yes" if pump.live else "not yet",
                     ", ".join(map(write_channel, pump.refused)) or "none")
                    for (group, sink), pump in pumps
                ),
            ),
            "<h2>sinks</h2>",
            table(
                ("sink", "kind", "events", "batches", "lost", "state"),
                ((name, slot.plan.kind, slot.events, slot.batches, slot.lost, state_of(slot))
                 for name, slot in service.slots.items()),
            ),
            "<h2>what happened last</h2>",
            table(
                ("time", "adapter", "event", "where"),
                (told(name, event) for name, event in reversed([*service.recent][-15:])),
            ),
        ]  # fmt: skip
        return "".join(parts)


def state_of(slot: AnySlot) -> str:
    """How a sink is."""
    if slot.trouble.reason:
        return f"failed: {slot.trouble.reason}"
    seconds = slot.stuck_seconds
    return f"busy for {seconds:.0f} s" if seconds >= STUCK_SECONDS else "well"


def _given(authorization: str) -> bytes:
    """The token that stands in the header of a request."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return value.encode() if scheme.lower() == "bearer" else b""
    try:
        return base64.b64decode(value).partition(b":")[2]
    except ValueError:
        return b""


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """An HTML table; columns of numbers to the right."""
    cells = [[*row] for row in rows]
    first = cells[0] if cells else []
    names = [*head]
    kinds = [*map(is_number, first), *[False] * (len(names) - len(first))]
    lines = [_row("th", zip(names, kinds, strict=True))]
    lines += [_row("td", ((each, is_number(each)) for each in row)) for row in cells]
    return f"<table>{''.join(lines)}</table>"


def is_number(value: object) -> bool:
    """Whether `value` is shown as one."""
    return isinstance(value, int | float)


_RIGHT = ' class="n"'


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else escape(str(value))


def _row(tag: str, cells: Iterable[tuple[object, bool]]) -> str:
    shown = (f"<{tag}{_RIGHT if number else ''}>{_text(each)}</{tag}>" for each, number in cells)
    return f"<tr>{''.join(shown)}</tr>"


def told(adapter: str, event: Lifecycle) -> tuple[str, ...]:
    """A line about `event`."""
    if isinstance(event, DecodeError):
        return "", adapter, "DecodeError", str(event)
    clock = time.strftime("%H:%M:%S", time.gmtime(event.time_ns / 1e9))
    reason = getattr(event, "reason", "")
    where = f"{event.link}, session {event.session}"
    return clock, adapter, type(event).__name__ + (f": {reason}" if reason else ""), where
