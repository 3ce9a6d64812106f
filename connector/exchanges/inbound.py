"""The meanings of a frame: data of a stream, a reply, an announcement, a question."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs


@attrs.frozen
class Data:
    """A payload of a stream."""

    stream: str
    payload: bytes


@attrs.frozen
class Several:
    """The payloads of several streams, or of none, in one frame."""

    parts: tuple[Data, ...]


def data_of(message: object) -> tuple[Data, ...]:
    """The payloads in a parsed frame: of one stream, of several, or none."""
    if isinstance(message, Data):
        return (message,)
    return message.parts if isinstance(message, Several) else ()


@attrs.frozen
class Reply:
    """The answer to a request, or to one of its streams.

    Exchanges answer in different ways, and `streams` and `others` tell them apart:

    ==============================================  =====================  ===========
    the exchange says                               `streams`              `others`
    ==============================================  =====================  ===========
    yes or no to the whole request                  None
    one answer per stream                           the one                ``"wait"``
    which streams it accepts, and omits the others  the accepted ones      ``"refused"``
    which one is wrong, and ignores all the others  the wrong one          ``"again"``
    ==============================================  =====================  ===========
    """

    request_id: int | None
    """The request it answers; None means the one that has `streams`, or the oldest."""
    code: int | str | None = None
    message: str | None = None
    """The exchange's message if it refused the request; None if it accepted."""
    streams: tuple[str, ...] | None = None
    """Names of the streams that it concerns; None means all that are not answered yet."""
    others: Literal["wait", "refused", "again"] = "wait"
    """The outcome for the other streams of the request: their replies will follow, they are
    refused, or they must be requested again."""
    refusal: Literal["never", "later", "already"] = "never"
    """The meaning of `message`: the stream does not exist; too many requests were made, so try
    again later; or the stream is already subscribed, which counts as accepted."""


@attrs.frozen
class Subscribed:
    """All current subscriptions of the connection: some exchanges answer every request with it."""

    streams: frozenset[str]


@attrs.frozen
class Question:
    """A message that must be answered at once; otherwise the exchange closes the connection."""

    answer: str
    """The message to send."""


@attrs.frozen
class Heartbeat:
    """The other side is alive: its answer to a ping, or a message it sends for that purpose."""


@attrs.frozen
class Shutdown:
    """The exchange will close this connection soon: open the next one."""

    reason: str


def _shortened(kind: str) -> str:
    return kind[:40]


@attrs.frozen
class Unknown:
    """A well-formed message of a kind that this library does not know; counted.

    The kind is cut to 40 characters.
    """

    kind: str = attrs.field(converter=_shortened)


Inbound: TypeAlias = Data | Several | Reply | Subscribed | Question | Heartbeat | Shutdown | Unknown

__all__ = [
    "Data",
    "Heartbeat",
    "Inbound",
    "Question",
    "Reply",
    "Several",
    "Shutdown",
    "Subscribed",
    "Unknown",
    "data_of",
]
