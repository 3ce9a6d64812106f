"""What Bitget calls its markets and streams.

A stream is named by its topic and its symbol, as ``books:BTCUSDT``; one of v2 has ``v2.`` before
it, a candle of v3 its interval behind it.

Source: bitget §1, §3, §4.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Market: TypeAlias = Literal["spot", "futures"]

INST_TYPES = ("spot", "usdt-futures", "usdc-futures", "coin-futures")
V3_ROUTE, V2_ROUTE = "/v3/ws/public", "/v2/ws/public"
_SYMBOL = r"[^\s:.\"]+"
_V3_INTERVALS = "1m|3m|5m|15m|30m|1H|4H|6H|12H|1D"
_V2_INTERVALS = (
    "1m|3m|5m|15m|30m|1H|2H|4H|8H|6H|12H|1D|3D|1W|1M|6Hutc|12Hutc|1Dutc|3Dutc|1Wutc|1Mutc"
)
SPOT_STREAMS = (
    (rf"(?:publicTrade|books(?:1|5|50)?|rpi-books(?:1|5|50)?|ticker):{_SYMBOL}", V3_ROUTE),
    (rf"kline:{_SYMBOL}:(?:{_V3_INTERVALS})", V3_ROUTE),
    (rf"v2\.(?:trade|books(?:1|5|15)?|ticker|candle(?:{_V2_INTERVALS})):{_SYMBOL}", V2_ROUTE),
)
FUTURES_STREAMS = (
    *SPOT_STREAMS,
    (r"liquidation:(?:usdt|usdc|coin)-futures", V3_ROUTE),
)


def inst_type_of(market: Market, symbol: str) -> str:
    """In which market a simulated symbol is, by how the real ones are called."""
    if market == "spot":
        return "spot"
    if symbol.endswith("_CM"):
        return "coin-futures"
    return "usdc-futures" if symbol.endswith("PERP") else "usdt-futures"


def assets_of(market: Market, symbol: str) -> tuple[str, str]:
    """Base and quote."""
    inst_type = inst_type_of(market, symbol)
    if inst_type == "usdc-futures":
        return symbol.removesuffix("PERP"), "USDC"
    if inst_type == "coin-futures":
        return symbol.removesuffix("_CM").removesuffix("USD"), "USD"
    quote = next((each for each in ("USDT", "USDC", "BTC") if symbol.endswith(each)), symbol[-3:])
    return symbol.removesuffix(quote), quote
