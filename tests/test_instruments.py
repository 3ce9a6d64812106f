"""Instruments: what the captured lists say, and rounding that is exact."""

from __future__ import annotations

import gzip
import json
import os
from decimal import Decimal, Inexact, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import ConfigError
from connector.exchanges import binance
from connector.instruments import Instrument, Status, find, say_unknown


@pytest.fixture(scope="session")
def data_folder() -> Path:
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CONNECTOR_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no captures in {folder}; set CONNECTOR_DATA to the folder that has them")
    return folder


def instrument(tick: str | None = "0.01", step: str | None = "0.001") -> Instrument:
    return Instrument(
        symbol="ETHUSDC",
        base="ETH",
        quote="USDC",
        kind="spot",
        status=Status.TRADING,
        exchange_status="TRADING",
        tick_size=None if tick is None else Decimal(tick),
        step_size=None if step is None else Decimal(step),
    )


def captured(folder: Path, name: str, exchange: Any) -> dict[str, Instrument]:
    with gzip.open(folder / name, "rt", encoding="utf-8") as lines:
        body = json.loads(next(iter(lines)))["m"]
    return {each.symbol: each for each in exchange.instruments().decode(body.encode())}


def test_spot(data_folder: Path) -> None:
    known = captured(data_folder, "binance_spot/rest_exchangeInfo_2021.jsonl.gz", binance.Spot())

    assert len(known) == 1695
    assert sum(each.trading for each in known.values()) == 1262
    assert known["ETHBTC"] == Instrument(
        symbol="ETHBTC",
        base="ETH",
        quote="BTC",
        kind="spot",
        status=Status.TRADING,
        exchange_status="TRADING",
        tick_size=Decimal("0.00000100"),
        step_size=Decimal("0.00010000"),
        min_quantity=Decimal("0.00010000"),
        max_quantity=Decimal("100000.00000000"),
        min_price=Decimal("0.00000100"),
        max_price=Decimal("922327.00000000"),
        min_notional=Decimal("0.00010000"),
        market_max_quantity=Decimal("873.90727776"),
        max_orders=200,
    )
    assert str(known["ETHBTC"].tick_size) == "0.00000100"
    assert {each.status for each in known.values()} == {Status.TRADING, Status.PAUSED}


def test_usdm(data_folder: Path) -> None:
    exchange = binance.UsdMFutures()
    known = captured(data_folder, "binance_usdm/rest_exchangeInfo_2021.jsonl.gz", exchange)

    assert len(known) == 122
    bitcoin = known["BTCUSDT"]
    assert (bitcoin.kind, bitcoin.settle, bitcoin.expires_ns) == ("perpetual", "USDT", None)
    # The tick is not what pricePrecision suggests.
    assert bitcoin.tick_size == Decimal("0.01")
    assert bitcoin.min_notional == 5
    futures = [each for each in known.values() if each.kind == "future"]
    assert {each.symbol for each in futures} == {"BTCUSDT_210924", "ETHUSDT_210924"}
    assert all(each.expires_ns == 1_632_470_400_000 * 10**6 for each in futures)
    assert [each.symbol for each in known.values() if each.status is Status.PENDING]


def test_a_word_that_is_not_known_is_no_error() -> None:
    body = b'{"symbols":[{"symbol":"X","status":"MOONING","filters":[{"filterType":"NEW","x":1}]}]}'

    (unknown,) = binance.Spot().instruments().decode(body)

    assert unknown.status is Status.UNKNOWN
    assert unknown.exchange_status == "MOONING"
    assert unknown.tick_size is None
    assert not unknown.trading


def test_a_filter_of_zero_is_no_filter() -> None:
    body = (
        b'{"symbols":[{"symbol":"X","status":"TRADING","filters":['
        b'{"filterType":"PRICE_FILTER","tickSize":"0.00000000"},'
        b'{"filterType":"LOT_SIZE","stepSize":"0.1"}]}]}'
    )

    (only,) = binance.Spot().instruments().decode(body)

    assert only.tick_size is None
    assert only.tick("1.2345") == Decimal("1.2345")
    assert only.step("1.29") == Decimal("1.2")


