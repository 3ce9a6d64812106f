"""Paths, stream names and attempt limits of the two venues, against the protocol pages."""

from __future__ import annotations

import pytest

from connector.testing.venues.rules import SPOT, USDM, AttemptBudget, StreamPath, Venue

PUBLIC, MARKET = "/public", "/market"


@pytest.mark.parametrize(
    ("stream", "spot", "usdm"),
    [
        ("ethusdc@trade", "", MARKET),
        ("ethusdc@aggTrade", "", MARKET),
        ("ethusdc@bookTicker", "", PUBLIC),
        ("!bookTicker", None, PUBLIC),
        ("ethusdc@depth", "", PUBLIC),
        ("ethusdc@depth@100ms", "", PUBLIC),
        ("ethusdc@depth@1000ms", "", None),
        ("ethusdc@depth@500ms", None, PUBLIC),
        ("ethusdc@depth@0ms", None, PUBLIC),
        ("ethusdc@depth5@100ms", "", PUBLIC),
        ("ethusdc@depth20", "", PUBLIC),
        ("ethusdc@depth7", None, None),
        ("ethusdc@kline_1m", "", MARKET),
        ("ethusdc@kline_1s", "", None),
        ("ethusdc@kline_7m", None, None),
        ("ethusdc@kline_1m@+08:00", "", None),
        ("btcusdt_perpetual@continuousKline_1m", None, MARKET),
        ("ethusdc@miniTicker", "", MARKET),
        ("!miniTicker@arr", "", MARKET),
        ("ethusdc@ticker", "", MARKET),
        ("!ticker@arr", None, MARKET),
        ("ethusdc@ticker_4h", "", None),
        ("!ticker_1h@arr", "", None),
        ("ethusdc@avgPrice", "", None),
        ("ethusdc@markPrice", None, MARKET),
        ("ethusdc@markPrice@1s", None, MARKET),
        ("!markPrice@arr@1s", None, MARKET),
        ("ethusdc@forceOrder", None, MARKET),
        ("!forceOrder@arr", None, MARKET),
        ("!contractInfo", None, MARKET),
        ("tradingSession", None, MARKET),
        ("ethusdc@rpiDepth@500ms", None, PUBLIC),
        ("这是测试币456@trade", "", MARKET),
        ("ETHUSDC@trade", None, None),
        ("ethusdc", None, None),
    ],
)
def test_each_stream_has_its_route(stream: str, spot: str | None, usdm: str | None) -> None:
    assert Venue(SPOT).route_of(stream) == spot
    assert Venue(USDM).route_of(stream) == usdm


@pytest.mark.parametrize(
    ("route", "stream", "served"),
    [
        (PUBLIC, "ethusdc@depth", True),
        (MARKET, "ethusdc@depth", False),
        ("/private", "ethusdc@depth", False),
        ("", "ethusdc@depth", True),
        (MARKET, "ethusdc@trade", True),
        (PUBLIC, "ethusdc@trade", False),
        ("", "ethusdc@trade", False),
        (MARKET, "no such stream", False),
    ],
)
def test_a_route_serves_its_own_streams(route: str, stream: str, served: bool) -> None:
    assert Venue(USDM).serves(route, stream) is served


@pytest.mark.parametrize(
    ("target", "understood"),
    [
        ("/ws", ("", False, ())),
        ("/ws/a@trade", ("", False, ("a@trade",))),
        ("/ws/a@trade/b@trade", ("", False, ("a@trade", "b@trade"))),
        ("/stream", ("", True, ())),
        ("/stream?streams=a@trade/b@depth5@100ms", ("", True, ("a@trade", "b@depth5@100ms"))),
        ("/stream?streams=a%40trade%2Fb%40trade", ("", True, ("a@trade", "b@trade"))),
        ("/stream?timeUnit=MICROSECOND&streams=a@trade/a@trade", ("", True, ("a@trade",))),
        ("/ws/%E6%B5%8B@trade", ("", False, ("测@trade",))),
    ],
)
def test_paths_are_understood(target: str, understood: tuple[str, bool, tuple[str, ...]]) -> None:
    route, combined, streams = understood
    assert Venue(SPOT).parse_path(target) == StreamPath(route, combined, streams)
    for prefix in (PUBLIC, MARKET, "/private", ""):
        expected = StreamPath(prefix, combined, streams)
        assert Venue(USDM).parse_path(prefix + target) == expected


@pytest.mark.parametrize("target", ["/", "/wss", "/streams", "/public", "/ws-api/v3", "/stream/x"])
def test_other_paths_do_not_exist(target: str) -> None:
    assert Venue(SPOT).parse_path(target) is None


def test_spot_has_no_routes() -> None:
    assert Venue(SPOT).parse_path("/public/stream") is None


def test_too_many_attempts_are_429_then_418_and_end() -> None:
    budget = AttemptBudget(SPOT)
    assert all(budget.refuse(number / 10) is None for number in range(300))
    status, retry_after = budget.refuse(30.0) or (0, 0)
    assert status == 429
    assert retry_after == pytest.approx(270)
    answers = [budget.refuse(31.0) for _ in range(SPOT.attempts_before_ban)]
    assert answers[-1] == (418, SPOT.ban_seconds)
    assert budget.refuse(31.0 + SPOT.ban_seconds - 1) == (418, 1.0)
    assert budget.refuse(330.0) is None
