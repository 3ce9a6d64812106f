"""A symbol in the form of another exchange is noticed, and written as its exchange does."""

from __future__ import annotations

import pytest

from connector.app.naming import EXCHANGES
from connector.exchanges.symbol_form import SymbolForm


def form_of(exchange: str) -> SymbolForm:
    form: SymbolForm = EXCHANGES[exchange]().symbol_form
    return form


@pytest.mark.parametrize(
    ("exchange", "symbol", "meant"),
    [
        ("kraken", "BTCUSD", "BTC/USD"),
        ("kraken", "btc-usd", "BTC/USD"),
        ("coinbase", "BTCUSD", "BTC-USD"),
        ("coinbase", "BTC/USD", "BTC-USD"),
        ("okx", "BTCUSDT", "BTC-USDT"),
        ("deribit", "BTCUSDC", "BTC_USDC"),
        ("binance_spot", "BTC-USDT", "BTCUSDT"),
        ("binance_usdm", "BTC/USDT", "BTCUSDT"),
        ("bybit_spot", "BTC/USDT", "BTCUSDT"),
        ("bitget_spot", "BTC/USDT", "BTCUSDT"),
    ],
)
def test_a_pair_in_another_form_is_answered_with_the_right_one(
    exchange: str, symbol: str, meant: str
) -> None:
    assert form_of(exchange).hint(symbol, exchange) == f"did you mean {meant}?"


@pytest.mark.parametrize(
    ("exchange", "symbol", "example"),
    [
        ("kraken", "XYZ", "BTC/USD"),
        ("binance_coinm", "BTCUSD", "BTCUSD_PERP"),
        ("kraken_futures", "BTC/USD", "PF_XBTUSD"),
    ],
)
def test_a_symbol_that_is_no_pair_is_answered_with_an_example(
    exchange: str, symbol: str, example: str
) -> None:
    said = form_of(exchange).hint(symbol, exchange)

    assert said == f"{exchange} writes symbols like {example}"


@pytest.mark.parametrize(
    ("exchange", "symbol"),
    [
        ("kraken", "btc/usd"),
        ("coinbase", "BTC-PERP-INTX"),
        ("okx", "BTC-USDT-SWAP"),
        ("deribit", "BTC-27DEC24-60000-C"),
        ("binance_usdm", "BTCUSDT_260327"),
        ("binance_coinm", "BTCUSD_260327"),
        ("bybit_linear", "BTC-26JUN26"),
        ("kraken_futures", "FI_XBTUSD_260327"),
        ("hyperliquid", "KPEPE"),
        ("hyperliquid", "PURR/USDC"),
    ],
)
def test_a_symbol_that_may_be_right_needs_no_hint(exchange: str, symbol: str) -> None:
    assert form_of(exchange).hint(symbol, exchange) == ""


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_example_of_each_exchange_has_the_form_of_its_symbols(exchange: str) -> None:
    form = form_of(exchange)

    assert form.hint(form.example, exchange) == ""
