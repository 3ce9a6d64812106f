"""What a message costs, counted in steps of our own code: the same on an idle and a busy machine.

A step is a line executed or a call made, to Python or to C, within `connector`. A budget that is
exceeded is no error of the test: find out which line is new on the hot path, and either move it
out of the loop (to the run, the batch, the connection) or show with ``nox -s bench`` that it costs
nothing, and raise the budget in the same commit.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from xml.etree import ElementTree as ET

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import connector
import connector.feeds.delivery
from benchmarks import alone, chart, instructions, tables, workloads
from benchmarks import run as contest
from connector.channels import Channel, PartialBook, Trades
from connector.errors import DecodeError
from connector.exchanges import binance
from connector.exchanges.protocol import Inbound
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.delivery import Delivery
from connector.feeds.feed import Feed
from connector.feeds.hot_loop import take_and_put_in_python
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription
from connector.transport.compiled import EXTENSION
from connector.transport.tap import Tap
from connector.transport.upgrade import ResponseHead
from connector.transport.websocket_frames import lift_text_in_python

OURS = str(Path(connector.__file__).parent)
MORE = 200
"""Messages between the two runs whose difference is the cost per message."""
SLACK = 0.5
"""Steps per message that versions of Python may differ by."""


# --- counting


@attrs.define
class Steps:
    lines: int = 0
    calls: int = 0


@contextmanager
def counted() -> Iterator[Steps]:
    """Count the steps of the block."""
    steps = Steps()

    def trace_lines(frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            steps.lines += 1
        return trace_lines

    def trace(frame: FrameType, event: str, _: object) -> Any:
        return trace_lines if frame.f_code.co_filename.startswith(OURS) else None

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event in ("call", "c_call") and frame.f_code.co_filename.startswith(OURS):
            steps.calls += 1

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        yield steps
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])


def per_message(cost: Callable[[int], Steps]) -> tuple[float, float]:
    """Lines and calls for one more message in a batch."""
    few, many = cost(10), cost(10 + MORE)
    return (many.lines - few.lines) / MORE, (many.calls - few.calls) / MORE


def check(what: str, found: tuple[float, float], budget: tuple[float, float]) -> None:
    lines, calls = found
    assert lines <= budget[0] + SLACK and calls <= budget[1] + SLACK, (
        f"{what}: {lines:.2f} lines and {calls:.2f} calls per message, the budget is {budget[0]} "
        f"and {budget[1]}; see the docstring of this module for what to do"
    )


# --- the way of a message


class Reader:
    """Nothing but data comes."""

    def read_message(self, message: Inbound) -> None:
        raise AssertionError(message)

    def read_undecodable(self, error: DecodeError) -> None:
        raise error


def run(step: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that does not wait."""
    try:
        step.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it had to wait")


async def step(feed: Feed[Any]) -> Any:
    """One of ``async for``."""
    return await feed.__anext__()


class Way:
    """From payloads to the consumers of one stream, of a link with `others` more."""

    def __init__(
        self,
        channel: Channel[Any],
        *,
        others: int = 0,
        subscribers: int = 1,
        overflow: Overflow = Overflow.BLOCK,
    ) -> None:
        exchange = binance.UsdMFutures()
        full = Full()
        rest = [type(channel)(f"COIN{n}USDT") for n in range(others)]  # type: ignore[call-arg]
        subscriptions = [Subscription(exchange.stream(each), full) for each in (channel, *rest)]
        buffers: list[Buffer[Any]] = [
            make_buffer(10_000, overflow, gaps=True) for _ in range(subscribers)
        ]
        for subscription in subscriptions:
            for buffer in buffers:
                subscription.attach(buffer)
        self.feeds: list[Feed[Any]] = [Feed(None, each) for each in buffers]  # type: ignore[arg-type]
        streams = {each.name.encode(): each for each in subscriptions}
        self.delivery = Delivery(exchange, 1, streams, full, Reader())

    def consume(self) -> None:
        for feed in self.feeds:
            while feed.buffer.items:
                run(step(feed))

    def go(self, texts: list[str]) -> Steps:
        payloads = [text.encode() for text in texts]
        with counted() as steps:
            taken = self.delivery.deliver(payloads, 0)
            self.consume()
        assert taken == len(payloads)
        return steps


NAMES = ["ETHUSDC", *(f"COIN{n}USDT" for n in range(49))]
CHANNELS: dict[str, Channel[Any]] = {"depth5": PartialBook("ETHUSDC"), "trade": Trades("ETHUSDC")}


