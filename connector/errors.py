"""Every error the library raises on purpose; all derive from `ConnectorError`.

A message says what happened, with which value, and what to do about it. Response headers and
bodies are kept as attributes for programs, but only a short, printable excerpt reaches a message,
so that nothing secret an exchange echoes back lands in a log.
"""

from __future__ import annotations

from collections.abc import Mapping

from connector.channel import AnyChannel

RAW_EXCERPT_BYTES = 200
"""Undecodable frames are kept up to this length: enough to recognise one, never a memory leak.
Of what an exchange says, a message repeats as many characters at most."""


class ConnectorError(Exception):
    """Base of every error of this library."""


class ConfigError(ConnectorError):
    """An argument cannot work: the message names it, its value and what is possible instead."""


class ExchangeUnavailable(ConnectorError):
    """The exchange could not be reached, or the connection did not survive its handshake.

    The adapter retries this by itself; a program sees it only when `Reconnect.max_attempts` is
    used up or when retrying cannot help (a certificate that is not trusted).
    """


class HandshakeRejected(ConnectorError):
    """The server answered the WebSocket upgrade with an HTTP status other than 101.

    Raised to the program for statuses that retrying cannot mend (400, 401, 403, 404, 451);
    429, 418 and 5xx are retried by the adapter, which obeys ``Retry-After``.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        excerpt = body[:RAW_EXCERPT_BYTES].decode("utf-8", "backslashreplace")
        said = f": {excerpt!r}" if excerpt else ""
        super().__init__(f"the exchange rejected the connection with HTTP status {status}{said}")
        self.status = status
        self.headers = dict(headers)
        """Response headers, names in lower case."""
        self.body = body

    def __reduce__(self) -> tuple[type[HandshakeRejected], tuple[int, dict[str, str], bytes]]:
        return type(self), (self.status, self.headers, self.body)


class SubscriptionRejected(ConnectorError):
    """The exchange refused a subscription; its code and text are attributes."""

    def __init__(self, channel: AnyChannel, code: int | str | None, message: str) -> None:
        said = f"code {code!r:.{RAW_EXCERPT_BYTES}}, {message[:RAW_EXCERPT_BYTES]!r}"
        super().__init__(f"the exchange rejected {channel!r}: {said}")
        self.channel = channel
        self.code = code
        self.message = message

    def __reduce__(
        self,
    ) -> tuple[type[SubscriptionRejected], tuple[AnyChannel, int | str | None, str]]:
        return type(self), (self.channel, self.code, self.message)


class RequestRejected(ConnectorError):
    """The exchange refused a REST request, and asking again would not help."""

    def __init__(self, status: int, code: int | str | None, message: str) -> None:
        super().__init__(
            f"the exchange rejected a request with HTTP status {status}: code {code}, {message!r}"
        )
        self.status = status
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[RequestRejected], tuple[int, int | str | None, str]]:
        return type(self), (self.status, self.code, self.message)


class SlowConsumer(ConnectorError):
    """A feed opened with `Overflow.FAIL` was not read fast enough and its buffer is full."""


class DecodeError(ConnectorError):
    """A frame is not what the exchange's documentation says; the stream goes on.

    Appears in the lifecycle feed and is counted in the statistics; it is never raised into a feed.
    """

    def __init__(self, stream: str | None, reason: str, raw: bytes) -> None:
        super().__init__(
            f"cannot decode a frame of {stream or 'an unknown stream'}: "
            f"{reason:.{RAW_EXCERPT_BYTES}}"
        )
        self.stream = stream
        self.reason = reason
        self.raw = raw[:RAW_EXCERPT_BYTES]
        """The first 200 bytes of the frame."""

    def __reduce__(self) -> tuple[type[DecodeError], tuple[str | None, str, bytes]]:
        return type(self), (self.stream, self.reason, self.raw)


class InvariantViolated(ConnectorError):
    """A promise of the library's own design was broken: a bug in it, please report it."""


__all__ = [
    "RAW_EXCERPT_BYTES",
    "ConfigError",
    "ConnectorError",
    "DecodeError",
    "ExchangeUnavailable",
    "HandshakeRejected",
    "InvariantViolated",
    "RequestRejected",
    "SlowConsumer",
    "SubscriptionRejected",
]
