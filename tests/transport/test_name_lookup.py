"""Lookups that hang take no thread of the program's; whichever address answers first is taken."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock

from connector.transport import TcpDialer, name_lookup
from connector.transport.name_lookup import limiter_of, look_up, open_tcp


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that answers nobody but for "fine", until it is set."""
    over = threading.Event()

    def ask(host: str, port: int) -> list[tuple[int, str]]:
        if host != "fine":
            over.wait(60)
        return [(socket.AF_INET, "127.0.0.1")]

    monkeypatch.setattr(name_lookup, "_ask_system", ask)
    yield over
    over.set()


async def test_a_resolver_that_hangs_has_two_threads_and_no_more(
    hanging: threading.Event,
) -> None:
    before = threading.active_count()
    for _ in range(60):
        with trio.move_on_after(0.002):
            await look_up("hangs", 443)
            raise AssertionError("unreachable")
    assert limiter_of("hangs").borrowed_tokens == 2
    assert threading.active_count() - before <= 2
    # The program has its threads for itself, and other hosts theirs.
    assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
    assert await look_up("fine", 443) == ["127.0.0.1"]
    hanging.set()
    assert await look_up("hangs", 443) == ["127.0.0.1"]


async def test_an_address_is_not_looked_up(hanging: threading.Event) -> None:
    assert await look_up("127.0.0.1", 1) == ["127.0.0.1"]
    assert await look_up("::1", 1) == ["::1"]


def found(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def ask(host: str, port: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, each) for each in addresses]

    monkeypatch.setattr(name_lookup, "_ask_system", ask)


async def test_the_second_address_is_of_the_other_family(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, "2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.1")
    assert await look_up("host", 443) == ["2001:db8::1", "192.0.2.1", "2001:db8::2"]


async def test_the_first_that_answers_is_taken_and_the_others_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found(monkeypatch, "127.0.0.9", "127.0.0.1")
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listeners[0]:
        port = listeners[0].socket.getsockname()[1]
        async with TcpDialer().connect("host", port) as stream:
            assert stream.socket.getpeername()[0] == "127.0.0.1"


async def test_an_error_is_raised_if_no_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, "127.0.0.8", "127.0.0.9")
    with pytest.raises(OSError) as caught:
        await open_tcp("host", 1)
    assert caught.value.__cause__ is not None


async def test_an_address_that_is_slow_does_not_hold_up_the_next(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, "192.0.2.1", "192.0.2.2", "192.0.2.3")
    tried: list[tuple[float, str]] = []
    one, two = socket.socketpair()

    async def open_tcp_stream(host: str, port: int) -> trio.SocketStream:
        tried.append((trio.current_time(), host))
        if host == "192.0.2.1":
            await trio.sleep_forever()
        if host == "192.0.2.2":
            raise OSError(errno.ECONNREFUSED, "refused")
        return trio.SocketStream(trio.socket.from_stdlib_socket(one))

    monkeypatch.setattr(trio, "open_tcp_stream", open_tcp_stream)
    with two:
        # The names are looked up in a thread, for which the clock must not jump.
        monkeypatch.setattr(name_lookup, "look_up", _addresses)
        stream = await open_tcp("host", 443)
        await stream.aclose()
    assert tried == [(0, "192.0.2.1"), (0.25, "192.0.2.2"), (0.25, "192.0.2.3")]


async def _addresses(host: str, port: int) -> list[str]:
    return ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