@pytest.mark.parametrize(
    ("price", "rounding", "expected"),
    [
        ("3021.137", "down", "3021.13"),
        ("3021.137", "up", "3021.14"),
        ("3021.137", "nearest", "3021.14"),
        ("3021.135", "nearest", "3021.14"),
        ("3021.125", "nearest", "3021.12"),
        (0.1 + 0.2, "down", "0.30"),
        (3021, "up", "3021.00"),
        ("-0.005", "down", "-0.01"),
    ],
)
def test_rounding(price: Any, rounding: Any, expected: str) -> None:
    rounded = instrument().tick(price, rounding)

    assert rounded == Decimal(expected)
    assert str(rounded) == expected


@given(
    st.decimals(-(10**12), 10**12, places=10, allow_nan=False),
    st.sampled_from(["0.01", "0.00000001", "0.5", "25", "0.00025", "1E-8"]),
    st.sampled_from(["down", "up", "nearest"]),
)
def test_a_rounded_number_is_the_next_multiple(price: Decimal, tick: str, rounding: Any) -> None:
    rounded = instrument(tick=tick).tick(price, rounding)

    unit, exact = Fraction(Decimal(tick)), Fraction(price)
    assert (Fraction(rounded) / unit).denominator == 1
    distance = Fraction(rounded) - exact
    assert abs(distance) < unit if rounding != "nearest" else abs(distance) <= unit / 2
    assert (rounding != "down" or distance <= 0) and (rounding != "up" or distance >= 0)


@pytest.mark.parametrize("price", ["abc", "nan", float("inf"), None])
def test_what_is_no_price(price: Any) -> None:
    with pytest.raises(ConfigError, match="is not a price; write a finite number"):
        instrument().tick(price)


def test_the_programs_own_context_has_no_say() -> None:
    with localcontext(prec=3, traps=[Inexact]):
        rounded = instrument("0.03").tick("100000.1")

    assert str(rounded) == "100000.08"


def test_what_is_no_rounding() -> None:
    with pytest.raises(ConfigError, match='write "down", "up" or "nearest"'):
        instrument().step("1", "floor")  # type: ignore[arg-type]


def test_a_tick_of_nothing_makes_no_instrument() -> None:
    with pytest.raises(ConfigError, match="tick_size is -1; it must be above 0"):
        instrument(tick="-1")


def tradable_instrument(**changes: object) -> Instrument:
    return attrs.evolve(
        instrument(),
        **{
            "tick_size": Decimal("0.01"),
            "step_size": Decimal("0.001"),
            "min_quantity": Decimal("0.002"),
            "max_quantity": Decimal(100),
            "min_notional": Decimal(5),
            "max_notional": Decimal(1000),
            "min_price": Decimal("0.01"),
            "max_price": Decimal(10_000),
        }
        | changes,
    )


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        ("0.0359", "300", "0.035"),
        ("0.0159", "300", "0"),  # below the least notional
        ("50", "300", "3.333"),  # cut to the most notional
        ("500", "0.1", "100"),  # cut to the most quantity
        ("0.0019", "9000", "0"),  # below the least quantity
        ("1", "10001", "0"),
        ("1", "0.001", "0"),
        ("0", "300", "0"),
        ("-1", "300", "0"),
    ],
)
def test_tradable(quantity: str, price: str, expected: str) -> None:
    assert tradable_instrument().tradable(quantity, price, "buy") == Decimal(expected)


def test_tradable_takes_the_tick_of_the_side() -> None:
    coarse = tradable_instrument(tick_size=Decimal(1), min_notional=Decimal(10))

    assert coarse.tradable(1, "9.5", "buy") == 0
    assert coarse.tradable(1, "9.5", "sell") == 1


def test_tradable_takes_no_floats_and_no_other_sides() -> None:
    with pytest.raises(TypeError):
        tradable_instrument().tradable(0.1, 1, "buy")  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        tradable_instrument().tradable(1, 1, "bid")  # type: ignore[arg-type]


