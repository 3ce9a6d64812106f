"""What a message costs on its way through Redis: ``python -m benchmarks.fanout``.

Starts a redis-server of its own (it must be installed) and prints CPU time per message of the
publisher and of a reader, each of which is one process on one core, and of Redis itself. How many
messages share an entry depends on the market and on how busy the publisher is: one at a calm
moment, dozens when it matters.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import attrs
import trio

from connector import open_adapter
from connector.app.redis import RedisSink, RedisSource
from connector.channels import PartialBook
from connector.exchanges import binance
from connector.link.raw_frames import RawFrame

MESSAGES = 20_000
PER_ENTRY = (1, 10, 100)
CHANNEL = PartialBook("ETHUSDC", levels=5)


@attrs.frozen
class Cost:
    """Microseconds of CPU per message."""

    sink: float
    source: float
    redis: float


def frame(number: int) -> bytes:
    """A depth5 message of USD-M futures as it is on the wire."""
    bids = ",".join(f'["{3021.10 - level / 100:.2f}","{level + 1}.123"]' for level in range(5))
    asks = ",".join(f'["{3021.11 + level / 100:.2f}","{level + 2}.456"]' for level in range(5))
    return (
        '{"stream":"ethusdc@depth5@100ms","data":{"e":"depthUpdate","E":1785000000001,'
        f'"T":1785000000000,"s":"ETHUSDC","U":{number},"u":{number},"pu":{number - 1},'
        f'"b":[{bids}],"a":[{asks}]}}}}'
    ).encode()


async def measure(url: str, pid: int, per_entry: int) -> Cost:
    """Publish and read `MESSAGES`, `per_entry` at a time."""
    prefix = f"bench{per_entry}"
    stream = binance.UsdMFutures().stream(CHANNEL)
    frames = [
        RawFrame("binance_usdm/public", 1, 1_785_000_000_000_000_000, stream.name, frame(number))
        for number in range(1, MESSAGES + 1)
    ]
    redis_began = cpu_seconds(pid)
    async with RedisSink(url=url, prefix=prefix, maxlen=10 * MESSAGES).open() as publisher:
        await publisher.pass_on("binance_usdm", [stream], [])
        began = time.process_time()
        for first in range(0, MESSAGES, per_entry):
            await publisher.pass_on("binance_usdm", [stream], frames[first : first + per_entry])
        sink = time.process_time() - began
    source_settings = RedisSource(url=url, prefix=prefix, start="oldest")
    began = time.process_time()
    async with (
        open_adapter(binance.UsdMFutures(), source=source_settings) as adapter,
        adapter.subscribe(CHANNEL, buffer=8192) as books,
    ):
        count = 0
        while count < MESSAGES:
            await books.receive()
            count += 1
    source = time.process_time() - began
    redis = cpu_seconds(pid) - redis_began
    return Cost(*(seconds / MESSAGES * 1e6 for seconds in (sink, source, redis)))


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    server = shutil.which("redis-server")
    if server is None:
        sys.exit("redis-server is not installed: apt-get install redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [server, "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
        with subprocess.Popen([*command, "--dir", folder], stdout=subprocess.DEVNULL) as process:
            try:
                print("CPU µs per message (messages/s of one core)")
                print(f"{'per entry':>9}  {'sink':>16}  {'source':>16}  {'redis':>16}")
                for per_entry in PER_ENTRY:
                    url = f"redis://127.0.0.1:{port}"
                    cost = trio.run(measure, url, process.pid, per_entry)
                    shown = (
                        f"{each:6.1f} ({1e6 / each:7,.0f})" if each else "-"
                        for each in attrs.astuple(cost)
                    )
                    print(f"{per_entry:9}  " + "  ".join(f"{each:>16}" for each in shown))
            finally:
                process.terminate()


if __name__ == "__main__":
    main()
