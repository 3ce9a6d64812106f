"""Run the contestants side by side and print the table of medians and ratios."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import trustme

HERE = Path(__file__).parent
MARK = "picows bare"
ANY = ("depth5", "trade", "aggTrade", "bookTicker", "depth", "mix")


@attrs.frozen
class Contestant:
    """One client."""

    module: str
    package: str | None = None
    """What has to be installed, into an environment of its own; None if it is in ours."""
    workloads: tuple[str, ...] = ANY
    deflate: bool = False
    slow: bool = False
    secure: bool = False
    """Whether it connects with TLS only."""


CONTESTANTS = {
    MARK: Contestant("picows_bare"),
    "connector": Contestant("connector_feed", deflate=True),
    "aiohttp": Contestant("aiohttp_client", deflate=True),
    "websockets": Contestant("websockets_asyncio", deflate=True),
    "trio-websocket": Contestant("trio_websocket_plain", slow=True),
    "python-binance": Contestant("full_python_binance", "python-binance", ("depth5", "trade")),
    "unicorn": Contestant(
        "full_unicorn", "unicorn-binance-websocket-api", ("depth5", "trade", "aggTrade")
    ),
    "ccxt.pro": Contestant("full_ccxt", "ccxt", ("trade",)),
    "nautilus_trader": Contestant("full_nautilus", "nautilus_trader", ("trade",)),
    "binance-sdk": Contestant(
        "full_binance_sdk", "binance-sdk-derivatives-trading-usds-futures", ("depth5", "aggTrade")
    ),
    "cryptofeed": Contestant("full_cryptofeed", "cryptofeed>=2.4", ("aggTrade",), secure=True),
}
SHARE_OF_SLOW = 10
"""One part in so many of the messages is enough for clients that take so much longer."""


@attrs.frozen
class Workload:
    """One row group of the table."""

    name: str
    messages: int
    symbols: int = 1
    tls: bool = False
    deflate: bool = False

    def __str__(self) -> str:
        symbols = f", {self.symbols} symbols" * (self.symbols > 1)
        return f"{self.name}{symbols}{', TLS' * self.tls}{', deflate' * self.deflate}"

    def fits(self, contestant: Contestant) -> bool:
        """Whether the contestant can take part."""
        if self.deflate:
            return contestant.deflate
        alone = self.symbols == 1 and self.tls == contestant.secure
        return self.name in contestant.workloads and (alone or contestant.package is None)


FULL = (
    Workload("depth5", 100_000),
    Workload("depth5", 60_000, tls=True),
    Workload("depth5", 100_000, symbols=50),
    Workload("depth5", 60_000, deflate=True),
    Workload("trade", 150_000),
    Workload("aggTrade", 150_000),
    Workload("aggTrade", 60_000, tls=True),
    Workload("bookTicker", 150_000),
    Workload("depth", 50_000),
    Workload("mix", 58_000),
)
QUICK = (Workload("depth5", 100_000), Workload("depth5", 50_000, tls=True))


def pinned(command: list[str], processor: int) -> list[str]:
    """On one processor, where the system can: the server must not disturb the client."""
    many = len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else False
    return ["taskset", "-c", str(processor), *command] if many else command


@contextmanager
def load_server(workload: Workload, certificate: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.server", workload.name]
    command += ["--messages", str(workload.messages), "--symbols", str(workload.symbols)]
    if workload.tls:
        command += ["--certificate", str(certificate)]
    if workload.deflate:
        command += ["--deflate"]
    with subprocess.Popen(pinned(command, 0), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def interpreter(contestant: Contestant, environments: Path) -> str:
    """The Python that has the contestant, which is installed first if need be.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    if contestant.package is None:
        return sys.executable
    folder = environments / contestant.module
    python = str(folder / "bin" / "python")
    if not (folder / "installed").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "msgspec", contestant.package], check=True
        )
        (folder / "installed").touch()
    return python


def run_one(
    name: str, workload: Workload, port: int, trust: Path, environments: Path
) -> dict[str, float] | None:
    """The figures of one run; None, and a word why, when there are none."""
    contestant = CONTESTANTS[name]
    slow = contestant.slow or contestant.package is not None
    messages = workload.messages // (SHARE_OF_SLOW if slow else 1)
    try:
        command = [interpreter(contestant, environments), "-m",
                   f"benchmarks.contestants.{contestant.module}", workload.name, str(port),
                   "--messages", str(messages), "--symbols", str(workload.symbols),
                   *["--tls"] * workload.tls, *["--deflate"] * workload.deflate]  # fmt: skip
        finished = subprocess.run(
            pinned(command, 1), capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "SSL_CERT_FILE": str(trust)},
        )  # fmt: skip
        return dict(json.loads(finished.stdout))
    except json.JSONDecodeError:
        last = (finished.stderr.strip().splitlines() or ["no output"])[-1]
    except subprocess.CalledProcessError:
        last = "cannot be installed"
    except subprocess.TimeoutExpired:
        last = "not ready after 60 s"
    print(f"  {name}: {last}", file=sys.stderr)
    return None


def measure(
    workload: Workload, contestants: list[str], rounds: int, folder: Path, environments: Path
) -> dict[str, dict[str, float]]:
    """Medians by contestant; the rounds are interleaved."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    with load_server(workload, folder / "server.pem") as port:
        for _ in range(rounds):
            for name in contestants:
                figures = run_one(name, workload, port, folder / "trust.pem", environments)
                if figures is not None:
                    runs[name].append(figures)
    return {
        name: {key: statistics.median(run[key] for run in figures) for key in figures[0]}
        for name, figures in runs.items()
        if figures
    }


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """The results as a Markdown table."""
    lines = [
        f"| workload | contestant | CPU µs per message | messages/s | ratio to {MARK} | RSS MiB |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for workload, contestants in results.items():
        mark = contestants.get(MARK, {}).get("cpu_us")
        for name, figures in contestants.items():
            ratio = f"{figures['cpu_us'] / mark:.2f}" if mark else "–"
            lines.append(
                f"| {workload} | {name} | {figures['cpu_us']:.2f} | {figures['per_second']:,.0f} "
                f"| {ratio} | {figures['rss_mib']:.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the two headline ratios")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--only", nargs="*", default=None, help="names of workloads")
    parser.add_argument("--contestants", nargs="*", default=None, help="names of clients")
    parser.add_argument(
        "--environments", type=Path, default=HERE / ".environments",
        help="where the clients are installed that are not in this one",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    options = parser.parse_args()

    workloads = QUICK if options.quick else FULL
    contestants = [MARK, "connector"] if options.quick else list(CONTESTANTS)
    if options.contestants is not None:
        contestants = options.contestants
    rounds = options.rounds or (5 if options.quick else 3)
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "trust.pem"))
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
            str(folder / "server.pem")
        )
        for workload in workloads:
            if options.only is None or {workload.name, str(workload)} & set(options.only):
                fit = [name for name in contestants if workload.fits(CONTESTANTS[name])]
                results[str(workload)] = measure(
                    workload, fit, rounds, folder, options.environments
                )
                if options.output:
                    options.output.write_text(json.dumps(results, indent=2))
    print(f"{platform.python_implementation()} {platform.python_version()}, {rounds} rounds\n")
    print(table(results))


if __name__ == "__main__":
    main()
