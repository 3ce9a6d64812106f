"""Two readings of the same notes: the private side of Binance, and the simulated exchange.

Neither was written from the other. What one writes the other accepts, what one refuses the other
knows, and what one tells the other reads.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from connector.exchanges.binance.private import BinanceTrading, spot_trading, usdm_trading
from connector.keys import ApiKey
from connector.orders import Intent, Limit, Market
from connector.testing import (
    MemoryNetwork,
    OrderFlow,
    Readings,
    SimulatedExchange,
    TradingAccount,
    open_exchange,
)
from connector.trading.reports import (
    BalanceReport,
    FillReport,
    Ignored,
    OrderReport,
    PositionReport,
    StreamEnded,
)
from connector.trading.venue import Answer, Heard, Request, Verdict

SYMBOL = "ETHUSDC"
WINDOW = 2.0
VENUES = pytest.mark.parametrize("venue", ["spot", "usdm"])


@attrs.define(eq=False)
class Side:
    """A program's private side at work: as little as it takes."""

    trading: BinanceTrading
    exchange: SimulatedExchange
    network: MemoryNetwork
    key: ApiKey
    heard: list[Heard] = attrs.field(factory=list)
    _news: trio.Condition = attrs.field(factory=trio.Condition)
    _socket: WebSocketConnection | None = None
    _number: int = 0

    @property
    def now_ns(self) -> int:
        return self.exchange._audience.now_ms() * 1_000_000

    async def listen(self, socket: WebSocketConnection) -> None:
        try:
            while True:
                frame = await socket.get_message()
                news = self.trading.read(frame if isinstance(frame, bytes) else frame.encode())
                async with self._news:
                    self.heard.extend(news)
                    self._news.notify_all()
        except ConnectionClosed:
            return

    async def ask(self, request: Request[Any]) -> Any:
        """The reading of an answer, or the verdict on a refusal."""
        if request.over == "rest":
            return await self._over_rest(request)
        self._number += 1
        number = self._number
        assert self._socket is not None
        await self._socket.send_message(
            self.trading.write(request, number, self.key, self.now_ns, WINDOW)
        )
        async with self._news:
            while not (found := [each for each in self.heard if _answers(each, number)]):
                await self._news.wait()
        answer = found[0]
        assert isinstance(answer, Answer)
        if answer.refusal is not None:
            return self.trading.verdict(answer.refusal)
        return request.decode(answer.payload)

    async def _over_rest(self, request: Request[Any]) -> Any:
        written = self.trading.write_rest(request, self.key, self.now_ns, WINDOW)
        lines = [f"{written.verb} {written.target} HTTP/1.1", "Host: x"]
        lines += [f"{name}: {value}" for name, value in written.headers.items()]
        async with self.network.connect(self.exchange.host, self.exchange.port) as stream:
            await stream.send_all("\r\n".join((*lines, "", "")).encode())
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive_some()
            head, _, body = data.partition(b"\r\n\r\n")
            first, *rest = head.decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in rest)
            while len(body) < int(headers["Content-Length"]):
                body += await stream.receive_some()
        refusal = self.trading.refusal(int(first.split()[1]), body, headers)
        return request.decode(body) if refusal is None else self.trading.verdict(refusal)

    async def wait(self, kind: type[Any], count: int = 1) -> list[Any]:
        """The reports of a kind, as soon as there are so many."""
        async with self._news:
            while len(found := [each for each in self.heard if isinstance(each, kind)]) < count:
                await self._news.wait()
        return found


def _answers(heard: Heard, number: int) -> bool:
    return isinstance(heard, Answer) and heard.request_id == number


@asynccontextmanager
async def side(
    venue: str, *, readings: Readings | None = None, **account: Any
) -> AsyncIterator[Side]:
    network = MemoryNetwork()
    spec = TradingAccount("mm1", {"USDC": "100000", "ETH": "50"}, **account)
    async with open_exchange(
        venue,  # type: ignore[arg-type]
        source=OrderFlow(rate_per_second=1e-6),
        network=network,
        accounts=(spec,),
        readings=readings,
    ) as exchange:
        ends = exchange.endpoints
        trading: BinanceTrading = spot_trading(orders=ends.orders, rest=ends.rest)
        if venue == "usdm":
            trading = usdm_trading(stream_base=ends.stream, orders=ends.orders, rest=ends.rest)
        key = ApiKey(spec.key, spec.secret, kind=spec.kind)
        made = Side(trading, exchange, network, key)
        token = "" if trading.token is None else await made.ask(trading.token.fetch)
        access = trading.stream(token)
        async with trio.open_nursery() as nursery:
            async with network.connect(exchange.host, exchange.port) as orders:
                path = trading.orders_url.removeprefix(ends.orders)
                made._socket = await wrap_client_stream(nursery, orders, exchange.host, path)
                nursery.start_soon(made.listen, made._socket)
                if access.login is not None:
                    assert await made.ask(access.login) is None
                    yield made
                else:
                    async with network.connect(exchange.host, exchange.port) as private:
                        target = access.url.removeprefix(ends.stream)
                        ears = await wrap_client_stream(nursery, private, exchange.host, target)
                        nursery.start_soon(made.listen, ears)
                        yield made
                nursery.cancel_scope.cancel()


