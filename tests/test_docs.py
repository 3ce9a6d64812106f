"""Every block of code in the README and the documentation does what the page says.

A block that calls ``trio.run`` is a program, any other is the inside of an async function in which
`adapter` is open. Both run against a simulated exchange on loopback: ``binance.Spot()`` is given
its endpoints, and nothing else is changed. A block that would go on for ever has said enough after
some lines of output; the exception that stops it then leaves through the adapter, as a user's own
would. Blocks of one page share their names, in order.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import itertools
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import attrs
import click
import pytest
import trio
import trio.testing
from click.testing import CliRunner

from connector import open_adapter
from connector.app.commands import group
from connector.app.naming import CHANNELS, EXCHANGES
from connector.app.trading.access import WITH_ACCOUNTS
from connector.channels import AggregateTrades, Trades
from connector.errors import ConfigError
from connector.exchanges import binance
from connector.testing import FaultKind, OrderFlow, SimulatedExchange, open_exchange
from connector.testing.explore import __main__ as explorer
from connector.testing.explore import parse_case
from connector.testing.explore.scenarios import SCENARIOS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

ENOUGH_LINES = 5
PATIENCE_SECONDS = 30.0
STRIDE = 61
"""Whoever follows a page tries a fault at every step; that its code runs is seen at some."""
EXAMPLES_STRIDE = "1553"
"""Sixteen times that of the examples, whose programs have some thousand steps."""
BREAK_EVERY_SECONDS = 0.4
MARKET = OrderFlow(symbols=("BTCUSDC", "BTCUSDT", "ETHUSDC"))
BREAKS: tuple[FaultKind, ...] = ("reset", "close", "fin")

EXECUTED = {"python"}
CHECKED = {"console", "toml"}
PROSE = {"text", "{eval-rst}", "{image}", "{include}", "{literalinclude}", "{toctree}"}


class Enough(Exception):
    """The block has shown what it had to show."""


@attrs.frozen
class Block:
    page: Path
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    fence = re.compile(r"^( *)(```+|:::+)(\S+)[^\n]*\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
    for found in fence.finditer(text):
        line = text[: found.start()].count("\n") + 1
        yield Block(page, line, found[3], textwrap.dedent(found[4]))


ALL = [block for page in PAGES for block in blocks(page)]


def test_every_block_is_executed_checked_or_prose() -> None:
    assert {block.language for block in ALL} <= EXECUTED | CHECKED | PROSE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_imports_it_uses(page: Path) -> None:
    nodes = [
        node
        for block in blocks(page)
        if block.language in EXECUTED
        for node in ast.walk(ast.parse(block.code))
    ]
    imports = [each for each in nodes if isinstance(each, ast.Import | ast.ImportFrom)]
    names = {each.asname or each.name.split(".")[0] for node in imports for each in node.names}

    assert names <= {node.id for node in nodes if isinstance(node, ast.Name)}


# --- what is supported

ARGUMENTS: dict[str, dict[str, object]] = {"raw_stream": {"name": "x"}}
"""What a channel needs beside or instead of a symbol."""
SYMBOLS: dict[str, str] = {}
"""A symbol in the spelling of a venue, where it is not Binance's."""
INTERVALS = {"coinbase": "5m"}
"""An interval of candles, where a venue has not the usual one."""


def offers(exchange: str, kind: str) -> bool:
    """Whether an exchange offers a channel, for one symbol or for all."""
    wanted: list[dict[str, object]] = [{"symbol": SYMBOLS.get(exchange, "ETHUSDC")}, {}]
    if kind == "candles" and exchange in INTERVALS:
        wanted[0]["interval"] = INTERVALS[exchange]
    for arguments in [ARGUMENTS[kind]] if kind in ARGUMENTS else wanted:
        with suppress(ConfigError, TypeError):
            EXCHANGES[exchange]().stream(CHANNELS[kind](**arguments))
            return True
    return False


