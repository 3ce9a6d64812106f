"""The public REST interface: time, symbols, depth snapshots and history, with request weights.

Source: binance_spot §6, §9; binance_usdm §5, §8.
"""

from __future__ import annotations

import math
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import attrs
import msgspec

from connector.testing.exchange import market_data
from connector.testing.exchange.market_data import Refused
from connector.testing.exchange.spelling import spelled
from connector.testing.exchange.trading.opening import TradingSide
from connector.testing.exchange.trading.refusals import Refused as TradingRefused
from connector.testing.kits.kit import Kit
from connector.testing.kits.table import KITS
from connector.testing.market.audience import Audience
from connector.testing.market.coinm_contracts import NEVER_MS, contract_terms
from connector.testing.market.history import history_of
from connector.testing.market.order_flow import writer_of
from connector.testing.market.sources import Player, Statuses
from connector.testing.network.server_websocket import Request, response
from connector.testing.venues.rules import QUOTES

MINUTE = 60.0
"""The delivery date of a perpetual."""
_TOO_MANY = -1003


class Answers(Protocol):
    """A server of REST requests."""

    def answer(self, request: Request) -> bytes:
        """Return the whole HTTP response to a request."""
        ...


@attrs.frozen
class _KitServer:
    """A REST server that passes requests to the kit of a venue."""

    kit: Kit
    player: Player

    def answer(self, request: Request) -> bytes:
        symbols = spelled(self.kit.rules.name, self.player.symbols)
        return self.kit.answer(request, symbols, self.player)


def rest_server(audience: Audience, player: Player, trading: TradingSide | None) -> Answers:
    """Make the REST server of a venue."""
    kit = KITS.get(audience.venue.rules.name)
    return RestServer(audience, player, trading) if kit is None else _KitServer(kit, player)


