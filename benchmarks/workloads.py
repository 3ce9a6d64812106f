"""What the load server sends: prepared frames of Binance USD-M, one list per workload."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

DATA = Path(
    os.environ.get("CONNECTOR_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data"
)
CAPTURE = DATA / "binance_spot" / "btcusdt_20240809.jsonl.gz"

TIME_MS = 1_785_000_000_000
STAMPS = 10**12
"""Stamps begin anew after so many steps, which is more than a day."""
STAMP_NS = 100
"""One step. A stamp stands where a time in milliseconds belongs, and must look like one."""


def stamp() -> int:
    """This moment of CLOCK_MONOTONIC, in 13 digits as a time in milliseconds has them."""
    return STAMPS + time.monotonic_ns() // STAMP_NS % STAMPS


def microseconds_since(stamped: int) -> float:
    """How long ago `stamped` was the stamp."""
    return (stamp() - stamped) % STAMPS * STAMP_NS / 1_000


def frame(text: str) -> bytes:
    """A text frame as a server sends it (RFC 6455 §5.2)."""
    payload = text.encode()
    length = len(payload)
    if length < 126:
        return struct.pack("!BB", 0x81, length) + payload
    return struct.pack("!BBH", 0x81, 126, length) + payload


def deflated_frames() -> Callable[[str], bytes]:
    """Makes the frames of one connection, compressed with context takeover (RFC 7692)."""
    deflate = zlib.compressobj(wbits=-15)

    def make(text: str) -> bytes:
        data = deflate.compress(text.encode()) + deflate.flush(zlib.Z_SYNC_FLUSH)
        payload = data[:-4]
        if len(payload) < 126:
            return struct.pack("!BB", 0xC1, len(payload)) + payload
        return struct.pack("!BBH", 0xC1, 126, len(payload)) + payload

    return make


def bare(text: str) -> str:
    """The message without its envelope, as ``/ws`` sends it."""
    return text[text.index('"data":') + 7 : -1]


def aggregate_trade(symbol: str, number: int) -> str:
    return envelope(
        f"{symbol.lower()}@aggTrade",
        {"e": "aggTrade", "E": TIME_MS, "T": TIME_MS, "s": symbol, "a": number, "p": "3424.98",
         "q": "0.006", "f": number, "l": number, "m": number % 2 == 0},
    )  # fmt: skip


def envelope(stream: str, data: dict[str, object]) -> str:
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":"))


def depth5(symbol: str, number: int) -> str:
    bids = [[f"{3424.98 - level / 100:.2f}", f"{level * 1.7 + 0.724:.3f}"] for level in range(5)]
    asks = [[f"{3424.99 + level / 100:.2f}", f"{level * 1.1 + 1.524:.3f}"] for level in range(5)]
    return envelope(
        f"{symbol.lower()}@depth5@100ms",
        {"e": "depthUpdate", "E": TIME_MS, "T": TIME_MS, "s": symbol, "U": number, "u": number,
         "pu": number - 1, "b": bids, "a": asks},
    )  # fmt: skip


def trade(symbol: str, number: int) -> str:
    return envelope(
        f"{symbol.lower()}@trade",
        {"e": "trade", "E": TIME_MS, "T": TIME_MS, "s": symbol, "t": number, "p": "3424.98",
         "q": "0.006", "X": "MARKET", "m": number % 2 == 0},
    )  # fmt: skip


def book_ticker(symbol: str, number: int) -> str:
    return envelope(
        f"{symbol.lower()}@bookTicker",
        {"e": "bookTicker", "u": number, "s": symbol, "b": "3424.98", "B": "77.165",
         "a": "3424.99", "A": "79.991", "T": TIME_MS, "E": TIME_MS},
    )  # fmt: skip


def diff_depth(symbol: str, number: int) -> str:
    levels = [[f"{3400 + level / 10:.2f}", f"{level * 0.3:.3f}"] for level in range(17)]
    return envelope(
        f"{symbol.lower()}@depth@100ms",
        {"e": "depthUpdate", "E": TIME_MS, "T": TIME_MS, "s": symbol, "U": number, "u": number,
         "pu": number - 1, "b": levels, "a": levels},
    )  # fmt: skip


MAKERS: dict[str, Callable[[str, int], str]] = {
    "depth5": depth5,
    "trade": trade,
    "aggTrade": aggregate_trade,
    "bookTicker": book_ticker,
    "depth": diff_depth,
}


def symbols(count: int) -> list[str]:
    return ["ETHUSDC"] if count == 1 else [f"COIN{number}USDT" for number in range(count)]


def captured() -> Iterator[str]:
    """A real mix, in its real order."""
    with gzip.open(CAPTURE, "rt") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["k"] == "recv":
                yield entry["m"]


def texts(workload: str, count: int, symbol_count: int) -> list[str]:
    """`count` messages of a workload; ids rise, so that no client sees a duplicate."""
    if workload == "mix":
        return list(itertools.islice(captured(), count))  # 58,325 at most
    make, names = MAKERS[workload], symbols(symbol_count)
    return [make(names[n % len(names)], 1 + n // len(names)) for n in range(count)]
