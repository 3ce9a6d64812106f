"""The order flow: its streams agree with each other, and look like those of the real exchange."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.testing import Audience, OrderFlow, read_capture
from connector.testing.venues.rules import VENUES, Venue, VenueName

EPOCH_MS = 1_785_000_000_000
SYMBOL_STREAMS = (
    "trade", "aggTrade", "bookTicker", "depth", "depth@0ms", "depth@100ms", "depth@500ms",
    "depth@1000ms", "depth5", "depth5@100ms", "depth10@500ms", "depth20@100ms", "kline_1s",
    "kline_1m", "kline_4h", "ticker", "miniTicker", "markPrice", "markPrice@1s", "forceOrder",
)  # fmt: skip
ALL_STREAMS = (
    "!miniTicker@arr", "!ticker@arr", "!markPrice@arr", "!markPrice@arr@1s", "!forceOrder@arr",
    "!bookTicker",
)  # fmt: skip


class Listener:
    """What the audience takes for a connection: it keeps what it is sent."""

    combined = False
    live = True

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []

    def deliver(self, stream: str, data: bytes, frame: bytes | None = None) -> bool:
        self.heard.append((stream, data))
        return True


def play(
    venue: VenueName, source: OrderFlow, seconds: float, joins: float = 0, wanted: str = ""
) -> list[tuple[str, Any]]:
    """All events of `seconds` of a market, by stream, as who `joins` at some time sees them."""
    listener = Listener()

    async def main() -> None:
        audience = Audience(Venue(VENUES[venue]), EPOCH_MS)
        player = source.begin(audience)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(player.play)
            await trio.sleep(joins)
            names = [f"{s.lower()}@{kind}" for s in source.symbols for kind in SYMBOL_STREAMS]
            for name in (*names, *ALL_STREAMS):
                if audience.venue.route_of(name) is not None and wanted in name:
                    audience.add(name, listener)  # type: ignore[arg-type]
            # Not at a boundary: of two things at the same time either may be first.
            await trio.sleep(seconds - joins + 0.033)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return [(stream, json.loads(data)) for stream, data in listener.heard]


def of(events: list[tuple[str, Any]], stream: str) -> list[Any]:
    found = [event for name, event in events if name == stream]
    assert found, f"nothing of {stream}"
    return found


seeds = st.integers(0, 2**32)
venues: Any = st.sampled_from(["spot", "usdm"])


class Book:
    """A reader's book: deltas in, top out."""

    def __init__(self, bids: Any, asks: Any) -> None:
        self.bids = {float(p): q for p, q in bids}
        self.asks = {float(p): q for p, q in asks}

    def apply(self, delta: Any) -> None:
        for side, changes in ((self.bids, delta["b"]), (self.asks, delta["a"])):
            for price, quantity in changes:
                if float(quantity) == 0:
                    side.pop(float(price), None)
                else:
                    side[float(price)] = quantity

    def top(self, levels: int) -> Any:
        bids = sorted(self.bids.items(), reverse=True)[:levels]
        return bids, sorted(self.asks.items())[:levels]


def levels(pairs: Any) -> list[tuple[float, str]]:
    return [(float(price), quantity) for price, quantity in pairs]


@given(venue=venues, seed=seeds)
@settings(max_examples=15)
def test_deltas_on_a_snapshot_are_the_partial_books_and_the_quotes(
    venue: VenueName, seed: int
) -> None:
    source = OrderFlow(symbols=("ETHUSDC",), seed=seed, rate_per_second=80)
    snapshot: list[Any] = []
    listener = Listener()

    async def main() -> None:
        audience = Audience(Venue(VENUES[venue]), EPOCH_MS)
        player = source.begin(audience)
        body = player.snapshot("ETHUSDC", 1000)
        assert body is not None
        snapshot.append(json.loads(body))
        for kind in ("depth@100ms", "depth5@100ms", "depth20@100ms", "bookTicker"):
            audience.add(f"ethusdc@{kind}", listener)  # type: ignore[arg-type]
        with trio.move_on_after(6):
            await player.play()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    book = Book(snapshot[0]["bids"], snapshot[0]["asks"])
    applied = snapshot[0]["lastUpdateId"]
    quote: Any = None
    compared = 0
    for stream, data in listener.heard:
        event = json.loads(data)
        if stream == "ethusdc@bookTicker":
            assert quote is None or event["u"] > quote["u"]
            quote = event
        elif stream == "ethusdc@depth@100ms":
            follows = event["U"] == applied + 1 if venue == "spot" else event["pu"] == applied
            assert follows
            assert event["U"] <= event["u"]
            book.apply(event)
            applied = event["u"]
            if quote is not None:
                assert quote["u"] <= applied
                (bid,), (ask,) = book.top(1)
                assert bid == (float(quote["b"]), quote["B"])
                assert ask == (float(quote["a"]), quote["A"])
        else:
            depth = int(re.findall(r"depth(\d+)", stream)[0])
            spot = venue == "spot"
            assert event["lastUpdateId" if spot else "u"] == applied
            bids, asks = event["bids" if spot else "b"], event["asks" if spot else "a"]
            assert (levels(bids), levels(asks)) == book.top(depth)
            assert len(bids) == len(asks) == depth
            assert float(bids[0][0]) < float(asks[0][0])
            compared += 1
    assert compared > 50


