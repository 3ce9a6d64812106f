"""One connection of the WebSocket API: its requests, its logon, its user data subscriptions.

Source: binance_trading §2.1, §6; binance_spot §7, §8; binance_usdm §7.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import attrs
import msgspec

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.answers import Answer, over_websocket
from connector.testing.exchange.trading.dispatch import Desk
from connector.testing.exchange.trading.gateway import Asked
from connector.testing.exchange.trading.refusals import Refused, refusal

STRING_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
MOST_AT_ONCE, MOST_IN_ALL = 1000, 65_535
"""Maximum number of subscriptions of a connection: at a time, and in all."""
POLICY_VIOLATION = 1008


class Port(Protocol):
    """The connection, as a conversation uses it."""

    def reply(self, text: bytes) -> None:
        """Send a reply, unless a fault of the connection withholds it."""
        ...

    def cut(self, text: bytes, first_bytes: int) -> None:
        """Send this many bytes of a message's frame and reset the connection."""
        ...

    def deliver(self, stream: str, data: bytes) -> bool: ...

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None: ...


class _Request(msgspec.Struct):
    method: str
    id: msgspec.Raw = msgspec.Raw(b"null")
    params: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)


@attrs.define(eq=False)
class Conversation:
    """Implements `connector.testing.exchange.trading.methods.Session`."""

    desk: Desk
    port: Port
    rate_limits: bool = True
    """Whether replies include rate limits: ``?returnRateLimits=false`` turns them off."""
    account: SimulatedAccount | None = None
    _authorised_ms: int = 0
    _connected_ms: int = attrs.field(
        default=attrs.Factory(lambda self: self.desk.house.clock_ms(), takes_self=True)
    )
    _subscribed: dict[int, _Subscription] = attrs.field(factory=dict)
    _numbered: int = 0
    _of_logon: int | None = None

    # -- requests -------------------------------------------------------------------------------

    def receive(self, text: bytes) -> None:
        """Process one message of the client."""
        try:
            request = msgspec.json.decode(text, type=_Request)
        except (msgspec.DecodeError, msgspec.ValidationError):
            self._refuse(None, refusal("missing", "method"))
            return
        request_id = msgspec.json.decode(request.id)
        if not _is_id(request_id):
            self._refuse(None, refusal("request_id"))
            return
        if self.account is not None and self.account.revoked:
            # The next request of a revoked key: no id, and the logon is gone (§2.1).
            self._refuse(None, refusal("key"))
            self.account = None
            return
        params = {name: _as_signed(value) for name, value in request.params.items()}
        name = request.method.removeprefix("v3/").removeprefix("v2/").removeprefix("v1/")
        shown = params.get("returnRateLimits")
        asked = Asked(
            name=name,
            params=params,
            via="ws",
            session=self,
            rate_limits=self.rate_limits if shown is None else shown == "true",
        )
        self.desk.receive(asked, _ReplyTo(self, request_id))

    def _refuse(self, request_id: object, refused: Refused) -> None:
        self.say(request_id, Answer(status=refused.status, refused=refused))

    def say(self, request_id: object, answer: Answer) -> None:
        """Send one reply; close the socket after a ban or, with one reading, after any error."""
        self.port.reply(over_websocket(request_id, answer))
        house = self.desk.house
        closes = house.venue == "spot" and house.readings.closes_after_error
        if answer.status == 418 or (answer.refused is not None and closes):
            self.port.close(POLICY_VIOLATION, "error" if closes else "banned")

    def cut(self, request_id: object, answer: Answer | None, first_bytes: int) -> None:
        text = b"" if answer is None else over_websocket(request_id, answer)
        self.port.cut(text, first_bytes)

    # -- the session ----------------------------------------------------------------------------

    def log_on(self, account: SimulatedAccount) -> None:
        self.account = account
        self._authorised_ms = self.desk.house.clock_ms()

    def log_out(self) -> None:
        """End the logon and its subscription only (§2.1)."""
        if self._of_logon is not None:
            self.unsubscribe(self._of_logon)
        self.account = None

    def described(self) -> dict[str, Any]:
        """As ``session.status`` shows it."""
        account = self.account
        shown: dict[str, Any] = {
            "apiKey": None if account is None else account.key,
            "authorizedSince": None if account is None else self._authorised_ms,
            "connectedSince": self._connected_ms,
            "returnRateLimits": self.rate_limits,
            "serverTime": self.desk.house.clock_ms(),
        }
        if self.desk.house.venue == "spot":
            shown["userDataStream"] = None if account is None else self._of_logon is not None
        return shown

    def subscribe(self, account: SimulatedAccount) -> int:
        """Start a user data stream.

        Raises:
            Refused: -2035 the account has one here, -2042 there are too many.
        """
        if any(each.account is account for each in self._subscribed.values()):
            raise refusal("subscribed")
        if len(self._subscribed) >= MOST_AT_ONCE or self._numbered >= MOST_IN_ALL:
            raise refusal("too_many_subscriptions")
        number, self._numbered = self._numbered, self._numbered + 1
        subscription = _Subscription(number, account, self.port)
        self._subscribed[number] = subscription
        if account is self.account:
            self._of_logon = number
        self.desk.house.streams.add(account.name, subscription)
        return number

    def unsubscribe(self, number: int | None) -> None:
        """End one subscription or all, and announce it on the stream."""
        numbers = tuple(self._subscribed) if number is None else (number,)
        for each in numbers:
            subscription = self._subscribed.pop(each, None)
            if subscription is None:
                raise refusal("parameter", "subscriptionId")
            self.desk.house.streams.remove(subscription.account.name, subscription)
            ms = self.desk.house.clock_ms()
            event = {"e": "eventStreamTerminated", "E": ms}
            subscription.hear(msgspec.json.encode(event), "eventStreamTerminated")
            if each == self._of_logon:
                self._of_logon = None

    def subscriptions(self) -> list[dict[str, Any]]:
        """As ``session.subscriptions`` shows them."""
        return [{"subscriptionId": number} for number in self._subscribed]

    def end(self) -> None:
        """End all subscriptions: the connection is over."""
        for subscription in self._subscribed.values():
            self.desk.house.streams.remove(subscription.account.name, subscription)
        self._subscribed.clear()


@attrs.frozen(eq=False)
class _Subscription:
    """A user data stream of spot on one connection."""

    number: int
    account: SimulatedAccount
    port: Port

    def hear(self, event: bytes, name: str) -> None:
        self.port.deliver(name, b'{"subscriptionId":%d,"event":%b}' % (self.number, event))


@attrs.frozen(eq=False)
class _ReplyTo:
    conversation: Conversation
    request_id: object

    def send(self, answer: Answer) -> None:
        self.conversation.say(self.request_id, answer)

    def cut(self, answer: Answer | None, first_bytes: int) -> None:
        self.conversation.cut(self.request_id, answer, first_bytes)


def _is_id(request_id: object) -> bool:
    if request_id is None:
        return True
    if isinstance(request_id, bool):
        return False
    if isinstance(request_id, int):
        return -(2**63) <= request_id < 2**63
    return isinstance(request_id, str) and STRING_ID.fullmatch(request_id) is not None


def _as_signed(value: msgspec.Raw) -> str:
    """A parameter as it is signed: text without quotes, a number as written in the JSON."""
    text = bytes(value).decode()
    if text.startswith('"'):
        return str(msgspec.json.decode(value))
    return text
