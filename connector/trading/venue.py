"""`Trading`: the interface of an exchange's private side, as data and pure functions.

A venue defines the URLs of its private streams and order entry, how to log in, how to write each
request and read the replies. It also defines constants: how late a request may still be accepted,
how far its lists lag, which replies only the matching engine sends. It does no I/O and keeps no
state.

.. code-block:: text

    Request      a method, its parameters, how to read the reply
      └─ write   signed now, for one connection: signed anew each time it is sent
    Answer       the reply to a request: a payload, or a refusal
      └─ verdict the refusal by the venue's table: certain only by the exact status, code and text
    Report       the content of an event or a reply (`connector.trading.reports`)

`Promises` lists what a venue does not guarantee, so that users can see it: no dead man's switch, no
time window, an acknowledgement that proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
)

import attrs
import msgspec

from connector.trading.client_ids import Spelling
from connector.trading.refusals import UNKNOWN, Meaning, Refusal, Rule, Verdict, judge
from connector.trading.reports import BalanceReport, FillReport, OrderReport, PositionReport, Report

if TYPE_CHECKING:
    from connector.accounts import Summary
    from connector.keys import ApiKey
    from connector.orders import Intent

T_co = TypeVar("T_co", covariant=True)

Parameter: TypeAlias = str | int | bool
Over: TypeAlias = Literal["orders", "rest"]
"""Which way a request goes: the connection for orders, or REST."""
Signing: TypeAlias = Literal["signed", "key", "open"]
"""With a signature, with the key alone, or with neither."""


@attrs.frozen(kw_only=True)
class Constants:
    """The venue's times, in seconds. What no documentation says is an assumption, and says so.

    The simulated exchange draws its delays up to these; in tests that expect `late`, beyond.
    """

    engine_seconds: float
    """How long after the end of a request's window the engine may still take it."""
    settle_seconds: float
    """The longest that private events, and lists of trades, lag behind the engine."""
    clock_ahead_seconds: float = 1.0
    """How far ahead of the exchange a request's time may be."""
    largest_window_seconds: float = 60.0
    trades_span_seconds: float = 86_400.0
    """How much time a list of trades since some time covers."""
    source: str


@attrs.frozen(kw_only=True)
class Promises:
    """The capabilities of a venue."""

    window: bool = True
    """Whether a request that comes too late is refused. Without, *absent* is never proved."""
    fence: bool = True
    """Whether a cancel by client id is answered by the matching engine."""
    acknowledgement_is_final: bool = True
    """Whether the reply to a place proves that the order is open or over; else its stream does."""
    ids_unique_while_open: bool = True
    """Whether a second order with the client id of an open one is refused."""
    dead_man: Literal["symbol", "account"] | None = None
    """Whose orders the dead man's switch cancels."""
    amends: frozenset[str] = frozenset()
    """Of ``quantity``, ``quantity_down`` and ``price``: what can be amended in place."""
    conditional_count: bool = True
    """Whether conditional orders count as open orders of their instrument."""
    quote_quantity: bool = False
    reduce_only: bool = True
    margin: bool = True
    """Whether the account has positions with margin; else what it holds are balances."""


class Window(msgspec.Struct, frozen=True):
    """A limit of the exchange: so many within so many seconds.

    A key of dictionaries that every reply looks into: it is hashed without Python code.
    """

    limit: int
    seconds: float


LimitUse: TypeAlias = tuple[Window, int]
"""A limit of orders, and how much of it this account has used."""


class Request(msgspec.Struct, Generic[T_co], frozen=True):
    """A request; it is written and signed when it is sent."""

    what: str
    """Name in logs and statistics: ``place``, ``cancel``, ``open orders`` …"""
    over: Over
    method: str
    """Of the WebSocket API, or a verb and a path: ``GET /api/v3/order``."""
    parameters: Mapping[str, Parameter]
    decode: Callable[[bytes], T_co]
    """The payload of the reply to what was asked for. Raises one of
    `connector.exchanges.protocol.UNDECODABLE`."""
    signing: Signing = "signed"
    weight: int = 1
    orders: int = 0
    """Its count against the order limits."""


@attrs.frozen
class HttpRequest:
    """A request in its REST form."""

    verb: str
    target: str
    headers: Mapping[str, str] = attrs.field(repr=False)

    def __repr__(self) -> str:
        # The query holds a signature.
        return f"<HttpRequest {self.verb} {self.target.partition('?')[0]}>"


class Answer(msgspec.Struct, frozen=True):
    """The reply to a request."""

    request_id: int | None
    """None where the exchange could not say to which."""
    payload: bytes = b""
    refusal: Refusal | None = None
    used: tuple[LimitUse, ...] = ()
    """How much of its order limits this account has used, where the exchange says."""

    def __repr__(self) -> str:
        # The payload may hold a listen key.
        return f"<Answer to {self.request_id}: {self.refusal or 'done'}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("request_id", self.request_id), ("refusal", self.refusal)]


@attrs.frozen
class Shutdown:
    """The exchange will close this connection soon."""


Heard: TypeAlias = Answer | Shutdown | Report
"""The content of a frame of a private connection."""


@attrs.frozen(kw_only=True)
class StreamAccess:
    """The address and the login of the private stream."""

    url: str = attrs.field(repr=False)
    """It may hold a listen key."""
    login: Request[Any] | None = None
    """To be asked first on the connection; events come after its answer."""