def limit(**fields: Any) -> Intent:
    defaults: dict[str, Any] = {"quantity": "0.5", "price": "2990"}
    return Limit(SYMBOL, "buy", **{**defaults, **fields})


async def place(made: Side, client_id: str = "a" * 32, **fields: Any) -> Any:
    return await made.ask(made.trading.place(limit(**fields), client_id))


@VENUES
@pytest.mark.parametrize("kind", ["hmac", "ed25519", "rsa"])
async def test_every_kind_of_key_signs(autojump_clock: Any, venue: str, kind: Any) -> None:
    async with side(venue, kind=kind) as made:
        report = await place(made)

        assert (report.state, report.client_id) == ("open", "a" * 32)
        assert len(made.exchange.accounts["mm1"].open_orders) == 1


@VENUES
async def test_an_order_from_its_place_to_its_end(autojump_clock: Any, venue: str) -> None:
    async with side(venue) as made:
        begun_ns = made.now_ns
        await place(made)
        truth = made.exchange.accounts["mm1"]
        made.exchange.trading.fill(truth.open_orders[0], "0.2")
        found = await made.ask(made.trading.order(SYMBOL, "a" * 32))
        opened = [await made.ask(request) for request in made.trading.open_orders()]
        over = await made.ask(made.trading.cancel(SYMBOL, "a" * 32))
        fence = await made.ask(made.trading.cancel(SYMBOL, "a" * 32))
        fills = await made.ask(made.trading.fills(SYMBOL, None, begun_ns))
        reports = await made.wait(OrderReport, 3)

    (fill,) = truth.fills
    assert (found.state, found.filled) == ("open", Decimal("0.2"))
    assert [report.client_id for reports in opened for report in reports] == ["a" * 32]
    assert (over.state, over.client_id, over.filled) == ("cancelled", "a" * 32, Decimal("0.2"))
    assert fence == Verdict("absent")
    assert [(each.trade_id, each.quantity, each.fee) for each in fills] == [
        (str(fill.trade_id), fill.quantity, fill.fee)
    ]
    assert {each.client_id for each in reports} == {"a" * 32}
    assert [each.state for each in reports] == ["open", "open", "cancelled"]
    told = [each.fill for each in reports if each.fill is not None]
    assert [(each.trade_id, each.price, each.maker) for each in told] == [
        (str(fill.trade_id), fill.price, True)
    ]


@VENUES
async def test_readings_are_the_account(autojump_clock: Any, venue: str) -> None:
    async with side(venue) as made:
        intent = Market(SYMBOL, "buy", quantity="0.1")
        await made.ask(made.trading.place(intent, "b" * 32))
        await place(made)
        parts = [await made.ask(request) for request in made.trading.reading()]
        clock = await made.ask(made.trading.clock())
        truth = made.exchange.accounts["mm1"]

    totals = {each.asset: each.total for part in parts for each in part.balances}
    assert totals == dict(truth.balances)
    assert abs(clock - made.now_ns) < 10**9
    positions = [each.quantity for part in parts for each in part.positions]
    assert positions == ([] if venue == "spot" else [Decimal("0.1")])
    told = [each for each in made.heard if isinstance(each, BalanceReport) and each.total]
    assert {each.asset: each.total for each in told} == {
        asset: total for asset, total in totals.items() if asset in {e.asset for e in told}
    }
    if venue == "usdm":
        (position,) = [each for each in made.heard if isinstance(each, PositionReport)][-1:]
        assert position.quantity == Decimal("0.1")


REFUSALS = [
    ("both", {"price": "2990.001"}, "refused", "filter"),
    ("both", {"quantity": "0.0000001"}, "refused", "filter"),
    ("both", {"quantity": "0.001", "price": "2900"}, "refused", "filter"),
    ("both", {"quantity": "800"}, "refused", "balance"),
    ("both", {"price": "3100", "post_only": True}, "refused", "post_only"),
    ("both", {"symbol": "NOSUCH"}, "refused", "closed"),
    ("usdm", {"price": "3000.05", "quantity": "90", "time_in_force": "FOK"}, "refused", "other"),
    ("usdm", {"reduce_only": True}, "refused", "reduce_only"),
    ("usdm", {"price": "4000"}, "refused", "price_band"),
    ("usdm", {"leg": "long"}, "refused", "other"),
    ("spot", {"price": "4000"}, "refused", "filter"),
]


