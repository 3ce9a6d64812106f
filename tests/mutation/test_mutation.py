"""The search for mutants: what is changed, what is left alone, and that a change comes to life."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation.coverage import Recorder, Seen, asked
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.patching import Functions

ROOT = Path(__file__).parents[2]
SOURCE = '''"""A module."""
LIMIT = 3
REASONS = {"left": "the block was left"}

class Counter:
    """Counts."""

    count: int = 0

    def __repr__(self) -> str:
        return "counter" + str(self.count)

    def add(self, number: int) -> bool:
        assert number != 7
        if not number < LIMIT:
            raise ValueError(f"{number} is not below {LIMIT}")
        self.count += number
        return self.count > 1 and number != 0

def clear(counter: Counter) -> None:
    with suppress(ValueError):
        counter.add(1)
    print(counter, "is clear")
'''


@pytest.fixture
def module(tmp_path: Path) -> Iterator[ModuleType]:
    path = tmp_path / "counting.py"
    path.write_text("from contextlib import suppress\n" + SOURCE)
    spec = importlib.util.spec_from_file_location("counting", path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["counting"] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules["counting"]


def mutant(module: ModuleType, what: str) -> Mutant:
    assert module.__file__ is not None
    found = mutants_of(Path(module.__file__).read_text(), "counting.py")
    return next(each for each in found if each.what == what)


def test_what_is_changed() -> None:
    changes = [f"{each.line}: {each.what}" for each in mutants_of(SOURCE, "counting.py")]

    assert changes == [
        "2: 4 instead of 3",
        "3: 'mutant' instead of 'left'",
        "15: number < LIMIT instead of not number < LIMIT",
        "15: number <= LIMIT instead of number < LIMIT",
        "16: no raise ValueError(f'{number} is not below {LIMIT}')",
        "17: no self.count += number",
        "17: the opposite",
        "18: return None instead of self.count > 1 and number != 0",
        "18: self.count > 1 or number != 0 instead of self.count > 1 and number != 0",
        "18: self.count >= 1 instead of self.count > 1",
        "18: 2 instead of 1",
        "18: number == 0 instead of number != 0",
        "18: 1 instead of 0",
        "21: not within suppress(ValueError)",
        "22: no counter.add(1)",
        "22: 2 instead of 1",
        "23: no print(counter, 'is clear')",
        "23: print('is clear', counter), swapped",
    ]


def test_a_change_comes_to_life(module: ModuleType) -> None:
    counter = module.Counter()
    functions = Functions(module)

    functions.patch(mutant(module, "the opposite"))
    counter.add(2)

    assert counter.count == -2


def test_a_name_of_the_module_gets_another_value(module: ModuleType) -> None:
    with pytest.raises(ValueError, match="not below 3"):
        module.Counter().add(3)

    Functions(module).patch(mutant(module, "4 instead of 3"))

    module.Counter().add(3)


def test_only_tests_that_execute_a_line_are_asked(module: ModuleType) -> None:
    assert module.__file__ is not None
    recorder = Recorder({module.__file__: "counting.py"})

    def too_much() -> bool:
        with pytest.raises(ValueError):
            module.Counter().add(5)
        return True

    def enough() -> bool:
        return bool(module.Counter().add(2))

    seen = [recorder.watch("too much", too_much), recorder.watch("enough", enough)]

    def names(*lines: int) -> set[str]:
        return {each.test for each in asked(seen, "counting.py", lines)}

    assert all(each.passed for each in seen)
    assert names(16) == {"too much", "enough"}
    assert names(17) == {"too much"}
    assert names(18) == {"enough"}
    assert names(22, 23) == set()
    assert names() == {"too much", "enough"}


def test_for_a_name_of_the_module_the_tests_of_its_file_are_asked_too() -> None:
    seen = [
        Seen("tests/test_session.py::test_words", 0.1, {}),
        Seen("tests/test_sessions.py::test_other", 0.1, {}),
        Seen("tests/link/test_link.py::test_link", 0.2, {"connector/link/session.py": [1]}),
    ]

    def names(*lines: int) -> list[str]:
        return [
            each.test.rpartition("::")[2]
            for each in asked(seen, "connector/link/session.py", lines)
        ]

    assert names() == ["test_words", "test_link"]
    assert names(1) == ["test_link"]


def test_the_fastest_is_asked_first() -> None:
    seen = [Seen("slow", 2.0, {"a": [1]}), Seen("fast", 0.1, {"a": [1]})]

    assert [each.test for each in asked(seen, "a", [1])] == ["fast", "slow"]


@pytest.mark.parametrize("name", ["connector/link/link.py", "connector/transport/tap.py"])
def test_mutants_of_the_package_are_programs(name: str) -> None:
    found = mutants_of((ROOT / name).read_text(), name)

    assert len(found) > 200
    for each in random.Random(0).sample(found, 20):
        compile(each.tree(), name, "exec", dont_inherit=True)