def cost_of(workload: str, *, turns: int = 1, **options: Any) -> tuple[float, float]:
    def cost(messages: int) -> Steps:
        way = Way(CHANNELS[workload], **options)
        texts = [
            workloads.MAKERS[workload](NAMES[n % turns], 1 + n // turns) for n in range(messages)
        ]
        return way.go(texts)

    return per_message(cost)


# --- the budgets


@pytest.fixture(params=["python", "compiled"])
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """In what the innermost loops are."""
    chosen: str = request.param
    if chosen == "python":
        monkeypatch.setattr(connector.feeds.delivery, "take_and_put", take_and_put_in_python)
    elif EXTENSION is None:
        pytest.skip("connector.transport._speedups is not compiled here, or not wanted")
    return chosen


@pytest.mark.parametrize("workload", ["depth5", "trade"])
def test_cutting_a_frame_out_of_what_was_read(workload: str) -> None:
    def cost(messages: int) -> Steps:
        data = b"".join(map(workloads.frame, workloads.texts(workload, messages, 1)))
        got: list[bytes] = []
        with counted() as steps:
            lift_text_in_python(data, 0, 1 << 20, got)
        assert len(got) == messages
        return steps

    check(f"frame of {workload}", per_message(cost), (13, 3))


@pytest.mark.parametrize("workload", ["depth5", "trade"])
async def test_from_the_payload_to_the_consumer(workload: str, loops: str) -> None:
    budget = {"python": (25, 7), "compiled": (3, 1)}
    check(workload, cost_of(workload), budget[loops])


@pytest.mark.parametrize("workload", ["depth5", "trade"])
async def test_streams_that_take_turns_cost_little_more(workload: str, loops: str) -> None:
    budget = {"python": (38, 8), "compiled": (3, 1)}
    check(f"{workload} in turn", cost_of(workload, others=49, turns=50), budget[loops])


@pytest.mark.parametrize("workload", ["depth5", "trade"])
async def test_a_batch_costs_little_beside_its_messages(workload: str, loops: str) -> None:
    budget = {"python": (90, 23), "compiled": (35, 13)}
    way = Way(CHANNELS[workload])
    first, second = workloads.texts(workload, 2, 1)
    way.go([first])  # from which it learns what kind of events they are
    alone = way.go([second])

    check(f"a batch of one {workload}", (alone.lines, alone.calls), budget[loops])


async def test_a_thousand_other_streams_cost_a_message_nothing() -> None:
    assert cost_of("depth5", others=1_000) == cost_of("depth5")


async def test_another_subscriber_costs_what_it_takes_to_consume() -> None:
    one, two, three = (cost_of("trade", subscribers=count) for count in (1, 2, 3))

    check("one more subscriber", (two[0] - one[0], two[1] - one[1]), (6, 3))
    assert three[0] - two[0] == two[0] - one[0]
    assert three[1] - two[1] == two[1] - one[1]


# --- what a read costs beside its messages


class Turns(trio.abc.Instrument):
    """Counts the steps of tasks and the waits for I/O."""

    def __init__(self) -> None:
        self.steps: dict[str, int] = {}
        self.waits = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps[task.name] = self.steps.get(task.name, 0) + 1

    def before_io_wait(self, timeout: float) -> None:
        self.waits += 1


async def test_a_single_message_wakes_the_reader_once_and_the_consumer_once() -> None:
    near, far = trio.socket.socketpair()
    way = Way(Trades("ETHUSDC"))
    tap = Tap(trio.SocketStream(near), way.delivery, limit=1 << 20)
    tap.head = ResponseHead(101, (), b"")
    tap.go_live()
    (feed,) = way.feeds
    got: list[Any] = []
    frames = [workloads.frame(text) for text in workloads.texts("trade", 20, 1)]

    async def read() -> None:
        await tap.receive_some()

    async def consume() -> None:
        async for event in feed:
            got.append(event)  # noqa: PERF401 - as a program does

    turns = Turns()
    with near, far:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, name="reader")
            nursery.start_soon(consume, name="consumer")
            for number, frame in enumerate(frames):
                await wait_all_tasks_blocked()
                if number == 10:
                    trio.lowlevel.add_instrument(turns)
                await far.send(frame)
            await wait_all_tasks_blocked()
            trio.lowlevel.remove_instrument(turns)
            nursery.cancel_scope.cancel()

    assert len(got) == 20
    assert turns.steps["consumer"] == 10
    assert turns.steps["reader"] == 10


async def test_a_message_that_comes_alone_costs_little_from_the_socket_to_the_consumer(
    loops: str,
) -> None:
    # Where nothing is compiled, cutting frames runs in Python as well.
    python = (
        (158, 43)
        if importlib.import_module("connector.transport.compiled").EXTENSION is None
        else (114, 31)
    )
    budget = {"python": python, "compiled": (57, 20)}
    steps = []
    for messages in (10, 10 + MORE):
        with counted() as found:
            await alone.send("connector", messages)
        steps.append(found)

    few, many = steps
    per_message = (many.lines - few.lines) / MORE, (many.calls - few.calls) / MORE
    check("a message that comes alone", per_message, budget[loops])


@pytest.mark.parametrize("client", alone.CLIENTS)
async def test_what_is_counted_of_messages_that_come_alone_comes(client: str) -> None:
    turns = Turns()
    trio.lowlevel.add_instrument(turns)
    await alone.send(client, 20)
    trio.lowlevel.remove_instrument(turns)

    # A turn of the reader and one of the consumer for each.
    assert sorted(turns.steps.values())[-2:] >= [20, 20]


