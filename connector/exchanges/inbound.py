"""What a frame can say: data of a stream, an answer, an announcement, a question."""

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
    """Payloads of several streams, or of none, that came in one frame."""

    parts: tuple[Data, ...]


def data_of(message: object) -> tuple[Data, ...]:
    """The payloads in what a frame says: of one stream, of several, or none."""
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
    """Which request it answers; None: the one that has `streams`, or the oldest."""
    code: int | str | None = None
    message: str | None = None
    """None when it was accepted, else the exchange's words."""
    streams: tuple[str, ...] | None = None
    """Names of the streams it is about; None: all that are not answered yet."""
    others: Literal["wait", "refused", "again"] = "wait"
    """What becomes of the other streams of the request: their answers will come, they are refused,
    or they must be asked for again."""
    refusal: Literal["never", "later", "already"] = "never"
    """What a `message` means: the stream does not exist; too much was asked at once, so ask again
    later; or it is subscribed already, which is as good as accepted."""


@attrs.frozen
class Subscribed:
    """All that the connection is subscribed to now: how some exchanges answer every request."""

    streams: frozenset[str]


@attrs.frozen
class Question:
    """A message that must be answered at once, or the exchange closes the connection."""

    answer: str
    """What to send."""


@attrs.frozen
class Heartbeat:
    """The other side is alive: its answer to a ping, or a message it sends for that purpose."""


@attrs.frozen
class Shutdown:
    """The exchange will close this connection soon: open the next one."""

    reason: str


@attrs.frozen
class Unknown:
    """A well-formed message of a kind that this library does not know; counted."""

    kind: str


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
