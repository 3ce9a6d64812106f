"""Draw an account: balances, positions, open orders, last fills, and whether it is synced.

Everything fits into 80 columns and 24 lines; what does not is counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import attrs
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connector.account import Account
from connector.accounts import Balance, Fill, Position, Summary
from connector.inputs.decimals import written
from connector.statistics import AccountStatistics

MOST_HOLDINGS = 4
MOST_ORDERS = 6
MOST_FILLS = 4
WIDTH = 80
NS = 1_000_000_000


@attrs.frozen(kw_only=True)
class OrderLine:
    """An open order, ours or another's."""

    symbol: str
    side: str
    quantity: Decimal | None
    price: Decimal | None
    filled: Decimal
    state: str
    client_id: str
    ours: bool
    conditional: bool = False


@attrs.frozen(kw_only=True)
class Board:
    """The values that the screen shows at one moment."""

    title: str
    synced: bool
    as_of_ns: int | None
    """Time of the last reading."""
    balances: tuple[Balance, ...]
    """The balances that are not 0."""
    positions: tuple[Position, ...]
    """The positions that are not 0."""
    summary: Summary | None
    orders: tuple[OrderLine, ...]
    fills: tuple[Fill, ...]
    """The last fills, newest first."""
    statistics: AccountStatistics

    @property
    def cause(self) -> str:
        """The reason why it is not synced."""
        return self.statistics.unsynced_reason or "it is being read"


def board_of(account: Account, title: str, fills: Sequence[Fill]) -> Board:
    """The current values of an account; while it is not synced, the last known ones."""
    known = account.last_known
    ours = [
        OrderLine(
            symbol=each.symbol,
            side=each.side,
            quantity=each.quantity,
            price=each.price,
            filled=each.filled,
            state=each.state,
            client_id=each.client_id,
            ours=True,
        )
        for each in account.orders.values()
        if not each.ended
    ]
    others = [
        OrderLine(
            symbol=each.symbol,
            side=each.side,
            quantity=each.quantity,
            price=each.price,
            filled=each.filled,
            state=each.state,
            client_id=each.client_id,
            ours=False,
            conditional=each.conditional,
        )
        for each in account.other_orders
    ]
    return Board(
        title=title,
        synced=account.synced,
        as_of_ns=known.as_of_ns,
        balances=tuple(each for each in known.balances.values() if each.total or each.locked),
        positions=tuple(each for each in known.positions.values() if each.long or each.short),
        summary=known.summary,
        orders=tuple(sorted((*ours, *others), key=_by_price, reverse=True)),
        fills=tuple(fills),
        statistics=account.statistics(),
    )


def _by_price(line: OrderLine) -> tuple[str, Decimal]:
    return line.symbol, line.price or Decimal(0)


# --- drawn


def render(board: Board) -> RenderableType:
    """The whole board."""
    holdings = Table.grid(padding=(0, 3))
    holdings.add_row(_balances(board.balances), _positions(board.positions))
    parts = (headline(board), holdings, _orders(board.orders), _fills(board.fills))
    return Panel(Group(*parts), title=board.title, box=box.ROUNDED, padding=(0, 1), width=WIDTH)


def headline(board: Board) -> Text:
    """Whether it is synced, and if not, why."""
    now = board.statistics
    if board.synced:
        text = Text.assemble(("synced", "bold green"))
    else:
        text = Text.assemble(("NOT SYNCED", "bold red"), f": {board.cause}")
    if board.summary is not None and board.summary.equity is not None:
        text.append(f"  ·  equity {written(board.summary.equity)} {board.summary.asset}", "dim")
    if board.synced:
        text.append(f"  ·  {now.fills} fills  ·  out of sync {now.unsynced}×", "dim")
        if now.unsynced_reason:
            text.append(f", last: {now.unsynced_reason}", "dim")
    text.truncate(WIDTH - 4, overflow="ellipsis")
    return text


def _grid(title: str, *justify: str) -> Table:
    grid = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left")
    grid.title_style = "bold"
    for each in justify:
        grid.add_column(justify=each, no_wrap=True)  # type: ignore[arg-type]
    return grid


def _balances(balances: Sequence[Balance]) -> RenderableType:
    grid = _grid("balances", "left", "right", "right")
    for each in balances[:MOST_HOLDINGS]:
        available = "" if each.available is None else f"{_short(each.available)} free"
        grid.add_row(each.asset, _short(each.total), available)
    return _closed(grid, balances, MOST_HOLDINGS)