@attrs.frozen(kw_only=True)
class Token:
    """A key to the private stream, which the exchange gives and lets expire."""

    fetch: Request[str]
    renew: Callable[[str], Request[None]]
    renew_seconds: float
    """How often to renew it."""
    expire_seconds: float
    """After so long without a renewal it is taken for expired."""


@attrs.frozen(kw_only=True)
class AccountReading:
    """The state of an account at one moment, from several requests together."""

    balances: tuple[BalanceReport, ...]
    positions: tuple[PositionReport, ...] = ()
    orders: tuple[OrderReport, ...] = ()
    """Open ones, all of them, conditional ones too."""
    hedge_mode: bool = False
    summary: Summary | None = None
    time_ns: int | None = None
    """Exchange's time before it was read: what is not mentioned was nothing then."""


class Trading(Protocol):
    """The private side of an exchange: a frozen value."""

    @property
    def name(self) -> str: ...

    @property
    def constants(self) -> Constants: ...

    @property
    def promises(self) -> Promises: ...

    @property
    def id_spelling(self) -> Spelling: ...

    @property
    def order_windows(self) -> tuple[Window, ...]:
        """Limits of new orders, of the account, until `order_limits` is answered."""
        ...

    @property
    def orders_url(self) -> str:
        """Where orders are entered: a ``ws://`` or ``wss://`` URL."""
        ...

    @property
    def rest_url(self) -> str: ...

    @property
    def token(self) -> Token | None:
        """The key to the private stream; None where there is none."""
        ...

    def check_key(self, key: ApiKey) -> None:
        """Raises ConfigError for a key that the exchange cannot have."""
        ...

    def stream(self, token: str) -> StreamAccess:
        """The private stream; `token` is empty if the venue has none."""
        ...

    def symbol(self, symbol: str) -> str:
        """The exchange's own spelling."""
        ...

    # Requests.

    def place(self, intent: Intent, client_id: str) -> Request[OrderReport]:
        """Raises ConfigError for what the exchange does not offer."""
        ...

    def cancel(self, symbol: str, client_id: str) -> Request[OrderReport]:
        """The fence too: cancel by client id."""
        ...

    def amend(
        self, placed: Intent, client_id: str, quantity: Decimal, price: Decimal | None
    ) -> Request[OrderReport | None]:
        """Change quantity (in total) and price; None of the answer: ask for the order."""
        ...

    def cancel_listed(self, order: OrderReport) -> Request[OrderReport | None]:
        """Cancel, over REST, any order of `open_orders`, conditional or of another program too."""
        ...

    def order(self, symbol: str, client_id: str) -> Request[OrderReport]:
        """Ask for one order."""
        ...

    def order_by_exchange_id(self, symbol: str, exchange_id: str) -> Request[OrderReport]: ...

    def orders_from(self, symbol: str, exchange_id: str) -> Request[tuple[OrderReport, ...]]:
        """Orders of a symbol, whatever became of them, from an id on, oldest first."""
        ...

    def orders_since(self, since_ns: int) -> Request[tuple[OrderReport, ...]] | None:
        """Orders of all symbols since a time; None where each symbol has to be asked."""
        ...

    def order_limits(self) -> Request[tuple[LimitUse, ...]]:
        """The account's limits of new orders, as they are now."""
        ...

    def open_orders(self) -> tuple[Request[tuple[OrderReport, ...]], ...]:
        """All that are open, in one request or several."""
        ...

    def reading(self) -> tuple[Request[AccountReading], ...]:
        """Balances, positions and mode: several requests, whose readings add up."""
        ...

    def fills(
        self, symbol: str, after: str | None, since_ns: int | None
    ) -> Request[tuple[FillReport, ...]]:
        """Trades of a symbol, oldest first: those with a later id, or since a time."""
        ...

    @property
    def fills_per_request(self) -> int:
        """A list of fewer is the last."""
        ...

    def clock(self) -> Request[int]:
        """The exchange's time, in nanoseconds."""
        ...

    def dead_man(self, symbol: str | None, seconds: float) -> Request[None]:
        """Arm the switch; 0 disarms it.

        Raises:
            ConfigError: there is none.
        """
        ...

    # On the wire.

    def write(
        self, request: Request[Any], request_id: int, key: ApiKey, now_ns: int, window: float
    ) -> str:
        """The request as it goes over a connection, signed for the exchange's time `now_ns`."""
        ...

    def write_rest(
        self, request: Request[Any], key: ApiKey, now_ns: int, window: float
    ) -> HttpRequest: ...

    def read(self, frame: bytes) -> tuple[Heard, ...]:
        """Read a frame of a private connection.

        Raises:
            connector.exchanges.protocol.UNDECODABLE: it is not of the documented form.
        """
        ...

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> Refusal | None:
        """The refusal in a REST response; None if it is not a refusal."""
        ...

    def verdict(self, refusal: Refusal) -> Verdict: ...


__all__ = [
    "UNKNOWN",
    "AccountReading",
    "Answer",
    "Constants",
    "Heard",
    "HttpRequest",
    "LimitUse",
    "Meaning",
    "Promises",
    "Refusal",
    "Request",
    "Rule",
    "Shutdown",
    "StreamAccess",
    "Token",
    "Trading",
    "Verdict",
    "Window",
    "judge",
]
