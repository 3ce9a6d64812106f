"""What closes the door to a leak by construction, checked on the syntax tree of every module.

Each rule has a specimen that violates it, and a test that the rule catches it.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import connector

PACKAGE = Path(connector.__file__).parent
OPENS_NURSERIES = (
    "account/opening.py",
    "account/order_link.py",
    "account/running.py",
    "account/stream_link.py",
    "adapter/opening.py",
    "link/link.py",
    "link/session.py",
    "transport/",
)
MUTABLE = {"list", "dict", "set", "deque", "Counter", "defaultdict", "OrderedDict", "bytearray"}
MUTATORS = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem",
    "popleft", "remove", "setdefault", "update",
}  # fmt: skip

Rule = Callable[[ast.Module, str], Iterator[ast.AST]]
RULES: dict[str, tuple[Rule, str]] = {}
"""Rule by name, with the specimen that violates it."""


def rule(specimen: str) -> Callable[[Rule], Rule]:
    def register(check: Rule) -> Rule:
        RULES[check.__name__] = check, specimen
        return check

    return register


@functools.cache
def nodes(node: ast.AST) -> tuple[ast.AST, ...]:
    """`ast.walk`, once for all rules."""
    return tuple(ast.walk(node))


def names_in(node: ast.AST) -> set[str]:
    """Every identifier and attribute name below `node`."""
    return {
        part.attr if isinstance(part, ast.Attribute) else part.id
        for part in nodes(node)
        if isinstance(part, ast.Attribute | ast.Name)
    }


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in nodes(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in names:
                yield node


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def is_ours(module: str) -> bool:
    """Whether the module belongs to what is embedded; testing and app stand on top of it."""
    return not module.startswith(("testing/", "app/"))


@rule("async def f():\n    async with trio.open_nursery() as nursery:\n        pass")
def nurseries_are_opened_in_four_places(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    if is_ours(module) and not module.startswith(OPENS_NURSERIES):
        yield from calls(tree, "open_nursery")


@rule("def f():\n    trio.lowlevel.spawn_system_task(g)")
def no_system_tasks(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    yield from calls(tree, "spawn_system_task")


@rule("import threading")
def no_threads(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    if module == "transport/name_lookup.py":
        return  # the system has no other way to look up a name
    forbidden = {"threading", "concurrent", "multiprocessing", "_thread"}
    for node in nodes(tree):
        if isinstance(node, ast.Import) and any(
            a.name.split(".")[0] in forbidden for a in node.names
        ):
            yield node
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in forbidden:
            yield node
        if isinstance(node, ast.Attribute) and node.attr in {"to_thread", "from_thread"}:
            yield node


@rule("async def f(nursery):\n    nursery.start_soon(g)")
def no_task_in_a_nursery_of_somebody_else(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    """`start_soon` only on a nursery that the enclosing function has opened itself."""
    if not is_ours(module):
        return
    for outer in tree.body:
        opened = {
            item.optional_vars.id
            for node in nodes(outer)
            if isinstance(node, ast.AsyncWith)
            for item in node.items
            if "open_nursery" in names_in(item.context_expr)
            and isinstance(item.optional_vars, ast.Name)
        }
        awaited = {id(node.value) for node in nodes(outer) if isinstance(node, ast.Await)}
        for call in calls(outer, "start_soon", "start"):
            if "start" in names_in(call.func) and id(call) not in awaited:
                continue  # `re.Match.start`
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            if not (isinstance(owner, ast.Name) and owner.id in opened):
                yield call


@rule("class A:\n    def f(self, nursery):\n        self.nursery = nursery")
def nurseries_are_not_stored_or_returned(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    if not is_ours(module):
        return
    for node in nodes(tree):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign | ast.Return) else None
        if isinstance(value, ast.Name) and "nursery" in value.id:
            yield node


@rule("def on_disconnect(self, callback: Callable[[], None]) -> None: ...")
def no_public_callable_takes_a_callback(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    if not is_ours(module):
        return
    for function in functions(tree):
        if function.name.startswith("_"):
            continue
        for parameter in parameters(function):
            if parameter.annotation and names_in(parameter.annotation) & {"Callable", "Awaitable"}:
                yield parameter


@rule("_connections = {}\ndef f():\n    _connections['a'] = 1")
def no_mutable_state_at_module_level(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    """A container at module level is a table: nothing in its module changes it."""
    containers = set()
    for node in tree.body:
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else ([node.target] if isinstance(node, ast.AnnAssign) else [])
        )
        value = getattr(node, "value", None)
        is_container = isinstance(
            value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
        ) or (isinstance(value, ast.Call) and names_in(value.func) & MUTABLE)
        if is_container:
            containers.update(target.id for target in targets if isinstance(target, ast.Name))
    for function in functions(tree):
        for node in nodes(function):
            if isinstance(node, ast.Global):
                yield node
            targets = []
            if isinstance(node, ast.Assign | ast.Delete):
                targets = node.targets
            elif isinstance(node, ast.AugAssign):
                targets = [node.target]
            for target in targets:
                base = target.value if isinstance(target, ast.Subscript) else None
                if isinstance(base, ast.Name) and base.id in containers:
                    yield node
        for call in calls(function, *MUTATORS):
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            if isinstance(owner, ast.Name) and owner.id in containers:
                yield call


@rule("async def f():\n    async with open_connection(url, sink) as connection:\n        pass")
def one_place_opens_a_session(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    if is_ours(module) and module not in ("link/link.py", "account/reconnecting.py"):
        yield from calls(tree, "open_connection", "Session")


@rule("async def f(dialer):\n    async with dialer.connect(host, port) as stream:\n        pass")
def only_the_transport_dials(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    if not is_ours(module) or module.startswith("transport/"):
        return
    yield from calls(tree, "open_tcp_stream", "open_ssl_over_tcp_stream", "open_websocket")
    for call in calls(tree, "connect"):
        if isinstance(call.func, ast.Attribute) and "dialer" in names_in(call.func.value):
            yield call


@rule("async def f():\n    with trio.CancelScope(shield=True):\n        await g()")
def a_shield_carries_a_deadline(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    for call in calls(tree, "CancelScope"):
        keywords = {keyword.arg for keyword in call.keywords}
        if (
            "shield" in keywords
            and "deadline" not in keywords
            and "relative_deadline" not in keywords
        ):
            yield call
    for node in nodes(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr == "shield":
                    yield node


@rule("async def f():\n    try:\n        await g()\n    except BaseException:\n        return")
def nothing_swallows_a_cancellation(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    """Whoever catches everything raises it again, in the handler or further down."""
    for function in functions(tree):
        for node in nodes(function):
            if not isinstance(node, ast.ExceptHandler):
                continue
            catches_all = node.type is None or names_in(node.type) & {
                "BaseException", "BaseExceptionGroup", "Cancelled"
            }  # fmt: skip
            raises: list[ast.AST] = [
                part
                for part in nodes(function)
                if isinstance(part, ast.Raise) and part.lineno > node.lineno
            ]
            # A function that never returns raises in our place.
            raises += calls(node, "raise_unwrapped")
            if catches_all and not raises:
                yield node


@rule("from time import time_ns")
def the_clock_is_read_where_it_can_be_replaced(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    """Tests and the explorer replace `time.time_ns`: a name of its own would keep the old one."""
    for node in nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (each for each in node.names if each.name in {"time", "time_ns"})


@rule("class Manager:\n    def start(self): ...\n    def stop(self): ...")
def nothing_to_start_or_stop(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    if not is_ours(module):
        return
    for node in nodes(tree):
        if isinstance(node, ast.ClassDef):
            methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            if {"start", "stop"} <= methods:
                yield node


MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


@functools.cache
def violations() -> dict[str, list[str]]:
    """What each rule finds; every module is parsed once for all rules."""
    found: dict[str, list[str]] = {name: [] for name in RULES}
    for module in MODULES:
        tree = ast.parse((PACKAGE / module).read_text())
        for name, (check, _) in RULES.items():
            found[name] += [
                f"connector/{module}:{getattr(node, 'lineno', '?')}: {name}"
                for node in check(tree, module)
            ]
        nodes.cache_clear()  # a tree that stays is visited by every collection of garbage
    return found


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_package_keeps_the_rule(name: str) -> None:
    found = violations()[name]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_rule_catches_its_specimen(name: str) -> None:
    check, specimen = RULES[name]

    assert list(check(ast.parse(specimen), "feeds/feed.py"))


def test_there_are_modules_to_check() -> None:
    assert {"adapter/opening.py", "link/link.py", "link/session.py", "transport/tap.py"} <= set(
        MODULES
    )
