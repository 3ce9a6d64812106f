"""A recording holds what the public connections bring, and nothing of an account on the adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from connector.app.recordings.recorder import Files, Progress, record, subject_of
from connector.channels import Trades
from connector.link.raw_frames import RawFrame
from connector.recording import read_frames
from connector.testing import OrderFlow
from tests.account.trader import SYMBOL, VENUES, bid, exchange_of, open_world

MARKET = OrderFlow(seed=1)
CHANNELS = (Trades(SYMBOL),)


class Quiet:
    def show(self, progress: Progress) -> None: ...


@pytest.mark.parametrize("venue", VENUES)
async def test_a_recording_has_no_private_frame_key_or_signature(
    venue: str, autojump_clock: Any, tmp_path: Path
) -> None:
    stop = trio.Event()
    async with open_world(venue, source=MARKET) as world:
        subject = subject_of(exchange_of(venue, world.exchange), CHANNELS)
        files = Files(tmp_path, subject, 1e9, 1 << 40)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(record, world.adapter, CHANNELS, files, Quiet(), stop)
            async with world.account() as account:
                order = await account.place(bid("2980"))
                await trio.sleep(5)
                world.cut_streams()
                await trio.sleep(5)
                client_id = order.client_id
            stop.set()
        told = [event for _, event in world.exchange.trading.told]

    frames = [
        each for path in files.paths for each in read_frames(path) if isinstance(each, RawFrame)
    ]
    assert told and len(frames) > 10
    written = b"".join(path.read_bytes() for path in files.paths)
    everything = written + b"".join(bytes(each.payload) for each in frames)
    secrets = [world.truth.key, world.truth.secret, client_id, "signature", "listenKey"]
    for secret in secrets:
        assert secret.encode() not in everything
    assert not any(b"ORDER_TRADE_UPDATE" in bytes(each.payload) for each in frames)
    assert not any(b"executionReport" in bytes(each.payload) for each in frames)
