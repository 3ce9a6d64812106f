"""REST requests of an account: each is signed when it is sent, one connection per conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import attrs
import trio

from connector.account.exchange_clock import ExchangeClock
from connector.errors import ConnectorError, ExchangeUnavailable
from connector.exchanges.protocol import UNDECODABLE, RestService
from connector.keys import ApiKey
from connector.link.pacing import retry_after_seconds
from connector.link.weight_gate import WeightGate
from connector.trading.venue import Refusal, Request, Trading, Verdict
from connector.transport import Dialer
from connector.transport.http import Http, Response, open_http

T = TypeVar("T")

_SILENCE_SECONDS = 5.0
_ANSWER_SECONDS = 20.0
_SHORTEST_PAUSE = 0.001
"""What is left of a pause by rounding is none that a clock can measure."""
_LONGEST_PAUSE = 10.0
"""A question that would have to wait for longer has failed: others may be asked instead."""


class Refused(ConnectorError):
    """The exchange answered a question with no."""

    def __init__(self, what: str, refusal: Refusal, verdict: Verdict) -> None:
        super().__init__(
            f"{what}: refused with HTTP status {refusal.status}, code {refusal.code!r}, "
            f"{refusal.text[:200]!r}"
        )
        self.refusal = refusal
        self.verdict = verdict


@attrs.frozen
class Asking:
    """Everything that a REST request of an account needs."""

    trading: Trading
    service: RestService
    key: ApiKey
    clock: ExchangeClock
    dialer: Dialer
    sockets: set[trio.abc.Stream] = attrs.field(factory=set, eq=False)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Conversation]:
        """A connection for the length of a block.

        Raises:
            ExchangeUnavailable: there is none, or it broke.

        Cancellation: it is closed.
        """
        async with open_http(
            self.service.url,
            dialer=self.dialer,
            connect_timeout=_SILENCE_SECONDS,
            read_timeout=_SILENCE_SECONDS,
            sockets=self.sockets,
        ) as http:
            yield Conversation(self, http)

    async def ask(self, request: Request[T]) -> T:
        """One question over a connection of its own; errors as of `Conversation.ask`."""
        async with self.open() as conversation:
            return await conversation.ask(request)


class Conversation:
    """Questions over one connection, one after the other."""

    def __init__(self, asking: Asking, http: Http) -> None:
        self._asking = asking
        self._http = http
        self._gate = WeightGate.of(urlsplit(asking.service.url).hostname or "")

    async def ask(self, request: Request[T]) -> T:
        """The answer to `request`.

        Raises:
            ExchangeUnavailable: there is none, or it says nothing.
            Refused: the exchange said no.

        Cancellation: the connection is of no use afterwards.
        """
        for attempt in (1, 2):
            response = await self._send(request)
            refusal = self._asking.trading.refusal(response.status, response.body, response.headers)
            if refusal is None:
                return self._decode(request, response)
            verdict = self._asking.trading.verdict(refusal)
            if verdict.meaning == "time" and attempt == 1 and request.signing == "signed":
                self._asking.clock.distrust()
                await self.sample_clock()
                continue
            self._raise_refusal(request, response, refusal, verdict)
        raise ExchangeUnavailable(f"{request.what}: the exchange refused the timestamp twice")

    async def sample_clock(self) -> int:
        """Fetch the exchange's time at its answer, in nanoseconds."""
        sent = trio.current_time()
        server_ns = await self.ask(self._asking.trading.clock())
        self._asking.clock.observe(sent, trio.current_time(), server_ns)
        return server_ns

    def _raise_refusal(
        self, request: Request[T], response: Response, refusal: Refusal, verdict: Verdict
    ) -> None:
        if verdict.meaning in ("limit", "banned"):
            self._gate.ban.strike(retry_after_seconds(response.headers))
        if verdict.meaning in ("unknown", "busy", "limit", "banned"):
            raise ExchangeUnavailable(
                f"{request.what}: HTTP status {refusal.status}, code {refusal.code!r}"
            )
        raise Refused(request.what, refusal, verdict)

    async def _send(self, request: Request[T]) -> Response:
        asking = self._asking
        await trio.lowlevel.checkpoint()
        while (wait := self._gate.wait_seconds(request.weight, asking.service)) > 0:
            if wait > _LONGEST_PAUSE:
                raise ExchangeUnavailable(
                    f"{request.what}: the request limit is used up for {wait:.3g} s"
                )
            await trio.sleep(max(wait, _SHORTEST_PAUSE))
        self._gate.take(request.weight)
        now_ns = 0 if request.signing != "signed" else asking.clock.now_ns(trio.current_time())
        written = asking.trading.write_rest(request, asking.key, now_ns, _SILENCE_SECONDS)
        with trio.move_on_after(_ANSWER_SECONDS):
            response = await self._http.request(written.verb, written.target, written.headers)
            used = response.headers.get(asking.service.used_weight_header or "", "")
            if used.isdecimal():
                self._gate.observe(int(used))
            return response
        raise ExchangeUnavailable(f"{request.what}: no answer within {_ANSWER_SECONDS:g} s")

    def _decode(self, request: Request[T], response: Response) -> T:
        try:
            return request.decode(response.body)
        except UNDECODABLE as error:
            raise ExchangeUnavailable(
                f"{request.what}: the answer cannot be read: {type(error).__name__}"
            ) from error
