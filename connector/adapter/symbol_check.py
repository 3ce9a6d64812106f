"""Look up the symbols of streams that deliver nothing: exchanges also accept unknown symbols.

The instruments are fetched when the first stream stays silent, and again when they are too old to
prove that a symbol does not exist. No task waits for them: the check is in the queue for REST.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import trio

from connector.adapter.runners import Loops
from connector.errors import ConfigError
from connector.exchanges.protocol import Exchange, Page, RestRequest
from connector.feeds.subscription import Subscription
from connector.instruments import Instrument, Status, say_unknown
from connector.link.link import Link

_OLD_SECONDS = 300.0
_LIVELY = frozenset({Status.TRADING, Status.UNKNOWN})


class SymbolCheck:
    """The symbols to look up (`connector.link.request_line.Job`).

    Args:
        exchange: says how its instruments are asked for.
        loops: where requests stand in line.
    """

    def __init__(self, exchange: Exchange, loops: Loops) -> None:
        self._exchange = exchange
        self._loops = loops
        self._doubted: dict[Subscription, Link] = {}
        self._known: Mapping[str, Instrument] = {}
        self._known_at = -math.inf
        self._in_line = False
        self._next_page: RestRequest[Any] | None = None
        self._pages: list[Instrument] = []
        """The pages of an answer that is not complete yet."""

    def doubt(self, link: Link, subscription: Subscription) -> None:
        """Look up the symbol of `subscription`, now or when the instruments have arrived."""
        if subscription in self._doubted:
            return
        symbol = getattr(subscription.stream.channel, "symbol", None)
        if not isinstance(symbol, str) or not self._can_ask():
            subscription.listed = True  # as far as anybody can know
            return
        self._doubted[subscription] = link
        if trio.current_time() - self._known_at < _OLD_SECONDS:
            self._judge()
        elif not self._in_line:
            self._in_line = True
            self._loops.rest().ask(self)

    @property
    def request(self) -> RestRequest[Any]:
        """The instruments, or those of the next page."""
        return self._exchange.instruments() if self._next_page is None else self._next_page

    @property
    def wanted(self) -> bool:
        """Whether a stream in doubt is still wanted."""
        self._doubted = {each: link for each, link in self._doubted.items() if _holds(link, each)}
        return bool(self._doubted)

    def begin(self) -> bool:
        """Note that the request for the instruments is about to be sent."""
        self._in_line = self.wanted
        if not self._in_line:
            self._doubted.clear()
        return self._in_line

    def answered(self, answer: tuple[Instrument, ...] | Page[Instrument]) -> None:
        """Take the instruments, or one page of them."""
        self._next_page = answer.next if isinstance(answer, Page) else None
        self._pages += answer.items if isinstance(answer, Page) else answer
        if self._next_page is not None:
            self._loops.rest().ask(self)
            return
        self._in_line = False
        self._known = {each.symbol.upper(): each for each in self._pages}
        self._pages.clear()
        self._known_at = trio.current_time()
        self._judge()

    def failed(self, cause: str) -> None:
        """Note that the request failed and will be repeated."""

    def refused(self, error: Exception) -> None:
        """The instruments cannot be fetched, so the symbols cannot be checked."""
        self._in_line = False
        self._next_page = None
        self._pages.clear()
        for subscription in self._doubted:
            subscription.listed = True
        self._doubted.clear()

    def _can_ask(self) -> bool:
        try:
            self._exchange.instruments()
            self._loops.rest()
        except (ConfigError, AttributeError):
            return False
        return True

    def _judge(self) -> None:
        doubted, self._doubted = self._doubted, {}
        for subscription, link in doubted.items():
            if not _holds(link, subscription):
                continue
            symbol = str(getattr(subscription.stream.channel, "symbol", ""))
            instrument = self._known.get(symbol.upper())
            if instrument is None and self._known:
                listed = (each.symbol for each in self._known.values())
                said = say_unknown(symbol, listed, self._exchange.name)
                link.find_unknown(subscription, said)
                continue
            subscription.listed = True
            if instrument is not None and instrument.status not in _LIVELY:
                link.find_halted(subscription, instrument.exchange_status)


def _holds(link: Link, subscription: Subscription) -> bool:
    return link.subscriptions.get(subscription.name.encode()) is subscription
