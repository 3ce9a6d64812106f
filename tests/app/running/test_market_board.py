"""The market of a run: the top of every book and the last trades, each event once."""

from __future__ import annotations

from decimal import Decimal

from connector.app.running.market_board import MarketBoard
from connector.events import BookSnapshot, BookView, Candle, Level, Quote, Trade


def trade(number: int) -> Trade[float]:
    return Trade(symbol="X", price=100.0 + number, quantity=1.0, side="buy", trade_id=number)


def quote(bid: float, symbol: str = "X") -> Quote[float]:
    return Quote(
        symbol=symbol, bid_price=bid, bid_quantity=2.0, ask_price=bid + 1, ask_quantity=3.0,
        received_ns=7, update_id=1,
    )  # fmt: skip


def test_the_newest_top_of_each_kind_and_symbol() -> None:
    board = MarketBoard()
    book = BookSnapshot(symbol="X", bids=[Level(Decimal(5), Decimal(1))], asks=[], update_id=1)

    board.see(reader := object(), "a", "g", [quote(1.0), quote(2.0), quote(9.0, "W"), book])
    board.see(reader, "a", "g", [])

    tops = {(top.symbol, top.kind): top for top in board.tops()}
    assert [*tops] == [("W", "best_quote"), ("X", "best_quote"), ("X", "partial_book")]
    assert tops["X", "best_quote"].bid == (2.0, 2.0)
    assert tops["X", "best_quote"].ask == (3.0, 3.0)
    assert tops["X", "partial_book"].bid == (Decimal(5), Decimal(1))
    assert tops["X", "partial_book"].ask is None


def test_a_local_book_shows_what_it_is_now() -> None:
    board = MarketBoard()
    view = BookView(symbol="X", bids=(), asks=(), synced=False)

    board.see(board, "a", "g", [view])

    (before,) = board.tops()
    view.bids, view.synced = (Level(1.0, 1.0),), True
    (after,) = board.tops()
    assert (before.synced, before.bid) == (False, None)
    assert (after.synced, after.bid) == (True, (1.0, 1.0))


def test_two_sinks_of_a_group_show_a_trade_once() -> None:
    board = MarketBoard()

    for number in range(3):
        board.see("first", "a", "g", [trade(number)])
        board.see("second", "a", "g", [trade(number)])
    board.forget("first")
    board.see("second", "a", "g", [trade(3)])

    assert [each.trade_id for _, each in board.trades()] == [3, 2, 1, 0]


def test_what_has_no_top_is_left_out() -> None:
    board = MarketBoard()
    candle = Candle(
        symbol="X", interval="1m", open_time_ns=0, close_time_ns=1, open=1.0, high=1.0, low=1.0,
        close=1.0, volume=1.0, quote_volume=1.0, closed=True, trades=1,
    )  # fmt: skip

    board.see(board, "a", "g", [candle])

    assert not board.tops()
    assert not board.trades()
