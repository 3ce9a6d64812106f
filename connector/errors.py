"""Every error the library raises on purpose; all derive from `ConnectorError`.

A message says what happened, with which value, and what to do about it. Response headers and
bodies are kept as attributes for programs, but only a short, printable excerpt reaches a message,
so that nothing secret an exchange echoes back lands in a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeAlias

from connector.bases.channel import AnyChannel

RAW_EXCERPT_BYTES = 200
"""The number of bytes that are kept of an undecodable frame. A message also repeats at most this
many characters of an exchange's text."""


def _said(code: int | str | None, message: str) -> str:
    """Code and text of an exchange, in a message."""
    text = f"{message[:RAW_EXCERPT_BYTES]!r}"
    return text if code is None else f"code {code!r:.{RAW_EXCERPT_BYTES}}, {text}"


class ConnectorError(Exception):
    """Base of every error of this library."""


class ConfigError(ConnectorError):
    """An argument is wrong. The message has its name, its value, and the possible values."""


class ExchangeUnavailable(ConnectorError):
    """The exchange could not be reached, or the connection did not survive its handshake.

    The adapter retries by itself. Your program sees this error only if `Reconnect.max_attempts` is
    used up, or if retrying cannot help, such as an untrusted certificate at the start.
    """


class HandshakeRejected(ConnectorError):
    """The server answered the WebSocket upgrade with an HTTP status other than 101.

    Your program sees this error for statuses that retrying cannot fix (400, 401, 403, 404, 451),
    before the adapter has received any data. After that, and for 429, 418 and 5xx, the adapter
    tries again. It obeys ``Retry-After``.
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
    """The exchange rejected a subscription. `code` and `message` are the exchange's own."""

    def __init__(
        self, channel: AnyChannel, code: int | str | None, message: str, hint: str = ""
    ) -> None:
        said = _said(code, message)
        super().__init__(f"the exchange rejected {channel!r}: {said}{hint and f'; {hint}'}")
        self.channel = channel
        self.code = code
        self.message = message
        self.hint = hint
        """What to write instead, if the symbol looks misspelt."""

    def __reduce__(
        self,
    ) -> tuple[type[SubscriptionRejected], tuple[AnyChannel, int | str | None, str, str]]:
        return type(self), (self.channel, self.code, self.message, self.hint)


class RequestRejected(ConnectorError):
    """The exchange rejected a REST request, and a retry would not help."""

    def __init__(self, status: int, code: int | str | None, message: str) -> None:
        super().__init__(
            f"the exchange rejected a request with HTTP status {status}: {_said(code, message)}"
        )
        self.status = status
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[RequestRejected], tuple[int, int | str | None, str]]:
        return type(self), (self.status, self.code, self.message)


class SlowConsumer(ConnectorError):
    """The buffer of a feed with `Overflow.FAIL` is full, because it was not read fast enough."""


class DecodeError(ConnectorError):
    """A frame does not have the documented form. The stream continues.

    This error appears in the lifecycle feed and is counted in the statistics. A feed of events
    never raises it.
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
    """The library broke one of its own guarantees. This is a bug in it; please report it."""


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
``post_only``    the order would have traded at once
``balance``      the account does not have enough
``filter``       price, quantity or notional break a rule of the instrument
``price_band``   the price is too far from the market's
``reduce_only``  there is no position for it to reduce
``limit``        too many orders, open or per time
``closed``       the instrument cannot be traded now
``permission``   the API key, its address or the account may not do this
``other``        another reason; the order was certainly not accepted
===============  ============================================================================
"""


class OrderNotPlaced(ConnectorError):
    """The order is certainly not at the exchange.

    You may place an order again only after this error or one of its subclasses.
    """


class OrderInvalid(OrderNotPlaced):
    """The order breaks a rule of the instrument. It was not sent."""

    def __init__(self, message: str, nearest: Any = None) -> None:
        super().__init__(message)
        self.nearest = nearest
        """The nearest intent (`connector.orders`) that satisfies the rules; None if there is
        none."""

    def __reduce__(self) -> tuple[type[OrderInvalid], tuple[str, Any]]:
        return type(self), (str(self), self.nearest)


class OrderRefused(OrderNotPlaced):
    """The exchange refused the order."""

    def __init__(self, reason: RefusalReason, code: int | str | None, message: str) -> None:
        super().__init__(f"the exchange refused the order ({reason}): {_said(code, message)}")
        self.reason: RefusalReason = reason
        self.code = code
        self.message = message

    def __reduce__(
        self,
    ) -> tuple[type[OrderRefused], tuple[RefusalReason, int | str | None, str]]:
        return type(self), (self.reason, self.code, self.message)


class NotSynced(OrderNotPlaced):
    """The account is not in sync with the exchange. It shows no values and places no orders."""


class LimitExceeded(OrderNotPlaced):
    """The order would exceed the program's own `connector.orders.Limits`."""


class LimitReached(OrderNotPlaced):
    """The exchange's limit of orders is used up. Wait `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type[LimitReached], tuple[str, float]]:
        return type(self), (str(self), self.retry_after)


class NotSent(OrderNotPlaced):
    """No byte of the order has left this machine."""


class TrackedOrder(Protocol):
    """An order of an account, as an error refers to it (`connector.account.Order`)."""

    @property
    def client_id(self) -> str:
        """The id that the account gave the order."""
        ...

    @property
    def symbol(self) -> str:
        """The instrument, as the exchange writes it."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the order has ended."""
        ...

    async def accepted(self) -> None:
        """Wait until the order is open or has ended; as `connector.account.Order.accepted`."""

    async def wait_filled(self) -> Decimal:
        """Wait until the order is filled or has ended; returns the filled quantity."""
        ...


class OrderUnknown(ConnectorError):
    """The order was sent, and its outcome is not known yet.

    It may be open. The account keeps tracking it: await ``order.accepted()`` for the outcome. Never
    place the order again because of this error.
    """

    def __init__(self, message: str, order: TrackedOrder) -> None:
        super().__init__(message)
        self.order = order


class AmendRefused(ConnectorError):
    """The exchange refused to change the order. The order is certainly unchanged."""

    def __init__(self, reason: RefusalReason, code: int | str | None, message: str) -> None:
        super().__init__(
            f"the exchange refused to amend the order ({reason}): {_said(code, message)}"
        )
        self.reason: RefusalReason = reason
        self.code = code
        self.message = message

    def __reduce__(
        self,
    ) -> tuple[type[AmendRefused], tuple[RefusalReason, int | str | None, str]]:
        return type(self), (self.reason, self.code, self.message)


class OrderEnded(ConnectorError):
    """The order has ended and cannot be changed any more."""


class IdInUse(ConnectorError):
    """An order of another program has a client id of this account. The account has ended."""


class NameInUse(ConnectorError):
    """Another program uses this account under the same name. The account has ended."""


class OrdersLeft(ConnectorError):
    """Orders may still be open at the exchange after their block was left.

    `orders` lists them. Cancel them with ``connector stop NAME --live --key PREFIX`` or at the
    exchange, or open an account with the same name again: it finds them and, by default, cancels
    them.
    """

    def __init__(self, message: str, orders: tuple[TrackedOrder, ...]) -> None:
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
    "TrackedOrder",
]
