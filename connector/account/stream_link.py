"""The connection of the private stream: one at a time, open before the account is read over REST.

The old connection is closed before a new key is fetched or a new connection is opened. A key is
renewed long before it expires. If the key is invalid, or the exchange announces its expiry, the
session ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from connector.account.asking import Asking, Refused
from connector.account.reconnecting import Dialling, EndReason, keep_asking_whether_alive
from connector.errors import ExchangeUnavailable, HandshakeRejected, RequestRejected
from connector.trading.reports import OrderReport, Report
from connector.trading.venue import Answer, Heard, Shutdown, StreamAccess

_LOGIN_ID = 1
_LOGIN_SECONDS = 10.0
_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_LIFETIME_SECONDS = 23 * 3600.0


class StreamOwner(Protocol):
    """The methods of the account that the stream calls."""

    def stream_connecting(self) -> None:
        """A new connection is about to be opened."""

    def stream_lost(self, reason: str) -> None:
        """The connection is lost: events are missed from now on."""

    def stream_unreadable(self) -> None:
        """A message of the stream could not be decoded: it may have been a report."""

    async def keep_synced(self) -> None:
        """The stream is subscribed: read the account, join it, and watch it until cancelled."""


class PrivateStream:
    """The private stream of one account."""

    def __init__(
        self,
        dialling: Dialling,
        asking: Asking,
        owner: StreamOwner,
        told: Callable[[Report], None],
        *,
        window: float,
    ) -> None:
        self.dialling = dialling
        self._trading = asking.trading
        self._asking = asking
        self._owner = owner
        self._told = told
        """Takes the reports that arrive on the stream."""
        self._window = window
        self._login: Answer | None = None
        self._logged_in = trio.Event()
        self._over = trio.Event()
        self._reason = ""

    def reopen(self, why: EndReason, detail: str = "") -> None:
        """End the present session; the loop opens the next one."""
        if not self._over.is_set():
            self._reason = detail or why
            self.dialling.note_end(why, detail)
            self._over.set()

    def heard(self, said: Heard) -> None:
        """A frame of the present session."""
        if isinstance(said, OrderReport):
            # Nearly all are, and to ask first whether it is another struct costs more than this.
            self._told(said)
        elif isinstance(said, Answer):
            if not self._logged_in.is_set():
                self._login = said
                self._logged_in.set()
            elif said.refusal is not None and said.refusal.status == 401:
                self.reopen("refused", "the key was revoked, or its permission")
        elif isinstance(said, Shutdown):
            self.reopen("shutdown")
        else:
            self._told(said)

    def unreadable(self) -> None:
        """A message of the present session could not be decoded."""
        self._owner.stream_unreadable()

    async def run(self) -> None:
        """Keep the stream open.

        Raises:
            RequestRejected: the key may not read the account, or does not exist any more.

        Cancellation: the connection is closed.
        """
        while True:
            token = await self._fetch_token()
            access = self._trading.stream(token)
            await self.dialling.wait_for_turn(access.url)
            self._over, self._logged_in, self._reason = trio.Event(), trio.Event(), ""
            self._login = None
            self._owner.stream_connecting()
            try:
                await self._session(access, token)
            except (ExchangeUnavailable, HandshakeRejected) as error:
                self._reason = self._reason or str(error)
            finally:
                self._owner.stream_lost(self._reason or "disconnected")

    async def _fetch_token(self) -> str:
        """The exchange's time, if it is not known, and a key, if there is one."""
        wanted = self._trading.token
        failures = 0
        while True:
            try:
                async with self._asking.open() as conversation:
                    await conversation.sample_clock()
                    return "" if wanted is None else await conversation.ask(wanted.fetch)
            except Refused as refused:
                _raise_if_fatal(refused)
            except ExchangeUnavailable:
                pass
            await trio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    async def _session(self, access: StreamAccess, token: str) -> None:
        fatal: RequestRejected | None = None
        async with (
            self.dialling.open(access.url, self) as connection,
            trio.open_nursery() as nursery,
        ):

            async def until_over() -> None:
                ended = await connection.run()
                self.reopen(ended.reason, ended.text)

            async def until_dead() -> None:
                await keep_asking_whether_alive(connection)
                self.reopen("no reply", "no answer to a ping")

            async def until_old() -> None:
                await trio.sleep(_LIFETIME_SECONDS)
                self.reopen("age")

            async def end_when_over() -> None:
                await self._over.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(end_when_over)
            nursery.start_soon(until_over)
            nursery.start_soon(until_dead)
            nursery.start_soon(until_old)
            if token:
                nursery.start_soon(self._keep_token, token)
            try:
                if access.login is not None:
                    text = self._trading.write(
                        access.login,
                        _LOGIN_ID,
                        self._asking.key,
                        self._asking.clock.now_ns(trio.current_time()),
                        self._window,
                    )
                    await connection.send(text)
                    await self._wait_for_login()
                await self._owner.keep_synced()
            except ExchangeUnavailable as error:
                self.reopen("error", str(error))
            except RequestRejected as rejected:
                fatal = rejected
                self.reopen("refused", str(rejected))
        if fatal is not None:
            raise fatal

    async def _wait_for_login(self) -> None:
        with trio.move_on_after(_LOGIN_SECONDS):
            await self._logged_in.wait()
        if self._login is None:
            raise ExchangeUnavailable(
                "the exchange did not answer the subscription to private events"
            )
        refusal = self._login.refusal
        if refusal is None:
            return
        verdict = self._trading.verdict(refusal)
        if verdict.meaning == "time":
            self._asking.clock.distrust()
        if verdict.meaning == "permission":
            raise RequestRejected(refusal.status, refusal.code, refusal.text)
        raise ExchangeUnavailable(
            f"the exchange refused the subscription to private events: code {refusal.code!r}"
        )

    async def _keep_token(self, token: str) -> None:
        """Renew the key; end the session when it is gone."""
        wanted = self._trading.token
        assert wanted is not None
        renewed = trio.current_time()
        while True:
            await trio.sleep_until(renewed + wanted.renew_seconds)
            failures = 0
            while True:
                try:
                    await self._asking.ask(wanted.renew(token))
                except Refused:
                    self.reopen("key", "the key to the private stream is gone")
                    return
                except ExchangeUnavailable:
                    if trio.current_time() - renewed >= wanted.expire_seconds:
                        self.reopen("key", "the key to the private stream could not be renewed")
                        return
                    await trio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                    failures += 1
                else:
                    renewed = trio.current_time()
                    break


def _raise_if_fatal(refused: Refused) -> None:
    if refused.verdict.meaning == "permission":
        refusal = refused.refusal
        raise RequestRejected(refusal.status, refusal.code, refusal.text) from None
