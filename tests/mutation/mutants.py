"""Every change of a module that is tried, one at a time: its place, its words and its syntax tree.

A change that cannot be seen from outside is left out: messages, annotations, assertions for type
checkers, `__repr__`. What runs when the module is imported is changed only where a name gets a
number, a word or a collection of them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy

import attrs

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
UNSEEN = {"__repr__", "cast", "overload", "TypeVar"}
"""Functions and calls in which nothing is changed."""

Change = tuple[str, ast.AST | list[ast.stmt]]
"""What is done, and what stands there then."""


@attrs.frozen
class Mutant:
    """One change of one module."""

    module: str
    line: int
    lines: range = attrs.field(repr=False)
    """Those of the statement that holds the change; of a compound one, its first part."""
    function: str
    """The outermost function that holds the change; empty for a name of the module."""
    what: str
    number: int
    """Its place in the list of its module."""
    _tree: ast.Module = attrs.field(repr=False, eq=False)
    _place: int = attrs.field(repr=False)
    _replacement: ast.AST | list[ast.stmt] = attrs.field(repr=False, eq=False)

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.what}"

    def tree(self) -> ast.Module:
        """The changed module."""
        tree = deepcopy(self._tree)
        target = list(ast.walk(tree))[self._place]
        changed = _Exchange(target, deepcopy(self._replacement)).visit(tree)
        assert isinstance(changed, ast.Module)
        return ast.fix_missing_locations(changed)

    def statement(self) -> ast.stmt:
        """Of the changed module: the statement on the top level that holds the change."""
        return next(
            each
            for each in self.tree().body
            if each.lineno <= self.line <= (each.end_lineno or each.lineno)
        )


def mutants_of(source: str, module: str) -> list[Mutant]:
    """All mutants of a module, from top to bottom."""
    tree = ast.parse(source)
    order = {id(node): index for index, node in enumerate(ast.walk(tree))}
    found: list[Mutant] = []
    for node, function, lines in _places(tree, "", range(0), inside=False):
        place = order[id(node)]
        line: int = getattr(node, "lineno", 0)
        for what, replacement in _changes(node):
            number = len(found)
            found.append(
                Mutant(module, line, lines, function, what, number, tree, place, replacement)
            )
    return found


class _Exchange(ast.NodeTransformer):
    """Puts something else into the place of a node."""

    def __init__(self, target: ast.AST, replacement: ast.AST | list[ast.stmt]) -> None:
        self._target = target
        self._replacement = replacement

    def visit(self, node: ast.AST) -> ast.AST:
        if node is not self._target:
            return self.generic_visit(node)
        if isinstance(self._replacement, list):
            return [ast.copy_location(each, each) for each in self._replacement]  # type: ignore[return-value]
        return ast.copy_location(self._replacement, node)


def _places(
    node: ast.AST, function: str, lines: range, *, inside: bool
) -> Iterator[tuple[ast.AST, str, range]]:
    """Every node that may be changed, the outermost function that it is in, and its statement.

    Args:
        node: the children of this one.
        function: the name of the outermost function, or of the class around `node`.
        lines: of the statement that `node` is in.
        inside: whether `node` is part of a function.
    """
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "args") and isinstance(
            node, (*FUNCTIONS, ast.AnnAssign, ast.ClassDef)
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_unseen(child):
                continue
            name = getattr(child, "name", "")
            if isinstance(child, (*FUNCTIONS, ast.ClassDef)) and not inside:
                inner = f"{function}.{name}" if function else name
                yield from _places(child, inner, lines, inside=isinstance(child, FUNCTIONS))
            elif inside:
                around = _lines_of(child) if isinstance(child, _WITH_LINES) else lines
                yield child, function, around
                yield from _places(child, function, around, inside=True)
            elif isinstance(node, ast.Module) and isinstance(child, ast.Assign | ast.AnnAssign):
                given = child.value
                for each in ast.walk(given) if given and not _is_unseen(given) else ():
                    if isinstance(each, ast.Constant):
                        yield each, "", _lines_of(child)


_WITH_LINES = (ast.stmt, ast.ExceptHandler)


def _lines_of(node: ast.stmt | ast.ExceptHandler) -> range:
    body: list[ast.AST] = getattr(node, "body", [])
    if not body:
        return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    first: int = getattr(body[0], "lineno", node.lineno + 1)
    return range(node.lineno, max(first, node.lineno + 1))


def _is_unseen(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.JoinedStr():
            return True
        case ast.Expr(ast.Constant()):
            return True
        case ast.FunctionDef(name=name) | ast.Call(func=ast.Name(name)) if name in UNSEEN:
            return True
        case ast.FunctionDef(decorator_list=decorators):
            return any(isinstance(each, ast.Name) and each.id in UNSEEN for each in decorators)
    return False


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.stmt():
            yield from _changes_of_statement(node)
        case ast.expr():
            yield from _changes_of_expression(node)
        case ast.ExceptHandler(type=type_, name=name, body=body):
            if not any(isinstance(each, ast.Raise) for each in body):
                raising = ast.ExceptHandler(type_, name, [ast.Raise()])
                yield "handler raises", raising


def _changes_of_statement(node: ast.stmt) -> Iterator[Change]:
    nothing = ast.copy_location(ast.Pass(), node)
    match node:
        case ast.Expr(ast.Call() | ast.Await()) | ast.Delete() | ast.Raise():
            yield f"no {_said(node)}", nothing
        case ast.Break():
            yield "continue instead of break", ast.Continue()
        case ast.Continue():
            yield "break instead of continue", ast.Break()
        case ast.Return(None):
            yield "no return", nothing
        case ast.Return(ast.Constant(None)):
            pass
        case ast.Return():
            yield f"return None instead of {_said(node.value)}", ast.Return(ast.Constant(None))
        case ast.Assign(targets=[ast.Name()], value=value) if not _is_none(value):
            none = ast.Assign(deepcopy(node.targets), ast.Constant(None))
            yield f"None instead of {_said(value)}", none
        case ast.Assign() | ast.AnnAssign(value=ast.expr()):
            yield f"no {_said(node)}", nothing
        case ast.AugAssign(target=target, op=op, value=value):
            yield f"no {_said(node)}", nothing
            other = OPERATORS.get(type(op))
            if other is not None:
                yield "the opposite", ast.AugAssign(deepcopy(target), other(), deepcopy(value))
        case ast.If(test=test, body=body, orelse=orelse) if not _has_opposite(test):
            yield f"not {_said(test)}", ast.If(_negated(test), deepcopy(body), deepcopy(orelse))
        case ast.While(test=test, body=body, orelse=orelse) if not isinstance(test, ast.Constant):
            if not _has_opposite(test):
                yield f"while not {_said(test)}", ast.While(_negated(test), deepcopy(body), orelse)
            yield f"if {_said(test)} instead of while", ast.If(test, _without_jumps(body), [])
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            if all(each.optional_vars is None for each in items):
                yield f"not within {_said(items[0].context_expr)}", deepcopy(body)


def _changes_of_expression(node: ast.expr) -> Iterator[Change]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=right) if type(op) in COMPARISONS:
            other = COMPARISONS[type(op)]()
            changed: ast.expr = ast.Compare(deepcopy(left), [other], deepcopy(right))
            yield f"{_said(changed)} instead of {_said(node)}", changed
        case ast.BoolOp(op=op, values=values):
            changed = ast.BoolOp(
                ast.Or() if isinstance(op, ast.And) else ast.And(), deepcopy(values)
            )
            yield f"{_said(changed)} instead of {_said(node)}", changed
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"{_said(operand)} instead of {_said(node)}", deepcopy(operand)
        case ast.IfExp(body=body, orelse=orelse):
            yield f"{_said(body)} always", deepcopy(body)
            yield f"{_said(orelse)} always", deepcopy(orelse)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            changed = ast.BinOp(deepcopy(left), OPERATORS[type(op)](), deepcopy(right))
            yield f"{_said(changed)} instead of {_said(node)}", changed
        case ast.Constant(value=value):
            for other_value in _others(value):
                yield f"{other_value!r} instead of {value!r}", ast.Constant(other_value)
        case ast.Name(id=name, ctx=ast.Load()) if name in NAMES:
            yield f"{NAMES[name]} instead of {name}", ast.Name(NAMES[name], ast.Load())
        case ast.Call(func=func, args=[first, second, *rest], keywords=keywords):
            if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
                swapped = [second, first, *rest]
                changed = ast.Call(deepcopy(func), deepcopy(swapped), deepcopy(keywords))
                yield f"{_said(changed)}, swapped", changed


def _others(value: object) -> Iterator[object]:
    match value:
        case bool():
            yield not value
        case int() | float():
            yield value + 1
        case str() if value and " " not in value:
            yield "mutant"


def _has_opposite(test: ast.expr) -> bool:
    """Whether a change of the expression is the opposite of it already."""
    match test:
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Compare(ops=[op]):
            return not isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    return False


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), deepcopy(test))


def _without_jumps(body: list[ast.stmt]) -> list[ast.stmt]:
    """The body of a loop that runs once."""

    class Once(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            match node:
                case ast.Break() | ast.Continue():
                    return ast.copy_location(ast.Pass(), node)
                case ast.While() | ast.For() | ast.AsyncFor():
                    return node
            return self.generic_visit(node)

    return [Once().visit(each) for each in deepcopy(body)]


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _said(node: ast.AST | None) -> str:
    text = " ".join(ast.unparse(node).split()) if node is not None else ""
    return text if len(text) <= 60 else f"{text[:59]}…"
