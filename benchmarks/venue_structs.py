"""What a bare client decodes frames of each venue into: the same fields as our events, by msgspec.

Numbers that are written as strings become floats, as ours do; nothing is checked, joined or
renamed.
"""

# Fields are called as on the wire.
# ruff: noqa: N815

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

Pair = tuple[float, float]


class Row(msgspec.Struct, gc=False):
    price: float
    qty: float


class BinanceDelta(msgspec.Struct, gc=False):
    s: str
    E: int
    T: int
    U: int
    u: int
    pu: int
    b: list[Pair]
    a: list[Pair]


class BinanceTrade(msgspec.Struct, gc=False):
    s: str
    T: int
    t: int
    p: float
    q: float
    m: bool


class BybitDelta(msgspec.Struct, gc=False):
    s: str
    b: list[Pair]
    a: list[Pair]
    u: int
    seq: int


class BybitTrade(msgspec.Struct, gc=False):
    s: str
    T: int
    S: str
    v: float
    p: float
    i: UUID


class OkxDelta(msgspec.Struct, gc=False):
    asks: list[tuple[float, float, str, str]]
    bids: list[tuple[float, float, str, str]]
    ts: int
    checksum: int
    prevSeqId: int
    seqId: int


class OkxTrade(msgspec.Struct, gc=False):
    instId: str
    tradeId: int
    px: float
    sz: float
    side: str
    ts: int


class KrakenDelta(msgspec.Struct, gc=False):
    symbol: str
    bids: list[Row]
    asks: list[Row]
    checksum: int
    timestamp: datetime


class KrakenTrade(msgspec.Struct, gc=False):
    symbol: str
    side: str
    price: float
    qty: float
    trade_id: int
    timestamp: datetime


class FuturesDelta(msgspec.Struct, gc=False):
    product_id: str
    side: str
    seq: int
    price: float
    qty: float
    timestamp: int


class FuturesTrade(msgspec.Struct, gc=False):
    product_id: str
    side: str
    seq: int
    time: int
    qty: float
    price: float


class DeribitDelta(msgspec.Struct, gc=False):
    timestamp: int
    instrument_name: str
    change_id: int
    bids: list[tuple[str, float, float]]
    asks: list[tuple[str, float, float]]
    prev_change_id: int = 0


class DeribitTrade(msgspec.Struct, gc=False):
    trade_seq: int
    timestamp: int
    price: float
    instrument_name: str
    direction: str
    amount: float
    trade_id: str
    liquidation: str | None = None
    block_trade_id: str | None = None
    block_rfq_id: int | str | None = None
    combo_trade_id: str | int | None = None


class BitgetTrade(msgspec.Struct, gc=False):
    i: int
    p: float
    v: float
    S: str
    T: int


class BitgetDelta(msgspec.Struct, gc=False):
    a: list[Pair]
    b: list[Pair]
    seq: int
    pseq: int
    ts: int


class CoinbaseTrade(msgspec.Struct, gc=False):
    trade_id: int
    product_id: str
    price: float
    size: float
    side: str
    time: str


class CoinbaseTrades(msgspec.Struct, gc=False):
    type: str
    trades: list[CoinbaseTrade]


class CoinbaseRow(msgspec.Struct, gc=False):
    side: str
    price_level: float
    new_quantity: float


class CoinbaseBook(msgspec.Struct, gc=False):
    type: str
    product_id: str
    updates: list[CoinbaseRow]


class CoinbaseTradesFrame(msgspec.Struct, gc=False):
    sequence_num: int
    events: list[CoinbaseTrades]


class CoinbaseBookFrame(msgspec.Struct, gc=False):
    timestamp: str
    sequence_num: int
    events: list[CoinbaseBook]


class HyperliquidTrade(msgspec.Struct, gc=False):
    coin: str
    side: str
    px: float
    sz: float
    time: int
    tid: int


class HyperliquidRow(msgspec.Struct, gc=False):
    px: float
    sz: float


class HyperliquidBook(msgspec.Struct, gc=False):
    coin: str
    time: int
    levels: tuple[list[HyperliquidRow], list[HyperliquidRow]]


def wrapped(kind: Any, *path: str) -> Any:
    """A struct whose fields lead to `kind`: ``wrapped(Trade, "params", "data")``."""
    for name in reversed(path):
        kind = msgspec.defstruct(f"In_{name}", [(name, kind)], gc=False)
    return kind


FRAMES: dict[tuple[str, str], Any] = {
    ("binance_coinm", "trades"): wrapped(BinanceTrade, "data"),
    ("binance_coinm", "deltas"): wrapped(BinanceDelta, "data"),
    ("bybit_linear", "trades"): wrapped(list[BybitTrade], "data"),
    ("bybit_linear", "deltas"): wrapped(BybitDelta, "data"),
    ("okx", "trades"): wrapped(list[OkxTrade], "data"),
    ("okx", "deltas"): wrapped(list[OkxDelta], "data"),
    ("kraken", "trades"): wrapped(list[KrakenTrade], "data"),
    ("kraken", "deltas"): wrapped(list[KrakenDelta], "data"),
    ("kraken_unified", "trades"): wrapped(list[KrakenTrade], "data"),
    ("kraken_unified", "deltas"): wrapped(list[KrakenDelta], "data"),
    ("kraken_futures", "trades"): FuturesTrade,
    ("kraken_futures", "deltas"): FuturesDelta,
    ("deribit", "trades"): wrapped(list[DeribitTrade], "params", "data"),
    ("deribit", "deltas"): wrapped(DeribitDelta, "params", "data"),
    ("coinbase", "trades"): CoinbaseTradesFrame,
    ("coinbase", "deltas"): CoinbaseBookFrame,
    ("hyperliquid", "trades"): wrapped(list[HyperliquidTrade], "data"),
    ("hyperliquid", "deltas"): wrapped(HyperliquidBook, "data"),
    ("bitget_futures", "trades"): wrapped(list[BitgetTrade], "data"),
    ("bitget_futures", "deltas"): wrapped(list[BitgetDelta], "data"),
}
"""By venue and kind of frame."""


def decoder(venue: str, kind: str) -> Callable[[bytes | memoryview], object]:
    """Decodes a whole frame."""
    return msgspec.json.Decoder(FRAMES[venue, kind], strict=False).decode