@given(venue=venues, seed=seeds)
@settings(max_examples=8)
def test_trades_aggregates_candles_and_tickers_are_the_same_trades(
    venue: VenueName, seed: int
) -> None:
    events = play(venue, OrderFlow(seed=seed, rate_per_second=60), 9)
    trades = of(events, "ethusdc@trade")
    ids = [trade["t"] for trade in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    by_id = {trade["t"]: trade for trade in trades}
    aggregates = of(events, "ethusdc@aggTrade")
    covered = [number for a in aggregates for number in range(a["f"], a["l"] + 1)]
    assert covered == ids
    for aggregate in aggregates:
        parts = [by_id[number] for number in range(aggregate["f"], aggregate["l"] + 1)]
        assert {(part["p"], part["m"], part["T"]) for part in parts} == {
            (aggregate["p"], aggregate["m"], aggregate["T"])
        }
        assert sum(float(part["q"]) for part in parts) == pytest.approx(float(aggregate["q"]))
    assert [a["a"] for a in aggregates] == [
        aggregates[0]["a"] + number for number in range(len(aggregates))
    ]
    for candle in (
        of(events, "ethusdc@kline_1m")[-1]["k"],
        of(events, "ethusdc@kline_4h")[-1]["k"],
    ):
        inside = [by_id[number] for number in range(candle["f"], candle["L"] + 1)]
        check_candle(candle, inside)
    ticker = of(events, "ethusdc@ticker")[-1]
    day = [by_id[number] for number in range(ticker["F"], ticker["L"] + 1)]
    assert ticker["n"] == len(day)
    assert float(ticker["q"]) == pytest.approx(sum(float(t["p"]) * float(t["q"]) for t in day))
    assert float(ticker["p"]) == pytest.approx(float(ticker["c"]) - float(ticker["o"]), abs=1e-9)


def check_candle(candle: Any, trades: list[Any]) -> None:
    prices = [float(trade["p"]) for trade in trades]
    assert [float(candle[name]) for name in "ohlc"] == [
        prices[0], max(prices), min(prices), prices[-1],
    ]  # fmt: skip
    assert candle["n"] == len(trades)
    assert float(candle["v"]) == pytest.approx(sum(float(trade["q"]) for trade in trades))
    bought = [trade for trade in trades if not trade["m"]]
    assert float(candle["V"]) == pytest.approx(sum(float(trade["q"]) for trade in bought))


def test_a_closed_candle_is_its_last_word() -> None:
    events = play("spot", OrderFlow(rate_per_second=20), 190, wanted="@kline_1")
    for name, length_ms in (("ethusdc@kline_1s", 1000), ("ethusdc@kline_1m", 60_000)):
        candles = [event["k"] for event in of(events, name)]
        closed = [candle for candle in candles if candle["x"]]
        starts = [candle["t"] for candle in closed]
        assert starts == list(range(starts[0], starts[-1] + 1, length_ms))
        assert all(candle["T"] == candle["t"] + length_ms - 1 for candle in candles)
        order = [(candle["t"], candle["x"]) for candle in candles]
        assert order == sorted(order)


def test_delta_chains_of_every_cadence() -> None:
    spot = play("spot", OrderFlow(seed=5), 20)
    usdm = play("usdm", OrderFlow(symbols=("ETHUSDC", "BTCUSDC"), seed=5), 20)
    for suffix in ("", "@100ms", "@1000ms"):
        events = of(spot, f"ethusdc@depth{suffix}")
        for old, new in pairwise(events):
            assert new["U"] == old["u"] + 1
    dense = 0
    for symbol in ("ethusdc", "btcusdc"):
        for kind in ("depth", "depth@0ms", "depth@100ms", "depth@500ms", "depth20@100ms"):
            events = of(usdm, f"{symbol}@{kind}")
            for old, new in pairwise(events):
                assert new["pu"] == old["u"] < new["U"]
                dense += new["U"] == old["u"] + 1
    assert dense < len(usdm) / 10, "ids of futures have holes"


def test_mark_prices_and_liquidations_come_at_their_times() -> None:
    events = play("usdm", OrderFlow(seed=2, rate_per_second=200), 25)
    for stream, every in (("ethusdc@markPrice@1s", 1000), ("ethusdc@markPrice", 3000)):
        times = [event["E"] for event in of(events, stream)]
        assert {new - old for old, new in pairwise(times)} == {every}
    assert all(event["T"] > event["E"] for event in of(events, "ethusdc@markPrice"))
    forced = of(events, "ethusdc@forceOrder")
    seconds = [event["E"] for event in forced]
    assert len(set(seconds)) == len(seconds), "one per second at most"
    trades = of(events, "ethusdc@trade")
    for event in forced:
        order = event["o"]
        fills = [t for t in trades if t["T"] == order["T"] and t["m"] == (order["S"] == "SELL")]
        assert float(order["q"]) <= sum(float(t["q"]) for t in fills) + 1e-9
    assert of(events, "!forceOrder@arr") == forced


@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_a_market_is_a_function_of_its_seed(venue: VenueName) -> None:
    def digest(seed: int) -> str:
        events = play(venue, OrderFlow(symbols=("ETHUSDC", "BTCUSDC"), seed=seed), 5)
        return hashlib.sha256(repr(events).encode()).hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_who_comes_late_sees_the_same_market(venue: VenueName) -> None:
    source = OrderFlow(symbols=("ETHUSDC", "BTCUSDC"), seed=9)
    early = play(venue, source, 12)
    late = play(venue, source, 12, joins=6.02)
    assert len(late) > 100
    assert early[-len(late) :] == late


# -- shapes -----------------------------------------------------------------------------------

DOCUMENTED: dict[tuple[str, str], str] = {
    # binance_spot §5
    ("spot", "trade"): "e E s t p q T m M",
    ("spot", "aggTrade"): "e E s a p q f l T m M",
    ("spot", "bookTicker"): "u s b B a A",
    ("spot", "depth@100ms"): "e E s U u b a",
    ("spot", "depth5@100ms"): "lastUpdateId bids asks",
    ("spot", "kline_1m"): "e E s k",
    ("spot", "miniTicker"): "e E s c o h l v q",
    ("spot", "ticker"): "e E s p P w x c Q b B a A o h l v q O C F L n",
    # binance_usdm §4, with st and ps since 2026-06-30
    ("usdm", "trade"): "e E T s t p q X m",
    ("usdm", "aggTrade"): "e E a s p q nq f l T m st",
    ("usdm", "bookTicker"): "e u s b B a A T E ps st",
    ("usdm", "depth@0ms"): "e E T s U u pu b a ps st",
    ("usdm", "depth5@100ms"): "e E T s U u pu b a ps st",
    ("usdm", "kline_1m"): "e E s k",
    ("usdm", "miniTicker"): "e E s c o h l v q",
    ("usdm", "ticker"): "e E s p P w c Q o h l v q O C F L n st",
    ("usdm", "markPrice@1s"): "e E s p ap P i r T st",
    ("usdm", "forceOrder"): "e E o ps st",
}
KLINE = "t T s i f L o c h l v n x q V Q B"
FORCED = "s S o f q p ap X l z T"


@pytest.fixture(scope="module")
def generated() -> Callable[[str], list[tuple[str, Any]]]:
    source = OrderFlow(seed=3, rate_per_second=150)
    played = {venue: play(venue, source, 25) for venue in ("spot", "usdm")}  # type: ignore[arg-type]
    return played.__getitem__


@pytest.mark.parametrize(("venue", "kind"), DOCUMENTED)
def test_events_have_the_documented_fields(
    venue: str, kind: str, generated: Callable[[str], list[tuple[str, Any]]]
) -> None:
    for event in of(generated(venue), f"ethusdc@{kind}"):
        assert set(event) == set(DOCUMENTED[venue, kind].split())
        if kind.startswith("kline"):
            assert set(event["k"]) == set(KLINE.split())
        if kind == "forceOrder":
            assert set(event["o"]) == set(FORCED.split())


def numbers(event: Any) -> Iterator[str]:
    values = event.values() if isinstance(event, dict) else event
    for value in values:
        if isinstance(value, dict | list):
            yield from numbers(value)
        elif isinstance(value, str) and re.fullmatch(r"-?\d+\.\d+", value):
            yield value


def percent(event: Any) -> str | None:
    """The one number that never has eight decimals."""
    return event.get("P") if isinstance(event, dict) else None


def test_spot_writes_eight_decimals_and_futures_what_the_tick_has(
    generated: Callable[[str], list[tuple[str, Any]]],
) -> None:
    for stream, event in generated("spot"):
        texts = list(
            numbers({k: v for k, v in event.items() if k != "P"} if isinstance(event, dict) else [])
        )
        assert all(re.fullmatch(r"-?\d+\.\d{8}", text) for text in texts), stream
    for event in of(generated("usdm"), "ethusdc@depth20@100ms"):
        for price, quantity in event["b"] + event["a"]:
            assert re.fullmatch(r"\d+\.\d{2}", price)
            assert re.fullmatch(r"\d+\.\d{3}", quantity)


CAPTURED = (
    ("spot", "binance_spot/btcusdt_20240808.jsonl.gz"),
    ("spot", "binance_spot/multi4_20211012.jsonl.gz"),
    ("spot", "binance_spot/DERIVED_btcusdt_depth5_20240808-09.jsonl.gz"),
    ("usdm", "binance_usdm/ethusdt_20240718.jsonl.gz"),
    ("usdm", "binance_usdm/multi4_20210722.jsonl.gz"),
    ("usdm", "binance_usdm/DERIVED_ethusdt_depth5_20240718-19.jsonl.gz"),
)
NEWER = {"st", "ps", "nq", "ap"}
"""Fields that exist only since the captures were made (binance_usdm §4)."""


@pytest.mark.parametrize(("venue", "path"), CAPTURED)
def test_events_look_like_captured_ones(
    venue: str, path: str, data_folder: Path, generated: Callable[[str], list[tuple[str, Any]]]
) -> None:
    ours = {stream.partition("@")[2]: event for stream, event in generated(venue)}
    seen = set()
    for frame in read_capture(data_folder / path):
        kind = (frame.stream or "").partition("@")[2]
        if not kind or kind in seen:
            continue
        seen.add(kind)
        theirs, mine = json.loads(frame.payload), ours[kind]
        assert set(mine) - NEWER == set(theirs)
        for name, value in theirs.items():
            assert type(mine[name]) is type(value), name
            if venue == "spot" and isinstance(value, str) and re.search(r"\.", value):
                assert len(mine[name].partition(".")[2]) == len(value.partition(".")[2])
        if kind.startswith("kline"):
            assert set(mine["k"]) == set(theirs["k"])
    assert seen


def test_frames_of_the_documentation_have_our_fields(
    data_folder: Path, generated: Callable[[str], list[tuple[str, Any]]]
) -> None:
    ours = {stream.partition("@")[2]: event for stream, event in generated("usdm")}
    names = {
        "agg_trade": "aggTrade", "book_ticker": "bookTicker", "depth_update": "depth@0ms",
        "kline_stream_open": "kline_1m", "liquidation": "forceOrder", "mark_price": "markPrice",
        "ticker_stream": "ticker",
    }  # fmt: skip
    folder = data_folder / "binance_usdm" / "frames" / "nautilus"
    for name, kind in names.items():
        for path in folder.glob(f"market_data_json__{name}*.json"):
            theirs = json.loads(path.read_text())
            assert set(theirs) <= set(ours[kind]), path.name


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="rate_per_second"):
        OrderFlow(rate_per_second=0)


class SlowMachine(trio.abc.Clock):
    """Time passes whenever somebody looks: more actions become due than are ever done."""

    now = 0.0

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        self.now += 0.01
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return 0.0


def test_a_machine_too_slow_for_the_rate_lags_behind_and_starves_nobody() -> None:
    async def main() -> int:
        audience = Audience(Venue(VENUES["spot"]), EPOCH_MS)
        player = OrderFlow(rate_per_second=1000).begin(audience)
        listener = Listener()
        audience.add("ethusdc@bookTicker", listener)  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(player.play)
            for _ in range(20):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        return len(listener.heard)

    assert trio.run(main, clock=SlowMachine()) > 0


# --- arguments


def test_a_symbol_in_lower_case_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match=r"'ethusdc' is not in upper case; write 'ETHUSDC'"):
        OrderFlow(symbols=("BTCUSDC", "ethusdc"))


def test_one_string_is_no_tuple_of_symbols() -> None:
    with pytest.raises(TypeError, match=r"write OrderFlow\(symbols=\('ETHUSDC',\)\)"):
        OrderFlow(symbols="ethusdc")  # type: ignore[arg-type]
