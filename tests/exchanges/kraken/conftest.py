"""Captures of WebSocket v1, rewritten as v2 writes them.

What v1 writes as a text in an array, v2 writes as a number in an object, with the same digits; XBT
is BTC there, XDG is DOGE, and a snapshot has a checksum. That is the whole difference for trades
and books. The trades of v1 have no number: here they are counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zlib import crc32

import pytest

ASSETS = {"XBT": "BTC", "XDG": "DOGE"}


@pytest.fixture(scope="session")
def v2_capture(
    received_frames: Callable[[str], Iterator[bytes]],
) -> Callable[[str], Iterator[bytes]]:
    """The data of a capture of v1, as v2 writes it."""

    def read(name: str) -> Iterator[bytes]:
        for text in received_frames(f"kraken/{name}.jsonl.gz"):
            frame = in_v2(text.decode())
            if frame is not None:
                yield frame

    return read


def in_v2(text: str) -> bytes | None:
    """A message of v1 as v2 writes it."""
    said = json.loads(text)
    if not isinstance(said, list):
        return None
    kind, pair = said[-2:]
    base, quote = (ASSETS.get(each, each) for each in pair.split("/"))
    if kind == "trade":
        rows = ",".join(
            f'{{"symbol":"{base}/{quote}","side":"{"buy" if side == "b" else "sell"}",'
            f'"price":{price},"qty":{volume},"ord_type":"{"limit" if order == "l" else "market"}",'
            f'"trade_id":{index},"timestamp":"{stamp(time)}"}}'
            for index, (price, volume, time, side, order, _) in enumerate(said[1], 1)
        )
        return f'{{"channel":"trade","type":"update","data":[{rows}]}}'.encode()
    parts = {key: value for part in said[1:-2] for key, value in part.items()}
    whole = "as" in parts
    sides = [
        ",".join(f'{{"price":{price},"qty":{volume}}}' for price, volume, *_ in parts.get(key, []))
        for key in (("bs", "as") if whole else ("b", "a"))
    ]
    checksum = parts.get("c")
    if whole:
        # v1 says none of a snapshot.
        texts = [
            "".join(
                each.replace(".", "").lstrip("0") for row in parts[side][:10] for each in row[:2]
            )
            for side in ("as", "bs")
        ]
        checksum = crc32("".join(texts).encode())
    return (
        f'{{"channel":"book","type":"{"snapshot" if whole else "update"}","data":[{{"symbol":'
        f'"{base}/{quote}","bids":[{sides[0]}],"asks":[{sides[1]}],"checksum":{checksum}}}]}}'
    ).encode()


def stamp(time: str) -> str:
    moment = datetime.fromtimestamp(int(time.partition(".")[0]), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time[-6:]}Z"
