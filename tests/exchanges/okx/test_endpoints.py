"""OKX's demo: every handshake and every request says that it is for play money (okx §1)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import Trades
from connector.errors import ConfigError
from connector.exchanges import okx
from connector.testing import MemoryNetwork

HEADER = b"x-simulated-trading: 1\r\n"


async def heads_of(endpoints: Any) -> dict[bytes, bytes]:
    """What is sent to a server that answers nothing, by the begin of the target."""
    network, heads = MemoryNetwork(), {}
    listener = network.listen("127.0.0.1", 0)
    base = f"127.0.0.1:{listener.port}"

    async def read(stream: Any) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await stream.receive_some()
        heads[head.split()[1].split(b"?")[0]] = head

    async def serve() -> None:
        while True:
            nursery.start_soon(read, await listener.accept())

    async def ask(adapter: Any) -> None:
        await adapter.instruments()

    async def follow(adapter: Any) -> None:
        async with adapter.subscribe(Trades("BTC-USDT")):
            pass

    own = attrs.evolve(endpoints, stream=f"ws://{base}", rest=f"http://{base}")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with open_adapter(okx.Okx(endpoints=own), dialer=network) as adapter:
            nursery.start_soon(ask, adapter)
            nursery.start_soon(follow, adapter)
            while len(heads) < 2:  # the server has no event for it
                await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
    return heads


@pytest.mark.parametrize("endpoints", [okx.DEMO, okx.DEMO_EEA, okx.DEMO_US], ids=str)
async def test_the_demo_is_asked_for_by_a_header(endpoints: Any, autojump_clock: MockClock) -> None:
    heads = await heads_of(endpoints)

    assert set(heads) == {b"/ws/v5/business", b"/api/v5/public/instruments"}
    for head in heads.values():
        assert head.lower().count(HEADER) == 1, head


@pytest.mark.parametrize("endpoints", [okx.PRODUCTION, okx.EEA, okx.US], ids=str)
async def test_production_is_not(endpoints: Any, autojump_clock: MockClock) -> None:
    heads = await heads_of(endpoints)

    assert all(b"x-simulated" not in head.lower() for head in heads.values())


def test_the_hosts() -> None:
    assert okx.DEMO.stream == "wss://wspap.okx.com:8443"
    assert okx.DEMO_EEA.stream == "wss://wseeapap.okx.com:8443"
    assert okx.DEMO_US.stream == "wss://wsuspap.okx.com:8443"
    demos = (okx.DEMO, okx.DEMO_EEA, okx.DEMO_US)
    for demo, production in zip(demos, (okx.PRODUCTION, okx.EEA, okx.US), strict=True):
        assert demo.rest == production.rest


@pytest.mark.parametrize("name", ["a b", ""])
def test_a_header_needs_a_valid_name(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a valid header name"):
        okx.Endpoints.at(stream="ws://h", rest="http://h", headers={name: "c"})


@pytest.mark.parametrize("value", ["b\r\nc: d", "é"])
def test_a_header_needs_a_printable_value_and_does_not_repeat_it(value: str) -> None:
    with pytest.raises(ConfigError, match="write header 'a' in printable ASCII") as caught:
        okx.Endpoints.at(stream="ws://h", rest="http://h", headers={"a": value})
    assert value not in str(caught.value)
