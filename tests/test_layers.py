"""An import may only point down: the contracts of import-linter, checked with every test run.

`nox -s lint` runs import-linter itself, which also follows chains of imports. What stands in
pyproject.toml is read here, so that there is one list of layers.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "connector"
CONTRACTS: dict[str, dict[str, Any]] = {
    contract["type"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}
HEIGHT = {
    name.strip(): -depth
    for depth, layer in enumerate(CONTRACTS["layers"]["layers"])
    for name in layer.split(":")
}
"""Layer: the higher, the greater."""
OUTSIDE = {"__init__", *CONTRACTS["layers"]["exhaustive_ignores"]}
PURE = {name.removeprefix("connector.") for name in CONTRACTS["forbidden"]["source_modules"]}
FORBIDDEN = set(CONTRACTS["forbidden"]["forbidden_modules"])


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported, but for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                continue
            case ast.Import(names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in names)
        yield from imports(node)


def violations(source: str, module: str) -> Iterator[str]:
    """What `module`, such as ``transport.tap``, must not import."""
    layer = module.partition(".")[0]
    for line, name in imports(ast.parse(source)):
        package, _, rest = name.partition(".")
        if layer in PURE and package in FORBIDDEN:
            yield f"{module}:{line} imports {package}, which does I/O"
        other = rest.partition(".")[0]
        if package != "connector" or layer in OUTSIDE or other == layer or other not in HEIGHT:
            continue
        if HEIGHT[other] >= HEIGHT[layer]:
            yield f"{module}:{line} imports {other}, which is not below {layer}"


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts), path


def test_imports_point_down() -> None:
    found = [each for name, path in modules() for each in violations(path.read_text(), name)]

    assert not found, "\n".join(found)


def test_every_module_has_a_layer() -> None:
    assert {name.partition(".")[0] for name, _ in modules()} == set(HEIGHT) | OUTSIDE


@pytest.mark.parametrize(
    ("module", "source", "what"),
    [
        ("session", "from connector.link import Link", "imports link"),
        ("transport.tap", "def f():\n    from connector import session", "imports session"),
        ("loops", "import connector.statistics", "imports statistics"),
        ("adapter", "from connector.testing import open_exchange", "imports testing"),
        ("exchanges.binance.spot", "import trio.abc", "which does I/O"),
        ("book.state", "from socket import socket", "which does I/O"),
    ],
)
def test_the_check_catches_its_specimen(module: str, source: str, what: str) -> None:
    (found,) = violations(source, module)

    assert what in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("link", "from connector.session import Session"),
        ("transport.tap", "from connector.transport.frames import TEXT"),
        ("session", "if TYPE_CHECKING:\n    from connector.link import Link"),
        ("transport.tap", "import trio"),
    ],
)
def test_what_is_allowed(module: str, source: str) -> None:
    assert not list(violations(source, module))
