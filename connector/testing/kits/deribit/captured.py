"""Deribit's notifications as somebody received them.

Raw channels are for those who log in; what came on them is played on those of 100 ms.

Source: deribit §3, §5.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from connector.testing.kits.deribit.dialect import symbol_of
from connector.testing.market.captured import Captured, Last, Row, Rows, Shown

_RAW, _INSTEAD = ".raw", ".100ms"


class _Params(msgspec.Struct):
    channel: str
    data: msgspec.Raw


class _Notification(msgspec.Struct):
    params: _Params


class _Level(msgspec.Struct, array_like=True):
    action: str
    price: msgspec.Raw
    amount: msgspec.Raw


class _Book(msgspec.Struct):
    type: str
    bids: list[_Level]
    asks: list[_Level]


class DeribitReader:
    """Reads notifications; the dialect wraps their data again."""

    def read(self, text: str) -> list[Captured]:
        """Read a captured message as the messages that it stands for."""
        try:
            params = msgspec.json.decode(text, type=_Notification).params
        except msgspec.DecodeError:
            return []
        channel, data = params.channel, bytes(params.data)
        if channel.endswith(_RAW):
            channel = channel.removesuffix(_RAW) + _INSTEAD
        kind, *parameters = channel.split(".")
        shown: Shown | None = None
        if kind == "book" and len(parameters) == len(("instrument", "interval")):
            shown = _rows(data)
        elif kind in ("book", "ticker"):
            shown = Last(data)
        return [Captured((channel,), symbol_of(channel), data, shown)]


def _rows(data: bytes) -> Rows:
    book = msgspec.json.decode(data, type=_Book)

    def write(bids: Any, asks: Any) -> bytes:
        told: dict[str, Any] = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        told.pop("prev_change_id", None)
        return msgspec.json.encode({**told, "type": "snapshot", "bids": bids, "asks": asks})

    return Rows(book.type == "snapshot", _levels(book.bids), _levels(book.asks), write)


def _levels(levels: list[_Level]) -> list[Row]:
    return [
        (
            Decimal(bytes(level.price).decode()),
            ["new", level.price, level.amount],
            level.action == "delete",
        )
        for level in levels
    ]
