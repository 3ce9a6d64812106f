"""Captured books of every exchange, as the events that a book takes.

What an exchange of this library will do for Binance's rivals one day, the readers here do for
their captures; for Binance the library's own decoders read.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from connector.book import BookRules, DigitLevel, rules
from connector.events import BookDelta, BookSnapshot, Level, Quote
from connector.exchanges.binance import wire


class Delta(BookDelta, gc=False, kw_only=True):
    """A delta that also has what some exchanges say."""

    previous: int | None = None
    sum: int | None = None

    @property
    def previous_update_id(self) -> int | None:
        return self.previous

    @property
    def checksum(self) -> int | None:
        return self.sum


class Snapshot(BookSnapshot, gc=False, kw_only=True):
    """A snapshot that may have a checksum."""

    sum: int | None = None

    @property
    def checksum(self) -> int | None:
        return self.sum


Event = tuple[str, BookDelta | BookSnapshot | Quote]
"""The symbol, and what happened to its book; a snapshot fetched over REST is no different."""


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as text:
        for line in text:
            yield json.loads(line)


def digits(rows: Iterable[list[str]]) -> list[Level]:
    return [DigitLevel(float(price), float(size), price, size) for price, size, *_ in rows]


def plain(rows: Iterable[list[Any]]) -> list[Level]:
    return [Level(float(price), float(size)) for price, size, *_ in rows]


# --- Binance

_SPOT = msgspec.json.Decoder(wire.BookDelta[float], strict=False).decode
_FUTURES = msgspec.json.Decoder(wire.ChainedBookDelta[float], strict=False).decode
_QUOTE = msgspec.json.Decoder(wire.Quote[float], strict=False).decode


def binance(path: Path, *, futures: bool) -> Iterator[Event]:
    decode = _FUTURES if futures else _SPOT
    for line in lines(path):
        text = line["m"] or ""
        if line["k"] == "http":
            symbol = re.search(r"symbol=(\w+)", line["u"])
            if symbol:
                yield symbol[1], rest_snapshot(symbol[1], text)
        elif line["k"] == "recv":
            name, _, payload = text.removeprefix('{"stream":"').partition('","data":')
            stream = name.partition("@")[2]
            if re.fullmatch(r"depth(@\d+ms)?", stream):
                event = decode(payload.removesuffix("}").encode())
                yield event.symbol, event
            elif stream == "bookTicker":
                quote = _QUOTE(payload.removesuffix("}").encode())
                yield quote.symbol, quote


def rest_snapshot(symbol: str, text: str) -> Snapshot:
    body = json.loads(text)
    return Snapshot(
        symbol=symbol,
        bids=plain(body["bids"]),
        asks=plain(body["asks"]),
        update_id=body["lastUpdateId"],
    )


# --- the others


def okx(messages: Iterable[str]) -> Iterator[Event]:
    for text in messages:
        message = json.loads(text) if text.startswith("{") else {}
        channel = message.get("arg", {}).get("channel", "")
        if channel not in ("books", "books-l2-tbt", "books50-l2-tbt") or "data" not in message:
            continue
        for data in message["data"]:
            yield (
                message["arg"]["instId"],
                _numbered(
                    message["action"] == "snapshot",
                    digits(data["bids"]),
                    digits(data["asks"]),
                    data.get("seqId", 1),
                    data.get("prevSeqId", 1),
                    data["checksum"],
                ),
            )


def bitget(messages: Iterable[str]) -> Iterator[Event]:
    for text in messages:
        message = json.loads(text) if text.startswith("{") else {}
        arg = message.get("arg", {})
        if "books" not in (arg.get("channel"), arg.get("topic")) or "data" not in message:
            continue
        for data in message["data"]:
            bids, asks = data.get("bids", data.get("b")), data.get("asks", data.get("a"))
            yield (
                arg.get("instId", arg.get("symbol")),
                _numbered(
                    message["action"] == "snapshot",
                    digits(bids),
                    digits(asks),
                    int(data.get("seq", 0)),
                    int(data["pseq"]) if "pseq" in data else None,
                    int(data["checksum"]),
                ),
            )


def kraken_v1(messages: Iterable[str]) -> Iterator[Event]:
    for text in messages:
        message = json.loads(text)
        if not isinstance(message, list) or not message[-2].startswith("book"):
            continue
        parts = {key: value for part in message[1:-2] for key, value in part.items()}
        is_snapshot = "as" in parts
        bids, asks = ("bs", "as") if is_snapshot else ("b", "a")
        yield (
            message[-1],
            _numbered(
                is_snapshot,
                digits(parts.get(bids, ())),
                digits(parts.get(asks, ())),
                0,
                None,
                int(parts["c"]) if "c" in parts else None,
            ),
        )


def kraken_v2(messages: Iterable[str]) -> Iterator[Event]:
    for text in messages:
        # The digits of a JSON number are kept only by whoever reads them as text.
        message = json.loads(text, parse_float=str, parse_int=str)
        if not isinstance(message, dict) or message.get("channel") != "book":
            continue
        for data in message["data"]:
            sides = (
                digits([level["price"], level["qty"]] for level in data[side])
                for side in ("bids", "asks")
            )
            yield (
                data["symbol"],
                _numbered(message["type"] == "snapshot", *sides, 0, None, int(data["checksum"])),
            )


def kraken_futures(messages: Iterable[str]) -> Iterator[Event]:
    for text in messages:
        message = json.loads(text)
        if message.get("feed") == "book_snapshot":
            sides = [
                [Level(level["price"], level["qty"]) for level in message[side]]
                for side in ("bids", "asks")
            ]
            yield message["product_id"], _numbered(True, *sides, message["seq"], None, None)
        elif message.get("feed") == "book" and "seq" in message:
            level = [Level(message["price"], message["qty"])]
            bids, asks = (level, []) if message["side"] == "buy" else ([], level)
            yield message["product_id"], _numbered(False, bids, asks, message["seq"], None, None)


def deribit(messages: Iterable[str]) -> Iterator[Event]:
    for text in messages:
        parameters = json.loads(text).get("params", {})
        if not re.fullmatch(r"book\.[^.]+\.(raw|100ms|agg2)", parameters.get("channel", "")):
            continue
        data = parameters["data"]
        sides = [
            [
                Level(float(price), 0.0 if what == "delete" else float(amount))
                for what, price, amount in data[side]
            ]
            for side in ("bids", "asks")
        ]
        yield (
            data["instrument_name"],
            _numbered(
                data.get("type", "snapshot") == "snapshot" and "prev_change_id" not in data,
                *sides,
                data["change_id"],
                data.get("prev_change_id"),
                None,
            ),
        )


def coinbase(messages: Iterable[str]) -> Iterator[Event]:
    for text in messages:
        message = json.loads(text)
        if message["type"] == "snapshot":
            sides = (plain(message["bids"]), plain(message["asks"]))
            yield message["product_id"], _numbered(True, *sides, 0, None, None)
        elif message["type"] == "l2update":
            changes = message["changes"]
            bids = plain(rest for side, *rest in changes if side == "buy")
            asks = plain(rest for side, *rest in changes if side == "sell")
            yield message["product_id"], _numbered(False, bids, asks, 0, None, None)


def coinbase_advanced(messages: Iterable[str]) -> Iterator[Event]:
    for text in messages:
        message = json.loads(text)
        if message["channel"] != "l2_data":
            continue
        for event in message["events"]:
            # Bids and offers are mixed, and not sorted.
            sides = [
                plain(
                    [each["price_level"], each["new_quantity"]]
                    for each in event["updates"]
                    if each["side"] == side
                )
                for side in ("bid", "offer")
            ]
            yield (
                event["product_id"],
                _numbered(event["type"] == "snapshot", *sides, 0, None, None),
            )


def bybit(messages: Iterable[str]) -> Iterator[Event]:
    for text in messages:
        message = json.loads(text)
        if not message.get("topic", "").startswith("orderbook."):
            continue
        data = message["data"]
        yield (
            data["s"],
            _numbered(
                message["type"] == "snapshot",
                plain(data["b"]),
                plain(data["a"]),
                data["u"],
                None,
                None,
            ),
        )


def _numbered(  # noqa: PLR0917
    is_snapshot: bool,
    bids: list[Level],
    asks: list[Level],
    last: int,
    previous: int | None,
    checksum: int | None,
) -> BookDelta | BookSnapshot:
    if is_snapshot:
        return Snapshot(symbol="", bids=bids, asks=asks, update_id=last, sum=checksum)
    return Delta(
        symbol="", bids=bids, asks=asks, first_update_id=last, last_update_id=last,
        previous=previous, sum=checksum,
    )  # fmt: skip


Reader = Callable[[Iterable[str]], Iterator[Event]]

STREAMED: dict[str, tuple[BookRules, Reader]] = {
    "okx/v5_public_20220513.jsonl.gz": (rules.OKX, okx),
    "bitget/v1_spot_20220407.jsonl.gz": (rules.BITGET, bitget),
    "kraken/v1_book1000_20210417.jsonl.gz": (rules.KRAKEN, kraken_v1),
    "kraken_futures/futures_v1_20210722.jsonl.gz": (rules.KRAKEN_FUTURES, kraken_futures),
    "deribit/v2_raw_20210722.jsonl.gz": (rules.DERIBIT, deribit),
    "coinbase_exchange/exchange_l2_20210417.jsonl.gz": (rules.COINBASE, coinbase),
}
"""Captures whose snapshots come in the stream."""

FETCHED: dict[str, BookRules] = {
    "binance_spot/btcusdt_20240808.jsonl.gz": rules.BINANCE_SPOT,
    "binance_spot/multi4_20211012.jsonl.gz": rules.BINANCE_SPOT,
    "binance_usdm/btcusdt_20240808.jsonl.gz": rules.BINANCE_FUTURES,
    "binance_usdm/ethusdt_20240718.jsonl.gz": rules.BINANCE_FUTURES,
    "binance_usdm/multi4_20210722.jsonl.gz": rules.BINANCE_FUTURES,
    "binance_coinm/btcusd_perp_20240808.jsonl.gz": rules.BINANCE_FUTURES,
}
"""Captures with a snapshot that was fetched over REST."""

CONTINUED: dict[str, str] = {
    "binance_spot/btcusdt_20240808.jsonl.gz": "binance_spot/btcusdt_20240809.jsonl.gz",
    "binance_usdm/ethusdt_20240718.jsonl.gz": "binance_usdm/ethusdt_20240719.jsonl.gz",
    "binance_coinm/btcusd_perp_20240808.jsonl.gz": "binance_coinm/btcusd_perp_20240809.jsonl.gz",
}
"""Captures that go on in another file without a hole."""


def received(path: Path) -> Iterator[str]:
    """The messages of a capture."""
    return (line["m"] for line in lines(path) if line["k"] == "recv")


def streamed(folder: Path, name: str) -> Iterator[Event]:
    """The books of a capture of `STREAMED`."""
    _, read = STREAMED[name]
    return read(received(folder / name))


def fetched(folder: Path, name: str) -> Iterator[Event]:
    """The books and quotes of a capture of `FETCHED`, and of the file that it goes on in."""
    for each in (name, CONTINUED.get(name)):
        if each is not None:
            yield from binance(folder / each, futures="binance_spot" not in each)
