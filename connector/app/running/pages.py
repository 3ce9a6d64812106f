"""The pages of a run: ``/metrics`` for Prometheus, two health checks, and ``/`` for people.

``/`` fetches the fragment ``/live`` once a second and shows it: no build step, nothing from any
other address. ``/state`` is the same as JSON, for ``connector top``.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from connector.app.running.history import History
from connector.app.running.live_page import fragment, whole
from connector.app.running.readiness import unready
from connector.app.running.registry import PrometheusRegistry
from connector.app.running.server import Page
from connector.app.running.service import Service
from connector.app.running.showing import Registry
from connector.app.running.state import State, read_state
from connector.app.secret import Secret

METRICS_KIND = "text/plain; version=0.0.4; charset=utf-8"
HTML = "text/html; charset=utf-8"
POLICY = (b"content-security-policy", b"default-src 'self' 'unsafe-inline'; frame-ancestors 'none'")

ASK = ((b"www-authenticate", b"Bearer"), (b"www-authenticate", b'Basic realm="connector"'))
"""A machine sends the token; a browser asks a person for it, as the password of any name."""


class Pages:
    """The pages of `service`.

    Args:
        service: what runs.
        registry: what ``/metrics`` shows.
        token: with one, every page but the two of health asks for it.
        history: the samples that the curves show; none without.
    """

    def __init__(
        self,
        service: Service,
        registry: Registry,
        token: Secret | None = None,
        history: History | None = None,
    ) -> None:
        assert isinstance(registry, PrometheusRegistry)
        self._service = service
        self._history = history or History(service)
        self._board = registry.board
        self._registry = registry
        self._token = token
        registry.show_service(service)
        self._open: Mapping[str, Callable[[], Page]] = MappingProxyType(
            {"/healthz": self._health, "/readyz": self._readiness}
        )
        self._guarded: Mapping[str, Callable[[], Page]] = MappingProxyType(
            {
                "/metrics": self._metrics,
                "/state": self._as_json,
                "/live": self._live,
                "/": self._whole,
            }
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
        """Answer: that is the proof that the event loop turns."""
        return Page(200, "text/plain", b"ok\n")

    def _readiness(self) -> Page:
        reasons = unready(self._service)
        text = "\n".join(reasons) or "ready"
        return Page(503 if reasons else 200, "text/plain", f"{text}\n".encode())

    def _metrics(self) -> Page:
        return Page(200, METRICS_KIND, self._registry.text())

    def _whole(self) -> Page:
        policy = POLICY[1].replace(b"default-src", b"img-src data:; default-src")
        return Page(200, HTML, whole(self._state()).encode(), ((POLICY[0], policy),))

    def _live(self) -> Page:
        return Page(200, HTML, fragment(self._state()).encode())

    def _as_json(self) -> Page:
        return Page(200, "application/json", msgspec.json.encode(self._state()))

    def _state(self) -> State:
        return read_state(self._service, self._history, self._board)


def _given(authorization: str) -> bytes:
    """The token that stands in the header of a request."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return value.encode() if scheme.lower() == "bearer" else b""
    try:
        return base64.b64decode(value).partition(b":")[2]
    except ValueError:
        return b""
