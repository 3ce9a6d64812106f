"""A REST request to an exchange, and the service that answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from connector.exchanges.refusals import NO_REASON

_T_co = TypeVar("_T_co", covariant=True)


def _say_nothing(_: bytes) -> tuple[int | str | None, str]:
    return None, NO_REASON


def _refuses_never(_: bytes) -> bool:
    return False


@attrs.frozen
class RestRequest(Generic[_T_co]):
    """A GET of an exchange's public REST interface, or a POST where there is a `body`."""

    target: str
    """Path and query, to append to `RestService.url`. The part after a ``#`` is not sent: it
    distinguishes requests that differ only in their body."""
    weight: int
    """Its cost, out of `RestService.weight_per_window`."""
    decode: Callable[[bytes], _T_co]
    """Decodes the body of the reply. Raises one of `connector.exchanges.protocol.UNDECODABLE`
    when it is not what the documentation says."""
    body: bytes = b""
    """The JSON body of a POST; empty for a GET."""


@attrs.frozen
class Page(Generic[_T_co]):
    """One part of an answer that has several."""

    items: tuple[_T_co, ...]
    next: RestRequest[Page[_T_co]] | None
    """The request for what follows; None when this is the last."""


@attrs.frozen
class RestService:
    """The address of an exchange's REST interface, and its limits."""

    url: str
    """The base: ``https://host``, perhaps with a path."""
    weight_per_window: int
    window_seconds: float
    used_weight_header: str | None = None
    """The header that tells how much of it this address has used, in lower case."""
    error: Callable[[bytes], tuple[int | str | None, str]] = _say_nothing
    """The body of a refusal to its code and text."""
    refuses: Callable[[bytes], bool] = _refuses_never
    """Tells whether a body with status 200 is a refusal, for an exchange that refuses in this
    way."""
    banned: frozenset[int] = frozenset({418, 429})
    """Statuses after which no request may be sent for a while."""
    ban_seconds: float | None = None
    """For how long, if the answer does not say it; None if the exchange does not, either."""
    headers: tuple[tuple[str, str], ...] = ()
    """Additional headers of every request, as names and values."""
    not_now: frozenset[int | str] = frozenset()
    """Codes of temporary refusals: too many requests, busy, an internal error."""
