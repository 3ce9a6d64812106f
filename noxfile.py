"""What a person does with this project: `nox -s test`, `lint`, `explore`, `soak`, `docs`, `demo`.

Each session installs what it needs from pyproject.toml; arguments after ``--`` go to the tool.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "test"]
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False

nox.options.download_python = "never"
nox.options.default_venv_backend = "virtualenv"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)

ASYNC_RULES = "--enable=ASYNC,ASYNC900,ASYNC913"
"""The default rules of flake8-async, and two that it leaves to those who are careful."""
ASYNC_IN_PACKAGE = (
    *("910", "911", "912"),  # a checkpoint in every function, of which the default has none either
)
"""Rules that are left out in the package."""
ASYNC_IN_TESTS = (
    *("103", "104", "111", "112"),  # provoke what must not happen, and catch what must leave
    *("110", "910", "911", "912", "913"),  # wait for what has no event, until they are cancelled
    *("124",),  # need trio without awaiting
    *("401",),  # use what our oldest supported dependencies have
)
"""Rules that are left out in tests."""

MUTATED = (
    *("link/link", "link/session", "adapter/adapter", "feeds/feed", "transport/tap"),
    *("trading/resolution", "trading/quoting", "account/resolving"),
)
"""Modules that `mutate` changes: those that a leak, or a second order, could hide in."""
ROOMS = ("adapter", "feeds", "link", "merging", "transport")
"""Rooms that a frame passes through."""
ASKED = ("", *ROOMS, "trading", "account", "faults", "explore")
"""Folders of tests that it asks."""
MUTATION = (
    *("-p", "tests.mutation.plugin", "--capture=no", "--timeout=100"),
    *("--mutate", *(f"connector/{module}.py" for module in MUTATED)),
    "--",
    *(str(path) for folder in ASKED for path in sorted(Path("tests", folder).glob("test_*.py"))),
)
SANITIZED = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g"
COMPARED = (
    *(f"tests/transport/test_{name}.py" for name in ("compiled", "deflate", "tap")),
    *("tests/transport/test_websocket_frames.py", "tests/feeds/test_delivery.py"),
    *("tests/book/test_rows.py", "tests/book/test_levels.py"),
    *("tests/feeds/test_handover.py", "tests/exchanges/test_usual_json.py"),
    "tests/exchanges/test_usual_rows.py",
)
"""Tests that hold the loops in C to those in Python, or send them what a server might."""
REACHES_THE_LOOPS = (
    *(f"tests/{folder}" for folder in ("adapter", "book", "faults", "feeds", "link", "transport")),
    *(f"tests/test_{name}.py" for name in ("independent", "loopback", "metrics")),
)
"""Tests in which frames pass through the loops; nothing else changes without the compiled ones."""
IN_PARALLEL = (f"--numprocesses={(os.cpu_count() or 1) + 1}", "--dist=worksteal")
"""How pytest uses every processor, also while a test waits for sockets; `-- -n0` does without."""


def install(session: nox.Session, *groups: str, extras: str = "all") -> None:
    """Install the project, editable, with `extras` and the dependency groups named.

    Sessions keep bytecode even where the shell says not to: hundreds of processes import the same
    modules, and compiling them takes longer than running most tests.
    """
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    requirements = nox.project.dependency_groups(PYPROJECT, *groups) if groups else ()
    session.install("--quiet", "-e", f".[{extras}]", *requirements)


@nox.session
def test(session: nox.Session) -> None:
    """Everything that must hold, on the interpreter that runs nox."""
    install(session, "test")
    # With the seeds of tests/conftest.py, sets of strings too are in the same order every time.
    env = {"PYTHONHASHSEED": "0"}
    session.run("python", "-m", "pytest", *IN_PARALLEL, *session.posargs, env=env)


@nox.session(python=PYTHONS)
def test_all(session: nox.Session) -> None:
    """The same on every supported interpreter that is present."""
    install(session, "test")
    session.run("python", "-m", "pytest", *IN_PARALLEL, *session.posargs)


@nox.session
def test_python(session: nox.Session) -> None:
    """What the innermost loops could break, with those in Python in place of the compiled ones."""
    install(session, "test")
    paths = session.posargs or REACHES_THE_LOOPS
    without = {"CONNECTOR_NO_EXTENSION": "1"}
    session.run("python", "-m", "pytest", *IN_PARALLEL, *paths, env=without)


@nox.session
def test_random(session: nox.Session) -> None:
    """Every test on new examples, waits and orders: those of `test` are the same every time."""
    install(session, "test")
    drawn = {"HYPOTHESIS_PROFILE": "random"}
    session.run("python", "-m", "pytest", *IN_PARALLEL, *session.posargs, env=drawn)


@nox.session
def sanitize(session: nox.Session) -> None:
    """Compare the loops in C, built with ASan and UBSan, to those in Python; needs gcc."""
    runtime = libasan()
    if runtime is None:
        session.skip("gcc, or its libasan, is not installed")
    install(session, "test")
    session.install("--quiet", "setuptools>=77")
    built = Path(session.create_tmp(), "built").resolve()
    session.run(
        *("python", "setup.py", "--quiet", "build", "--force"),
        *("--build-base", str(built / "base"), "--build-lib", str(built)),
        env={"CC": "gcc", "CFLAGS": SANITIZED, "LDFLAGS": "-fsanitize=address,undefined"},
    )
    parts = len(list(Path("connector").rglob("*.c")))
    if len(list(built.glob("connector/*/_*.so"))) != parts:
        session.error("the compiled part was not built")
    session.run(
        # The copy that was built stands before this folder, for the plugin of pytest as well.
        *("pytest", "-o", f"pythonpath={built} .", "-p", "no:cacheprovider"),
        *(session.posargs or COMPARED),
        env={
            "PYTHONPATH": str(built),
            "LD_PRELOAD": runtime,
            # What the interpreter never gives back is no leak of ours; test_compiled.py counts.
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",
        },
    )


def libasan() -> str | None:
    """Where gcc has the library that must be loaded first, if it has it."""
    if shutil.which("gcc") is None:
        return None
    name = "libasan.so"
    asked = ("gcc", f"-print-file-name={name}")
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return None if found == name else found


@nox.session
def lowest(session: nox.Session) -> None:
    """The rooms next to trio and trio-websocket, with the lowest versions that are allowed."""
    install(session, "test")
    pinned = (each.split(",")[0] for each in PYPROJECT["project"]["dependencies"])
    session.install("--quiet", *(f"{each.replace('>=', '==')}.*" for each in pinned))
    session.run(
        *("python", "-m", "pytest", *IN_PARALLEL, "-p", "no:anyio"),
        # The first httpx2 leave generators of a response that is closed early to the collector.
        *("-W", "ignore:Async generator:ResourceWarning"),
        *(session.posargs or (f"tests/{room}" for room in ("feeds", "link", "transport"))),
    )


@nox.session
@nox.parametrize("trio", ["0.26.*", "0.29.*", "0.31.*", ">=0.32"])
def canary(session: nox.Session, trio: str) -> None:
    """The explorer takes over private parts of trio: one trace per seed, in the versions named."""
    install(session, "test")
    session.install("--quiet", f"trio{trio}" if trio.startswith(">") else f"trio=={trio}")
    session.run("python", "-m", "pytest", "-q", "tests/explore/test_schedule.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, async rules, types and layers."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    # Each of these uses one processor, so all processors take them in turn, the longest first. The
    # types of the documentation use the cache of mypy, so they follow it.
    documents = ("python", "-m", "pytest", "-q", "tests/test_docs_types.py")
    in_turn(session, [[("mypy",), documents], [("pyright",)], *async_rules(), [("lint-imports",)]])


def in_turn(session: nox.Session, jobs: list[list[tuple[str, ...]]]) -> None:
    """Run jobs of several commands on every processor; show the output of what fails."""

    def run(job: list[tuple[str, ...]]) -> None:
        for command in job:
            session.log(" ".join(command[:5]))
            session.run(*command, silent=True, log=False)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(run, jobs))


def async_rules() -> Iterator[list[tuple[str, ...]]]:
    """Jobs of flake8-async, two for each processor and folder."""
    count = 2 * (os.cpu_count() or 1)
    for folder, rules in (("tests", ASYNC_IN_TESTS), ("connector", ASYNC_IN_PACKAGE)):
        disabled = f"--disable={','.join('ASYNC' + number for number in rules)}"
        for first in range(count):
            if files := python_files(folder)[first::count]:
                yield [("flake8-async", ASYNC_RULES, disabled, *files)]


def python_files(folder: str) -> list[str]:
    """Every Python file below `folder`, sorted."""
    return sorted(map(str, Path(folder).rglob("*.py")))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "docs")
    session.run(
        "sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html"
    )
    session.log("documentation: docs/_build/html/index.html")


@nox.session
def pictures(session: nox.Session) -> None:
    """Photograph the live page of a simulated run, for the documentation; needs Chromium."""
    install(session)
    session.run("python", "docs/pictures.py")


@nox.session
def build(session: nox.Session) -> None:
    """Make a source distribution and a wheel in `dist/`, install the wheel, and run it."""
    session.install("--quiet", "build")
    session.run("python", "-m", "build", "--outdir", "dist")
    version = PYPROJECT["project"]["name"].replace("-", "_")
    wheel = max(Path("dist").glob(f"{version}-*.whl"), key=lambda path: path.stat().st_mtime)
    session.install(
        "--quiet", "--force-reinstall", f"trio-connector[cli] @ {wheel.resolve().as_uri()}"
    )
    with session.chdir(session.create_tmp()):  # where no checkout is imported in its place
        session.run("connector", "demo", "--json", "--seconds", "3")


@nox.session(python=PYTHONS)
def test_wheel(session: nox.Session) -> None:
    """Hold the compiled loops of the wheel that `build` made to those in Python.

    The wheel for 3.12 serves every newer interpreter; run `build` with 3.11 for that of 3.11.
    """
    assert isinstance(session.python, str)
    abi = "cp311-cp311" if session.python == "3.11" else "cp312-abi3"
    wheels = sorted(Path("dist").glob(f"*-{abi}-*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        session.skip(f"dist/ has no wheel for {abi}: run `nox -s build` with that Python first")
    requirements = nox.project.dependency_groups(PYPROJECT, "test")
    wheel = f"trio-connector[all] @ {wheels[-1].resolve().as_uri()}"
    session.install("--quiet", "--force-reinstall", wheel, *requirements)
    where = "import connector.transport._speedups as it; print(it.__file__)"
    with session.chdir(session.create_tmp()):  # where no checkout is imported in its place
        built = session.run("python", "-c", where, silent=True)
    assert built is not None
    packages = Path(built.strip()).parents[2]
    session.run(
        *("pytest", "-o", f"pythonpath={packages} .", "-p", "no:cacheprovider"),
        *(session.posargs or COMPARED),
    )


@nox.session
def mutate(session: nox.Session) -> None:
    """Change the code, and see whether a test notices: `nox -s mutate -- --sample 40 --seed 1`."""
    install(session, "test")
    session.run("python", "-m", "pytest", *MUTATION, *(session.posargs or ["--sample", "40"]))


@nox.session
def explore(session: nox.Session) -> None:
    """Every step of every scenario with every fault: `nox -s explore -- --minutes 10`."""
    install(session)
    session.run("python", "-m", "connector.testing.explore", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Look for growth: a minute on real sockets, every exchange, 10,000 disconnects."""
    install(session, "test")
    session.run("connector", "soak", *(session.posargs or ("--minutes", "1", "--every", "5")))
    session.run("connector", "soak", "--venues", "--virtual", "--minutes", "8", "--every", "60")
    disconnects = {"CONNECTOR_DISCONNECTS": "10000"}
    session.run("python", "-m", "pytest", "tests/app/test_soak_disconnects.py", env=disconnects)


@nox.session
def demo(session: nox.Session) -> None:
    """Watch an adapter survive a hostile exchange: `nox -s demo -- --seconds 60`."""
    install(session, extras="cli")
    session.run("connector", "demo", *session.posargs)


@nox.session
def picture(session: nox.Session) -> None:
    """Take the picture of the demo that README and documentation show."""
    install(session, extras="cli")
    session.run("connector", "demo", "--out", "docs/_static/demo.svg", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure beside other clients: `nox -s bench -- --quick` for the headline ratios."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks.run", *session.posargs)
