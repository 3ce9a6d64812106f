"""The REST side: below the weight, in line, patient with failures, gone when nothing waits."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.errors import ExchangeUnavailable, RequestRejected
from connector.exchanges.protocol import RestRequest, RestService
from connector.lifecycle import RequestsFailing, RequestsRecovered
from connector.link.request_trouble import FAILURES
from connector.link.rest import Rest
from connector.link.weight_gate import WeightGate
from connector.testing import MemoryNetwork, MemoryStream
from connector.testing.network.server_websocket import Request, read_request, response

PAST = "Wed, 21 Oct 2015 07:28:00 GMT"
Answer = Callable[[Request], "bytes | None"]


def ok(request: Request) -> bytes:
    return response(200, {}, request.target.encode(), keep_alive=True)


@attrs.define
class Server:
    """Answers as it is told, and remembers when it was asked what."""

    network: MemoryNetwork
    answer: Answer = ok
    asked: list[tuple[float, str]] = attrs.field(factory=list)
    connections: int = 0
    endless: dict[str, Callable[[MemoryStream], Awaitable[None]]] = attrs.field(factory=dict)

    async def serve(
        self,
        listener: trio.abc.Listener[MemoryStream],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                stream = await listener.accept()
                self.connections += 1
                nursery.start_soon(self._attend, stream)

    async def _attend(self, stream: MemoryStream) -> None:
        rest = b""
        try:
            while (request := await read_request(stream, rest)) is not None:
                self.asked.append((trio.current_time(), request.target))
                if request.target in self.endless:
                    await self.endless[request.target](stream)
                said = self.answer(request)
                if said is None:
                    await trio.sleep_forever()
                await stream.send_all(said or b"")
                if said == b"" or b"Connection: close" in said:
                    break
                rest = request.rest
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            stream.close()

    def targets(self) -> list[str]:
        return [target for _, target in self.asked]


@attrs.define
class World:
    network: MemoryNetwork
    server: Server
    rest: Rest
    wants_run: trio.Event = attrs.field(factory=trio.Event)
    told: list[RequestsFailing | RequestsRecovered] = attrs.field(factory=list)

    def run_rest(self) -> None:
        self.wants_run.set()

    def answered(self, target: str, body: bytes) -> None:
        pass

    def announce(self, event: RequestsFailing | RequestsRecovered) -> None:
        self.told.append(event)

    def failures(self) -> int:
        return sum(self.rest.statistics().failures.values())

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            await self.wants_run.wait()
            self.wants_run = trio.Event()
            await self.rest.run()


@asynccontextmanager
async def open_world(answer: Answer = ok, **service: Any) -> AsyncIterator[World]:
    network = MemoryNetwork()
    listener = network.listen("rest.invalid", 80)
    server = Server(network, answer)
    options: dict[str, Any] = {"weight_per_window": 100, "window_seconds": 60.0, **service}
    described = RestService(url="http://rest.invalid", **options)
    async with trio.open_nursery() as nursery:
        world = World(network, server, None)  # type: ignore[arg-type]
        world.rest = Rest("toy/rest", described, network, world)
        await nursery.start(server.serve, listener)
        await nursery.start(world.serve)
        yield world
        world.rest.leave()
        await trio.testing.wait_all_tasks_blocked()
        assert network.ledger.open_now() == 0
        nursery.cancel_scope.cancel()


def request(target: str = "/x", weight: int = 1) -> RestRequest[str]:
    return RestRequest(target=target, weight=weight, decode=bytes.decode)


@attrs.define(eq=False)
class Wish:
    """A job that remembers what became of it."""

    request: RestRequest[str]
    wanted: bool = True
    answers: list[str] = attrs.field(factory=list)
    failures: int = 0
    errors: list[Exception] = attrs.field(factory=list)
    done: trio.Event = attrs.field(factory=trio.Event)

    def begin(self) -> bool:
        return self.wanted

    def answered(self, answer: str) -> None:
        self.answers.append(answer)
        self.done.set()

    def failed(self, cause: str) -> None:
        self.failures += 1

    def refused(self, error: Exception) -> None:
        self.errors.append(error)
        self.done.set()


async def test_an_answer(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        assert await world.rest.fetch(request("/a?b=c")) == "/a?b=c"
        assert world.server.targets() == ["/a?b=c"]


async def test_requests_share_a_connection_that_closes_when_none_waits(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        wishes = [Wish(request(f"/{number}")) for number in range(5)]
        for wish in wishes:
            world.rest.ask(wish)
        for wish in wishes:
            await wish.done.wait()
        await trio.testing.wait_all_tasks_blocked()

        assert world.server.targets() == ["/0", "/1", "/2", "/3", "/4"]
        assert world.server.connections == 1
        assert world.network.ledger.open_now() == 0
        assert world.rest.sockets_open == 0

        assert await world.rest.fetch(request("/again")) == "/again"
        assert world.server.connections == 2


async def test_the_weight_of_a_window_is_never_used_up(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        wishes = [Wish(request(f"/{number}", weight=20)) for number in range(12)]
        for wish in wishes:
            world.rest.ask(wish)
        for wish in wishes:
            await wish.done.wait()

        times = [moment for moment, _ in world.server.asked]
        for begin in times:
            assert 20 * sum(begin <= each < begin + 60 for each in times) <= 80
        assert 120 <= times[-1] - times[0] < 130
        assert world.server.targets() == [f"/{number}" for number in range(12)]


async def test_the_weight_used_by_others_at_the_address_counts(autojump_clock: MockClock) -> None:
    def answer(request: Request) -> bytes:
        return response(200, {"X-Used": "75"}, b"", keep_alive=True)

    async with open_world(answer, used_weight_header="x-used") as world:
        await world.rest.fetch(request(weight=5))
        await world.rest.fetch(request(weight=5))
        begun = trio.current_time()
        await world.rest.fetch(request(weight=20))

        assert trio.current_time() - begun >= 59


@pytest.mark.parametrize("status", [429, 418])
async def test_retry_after_closes_the_gate_for_all(autojump_clock: MockClock, status: int) -> None:
    def answer(request: Request) -> bytes:
        if len(world.server.asked) == 1:
            return response(status, {"Retry-After": "30"}, b"", keep_alive=True)
        return ok(request)

    async with open_world(answer) as world:
        first, second = Wish(request("/1")), Wish(request("/2"))
        world.rest.ask(first)
        world.rest.ask(second)
        await second.done.wait()

        assert first.failures == 1
        assert first.answers == ["/1"]
        assert world.server.targets() == ["/1", "/1", "/2"]
        assert world.server.asked[1][0] - world.server.asked[0][0] >= 30
        assert WeightGate.of("rest.invalid") is WeightGate.of("rest.invalid")


async def test_a_ban_without_a_time_lasts_a_window(autojump_clock: MockClock) -> None:
    def answer(request: Request) -> bytes:
        banned = len(world.server.asked) == 1
        return response(429, {}, b"", keep_alive=True) if banned else ok(request)

    async with open_world(answer) as world:
        await world.rest.fetch(request())

        assert world.server.asked[1][0] >= 60


async def test_a_ban_without_a_time_lasts_as_long_as_the_exchange_documents(
    autojump_clock: MockClock,
) -> None:
    def answer(request: Request) -> bytes:
        banned = len(world.server.asked) <= 2
        return response(403, {}, b"", keep_alive=True) if banned else ok(request)

    async with open_world(answer, banned=frozenset({403}), ban_seconds=600.0) as world:
        await world.rest.fetch(request())

        first, second, third = (at for at, _ in world.server.asked)
        assert 600 <= second - first < 610
        assert 600 <= third - second < 610


BROKEN: dict[str, Answer] = {
    "503": lambda _: response(503, {}, b"busy", keep_alive=True),
    "500 and goodbye": lambda _: response(500, {}, b"oops"),
    "closed": lambda _: b"",
    "no HTTP": lambda _: b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "no answer": lambda _: None,
    "half a body": lambda _: response(200, {}, b"ha", declared_length=99),
    "undecodable": lambda _: response(200, {}, b"\xff\xfe", keep_alive=True),
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_failure_is_tried_again_with_backoff(
    autojump_clock: MockClock, broken: str
) -> None:
    def answer(request: Request) -> bytes | None:
        return BROKEN[broken](request) if len(world.server.asked) <= 4 else ok(request)

    async with open_world(answer) as world:
        wish = Wish(request("/x"))
        world.rest.ask(wish)
        await wish.done.wait()

        assert wish.answers == ["/x"]
        assert wish.failures == 4
        assert world.failures() == 4
        times = [moment for moment, _ in world.server.asked]
        assert times[-1] - times[0] < 60
        assert all(later > earlier for earlier, later in itertools.pairwise(times))


async def test_one_that_always_fails_does_not_starve_the_others(
    autojump_clock: MockClock,
) -> None:
    def answer(request: Request) -> bytes:
        poisoned = request.target == "/poison"
        return response(500, {}, b"", keep_alive=True) if poisoned else ok(request)

    async with open_world(answer) as world:
        poison = Wish(request("/poison"))
        world.rest.ask(poison)
        others = [Wish(request(f"/{number}")) for number in range(10)]
        for wish in others:
            world.rest.ask(wish)
        with trio.fail_after(5):
            await trio.lowlevel.checkpoint()
            for wish in others:
                await wish.done.wait()
        assert not poison.answers
        poison.wanted = False


async def test_failed_dials_are_repeated_until_a_request_succeeds(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        world.network.fail_dials("refuse", times=3)
        world.network.fail_dials("dns", times=1)
        world.network.fail_dials("hang", times=1)

        assert await world.rest.fetch(request("/x")) == "/x"
        assert world.failures() == 5


async def test_a_refusal_is_told_with_the_words_of_the_exchange(
    autojump_clock: MockClock,
) -> None:
    async with open_world(
        lambda _: response(400, {}, b"nope", keep_alive=True),
        error=lambda body: (-1121, body.decode()),
    ) as world:
        with pytest.raises(RequestRejected, match=r"HTTP status 400: code -1121, 'nope'") as caught:
            await world.rest.fetch(request())

        assert (caught.value.status, caught.value.code) == (400, -1121)
        assert len(world.server.asked) == 1


async def test_a_request_that_nobody_wants_any_more_is_not_sent(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        wish = Wish(request("/unwanted"), wanted=False)
        world.rest.ask(wish)
        with trio.move_on_after(0):
            await world.rest.fetch(request("/cancelled"))
        await world.rest.fetch(request("/wanted"))

        assert world.server.targets() == ["/wanted"]


async def test_a_request_that_is_due_later_waits(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        late, early = Wish(request("/late")), Wish(request("/early"))
        world.rest.ask(late, after=10)
        await trio.sleep(1)
        world.rest.ask(early)
        await early.done.wait()
        assert trio.current_time() < 2
        await late.done.wait()
        assert 10 <= trio.current_time() <= 12


async def test_an_answer_may_take_its_time_as_long_as_it_comes(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        # 64 KiB fit the network at once; the latency makes the rest wait.
        world.server.answer = lambda _: response(200, {}, b"x" * 3_000_000, keep_alive=True)
        world.network.latency_seconds = 0.4

        assert len(await world.rest.fetch(request())) == 3_000_000
        assert trio.current_time() > 10
        assert world.failures() == 0


@pytest.mark.parametrize("state", ["pacing", "asking", "dialling"])
async def test_leaving_ends_everything_in_line(autojump_clock: MockClock, state: str) -> None:
    async with open_world(lambda _: None) as world:
        if state == "dialling":
            world.network.fail_dials("hang")
        first, second = Wish(request(weight=1)), Wish(request(weight=1))
        world.rest.ask(first, after=100 if state == "pacing" else 0)
        world.rest.ask(second, after=100)
        await trio.sleep(0.5)

        world.rest.leave()

        await trio.testing.wait_all_tasks_blocked()
        for wish in (first, second):
            assert [type(error) for error in wish.errors] == [trio.ClosedResourceError]
        assert world.network.ledger.open_now() == 0
        with pytest.raises(trio.ClosedResourceError):
            await world.rest.fetch(request())


async def test_cancelled_at_any_moment_it_leaves_no_socket(autojump_clock: MockClock) -> None:
    for steps in range(40):
        async with open_world() as world:
            with trio.move_on_after(0.0005 * steps):
                await world.rest.fetch(request())
            world.rest.leave()


# --- what goes wrong is told


CAUSES: dict[str, tuple[Answer, str]] = {
    "503": (BROKEN["503"], "unavailable"),
    "closed": (BROKEN["closed"], "no answer"),
    "no answer": (BROKEN["no answer"], "no answer"),
    "HTML": (lambda _: response(200, {}, b"<html>\xff", keep_alive=True), "undecodable"),
    "429": (lambda _: response(429, {"Retry-After": "5"}, b"", keep_alive=True), "limited"),
    "redirect": (
        lambda _: response(302, {"Location": "http://portal.invalid"}, b"", keep_alive=True),
        "redirected",
    ),
    "403": (lambda _: response(403, {}, b"<html>WAF</html>", keep_alive=True), "refused"),
    "404": (lambda _: response(404, {}, b"", keep_alive=True), "refused"),
}


@pytest.mark.parametrize("cause", CAUSES)
async def test_trouble_is_told_once_with_its_cause_and_so_is_its_end(
    autojump_clock: MockClock, cause: str
) -> None:
    broken, reason = CAUSES[cause]

    def answer(request: Request) -> bytes | None:
        return broken(request) if len(world.server.asked) <= 6 else ok(request)

    async with open_world(answer) as world:
        wish = Wish(request("/x"))
        world.rest.ask(wish)
        while not world.server.asked:
            await trio.sleep(0.01)
        await trio.sleep(0.1 if cause != "no answer" else 6)
        now = world.rest.statistics()
        assert now.failing is not None
        assert set(now.failures) == {reason}
        assert now.waiting == 1
        assert now.last_success_seconds is None

        await wish.done.wait()
        began, ended = world.told
        assert isinstance(began, RequestsFailing)
        assert isinstance(ended, RequestsRecovered)
        assert (began.link, began.reason, began.target) == ("toy/rest", reason, "/x")
        assert now.failing == began.detail
        assert (ended.failures, world.failures()) == (6, 6)
        assert 0 < ended.failing_seconds <= trio.current_time()
        now = world.rest.statistics()
        assert (now.failing, now.failing_seconds, now.waiting) == (None, 0, 0)
        assert now.last_success_seconds is not None
        assert now.last_success_seconds < 1


def test_the_operator_is_told_of_every_cause_that_exists() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    (line,) = re.findall(r"Why requests fail, .*", page)
    assert set(re.findall(r"`([a-z ]+)`", line)) == set(FAILURES)


async def test_an_unreachable_host_is_reported_with_the_error_of_the_system(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        world.network.fail_dials("refuse", times=4)
        await world.rest.fetch(request())

        (began, ended) = world.told
        assert isinstance(began, RequestsFailing)
        assert began.reason == "unreachable"
        assert "could not be reached" in began.detail
        assert isinstance(ended, RequestsRecovered)
        assert world.rest.statistics().failures == {"unreachable": 4}


async def test_another_cause_is_news_and_one_target_that_fails_is_told_once_though_others_do_not(
    autojump_clock: MockClock,
) -> None:
    def answer(request: Request) -> bytes:
        if request.target == "/bad":
            status = 500 if len(world.server.asked) % 2 else 408
            return response(404 if bad.failures > 3 else status, {}, b"", keep_alive=True)
        return ok(request)

    async with open_world(answer) as world:
        bad = Wish(request("/bad"))
        world.rest.ask(bad)
        for number in range(8):
            await trio.sleep(10)
            await world.rest.fetch(request(f"/{number}"))

        told = [event for event in world.told if isinstance(event, RequestsFailing)]
        assert [event.reason for event in told] == ["unavailable", "refused"]
        assert len(world.told) == 2
        assert bad.failures > 6
        bad.wanted = False
        await trio.sleep(30)
        assert isinstance(world.told[-1], RequestsRecovered)


async def test_a_refusal_in_other_words_than_the_exchanges_is_final_after_minutes(
    autojump_clock: MockClock,
) -> None:
    async with open_world(lambda _: response(403, {}, b"WAF", keep_alive=True)) as world:
        with pytest.raises(RequestRejected, match="HTTP status 403"):
            await world.rest.fetch(request())

        assert 300 <= trio.current_time() <= 330
        assert len(world.server.asked) < 80
        assert world.rest.statistics().rejections == 1


async def test_a_request_with_a_limit_in_time_says_why_there_is_no_answer(
    autojump_clock: MockClock,
) -> None:
    async with open_world(BROKEN["503"]) as world:
        with pytest.raises(ExchangeUnavailable, match=r"no answer within 7 s: .*503: 'busy'"):
            await world.rest.fetch(request(), timeout=7)
        assert trio.current_time() == pytest.approx(7, abs=0.1)
        await trio.sleep(30)
        asked = len(world.server.asked)
        await trio.sleep(100)
        assert len(world.server.asked) == asked

    async with open_world(weight_per_window=10) as world:
        await world.rest.fetch(request(weight=8))
        assert world.rest.statistics().weight_used == 8
        assert world.rest.statistics().gate_seconds == pytest.approx(60, abs=0.1)
        with pytest.raises(ExchangeUnavailable, match="holds requests back for"):
            await world.rest.fetch(request(weight=8), timeout=5)


async def test_a_link_without_wanted_streams_does_not_dial(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.network.fail_dials("refuse", times=10_000)
        with pytest.raises(ExchangeUnavailable, match="could not be reached"):
            await world.rest.fetch(request(), timeout=20)
        await trio.sleep(30)
        dials = len(world.network.ledger)
        await trio.sleep(600)
        assert len(world.network.ledger) == dials


async def test_an_answer_that_breaks_its_reader_is_undecodable(autojump_clock: MockClock) -> None:
    def decode(body: bytes) -> str:
        return str(1 / (len(world.server.asked) - 1))

    async with open_world() as world:
        strange = RestRequest(target="/x", weight=1, decode=decode)
        assert await world.rest.fetch(strange) == "1.0"
        assert world.rest.statistics().failures == {"undecodable": 1}


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": PAST}])
async def test_a_ban_that_names_no_time_lasts_longer_each_time(
    autojump_clock: MockClock, headers: dict[str, str]
) -> None:
    def answer(request: Request) -> bytes:
        banned = len(world.server.asked) <= 4
        return response(429, headers, b"", keep_alive=True) if banned else ok(request)

    async with open_world(answer) as world:
        await world.rest.fetch(request())

        times = [moment for moment, _ in world.server.asked]
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]
        for wait, least in zip(waits, [60, 120, 240, 480], strict=True):
            assert least <= wait <= least + 1.5


# --- answers that never end


async def trickle(stream: MemoryStream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await trio.sleep(0.2)
        await stream.send_all(b"x")


async def continue_for_ever(stream: MemoryStream) -> None:
    while True:
        await trio.sleep(0.2)
        await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")


async def headers_for_ever(stream: MemoryStream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await trio.sleep(0.2)
        await stream.send_all(b"X-Y: z\r\n")


@pytest.mark.parametrize("endless", [trickle, continue_for_ever, headers_for_ever])
async def test_an_answer_that_never_ends_is_given_up_and_others_get_their_turn(
    autojump_clock: MockClock, endless: Callable[[MemoryStream], Awaitable[None]]
) -> None:
    async with open_world() as world:
        world.server.endless = {"/endless": endless}
        wish = Wish(request("/endless"))
        world.rest.ask(wish)
        await trio.sleep(0.1)
        with trio.fail_after(15):
            assert await world.rest.fetch(request("/other")) == "/other"

        assert wish.failures >= 1
        assert world.rest.statistics().failures == {"no answer": 1}
        (told,) = world.told
        assert isinstance(told, RequestsFailing)
        assert "too slowly" in told.detail
        wish.wanted = False
