"""What an order is made of: CPU of each part, out of its surroundings, the least of many rounds.

    python -m benchmarks.order_parts

A part is repeated with all in the processor's cache that it needs, so that it costs less than
within an order; what the parts leave of an order is trio's scheduler, the kernel, and the cache.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import trio

from benchmarks.order_server import Exchange
from benchmarks.order_workload import PRICE, QUANTITY, SYMBOL
from connector.account.checking import check
from connector.accounts import Timing
from connector.exchanges.binance.private.usdm import usdm_trading
from connector.instruments import Instrument, Status
from connector.keys import ApiKey
from connector.orders import Limit, Limits
from connector.trading.account_book import AccountBook
from connector.trading.budgets import OrderBudget
from connector.trading.client_ids import ClientIds, new_run
from connector.trading.exposure import OwnLimits
from connector.trading.order_record import OrderRecord
from connector.trading.venue import AccountReading, Answer, Window
from connector.transport.outgoing import Outgoing
from connector.transport.websocket_frames import masked_text

OPEN, ROUNDS, REPEATS = 25, 30, 40
TRADING = usdm_trading(stream_base="", orders="", rest="")
KEY = ApiKey("key", "secret")
INSTRUMENT = Instrument(
    symbol=SYMBOL, base="ETH", quote="USDC", kind="perpetual", status=Status.TRADING,
    exchange_status="TRADING", tick_size=Decimal("0.01"), step_size=Decimal("0.001"),
    min_quantity=Decimal("0.001"), max_quantity=Decimal(99999), min_price=Decimal("0.01"),
    max_price=Decimal(99999), min_notional=Decimal(5),
)  # fmt: skip
LIMITS = Limits(order_notional="1000000", open_notional="10000000", position={SYMBOL: "1000"})


class _Ears:
    """Listens to the private events of the server."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def write(self, frame: bytes) -> None:
        self.heard.append(unframed(frame))


def unframed(frame: bytes) -> bytes:
    return frame[4:] if frame[1] == 126 else frame[2:]


def intent() -> Limit:
    return Limit(SYMBOL, "buy", quantity=QUANTITY, price=PRICE)


class Stage:
    """An account with open orders, and what its exchange would say of more of them."""

    def __init__(self) -> None:
        self.ids = ClientIds("mm1", new_run(1, 1))
        self.book = AccountBook(self.ids, {}, {SYMBOL: INSTRUMENT})
        self.book.happen("connecting", "", 1)
        self.book.happen("subscribed", "", 1)
        self.book.join(AccountReading(balances=()), 1)
        self.known: Any = SimpleNamespace(
            trading=TRADING, instruments={SYMBOL: INSTRUMENT}, timing=Timing(), book=self.book,
            budget=OrderBudget([Window(10**9, 60.0)]), own_limits=OwnLimits(LIMITS), leaving=False,
            waiting_places=0,
        )  # fmt: skip
        exchange, ears = Exchange(), _Ears()
        exchange.listeners.add(ears)  # type: ignore[arg-type]
        self.replies = []
        for number in range(OPEN + ROUNDS * REPEATS):
            record = self.remember()
            request = TRADING.place(record.intent, record.client_id)
            text = TRADING.write(request, number, KEY, 1, 2.0)
            self.replies.append((request, unframed(exchange.act(json.loads(text)))))
            record.move("sent")
        self.events = ears.heard
        for event in self.events[:OPEN]:
            self.read_event(event)
        self.intent, self.request = intent(), request
        near, self.far = socket.socketpair()
        near.setblocking(False)
        self.outgoing = Outgoing(trio.SocketStream(trio.socket.from_stdlib_socket(near)))
        assert self.outgoing.writable

    def remember(self) -> OrderRecord:
        wanted = intent()
        return self.book.remember(wanted, self.ids.make(), SYMBOL, 1.0)

    def read_event(self, frame: bytes) -> None:
        for report in TRADING.read(frame):
            self.book.read(report, 1)  # type: ignore[arg-type]


def part_of(stage: Stage, name: str) -> Callable[[int], object]:
    """One repetition of a part, by its number."""
    text = TRADING.write(stage.request, 1, KEY, 1, 2.0)

    def make_request(_: int) -> None:
        client_id = stage.ids.make()
        TRADING.place(stage.intent, client_id)
        OrderRecord(stage.intent, client_id, SYMBOL)

    def send(_: int) -> None:
        stage.outgoing.write(masked_text(text.encode(), os.urandom(4)))
        stage.far.recv(1 << 16)

    def reply(number: int) -> None:
        request, frame = stage.replies[OPEN + number]
        (answer,) = TRADING.read(frame)
        assert isinstance(answer, Answer)
        stage.book.read(request.decode(answer.payload), 1)

    return {
        "intent": lambda _: intent(),
        "check": lambda _: check(stage.known, stage.intent, quote=False, now=1.0),
        "request": make_request,
        "write": lambda _: TRADING.write(stage.request, 1, KEY, 1, 2.0),
        "send": send,
        "event": lambda number: stage.read_event(stage.events[OPEN + number]),
        "reply": reply,
    }[name]


PARTS = {
    "intent": "the intent: `Limit(...)`, its numbers and words checked",
    "check": "rules of the instrument, your limits, the exchange's limits",
    "request": "client id, request, record",
    "write": "parameters, signature, JSON",
    "send": "frame, mask, handed to the socket",
    "event": "the private event: decoded and taken in",
    "reply": "the reply: decoded, with the limits it tells, and taken in",
}


async def main() -> None:
    for name, what in PARTS.items():
        part, rounds = part_of(Stage(), name), []
        for first in range(0, ROUNDS * REPEATS, REPEATS):
            began = time.process_time()
            for number in range(first, first + REPEATS):
                part(number)
            rounds.append(time.process_time() - began)
        print(f"{1e6 * min(rounds) / REPEATS:5.1f} µs  {what}")


if __name__ == "__main__":
    trio.run(main)