def _positions(positions: Sequence[Position]) -> RenderableType:
    grid = _grid("positions", "left", "right", "left", "right")
    for each in positions[:MOST_HOLDINGS]:
        style = "green" if each.quantity > 0 else "red"
        entry = "" if each.entry_price is None else f"at {_short(each.entry_price)}"
        profit = "" if each.unrealised is None else _signed(each.unrealised)
        grid.add_row(each.symbol, Text(_signed(each.quantity), style), entry, profit)
    if not positions:
        grid.add_row(Text("flat", style="dim"), "", "", "")
    return _closed(grid, positions, MOST_HOLDINGS)


def _orders(orders: Sequence[OrderLine]) -> RenderableType:
    grid = _grid(f"open orders: {len(orders)}", "left", "left", "right", "right", "left", "left")
    for each in orders[:MOST_ORDERS]:
        kind = "conditional" if each.conditional else "" if each.state == "open" else each.state
        grid.add_row(
            each.symbol,
            Text(each.side, style="green" if each.side == "buy" else "red"),
            "all" if each.quantity is None else _short(each.quantity),
            "" if each.price is None else _short(each.price),
            Text(each.client_id[:24], style="default" if each.ours else "dim"),
            kind or (f"{_short(each.filled)} filled" if each.filled else ""),
        )
    return _closed(grid, orders, MOST_ORDERS)


def _fills(fills: Sequence[Fill]) -> RenderableType:
    grid = _grid("last fills", "left", "left", "left", "right", "right", "left")
    for each in fills[:MOST_FILLS]:
        grid.add_row(
            _clock(each.exchange_time_ns or each.received_ns),
            each.symbol,
            Text(each.side, style="green" if each.side == "buy" else "red"),
            _short(each.quantity),
            _short(each.price),
            "found later" if each.backfilled else "",
        )
    if not fills:
        grid.add_row(Text("none since it was opened", style="dim"), "", "", "", "", "")
    return grid


def _closed(grid: Table, all_of_it: Sequence[object], most: int) -> Table:
    if len(all_of_it) > most:
        grid.caption = f"and {len(all_of_it) - most} more"
        grid.caption_justify = "left"
    return grid


def _clock(ns: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(ns / NS))


def _short(value: Decimal | None) -> str:
    """A number in at most twelve characters, if that does not change what it is about."""
    if value is None:
        return "–"
    text = written(value)
    whole = len(text.partition(".")[0])
    return text if len(text) <= 12 else f"{value:.{max(11 - whole, 0)}f}"


def _signed(value: Decimal) -> str:
    return f"{'+' if value > 0 else ''}{_short(value)}"


# --- in one line, and for machines


def line(board: Board) -> str:
    """The same in one line, for output that is not a terminal."""
    now = board.statistics
    state = "synced" if board.synced else f"NOT SYNCED ({board.cause})"
    held = [f"{_short(each.total)} {each.asset}" for each in board.balances[:MOST_HOLDINGS]]
    held += [f"{_signed(each.quantity)} {each.symbol}" for each in board.positions[:MOST_HOLDINGS]]
    return f"{state}  {', '.join(held) or 'nothing'}  {len(board.orders)} open  {now.fills} fills"


def as_plain(board: Board) -> dict[str, object]:
    """The same as plain values; numbers as text, to the last digit."""
    return {
        "title": board.title,
        "synced": board.synced,
        "unsynced_reason": "" if board.synced else board.statistics.unsynced_reason,
        "as_of_ns": board.as_of_ns,
        "summary": _plain(board.summary),
        "balances": [_plain(each) for each in board.balances],
        "positions": [
            {**_plain(each), "quantity": written(each.quantity)} for each in board.positions
        ],
        "orders": [_plain(each) for each in board.orders],
        "fills": [_plain_fill(each) for each in board.fills],
    }


def _plain(value: Balance | Position | Summary | OrderLine | None) -> dict[str, object]:
    return {} if value is None else _texts(attrs.asdict(value))


def _plain_fill(fill: Fill) -> dict[str, object]:
    return _texts({name: getattr(fill, name) for name in fill.__struct_fields__})


def _texts(values: Mapping[str, object] | Iterable[tuple[str, object]]) -> dict[str, object]:
    return {
        name: written(value) if isinstance(value, Decimal) else value
        for name, value in dict(values).items()
    }