def support() -> str:
    """The table of the README: a row per exchange, a column per channel and one of accounts."""
    names = [name for name in CHANNELS if name != "raw_stream"]
    heads = [f"`{CHANNELS[name].__name__}`" for name in names]
    rows = [["", *heads, "accounts"], ["---"] * (len(names) + 2)]
    rows += [
        [
            f"`{exchange}`",
            *("✓" if offers(exchange, kind) else "" for kind in names),
            "✓" if exchange in WITH_ACCOUNTS else "",
        ]
        for exchange in EXCHANGES
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def test_the_readme_shows_what_each_exchange_offers() -> None:
    assert support() in (ROOT / "README.md").read_text(), f"put this into README.md:\n{support()}"


def answered() -> str:
    """The table of requests: a row per exchange."""
    heads = ["`recent_trades`", "`funding_rates`", "missed `Trades`", "missed `AggregateTrades`"]
    rows = [["", *heads], ["---"] * 5]
    for name, make in EXCHANGES.items():
        requests = make().requests
        trades = requests.recent_trades
        rows.append(
            [
                f"`{name}`",
                f"at most {trades.most:,}" if trades else "",
                "✓" if requests.funding_rates else "",
                *("✓" if kind in requests.backfill else "" for kind in (Trades, AggregateTrades)),
            ]
        )
        assert requests.depth
        assert requests.candles
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def test_the_page_about_requests_shows_what_each_exchange_answers() -> None:
    page = ROOT / "docs/howto/ask-once.md"
    assert answered() in page.read_text(), f"put this into {page}:\n{answered()}"


# --- Python


class World:
    """What a page's code runs in: its own names, an exchange, and somebody who counts the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.endpoints: dict[str, binance.Endpoints] = {}
        self.names: dict[str, Any] = {
            "__name__": "__main__",
            "print": self.print,
            "trio": trio,
            "_run": self.run,
            "_endpoints": self.endpoints,
        }

    def print(self, *values: object) -> None:
        self.lines.append(" ".join(map(str, values)))
        if len(self.lines) == ENOUGH_LINES:
            raise Enough

    def execute(self, block: Block) -> None:
        self.lines.clear()
        code = self.compile(block)
        try:
            if inspect.iscoroutinefunction(code):
                self.run(self.inside_an_adapter, code)
            else:
                code()
                self.run_tests(block)
        except* Enough:
            pass

    def compile(self, block: Block) -> Callable[[], Any]:
        # Line numbers in a traceback are those of the page.
        source = "\n" * block.line + redirect(block.code)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(source, str(block), "exec", flags=flags, dont_inherit=True)

        if code.co_flags & inspect.CO_COROUTINE:

            async def program() -> None:
                await builtins.eval(code, self.names)

            return program
        return lambda: exec(code, self.names)

    def run_tests(self, block: Block) -> None:
        """A block may show tests: run them as pytest-trio would."""
        for name in re.findall(r"^async def (test_\w+)", block.code, re.MULTILINE):
            test = self.names[name]
            wants = inspect.signature(test).parameters
            clock = trio.testing.MockClock(autojump_threshold=0)
            trio.run(test, *(clock for _ in wants), clock=clock)

    def run(self, main: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """`trio.run`, in a world where the exchanges are simulated."""

        async def world() -> None:
            now_ms = time.time_ns() // 1_000_000  # pages ask for what was yesterday
            with trio.fail_after(PATIENCE_SECONDS):
                async with (
                    open_exchange("spot", source=MARKET, epoch_ms=now_ms) as spot,
                    open_exchange("usdm", source=MARKET, epoch_ms=now_ms) as usdm,
                    trio.open_nursery() as nursery,
                ):
                    for name, exchange in (("Spot", spot), ("UsdMFutures", usdm)):
                        self.endpoints[name] = exchange.endpoints
                        nursery.start_soon(break_sometimes, exchange)
                    await main(*arguments)
                    nursery.cancel_scope.cancel()

        trio.run(world)

    async def inside_an_adapter(self, body: Callable[[], Awaitable[None]]) -> None:
        exchange = binance.UsdMFutures(endpoints=self.endpoints["UsdMFutures"])
        async with open_adapter(exchange) as adapter:
            await adapter.wait_connected()
            self.names["adapter"] = adapter
            await body()


def sampled(arguments: re.Match[str]) -> str:
    """The arguments of the mark `every_step`, with a longer stride."""
    given = arguments.group().rstrip().removesuffix(",")
    longer, count = re.subn(
        r"\bstride=(\d+)", lambda stride: f"stride={int(stride[1]) * STRIDE}", given
    )
    return longer if count else f"{given}, stride={STRIDE}"


def is_marked(block: Block) -> bool:
    """Whether the block shows tests with marks of pytest."""
    return block.language in EXECUTED and "@pytest.mark." in block.code


def test_tests_with_marks_pass(tmp_path: Path) -> None:
    """One run of pytest for all pages, with each fault at some of the steps."""
    for block in filter(is_marked, ALL):
        path = tmp_path / f"test_{block.page.stem.replace('-', '_')}_line_{block.line}.py"
        path.write_text(re.sub(r"(?<=\.every_step\()[^()]*(?=\))", sampled, block.code))

    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "pytest_connector"),
            *("-o", "trio_mode=true", "-W", "error", tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout


async def break_sometimes(exchange: SimulatedExchange) -> None:
    """Connections break; what the pages say holds nevertheless."""
    for fault in BREAKS:
        await trio.sleep(BREAK_EVERY_SECONDS)
        exchange.break_connections(fault)


def redirect(code: str) -> str:
    """Give each exchange the endpoints of a simulated one, and `trio.run` the world around."""
    code = code.replace("endpoints=binance.TESTNET", "")
    if "endpoints=" not in code:
        code = re.sub(
            r"\bbinance\.(Spot|UsdMFutures)\(",
            r'binance.\1(endpoints=_endpoints["\1"], ',
            code,
        )
        code = re.sub(r"\b(RedisSink|RedisSource)\(", r"\1(url=_redis, ", code)
        code = code.replace("trio.run(", "_run(")
    return code


def needs_redis(page: Path) -> bool:
    return any("RedisSink(" in block.code for block in blocks(page))


@contextmanager
def open_redis(folder: Path) -> Iterator[str]:
    """A Redis of our own, whose URL is given to what has none."""
    pytest.importorskip("coredis", reason="the extra [redis] is not installed")
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("there is no redis-server here: apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [server, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.language in EXECUTED for block in blocks(page))],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_code_runs(page: Path, tmp_path: Path) -> None:
    world = World()

    with open_redis(tmp_path) if needs_redis(page) else nullcontext("") as url:
        world.names["_redis"] = url
        run_blocks(page, world)


def run_blocks(page: Path, world: World) -> None:
    for block in blocks(page):
        if block.language in EXECUTED and not is_marked(block):
            world.execute(block)
            shows = re.search(r"\bprint\(", block.code)
            assert not shows or world.lines, f"{block} printed nothing"


# --- examples


def test_the_examples_pass_their_own_tests() -> None:
    """With the plugin of pytest as a user has it, in a process of its own, at some of the steps."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "pytest_connector", "examples"],
        cwd=ROOT,
        env={**os.environ, "CONNECTOR_STEP_STRIDE": EXAMPLES_STRIDE},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
    assert re.search(r"^every_step: \d+ runs in 13 tests$", ended.stdout, re.MULTILINE)


def test_an_example_that_a_page_shows_is_there() -> None:
    text = "\n".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    shown = re.findall(r"^```\{literalinclude\} (\S+)", text, re.MULTILINE)

    assert shown
    assert all((ROOT / "docs" / "howto" / path).exists() for path in shown)


# --- commands


SESSIONS = set(
    re.findall(r"^@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text(), re.MULTILINE)
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def commands() -> list[tuple[Block, list[str]]]:
    return [
        (block, shlex.split(re.split(r" >{1,2} ", command)[0]))
        for block in ALL
        if block.language == "console"
        for line in block.code.splitlines()
        if line.startswith("$ ")
        for command in line[2:].split(" && ")
    ]


def check_pip(arguments: list[str]) -> None:
    for requirement in [each for each in arguments if each != "-e"]:
        name, _, extra = requirement.rstrip("]").partition("[")
        assert name in (".", "nox", "pytest", "pytest-trio", PROJECT["name"])
        assert not extra or set(extra.split(",")) <= set(PROJECT["optional-dependencies"])


def check_nox(arguments: list[str]) -> None:
    session, *rest = arguments
    assert session in SESSIONS
    if session == "demo" and rest:
        check_connector(["demo", *rest[1:]])


def check_connector(arguments: list[str]) -> None:
    with click.Context(group) as context:
        command = group.get_command(context, arguments[0])
        assert command is not None
        command.make_context(arguments[0], arguments[1:], parent=context)


def check_pytest(arguments: list[str]) -> None:
    assert all((ROOT / path).exists() for path in arguments)


def check_explore(arguments: list[str]) -> None:
    options = explorer.make_parser().parse_args(arguments)
    names = [*options.scenarios, *([parse_case(options.replay).scenario] if options.replay else [])]
    assert all(name in SCENARIOS or ":" in name for name in names)


def check_docker(arguments: list[str]) -> None:
    files = [name for name in arguments if name.startswith("deploy/")]
    assert all((ROOT / name).exists() for name in files)
    assert arguments[0] in {"build", "compose", "run"}


def check_nothing(arguments: list[str]) -> None:
    """A tool of the system; tests of its own show what it does."""
    assert arguments


COMMANDS: dict[tuple[str, ...], Callable[[list[str]], None]] = {
    ("python", "-m", "pip", "install"): check_pip,
    ("python", "-m", "connector.testing.explore"): check_explore,
    ("pytest",): check_pytest,
    ("nox", "-s"): check_nox,
    ("connector",): check_connector,
    ("docker",): check_docker,
    ("curl", "-s"): check_nothing,
    ("kill", "-HUP"): check_nothing,
    ("promtool",): check_nothing,
}

CONFIGURATION = """
[adapters.a]
exchange = "binance_usdm"
[groups.g]
adapter = "a"
channels = ["trades:ETHUSDC"]
[[sinks]]
kind = "log"
"""


@pytest.mark.parametrize(
    ("block", "command"), commands(), ids=lambda value: "_".join(value) if value is list else None
)
def test_commands_exist(
    block: Block, command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.toml").write_text(CONFIGURATION)
    prefix = next(prefix for prefix in COMMANDS if tuple(command[: len(prefix)]) == prefix)

    COMMANDS[prefix](command[len(prefix) :])


def rows_named(text: str) -> set[int]:
    """The rows in the first line of a module of fault tests, such as ``Rows 23–25, 30 and 37``."""
    first = ast.get_docstring(ast.parse(text)) or ""
    found: set[int] = set()
    for listed in re.findall(r"[Rr]ows? ([0-9–, and]+) of the fault table", first):
        for low, high in re.findall(r"(\d+)(?:–(\d+))?", listed):
            found.update(range(int(low), int(high or low) + 1))
    return found


def test_every_fault_that_is_documented_is_tested_where_the_page_says() -> None:
    page = (ROOT / "docs" / "reference" / "faults.md").read_text()
    documented = re.findall(r"^\| (\d+) \|.*\| `(test_\w+\.py)` \|$", page, re.MULTILINE)

    assert {int(row) for row, _ in documented} >= {*range(1, 41)} - {34}  # 34: user data
    for row, file in documented:
        tests = (ROOT / "tests" / "faults" / file).read_text()
        assert int(row) in rows_named(tests), f"{file} does not say that it has row {row}"


def test_every_kind_of_order_bug_names_a_test_that_is_there() -> None:
    page = (ROOT / "docs" / "order-bugs.md").read_text()
    kinds = re.findall(r"^## [^\n]* \((\d+)\)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)

    assert len(kinds) == 17
    assert sum(int(count) for count, _ in kinds) == 106
    for _, text in kinds:
        assert "`tests/" in text
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page):
        assert f"def {name}" in (ROOT / path).read_text(), f"{path} has no {name}"
    for names in re.findall(r"specimens? ((?:`\w+`(?:, | and )?)+)", page):
        for specimen in re.findall(r"`(\w+)`", names):
            assert (ROOT / "tests" / "order_specimens" / f"{specimen}.py").is_file(), specimen


# --- configurations


def configurations() -> Iterator[tuple[Block, list[str] | None]]:
    """Every configuration on the pages, with what `connector check` is said to say of it."""
    for page in PAGES:
        on_page = list(blocks(page))
        for block, following in itertools.zip_longest(on_page, on_page[1:]):
            if block.language == "toml":
                lines = following.code.splitlines() if following is not None else []
                after = [n for n, each in enumerate(lines) if each == "$ connector check run.toml"]
                said = None
                if after:
                    rest = lines[after[0] + 1 :]
                    said = [each for each in rest[: ends(rest)] if each]
                yield block, said


def ends(lines: list[str]) -> int:
    """Where the output of a command ends, of which `lines` follow it."""
    return next((n for n, line in enumerate(lines) if line.startswith("$ ")), len(lines))


@pytest.mark.parametrize(("block", "said"), [*configurations()], ids=str)
def test_configurations_are_what_the_page_says(
    block: Block, said: list[str] | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("METRICS_TOKEN", "BINANCE_KEY", "BINANCE_SECRET"):
        monkeypatch.setenv(name, "hunter2")
    (tmp_path / "run.toml").write_text(block.code)

    ended = CliRunner().invoke(group, ["check", "run.toml"])

    if said is None:
        assert ended.exit_code == 0, ended.output
    else:
        assert ended.output.splitlines() == said


WHAT_A_PAGE_NEEDS = {
    r"^\$ connector ": r"\bcli\b|nox",
    r"\bautojump_clock\b|^@pytest\.mark|^\$ pytest ": r"pip install pytest|\.\[[a-z,]*\]",
    r"^from hypothesis import": r"pip install [a-z -]*hypothesis",
}
"""What is used on a page of the how-tos, and what the page then says about installing it."""


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs" / "howto").glob("*.md"))], ids=lambda page: page.stem
)
def test_a_how_to_says_what_it_needs(page: Path) -> None:
    text = page.read_text()

    for used, said in WHAT_A_PAGE_NEEDS.items():
        if re.search(used, text, re.MULTILINE):
            assert re.search(said, text), f"{page.name} uses {used} and does not say {said}"