@pytest.mark.parametrize(
    ("venue", "fields", "meaning", "reason"),
    [
        (venue, *rest)
        for where, *rest in REFUSALS
        for venue in (("spot", "usdm") if where == "both" else (where,))
    ],
)
async def test_refusals_are_understood(
    autojump_clock: Any, venue: str, fields: dict[str, Any], meaning: str, reason: str
) -> None:
    async with side(venue) as made:
        wanted = {"symbol": SYMBOL, "quantity": "0.5", "price": "2990", **fields}
        intent = Limit(wanted.pop("symbol"), "buy", **wanted)
        verdict = await made.ask(made.trading.place(intent, "a" * 32))

        assert (verdict.meaning, verdict.reason) == (meaning, reason)
        assert made.exchange.accounts["mm1"].orders == ()


@VENUES
async def test_limits_windows_and_outages_are_understood(autojump_clock: Any, venue: str) -> None:
    async with side(venue) as made:
        trading = made.exchange.trading
        first = await place(made)
        again = await place(made)
        trading.delay_gateway(3)
        trading.delay_engine(3)
        late = await place(made, "b" * 32)
        trading.mend()
        trading.unknown_503(effect=True)
        unknown = await place(made, "c" * 32)
        trading.time_out(effect=False)
        timed_out = await place(made, "d" * 32)
        trading.overload()
        busy = await place(made, "e" * 32)
        trading.unavailable_503()
        unavailable = await place(made, "f" * 32)
        trading.ban(60)
        banned = await place(made, "0" * 32)

    assert (first.state, again.meaning) == ("open", "duplicate")
    assert late.meaning == ("time" if venue == "spot" else "refused")
    assert (unknown.meaning, timed_out.meaning) == ("unknown", "unknown")
    assert (busy.meaning, banned.meaning) == ("busy", "banned")
    assert unavailable.meaning == ("unknown" if venue == "spot" else "busy")
    assert made.exchange.accounts["mm1"].client_ids == ("a" * 32, "c" * 32)


async def test_an_amendment_of_usdm(autojump_clock: Any) -> None:
    async with side("usdm") as made:
        await place(made)
        intent = limit()
        amend = made.trading.amend(intent, "a" * 32, Decimal("0.3"), Decimal(2991))
        report = await made.ask(amend)
        same = await made.ask(amend)
        reports = await made.wait(OrderReport, 2)

    assert (report.quantity, report.price) == (Decimal("0.3"), Decimal(2991))
    assert same.meaning == "refused"
    assert (reports[-1].state, reports[-1].quantity) == ("open", Decimal("0.3"))


async def test_the_dead_mans_switch_and_the_end_of_a_key(autojump_clock: Any) -> None:
    async with side("usdm") as made:
        await place(made)
        assert await made.ask(made.trading.dead_man(SYMBOL, 10)) is None
        await trio.sleep(11)
        assert made.exchange.accounts["mm1"].open_orders == ()
        token = made.trading.token
        assert token is not None
        assert await made.ask(token.renew("")) is None
        made.exchange.trading.expire_listen_key("mm1")
        await made.wait(StreamEnded)
        gone = await made.ask(token.renew(""))

    assert isinstance(gone, Verdict)


@pytest.mark.parametrize("reading", ["lite_last", "trade_before_new", "expiry_time_as_text"])
async def test_fills_are_told_in_every_reading(autojump_clock: Any, reading: str) -> None:
    async with side("usdm", readings=Readings(**{reading: True})) as made:
        await place(made, price="3100", quantity="0.01")
        made.exchange.trading.liquidate("mm1", SYMBOL)
        made.exchange.trading.fund(SYMBOL, "0.0001")
        made.exchange.trading.expire_listen_key("mm1")
        await made.wait(StreamEnded)
        truth = made.exchange.accounts["mm1"]

    full = [r.fill for r in made.heard if isinstance(r, OrderReport) and r.fill]
    assert [each.trade_id for each in full] == [str(fill.trade_id) for fill in truth.fills]
    assert [each.fee for each in full] == [fill.fee for fill in truth.fills]
    early = [each.trade_id for each in made.heard if isinstance(each, FillReport)]
    assert early == [str(truth.fills[0].trade_id)]
    assert not any(isinstance(each, Ignored) for each in made.heard)