@attrs.define
class RestServer:
    """Answers REST requests; weights are counted per minute, over all clients."""

    audience: Audience
    player: Player
    trading: TradingSide | None = None
    """The trading side, if any: it shares the host's weights, and describes its symbols."""
    _minute: int = 0
    _used: int = 0
    _refused: int = 0
    _banned_until: float = 0.0
    _retry_after: float = 0.0

    def answer(self, request: Request) -> bytes:
        """Return the whole HTTP response to a request."""
        url = urlsplit(request.target)
        query = dict(parse_qsl(url.query))
        path = url.path.removeprefix(self.audience.venue.rules.rest_prefix)
        known = path != url.path and request.method == "GET"
        headers = {"Content-Type": "application/json"}
        try:
            weight = self._weigh(path, query) if known else 1
            headers |= self._charge(weight)
            body = self._body(path, query, request) if known else None
        except Refused as refused:
            status, body = refused.status, refused.body
            if status in (418, 429):
                headers["Retry-After"] = str(math.ceil(self._wait()))
        else:
            status = 200 if body is not None else 404
        return response(status, headers, body or b"", keep_alive=True)

    def _weigh(self, path: str, query: dict[str, str]) -> int:
        if path in market_data.ANSWERS:
            return market_data.weigh(path, query, spot=self._is_spot, coinm=self._is_coinm)
        if path != "/depth":
            return 20 if path == "/exchangeInfo" and self._is_spot else 1
        limit = _limit(query)
        weights = self.audience.venue.rules.depth_weights
        return next((weight for most, weight in weights if limit <= most), weights[-1][1])

    @property
    def _is_spot(self) -> bool:
        return self.audience.venue.rules.name == "spot"

    @property
    def _is_coinm(self) -> bool:
        return self.audience.venue.rules.name == "binance_coinm"

    def _charge(self, weight: int) -> dict[str, str]:
        rules, now = self.audience.venue.rules, self.audience.seconds
        if self.trading is not None:
            return self._charge_host(self.trading, weight)
        if now < self._banned_until:
            raise Refused(418, _TOO_MANY, "Way too many requests; IP banned")
        if int(now / MINUTE) != self._minute:
            self._minute, self._used, self._refused = int(now / MINUTE), 0, 0
        self._used += weight
        if self._used > rules.weight_per_minute:
            self._refused += 1
            if self._refused > rules.attempts_before_ban:
                self._banned_until = now + rules.ban_seconds
                raise Refused(418, _TOO_MANY, "Way too many requests; IP banned")
            raise Refused(429, _TOO_MANY, "Too many requests; current limit of IP is exceeded")
        return {"X-MBX-USED-WEIGHT-1M": str(self._used)}

    def _charge_host(self, trading: TradingSide, weight: int) -> dict[str, str]:
        try:
            trading.desk.gateway.charge(weight)
        except TradingRefused as refused:
            self._retry_after = refused.retry_after_seconds or 0.0
            raise Refused(refused.status, refused.code, refused.message) from refused
        return trading.desk.gateway.headers(None)

    def _wait(self) -> float:
        if self.trading is not None:
            return self._retry_after
        now = self.audience.seconds
        return max(self._banned_until - now, (self._minute + 1) * MINUTE - now)

    def _body(self, path: str, query: dict[str, str], request: Request) -> bytes | None:
        if path == "/ping":
            return b"{}"
        if path == "/time":
            return b'{"serverTime":%d}' % self.audience.now_ms()
        if path == "/depth":
            return self._depth(query)
        if path == "/exchangeInfo":
            return msgspec.json.encode(self._exchange_info())
        if path in market_data.ANSWERS and not (self._is_spot and path == "/fundingRate"):
            return self._past(path, query, request)
        return None

    def _past(self, path: str, query: dict[str, str], request: Request) -> bytes:
        history = history_of(self.player, market_data.mandatory(query, "symbol"))
        if history is None:
            raise Refused(400, market_data.BAD_SYMBOL, "Invalid symbol.")
        asked = market_data.Asked(
            query=query,
            history=history,
            write=writer_of(self.audience.venue.rules.name)[0],
            spot=self._is_spot,
            now_ms=self.audience.now_ms(),
            has_key="x-mbx-apikey" in request.headers,
        )
        return market_data.ANSWERS[path](asked)

    def _depth(self, query: dict[str, str]) -> bytes:
        symbol = market_data.mandatory(query, "symbol")
        limit = _limit(query)
        if not self._is_spot and limit not in market_data.FUTURES_DEPTHS:
            raise Refused(
                400, market_data.BAD_VALUE, "Data sent for parameter 'limit' is not valid."
            )
        body = self.player.snapshot(symbol, limit)
        if body is None:
            raise Refused(400, market_data.BAD_SYMBOL, "Invalid symbol.")
        return body

    def _exchange_info(self) -> dict[str, Any]:
        if self.trading is not None:
            return self.trading.exchange_info()
        rules = self.audience.venue.rules
        return {
            "timezone": "UTC",
            "serverTime": self.audience.now_ms(),
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": rules.weight_per_minute,
                }
            ],
            "symbols": [
                self._symbol(symbol) for symbol in spelled(rules.name, self.player.symbols)
            ],
        }

    def _symbol(self, symbol: str) -> dict[str, Any]:
        quote = next(
            (each for each in QUOTES if symbol.endswith(each) and symbol != each), symbol[-3:]
        )
        statuses = self.player.statuses if isinstance(self.player, Statuses) else {}
        described: dict[str, Any] = {
            "symbol": symbol,
            "status": statuses.get(symbol, "TRADING"),
            "baseAsset": symbol.removesuffix(quote),
            "quoteAsset": quote,
        }
        if self._is_coinm:
            return contract_terms(symbol, statuses.get(symbol, "TRADING"))
        least = {"filterType": "NOTIONAL", "minNotional": "5.00000000"}
        if not self._is_spot:
            described |= {"contractType": "PERPETUAL", "marginAsset": quote}
            described["deliveryDate"] = NEVER_MS
            least = {"filterType": "MIN_NOTIONAL", "notional": "5"}
        described["filters"] = [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "stepSize": "0.001"},
            least,
        ]
        return described


def _limit(query: dict[str, str]) -> int:
    text = query.get("limit", "100")
    if not text.isdecimal() or not 0 < int(text) <= 5000:
        raise Refused(
            400, market_data.BAD_PARAMETER, "Illegal characters found in parameter 'limit'."
        )
    return int(text)
