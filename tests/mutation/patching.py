"""Bring a mutant to life in a process that has imported the module already.

Nothing is imported again: the functions that the change is in get other code, wherever they are
kept, and a name of the module gets another value, wherever it was imported to. So everything that
was set up before, such as pytest's collection, is set up for all mutants.
"""

from __future__ import annotations

import ast
import gc
import inspect
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType

from tests.mutation.mutants import Mutant

Place = tuple[str, int]
"""Qualified name and first line of a function."""


class Functions:
    """The functions of a module that exist in this process, by their place in it."""

    def __init__(self, module: ModuleType) -> None:
        assert module.__file__ is not None
        self.module = module
        self.file = module.__file__
        self._known: dict[Place, list[FunctionType]] = {}
        for each in gc.get_objects():
            if isinstance(each, FunctionType) and each.__code__.co_filename == self.file:
                self._known.setdefault(_place(each.__code__), []).append(each)

    def patch(self, mutant: Mutant) -> None:
        """Change this process into one that runs `mutant`.

        Raises:
            LookupError: the function does not exist.
            ValueError: its other code does not fit.
        """
        if not mutant.function:
            self._assign(mutant.statement())
            return
        code = compile(mutant.tree(), self.file, "exec", dont_inherit=True)
        changed = 0
        for function in _functions_in(code):
            if function.co_qualname == mutant.function:
                for known in self._known.get(_place(function), ()):
                    known.__code__ = function
                    changed += 1
        if not changed:
            raise LookupError(mutant.function)

    def _assign(self, statement: ast.stmt) -> None:
        before = dict(vars(self.module))
        code = compile(ast.Module([statement], []), self.file, "exec")
        exec(code, vars(self.module))
        for name, old in before.items():
            new = vars(self.module)[name]
            if new is old:
                continue
            for module in list(sys.modules.values()):
                if (
                    module.__name__.startswith(("connector", "tests"))
                    and vars(module).get(name) is old
                ):
                    setattr(module, name, new)


def _place(code: CodeType) -> Place:
    return code.co_qualname, code.co_firstlineno


def _functions_in(code: CodeType) -> Iterator[CodeType]:
    """The outermost functions of a module or of a class body."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & inspect.CO_OPTIMIZED:
                yield constant
            else:
                yield from _functions_in(constant)
