"""How many REST requests each simulated exchange answers, as its notes say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from trio.testing import MockClock

from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.testing.kits.bitget.kit import BitgetKit
from connector.testing.kits.bybit.kit import BybitKit
from connector.testing.kits.coinbase.kit import CoinbaseKit
from connector.testing.kits.deribit.kit import DeribitKit
from connector.testing.kits.hyperliquid.kit import HyperliquidKit
from connector.testing.kits.kit import Kit
from connector.testing.kits.okx.kit import OkxKit
from connector.testing.network.server_websocket import Request

INSTRUMENTS: list[tuple[Any, Kit, str, str, int, float, int]] = [
    ("okx", OkxKit(), "BTC-USDT", "/api/v5/public/instruments?instType=SPOT", 20, 2.0, 429),
    (
        "bitget_spot", BitgetKit("spot"), "BTCUSDT",
        "/api/v3/market/instruments?category=SPOT", 20, 1.0, 429,
    ),
    ("coinbase", CoinbaseKit(), "BTC-USD", "/api/v3/brokerage/market/products", 10, 1.0, 429),
    (
        "deribit", DeribitKit(), "BTC-PERPETUAL",
        "/api/v2/public/get_instruments?currency=any&expired=false", 5, 50.0, 400,
    ),
    ("deribit", DeribitKit(), "BTC-PERPETUAL", "/api/v2/public/test", 100, 5.0, 400),
]  # fmt: skip


@asynccontextmanager
async def asking(venue: Any, kit: Kit, symbol: str) -> Any:
    """Yields what sends a request and returns the status and body of the answer."""
    async with open_exchange(
        venue, source=OrderFlow(symbols=(symbol,)), network=MemoryNetwork()
    ) as exchange:

        def ask(target: str, said: object = None) -> tuple[int, Any]:
            body = b"" if said is None else json.dumps(said).encode()
            request = Request("GET" if said is None else "POST", target, {}, body=body)
            reply = kit.answer(request, (symbol,), exchange._player)
            head, _, text = reply.partition(b"\r\n\r\n")
            return int(head.split()[1]), text

        yield ask


def statuses(ask: Callable[..., tuple[int, Any]], *what: Any) -> Iterator[int]:
    while True:
        yield ask(*what)[0]


@pytest.mark.parametrize("row", INSTRUMENTS, ids=lambda row: f"{row[0]} {row[4]}")
async def test_more_requests_than_it_answers_are_refused_until_there_is_room(
    mock_clock: MockClock, row: tuple[Any, Kit, str, str, int, float, int]
) -> None:
    venue, kit, symbol, target, most, seconds, refused = row
    async with asking(venue, kit, symbol) as ask:
        answers = statuses(ask, target)
        assert {next(answers) for _ in range(most)} == {200}
        assert next(answers) == refused
        mock_clock.jump(seconds + 0.01)
        assert next(answers) == 200


async def test_bybit_refuses_everything_for_ten_minutes(mock_clock: MockClock) -> None:
    """Source: bybit §2."""
    async with asking("bybit_spot", BybitKit("spot"), "BTCUSDT") as ask:
        answers = statuses(ask, "/v5/market/time")
        assert {next(answers) for _ in range(600)} == {200}
        assert next(answers) == 403
        mock_clock.jump(599)
        assert next(answers) == 403
        mock_clock.jump(2)
        assert next(answers) == 200


async def test_hyperliquid_counts_what_a_question_weighs(mock_clock: MockClock) -> None:
    """Source: hyperliquid §4."""
    async with asking("hyperliquid", HyperliquidKit(), "BTC") as ask:
        books = statuses(ask, "/info", {"type": "l2Book", "coin": "BTC"})
        assert {next(books) for _ in range(590)} == {200}
        metas = statuses(ask, "/info", {"type": "spotMeta"})
        assert [next(metas), next(metas)] == [200, 429]
        assert next(books) == 429
        mock_clock.jump(60.01)
        assert next(metas) == 200
