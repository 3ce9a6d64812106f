"""A request for something that an exchange answers over REST, and where it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

_T_co = TypeVar("_T_co", covariant=True)


def _say_nothing(_: bytes) -> tuple[int | str | None, str]:
    return None, "(no reason given)"


def _refuses_never(_: bytes) -> bool:
    return False


@attrs.frozen
class RestRequest(Generic[_T_co]):
    """A GET of an exchange's public REST interface, or a POST where there is a `body`."""

    target: str
    """Path and query, as they follow `RestService.url`. What follows a ``#`` is not sent: it tells
    requests apart that differ in their body only."""
    weight: int
    """What it costs of `RestService.weight_per_window`."""
    decode: Callable[[bytes], _T_co]
    """The body to what was asked for. Raises one of `connector.exchanges.protocol.UNDECODABLE`
    when it is not what the documentation says."""
    body: bytes = b""
    """JSON; of an exchange that is asked so."""


@attrs.frozen
class Page(Generic[_T_co]):
    """A part of an answer that comes in several."""

    items: tuple[_T_co, ...]
    next: RestRequest[Page[_T_co]] | None
    """The request for what follows; None when this is the last."""


@attrs.frozen
class RestService:
    """Where an exchange answers REST requests, and how many."""

    url: str
    """The base: ``https://host``, perhaps with a path."""
    weight_per_window: int
    window_seconds: float
    used_weight_header: str | None = None
    """The header that tells how much of it this address has used, in lower case."""
    error: Callable[[bytes], tuple[int | str | None, str]] = _say_nothing
    """The body of a refusal to its code and text."""
    refuses: Callable[[bytes], bool] = _refuses_never
    """Of an exchange that refuses with status 200: whether such a body is a refusal."""
    banned: frozenset[int] = frozenset({418, 429})
    """Statuses after which nothing may be asked for a while."""
    headers: tuple[tuple[str, str], ...] = ()
    """What every request carries, beside what is usual; names and values."""
    not_now: frozenset[int | str] = frozenset()
    """Codes of refusals that pass by themselves: too many requests, busy, an internal error."""