@given(
    st.decimals(min_value=0, max_value=10**6, places=6),
    st.decimals(min_value="0.01", max_value=20_000, places=4),
    st.sampled_from(["buy", "sell"]),
)
def test_what_is_tradable_passes_and_one_step_more_does_not(
    quantity: Decimal, price: Decimal, side: Any
) -> None:
    known = tradable_instrument()
    at = known.tick(price, "down" if side == "buy" else "up")

    def passes(size: Decimal) -> bool:
        worth = size * at
        return (
            size % Decimal("0.001") == 0
            and Decimal("0.002") <= size <= min(100, quantity)
            and 5 <= worth <= 1000
            and Decimal("0.01") <= at <= 10_000
        )

    found = known.tradable(quantity, price, side)

    assert found == 0 or passes(found)
    assert not passes(found + Decimal("0.001"))


# --- units


def contract(**what: Any) -> Instrument:
    return attrs.evolve(instrument(), kind="perpetual", **what)


@pytest.mark.parametrize(
    ("what", "base"),
    [
        ({}, Decimal(7)),
        ({"quantity_unit": "quote", "inverse": True}, Decimal("0.0028")),
        ({"quantity_unit": "contracts", "contract_size": Decimal("0.01")}, Decimal("0.07")),
        (
            {"quantity_unit": "contracts", "contract_size": Decimal(100), "inverse": True},
            Decimal("0.28"),
        ),
    ],
)
def test_a_quantity_in_the_base_asset(what: dict[str, Any], base: Decimal) -> None:
    known = contract(**what)

    assert known.base_quantity(Decimal(7), Decimal(2500)) == base
    assert known.base_quantity(7.0, 2500.0) == pytest.approx(float(base))
    assert isinstance(known.base_quantity(7.0, 2500.0), float)


@pytest.mark.parametrize("price", [None, Decimal(0), Decimal(-1), Decimal("nan")])
def test_without_a_price_what_is_counted_in_the_quote_has_no_quantity_in_the_base(
    price: Decimal | None,
) -> None:
    with localcontext() as context:
        context.clear_traps()
        with pytest.raises(ConfigError, match="pass the price at which to convert"):
            contract(quantity_unit="quote").base_quantity(Decimal(1), price)
    assert contract(quantity_unit="contracts").base_quantity(Decimal(3)) == 3


LISTED = [
    instrument(),
    attrs.evolve(instrument(), symbol="ETHUSDC-P", kind="perpetual", settle="USDC"),
    attrs.evolve(instrument(), symbol="ETHUSDC-I", kind="perpetual", settle="ETH", inverse=True),
    attrs.evolve(instrument(), symbol="ETHUSDC-1", kind="future", expires_ns=1),
    attrs.evolve(
        instrument(), symbol="ETHUSDC-1-OLD", kind="future", expires_ns=1, status=Status.ENDED
    ),
    attrs.evolve(instrument(), symbol="ETHUSDC-2", kind="future", expires_ns=2),
]


@pytest.mark.parametrize(
    ("what", "symbol"),
    [
        ({}, "ETHUSDC"),
        ({"kind": "perpetual", "settle": "usdc"}, "ETHUSDC-P"),
        ({"kind": "perpetual", "inverse": True}, "ETHUSDC-I"),
        ({"kind": "future", "expires_ns": 1}, "ETHUSDC-1"),
    ],
)
def test_finding_the_instrument_that_is_meant(what: dict[str, Any], symbol: str) -> None:
    assert find(LISTED, base="eth", quote="USDC", **what).symbol == symbol


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"kind": "perpetual"}, r"2 instruments match .*ETHUSDC-P \(perpetual\), ETHUSDC-I"),
        (
            {"kind": "option"},
            r"no instrument matches ETH/USDC with kind='option'; .*ETHUSDC \(spot\)",
        ),
        ({"base": "XYZ"}, r"has for this pair: none"),
    ],
)
def test_what_cannot_be_found_is_an_error_that_names_what_there_is(
    what: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        find(LISTED, **{"base": "ETH", "quote": "USDC", **what})


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("BTCUSD", "did you mean BTC/USD?"),
        ("btc-usd", "did you mean BTC/USD?"),
        ("BTC/UDS", "did you mean BTC/USD?"),
        ("KPEPE-USD", "did you mean kPEPE/USD?"),
        ("DOGE", "lists no symbol 'DOGE'"),
    ],
)
def test_an_unknown_symbol_is_answered_in_the_spelling_of_the_exchange(
    typed: str, said: str
) -> None:
    assert say_unknown(typed, ["BTC/USD", "SOL/JPY", "kPEPE/USD"], "kraken").endswith(said)