def test_a_message_that_comes_alone_needs_little_more_than_two_bare_tasks_need() -> None:
    ours, bare = (
        instructions.alone(client, instructions.counted_by_processor)
        for client in ("connector", "bare")
    )
    if ours is None or bare is None:
        pytest.skip("perf cannot read the processor's counter of instructions here")

    # Counted by valgrind, they were 1.15 and 1.29.
    assert ours / bare < (1.4 if EXTENSION is None else 1.25)


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ("12345678,,instructions:u,5012345,100.00,,\n", 12_345_678),
        ("a warning\n12,,instructions:u,5,100.00,,\n", 12),
        ("<not supported>,,instructions:u,0,100.00,,\n", None),
        ("<not counted>,,instructions:u,0,0.00,,\n", None),
        ("Error:\nNo permission to enable instructions:u event.\n", None),
    ],
)
def test_the_count_in_what_perf_says(said: str, count: int | None) -> None:
    assert instructions.read_perf(said) == count


# --- the page


def test_the_page_has_a_place_for_every_table_and_shows_it(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text((Path(__file__).parents[1] / "docs" / "performance.md").read_text())
    bare = {"cpu_us": 2.0, "per_second": 5e5, "rss_mib": 30.0}
    ours = {"cpu_us": 3.0, "per_second": 3e5, "rss_mib": 31.0}
    paced = {"p50": 80.0, "p99": 300.0, "p999": 400.0, "cpu_us": 9.0}
    order = {"order_us": 80.0, "least_us": 70.0, "p50_us": 200.0, "p99_us": 900.0, "event_us": 4.0}
    unread = {"order_us": 240.0, "least_us": 200.0, "p50_us": 2500.0, "p99_us": 9000.0}
    results = {
        "conditions": "A quiet machine.",
        "orders": {"one by one": {tables.MARK: order, tables.US: unread, "x": {"failed": "no"}}},
        "cost": {"depth5": {tables.MARK: bare, tables.US: ours, "other": {"failed": "no wheel"}}},
        "latency": {"1,000/s": {tables.MARK: paced, tables.US: {**paced, "p50": 100.0}}},
        "late": {tables.MARK: bare, "connector, CONFLATE": ours},
        "idle": {tables.US: {"kib": 48.0, "open_ms": 1.5}},
        "reconnect": {"connected_ms": 107.0, "subscribed_ms": 2500.0, "cpu_ms": 33.0},
        "growth": {"links of one adapter": {"depth5": {"1": 2.5, "16": 2.75}}},
        "fairness": {"buffer": 1024, "consumer_ms": 0.2, "reader_ms": 0.4, "behind_burst_ms": 1.0},
    }
    assert set(tables.SECTIONS) <= set(results)

    tables.into_page(page, results)
    tables.into_page(page, results)

    text = page.read_text()
    assert text.count("A quiet machine.") == 1
    assert "| depth5 | **connector** | 3.00 | 1.50 | – | 300,000 | 31 |" in text
    assert "| depth5 | other | – (no wheel) |" in text
    assert "| 1,000/s | **connector** | 100 | 300 | 400 | 1.25 | 9.0 |" in text
    assert "| connector, CONFLATE | 3.00 | 1.50 |" in text
    assert "| one by one | picows bare | 80 | 1.00 | – | 70 | – | 200 | 4.0 |" in text
    assert "| one by one | **connector** | 240 | 3.00 | – | 200 | – | 2,500 | – |" in text
    assert "| links of one adapter | depth5 | 1: 2.50, 16: 2.75 |" in text


def test_the_headline_of_latency_is_beside_two_tasks_of_trio() -> None:
    found = {tables.TWO_TASKS: {"p50": 40.0}, tables.US: {"p50": 44.0}}

    assert tables.latency_headline("5,000/s", found) == "latency at 5,000/s: 1.10 × trio, two tasks"
    assert "not measured" in tables.latency_headline("5,000/s", {tables.US: {"failed": "no"}})


def test_the_headline_of_orders_is_beside_a_bare_client() -> None:
    bare, ours = {"order_us": 80.0, "event_us": 4.0}, {"order_us": 200.0, "event_us": 10.0}

    told = tables.orders_headline({tables.MARK: bare, tables.US: ours})
    assert told == "an order: 2.50 × picows bare; a fill: 2.50 ×"
    assert tables.orders_headline({tables.MARK: bare}) == "orders: not measured"


def test_a_picture_of_curves_has_every_line(tmp_path: Path) -> None:
    path = tmp_path / "growth.svg"
    lines = {"depth5": {"1": 2.5, "1000": 3.0}, "trade": {"1": 1.3, "1000": 1.8}}

    chart.draw({"streams": lines, "links": lines}, path)

    picture = ET.parse(path).getroot()
    assert len(picture.findall("{http://www.w3.org/2000/svg}polyline")) == 4


def test_the_benchmark_says_at_once_what_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contest, "PACKAGES", ("trio", "not-a-client", "msgspec", "nor-this-one"))
    monkeypatch.setattr(sys, "argv", ["benchmarks.run", "--quick"])

    with pytest.raises(SystemExit):
        contest.main()

    assert "not installed here: not-a-client, nor-this-one;" in capsys.readouterr().err
