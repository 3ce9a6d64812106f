"""The ladder in the terminal: what it shows, and that it shows the book out of sync, too."""

from __future__ import annotations

import logging
import re

import attrs
import pytest
from click.testing import CliRunner
from rich.console import Console
from trio.testing import MockClock

from connector.app.books.book_command import Options, Trouble, run_book
from connector.app.books.ladder import Ladder, line, render
from connector.app.commands import group
from connector.app.place import Place
from connector.errors import ExchangeUnavailable
from connector.events import BookView, Level, Trade


@attrs.define
class Shown:
    ladders: list[Ladder] = attrs.field(factory=list)

    def show(self, ladder: Ladder) -> None:
        self.ladders.append(ladder)


def drawn(ladder: Ladder) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(render(ladder))
    return captured.get()


@pytest.mark.parametrize("exchange", ["binance_spot", "okx"])
async def test_it_shows_a_book_and_its_unsynced_spans(
    autojump_clock: MockClock, exchange: str
) -> None:
    symbol = "ETH-USDT" if exchange == "okx" else "ethusdc"
    place = Place(exchange=exchange, simulate=True, break_every_seconds=4)
    shown = Shown()

    await run_book(Options(symbol=symbol, place=place, duration_seconds=15), shown)

    synced = [ladder.synced for ladder in shown.ladders]
    assert synced.count(True) > 60
    assert False in synced[synced.index(True) :]
    last = next(ladder for ladder in reversed(shown.ladders) if ladder.synced)
    assert last.book is not None and len(last.book.bids) == 10
    assert last.spans >= 3 and last.reason == "disconnected"
    assert last.trades and last.updates_per_second > 3
    picture = drawn(last)
    assert f"connector book · {symbol.upper()} · simulated {exchange}" in picture
    assert "synced" in picture and "spread" in picture and "last trades" in picture
    assert picture.count("█") > 20
    asks = picture.index(f"{float(last.book.asks[-1].price):.2f}")
    assert asks < picture.index(f"{float(last.book.bids[-1].price):.2f}")


def ladder(**book: object) -> Ladder:
    view = BookView(
        symbol="X", bids=(Level(99.5, 1.0),), asks=(Level(101.25, 2.0),), received_ns=7_000_000,
        synced=True, exchange_time_ns=2_000_000,
    )  # fmt: skip
    for name, value in book.items():
        setattr(view, name, value)
    return Ladder(
        symbol="X", origin="a test", book=view, trades=(), updates_per_second=1, spans=0, reason=""
    )


def test_lines() -> None:
    assert line(ladder()) == "X synced  1.0 @ 99.5 | 2.0 @ 101.25  spread 1.75  lag 5.0 ms"
    assert line(ladder(asks=())) == "X synced  1.0 @ 99.5 | –  spread –  lag 5.0 ms"
    assert line(ladder(synced=False)) == "X not synced"


def test_a_ladder_without_a_side_or_a_book() -> None:
    assert "one side is empty" in drawn(ladder(asks=()))
    assert "99.50" in drawn(ladder())
    assert "waiting for a snapshot" in drawn(ladder(synced=False))
    nothing = attrs.evolve(ladder(), book=None)
    assert "not synced" in drawn(nothing)
    assert nothing.lag_ms is None


def test_prices_stand_below_each_other() -> None:
    trades = tuple(
        Trade(symbol="X", price=price, quantity=1.0, side="buy", trade_id=number)
        for number, price in enumerate((99.5, 101.25, 100.0))
    )

    picture = drawn(attrs.evolve(ladder(), trades=trades))

    assert {" 99.50  1.000", "101.25  1.000", "100.00  1.000"} <= set(
        re.findall(r"[ \d]\d\d\.\d\d  1\.000", picture)
    )


def test_options_of_the_simulation_are_not_for_the_real_exchange() -> None:
    for option in ("--seed", "--break-every"):
        result = CliRunner().invoke(group, ["book", "--live", option, "3"])

        assert result.exit_code == 2
        assert f"{option} is for a simulated exchange: add --simulate" in result.output


def test_it_says_where_the_book_comes_from() -> None:
    assert Place(exchange="binance_usdm").words == "binance_usdm"
    assert Place(exchange="okx", simulate=True).words == "simulated okx"


def test_the_command_prints_lines_where_there_is_no_terminal() -> None:
    result = CliRunner().invoke(group, ["book", "BTCUSDT", "--simulate", "--seconds", "0.5"])

    assert result.exit_code == 0, result.output
    assert result.output.startswith("BTCUSDT ")


@pytest.mark.parametrize(
    "arguments", [["ETHUSDC", "--levels", "0"], ["ETHUSDC", "--exchange", "usdm"]]
)
def test_bad_arguments_are_exit_status_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(group, ["book", *arguments]).exit_code == 2


def test_a_malformed_symbol_is_an_error() -> None:
    result = CliRunner().invoke(group, ["book", "ETH/USDC", "--simulate", "--seconds", "5"])

    assert result.exit_code == 1
    assert "is not a symbol" in result.output


def test_a_failed_attempt_to_connect_is_told_once_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed: dict[str, object] = {"connected": False, "detail": "x:443 could not be reached"}
    trouble = Trouble()
    for fields in (failed, failed, {"connected": True, "detail": "reset"}):
        record = logging.LogRecord("connector", logging.WARNING, "", 0, "", (), None)
        record.lifecycle = fields
        trouble.emit(record)

    assert capsys.readouterr().err == "not connected, trying again: x:443 could not be reached\n"


async def test_an_exchange_that_is_not_there_is_an_error_with_advice() -> None:
    options = Options(
        symbol="ETHUSDC",
        place=Place(exchange="binance_usdm", simulate=True),
        duration_seconds=0,
    )
    with pytest.raises(ExchangeUnavailable, match="add --simulate"):
        await run_book(options, Shown())


def test_a_recording_needs_a_folder() -> None:
    result = CliRunner().invoke(group, ["record", "okx", "trades:BTC-USDT", "--simulate"])

    assert (result.exit_code, "Missing option '--out'" in result.output) == (2, True)
