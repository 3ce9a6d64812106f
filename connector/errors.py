"""Every error the library raises on purpose; all derive from `ConnectorError`.

A message says what happened, with which value, and what to do about it. Response headers and
bodies are kept as attributes for programs, but only a short, printable excerpt reaches a message,
so that nothing secret an exchange echoes back lands in a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

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
    used up or when retrying cannot help (a certificate that is not trusted, at the start).
    """


class HandshakeRejected(ConnectorError):
    """The server answered the WebSocket upgrade with an HTTP status other than 101.

    Raised to the program for statuses that retrying cannot mend (400, 401, 403, 404, 451), before
    the adapter has had data; after that, and for 429, 418 and 5xx, the adapter tries again. It
    obeys ``Retry-After``.
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


# --- orders


RefusalReason: TypeAlias = Literal[
    "post_only",
    "balance",
    "filter",
    "price_band",
    "reduce_only",
    "limit",
    "closed",
    "permission",
    "other",
]
"""Why an exchange did not accept an order.

===============  ============================================================================
``post_only``    it would have taken
``balance``      the account does not have enough
``filter``       price, quantity or notional break a rule of the instrument
``price_band``   the price is too far from the market's
``reduce_only``  there is no position for it to reduce
``limit``        too many orders, open or per time
``closed``       the instrument cannot be traded now
``permission``   the API key, its address or the account may not do this
``other``        anything else that the exchange refuses for certain
===============  ============================================================================
"""


class OrderNotPlaced(ConnectorError):
    """There is no such order at the exchange, for certain.

    Of the errors of an order, only this and what derives from it may be answered by placing again.
    """


class OrderInvalid(OrderNotPlaced):
    """The order breaks a rule that is known before it is sent."""

    def __init__(self, message: str, nearest: Any = None) -> None:
        super().__init__(message)
        self.nearest = nearest
        """An intent (`connector.orders`) that passes and differs as little as possible; None if
        there is none."""

    def __reduce__(self) -> tuple[type[OrderInvalid], tuple[str, Any]]:
        return type(self), (str(self), self.nearest)


class OrderRefused(OrderNotPlaced):
    """The exchange refused the order."""

    def __init__(self, reason: RefusalReason, code: int | str | None, message: str) -> None:
        super().__init__(
            f"the exchange refused the order ({reason}): code {code!r:.{RAW_EXCERPT_BYTES}}, "
            f"{message[:RAW_EXCERPT_BYTES]!r}"
        )
        self.reason: RefusalReason = reason
        self.code = code
        self.message = message

    def __reduce__(
        self,
    ) -> tuple[type[OrderRefused], tuple[RefusalReason, int | str | None, str]]:
        return type(self), (self.reason, self.code, self.message)


class NotSynced(OrderNotPlaced):
    """The account does not know for certain what it has: nothing is shown, nothing is placed."""


class LimitExceeded(OrderNotPlaced):
    """The order would exceed the program's own `connector.orders.Limits`."""


class LimitReached(OrderNotPlaced):
    """The exchange's limit of orders is used up; wait `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type[LimitReached], tuple[str, float]]:
        return type(self), (str(self), self.retry_after)


class NotSent(OrderNotPlaced):
    """No byte of the order has left this machine."""


class OrderUnknown(ConnectorError):
    """The order was sent, and it is not known yet what became of it.

    It may be open. It stays tracked: `order` tells when it is known. Never place it again because
    of this error.
    """

    def __init__(self, message: str, order: object) -> None:
        super().__init__(message)
        self.order = order


class AmendRefused(ConnectorError):
    """The exchange refused to change the order; it is unchanged, for certain."""

    def __init__(self, reason: RefusalReason, code: int | str | None, message: str) -> None:
        super().__init__(
            f"the exchange refused to amend the order ({reason}): code "
            f"{code!r:.{RAW_EXCERPT_BYTES}}, {message[:RAW_EXCERPT_BYTES]!r}"
        )
        self.reason: RefusalReason = reason
        self.code = code
        self.message = message

    def __reduce__(
        self,
    ) -> tuple[type[AmendRefused], tuple[RefusalReason, int | str | None, str]]:
        return type(self), (self.reason, self.code, self.message)


class OrderEnded(ConnectorError):
    """The order is over: it cannot be changed any more."""


class IdInUse(ConnectorError):
    """Another order than ours was found under a client id of ours: the account has ended."""


class NameInUse(ConnectorError):
    """Another program uses this account under the same name: the account has ended."""


class OrdersLeft(ConnectorError):
    """Orders may still be open at the exchange although their block was left.

    `orders` names each. Cancel them with ``connector stop NAME`` or at the exchange, or open an
    account of the same name again: it finds them and, by default, cancels them.
    """

    def __init__(self, message: str, orders: tuple[object, ...]) -> None:
        super().__init__(message)
        self.orders = orders


__all__ = [
    "RAW_EXCERPT_BYTES",
    "AmendRefused",
    "ConfigError",
    "ConnectorError",
    "DecodeError",
    "ExchangeUnavailable",
    "HandshakeRejected",
    "IdInUse",
    "InvariantViolated",
    "LimitExceeded",
    "LimitReached",
    "NameInUse",
    "NotSent",
    "NotSynced",
    "OrderEnded",
    "OrderInvalid",
    "OrderNotPlaced",
    "OrderRefused",
    "OrderUnknown",
    "OrdersLeft",
    "RefusalReason",
    "RequestRejected",
    "SlowConsumer",
    "SubscriptionRejected",
]
