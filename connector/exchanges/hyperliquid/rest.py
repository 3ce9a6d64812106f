"""What Hyperliquid answers when it is asked for what is traded.

Every request is a POST of the same target, with the question as its body.

Source: hyperliquid §4, §9, §10.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec

from connector.exchanges.protocol import Page, RestRequest, RestService
from connector.exchanges.refusals import NO_REASON
from connector.instruments import Instrument, Status

T = TypeVar("T")
Answer: TypeAlias = Callable[[bytes], T]
"""What reads a reply."""

WEIGHT_PER_WINDOW, WINDOW_SECONDS = 1200, 60.0
_WEIGHT = 60
"""20, and 1 for each 20 rows of the answer."""
_PERPETUAL_DECIMALS, _SPOT_DECIMALS = 6, 8
"""Of a price, without those of the size."""
_LEAST_VALUE = Decimal(10)
_TRADING, _DELISTED = "trading", "delisted"


def refusal(body: bytes) -> tuple[int | str | None, str]:
    """There are no codes: the body is the text, unless something else answers with a page."""
    text = body[:200].decode("utf-8", "backslashreplace")
    return (None if text.lstrip()[:1] in ("", "<") else "error"), text or NO_REASON


def service(url: str) -> RestService:
    """The REST interface at `url`."""
    return RestService(
        url=url,
        weight_per_window=WEIGHT_PER_WINDOW,
        window_seconds=WINDOW_SECONDS,
        error=refusal,
        banned=frozenset({429}),
    )


class _Token(msgspec.Struct, rename="camel"):
    name: str
    index: int
    sz_decimals: int


class _Pair(msgspec.Struct):
    name: str
    tokens: tuple[int, int]


class _SpotMeta(msgspec.Struct):
    tokens: list[_Token]
    universe: list[_Pair]


class _Perpetual(msgspec.Struct, rename="camel"):
    name: str
    sz_decimals: int
    is_delisted: bool | None = None


class _PerpetualMeta(msgspec.Struct, rename="camel"):
    universe: list[_Perpetual]
    collateral_token: int = 0


_SPOT_META = msgspec.json.Decoder(_SpotMeta)
_PERPETUAL_METAS = msgspec.json.Decoder(list[_PerpetualMeta])


def ask(kind: str, read: Answer[T], weight: int = _WEIGHT, **more: object) -> RestRequest[T]:
    """The request for an answer of a `kind`; what else it is asked for is in `more`."""
    body = msgspec.json.encode({"type": kind, **more})
    # What follows the "#" is not sent: it tells the requests of one target apart.
    name = quote(body.decode(), safe="") if more else kind
    return RestRequest(target=f"/info#{name}", weight=weight, decode=read, body=body)


def instruments() -> RestRequest[Page[Instrument]]:
    """The request for spot, which also names the tokens in which perpetuals are settled."""

    def read(body: bytes) -> Page[Instrument]:
        meta = _SPOT_META.decode(body)
        tokens = {token.index: token for token in meta.tokens}
        try:
            items = tuple(
                _pair(pair, *(tokens[each] for each in pair.tokens)) for pair in meta.universe
            )
        except KeyError as error:
            raise msgspec.ValidationError(f"there is no token {error}") from error
        return Page(items, _perpetuals({each.index: each.name for each in meta.tokens}))

    return ask("spotMeta", read)


def _perpetuals(tokens: dict[int, str]) -> RestRequest[Page[Instrument]]:
    """The request for the perpetuals of all exchanges of Hyperliquid, its own first."""

    def read(body: bytes) -> Page[Instrument]:
        return Page(
            tuple(
                _perpetual(row, tokens.get(meta.collateral_token, "USDC"))
                for meta in _PERPETUAL_METAS.decode(body)
                for row in meta.universe
            ),
            None,
        )

    return ask("allPerpMetas", read)


def _pair(pair: _Pair, base: _Token, quote: _Token) -> Instrument:
    return Instrument(
        symbol=pair.name,
        base=base.name,
        quote=quote.name,
        kind="spot",
        status=Status.TRADING,
        exchange_status=_TRADING,
        **_steps(_SPOT_DECIMALS, base.sz_decimals),
    )


def _perpetual(row: _Perpetual, settle: str) -> Instrument:
    return Instrument(
        symbol=row.name,
        # A builder's is ``dex:COIN``.
        base=row.name.rpartition(":")[2],
        quote=settle,
        kind="perpetual",
        status=Status.ENDED if row.is_delisted else Status.TRADING,
        exchange_status=_DELISTED if row.is_delisted else _TRADING,
        settle=settle,
        **_steps(_PERPETUAL_DECIMALS, row.sz_decimals),
    )


def _steps(price_decimals: int, size_decimals: int) -> dict[str, Any]:
    """A price also has at most 5 significant figures, which no tick says."""
    return {
        "tick_size": Decimal(1).scaleb(-max(price_decimals - size_decimals, 0)),
        "step_size": Decimal(1).scaleb(-size_decimals),
        "min_notional": _LEAST_VALUE,
    }
