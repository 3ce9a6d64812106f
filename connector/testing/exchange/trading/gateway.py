"""The gateway: accepts or refuses each request, and has it carried out.

It checks, in the order of the notes as far as they give one: the ban, the parameters of every
request, the key, the window, the signature, the weight, the order count; then it calls the method.
A refused method has had no effect. Source: binance_trading §6, §9, §11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.credentials import payload_of_params
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Call, Method, Methods, Session
from connector.testing.exchange.trading.refusals import Refused, refusal
from connector.testing.exchange.trading.windows import Window, window_of

EVERYWHERE = frozenset(
    ("apiKey", "signature", "timestamp", "recvWindow", "returnRateLimits", "timeUnit")
)


@attrs.frozen(kw_only=True)
class Signed:
    """The signed text of a REST request, and its signature."""

    payload: bytes
    signature: str


@attrs.frozen(kw_only=True)
class Asked:
    """A request as it arrived.

    Attributes:
        key: over REST, the header ``X-MBX-APIKEY``.
        signed: over REST only; on the WebSocket API the parameters are signed.
        rate_limits: whether the reply shows them.
    """

    name: str
    params: Mapping[str, str]
    via: Literal["ws", "rest"]
    key: str | None = None
    signed: Signed | None = None
    session: Session | None = None
    rate_limits: bool = True


@attrs.define(eq=False)
class Gateway:
    """The gate through which all requests of one exchange pass."""

    house: House
    methods: Methods
    seconds: Callable[[], float]
    """Returns the seconds since the exchange was opened."""

    def method(self, name: str) -> Method | None:
        """Find a method by name; None if there is none."""
        return self.methods.table.get(name)

    def name_of_account(self, asked: Asked) -> str:
        """The account whose key a request carries, for the script; empty if the key is unknown."""
        key = asked.key if asked.via == "rest" else asked.params.get("apiKey")
        if key is None and asked.session is not None and asked.session.account is not None:
            return asked.session.account.name
        for account in self.house.accounts.values():
            if account.key == key:
                return account.name
        return ""

    def charge(self, weight: int) -> None:
        """Count weight of the host.

        Raises:
            Refused: -1003.
        """
        self.house.weights.charge(weight, self.seconds(), self.house.clock_ms())

    def let_in(self, asked: Asked, method: Method) -> Call:
        """Check everything about a request except its own parameters.

        Raises:
            Refused: a check failed.
        """
        self.charge(0 if method.free_if_accepted else method.weighs(asked.params))
        try:
            return self._let_in(asked, method)
        except Refused:
            self._charge_failure(method, asked.params)
            raise

    def _let_in(self, asked: Asked, method: Method) -> Call:
        params, session = asked.params, asked.session
        account: SimulatedAccount | None = None
        window: Window | None = None
        if method.security == "session" and session is None:
            raise refusal("unknown_parameter")
        if method.security in ("key", "signed"):
            given = asked.key if asked.via == "rest" else params.get("apiKey")
            if given is None and session is not None and session.account is not None:
                account = session.account
                if account.revoked:
                    raise refusal("key")
            else:
                account = self.house.account_of_key(given or "")
        if method.security == "signed" and account is not None:
            window = window_of(params, microseconds=self.house.venue == "spot")
            logged_on = session is not None and session.account is account
            if not (logged_on and "signature" not in params):
                self._verify(account, params, asked.signed)
            window.raise_unless_open(self.house.clock_ms())
        if method.names is not None:
            strangers = set(params) - method.names - EVERYWHERE
            if strangers:
                raise refusal("unread", len(params) - len(strangers), len(params))
        if method.orders is not None and account is not None:
            self.house.counts_of(account).raise_if_full(
                self.house.clock_ms(), dict(method.orders) or None
            )
        return Call(name=asked.name, params=params, account=account, window=window, session=session)

    def _verify(
        self, account: SimulatedAccount, params: Mapping[str, str], signed: Signed | None
    ) -> None:
        if signed is None:
            if not params.get("signature"):
                raise refusal("missing", "signature")
            signed = Signed(payload=payload_of_params(params), signature=params["signature"])
        if not account.spec.credentials.verifies(signed.payload, signed.signature):
            raise refusal("signature")

    def reach_engine(self, call: Call) -> None:
        """Check the window again just before the engine (§11.2).

        Raises:
            Refused: -1021 on spot, -5028 on USD-M.
        """
        window = call.window
        if window is not None and window.is_over(self.house.clock_ms()):
            if self.house.venue == "spot":
                self._count(call)
                raise refusal("late")
            raise refusal("engine_window")

    def carry_out(self, call: Call) -> Any:
        """Carry out a request, and count it.

        Raises:
            Refused: it had no effect.
        """
        method = self.methods.table[call.name]
        self.house.advance()
        delays = self.house.streams.delays
        self.house.drawn_lag_ms = 0 if delays is None else delays.query_ms()
        try:
            result = method.act(call)
        except Refused:
            self._charge_failure(method, call.params)
            raise
        self._count(call)
        return result

    def _charge_failure(self, method: Method, params: Mapping[str, str]) -> None:
        if method.free_if_accepted:
            self.house.weights.used += method.weighs(params)

    def _count(self, call: Call) -> None:
        method = self.methods.table[call.name]
        if method.orders is not None and call.account is not None:
            counts = self.house.counts_of(call.account)
            counts.add(1, self.house.clock_ms(), dict(method.orders) or None)

    # -- what goes with a reply -----------------------------------------------------------------

    def rate_limits(self, call: Call | None) -> list[dict[str, Any]]:
        """``rateLimits`` of the WebSocket API."""
        weights = self.house.weights
        limits: list[dict[str, Any]] = []
        if call is not None and call.account is not None and self._counts_orders(call):
            limits += self.house.counts_of(call.account).described(self.house.clock_ms())
        limits.append(
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": weights.most,
                "count": weights.used,
            }
        )
        return limits

    def headers(self, call: Call | None) -> dict[str, str]:
        """Headers of a REST answer; a refused order may lack its count (§9)."""
        headers = {"X-MBX-USED-WEIGHT-1M": str(self.house.weights.used)}
        if call is not None and call.account is not None and self._counts_orders(call):
            headers |= self.house.counts_of(call.account).headers(self.house.clock_ms())
        return headers

    def _counts_orders(self, call: Call) -> bool:
        return self.methods.table[call.name].orders is not None
