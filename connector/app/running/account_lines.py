"""Accounts in the state of a run: balances, positions, open orders, and whether it is synced."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from connector.account import Account
from connector.app.running.account_slot import AccountSlot
from connector.app.running.service import Service
from connector.app.trading.board import Board, board_of
from connector.inputs.decimals import written

MOST_ORDERS = 20
"""The most open orders to show; others are counted."""


class HoldingLine(msgspec.Struct, frozen=True, kw_only=True):
    """A balance or a position; empty where the exchange does not tell."""

    name: str
    quantity: str
    free: str = ""
    entry_price: str = ""
    unrealised: str = ""


class OpenOrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """An open order, of this program or of another one."""

    symbol: str
    side: str
    quantity: str
    price: str
    filled: str
    client_id: str


class AccountLine(msgspec.Struct, frozen=True, kw_only=True):
    """An account; while it is not synced, its last known values."""

    name: str
    adapter: str
    synced: bool
    cause: str
    """The reason why it is not synced or not open; empty if it is."""
    holdings: tuple[HoldingLine, ...] = ()
    orders: tuple[OpenOrderLine, ...] = ()
    open_orders: int = 0
    fills: int = 0
    unsynced: int = 0
    """Times that it has lost its sync."""


def account_lines(service: Service) -> tuple[AccountLine, ...]:
    """Every account of the configuration whose adapter is open."""
    return tuple(_line(name, slot) for name, slot in service.accounts.slots.items())


def _line(name: str, slot: AccountSlot) -> AccountLine:
    if slot.account is None:
        cause = slot.trouble.reason or "being opened"
        return AccountLine(name=name, adapter=slot.plan.adapter, synced=False, cause=cause)
    return _open_line(name, slot.plan.adapter, slot.account)


def _open_line(name: str, adapter: str, account: Account) -> AccountLine:
    board = board_of(account, name, ())
    return AccountLine(
        name=name,
        adapter=adapter,
        synced=board.synced,
        cause="" if board.synced else board.cause,
        holdings=tuple(_holdings(board)),
        orders=tuple(
            OpenOrderLine(
                symbol=each.symbol,
                side=each.side,
                quantity=_said(each.quantity),
                price=_said(each.price),
                filled=_said(each.filled),
                client_id=each.client_id,
            )
            for each in board.orders[:MOST_ORDERS]
        ),
        open_orders=len(board.orders),
        fills=board.statistics.fills,
        unsynced=board.statistics.unsynced,
    )


def _holdings(board: Board) -> Iterator[HoldingLine]:
    for balance in board.balances:
        yield HoldingLine(
            name=balance.asset, quantity=_said(balance.total), free=_said(balance.available)
        )
    for each in board.positions:
        yield HoldingLine(
            name=each.symbol,
            quantity=written(each.quantity),
            entry_price=_said(each.entry_price),
            unrealised=_said(each.unrealised),
        )


def _said(value: Decimal | None) -> str:
    return "" if value is None else written(value)
