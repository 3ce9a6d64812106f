"""Pytest, changed into a search for mutants that no test notices: ``-p tests.mutation.plugin``.

The tests are collected once. Then each is run and watched, to know which of them execute a line;
and for every mutant the process forks, the child changes its code and runs the tests that execute
the changed line, the fastest first, until one fails. A child that computes for too long, or waits
for too long, counts as noticed: a test that hangs is a test that fails.

    pytest -p tests.mutation.plugin --mutate connector/link/link.py --sample 100
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NoReturn

import msgspec
import pytest
from hypothesis import Phase, settings

from tests.mutation.coverage import Recorder, Seen, asked
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.patching import Functions

ROOT = Path(__file__).parents[2]
TEST_SECONDS = 6.0
"""Of computing, besides ten times what the test needs without a change."""
MEMORY_BYTES = 4 << 30
MISSED = ("survived", "unseen")


class Verdict(msgspec.Struct):
    """What became of one mutant."""

    mutant: str
    outcome: str
    """killed, timed out, survived, or unseen by any test."""
    by: str = ""
    tests: int = 0


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mutation")
    group.addoption("--mutate", nargs="+", metavar="FILE", help="modules to change")
    group.addoption("--sample", type=int, default=0, help="so many mutants per module; 0: all")
    group.addoption("--seed", type=int, default=0, help="of the sample")
    group.addoption("--only", default="", help="only mutants whose text contains this")
    group.addoption("--again", type=Path, help="only mutants that were not noticed in this file")
    group.addoption("--budget", type=float, default=1e9, help="seconds of tests per mutant")
    group.addoption("--workers", type=int, default=os.cpu_count() or 1)
    group.addoption("--verdicts", type=Path, help="write the verdicts into this file, as JSON")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    # The same examples for every mutant, and no time for a smaller one.
    settings.register_profile(
        "mutation",
        settings.get_profile("test"),
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
    )
    settings.load_profile("mutation")
    config.pluginmanager.register(Loop(config), "mutation-loop")


class Loop:
    """Runs mutants where pytest would have run tests."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.files: list[str] = config.getoption("--mutate")
        self.workers: int = config.getoption("--workers")
        self.items: dict[str, pytest.Item] = {}
        self.failed: list[str] = []
        self.killers: Counter[tuple[str, str]] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        functions = {name: Functions(_module(name)) for name in self.files}
        gc.collect()
        gc.freeze()
        seen = self._watch_all({each.file: name for name, each in functions.items()})
        verdicts: list[Verdict] = []
        began = time.monotonic()
        work = [(mutant, self._tests_of(mutant, seen)) for mutant in self._mutants()]
        for number, verdict in enumerate(self._in_children(work, functions), 1):
            verdicts.append(verdict)
            if verdict.outcome in MISSED:
                self._say(f"{verdict.outcome}: {verdict.mutant}  ({verdict.tests} tests)")
            if not number % 50:
                self._say(f"{number}/{len(work)} mutants, {time.monotonic() - began:.0f} s")
        self._report(verdicts)
        if path := self.config.getoption("--verdicts"):
            path.write_bytes(msgspec.json.format(msgspec.json.encode(verdicts)) + b"\n")
        return True

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    # --- which tests

    def _watch_all(self, files: dict[str, str]) -> list[Seen]:
        """Run every test once, in children, and note what it executes."""
        cache = self.config.cache
        changed = _digest([ROOT / name for name in self.files])
        test_files = {name: ROOT / name.partition("::")[0] for name in self.items}
        digests = {path: _digest([path]) for path in set(test_files.values())}
        known: dict[str, object] = cache.get("mutation/seen", {}) if cache else {}
        if known.get("changed") != changed:
            known = {"changed": changed}
        seen: dict[str, Seen] = {}
        for name, path in test_files.items():
            digest, each = known.get(name, ("", None))  # type: ignore[misc]
            if digest == digests[path]:
                seen[name] = msgspec.convert(each, Seen)
        missing = [name for name in self.items if name not in seen]
        self._say(f"{len(self.items)} tests, of which {len(missing)} are watched now")

        def watch(part: Sequence[str]) -> bytes:
            recorder = Recorder(files)
            return msgspec.json.encode(
                [recorder.watch(name, lambda name=name: self._run([name])) for name in part]
            )

        parts = [missing[start :: self.workers] for start in range(self.workers)]
        for data, _ in _fork_each([lambda part=part: watch(part) for part in parts], self.workers):
            for each in msgspec.json.decode(data, type=list[Seen]):
                seen[each.test] = each
                known[each.test] = digests[test_files[each.test]], msgspec.to_builtins(each)
        if cache:
            cache.set("mutation/seen", known)
        for each in seen.values():
            if not each.passed:
                self._say(f"fails without a change, and is not asked: {each.test}")
        return [each for each in seen.values() if each.passed]

    def _tests_of(self, mutant: Mutant, seen: list[Seen]) -> list[Seen]:
        budget: float = self.config.getoption("--budget")
        tests = asked(seen, mutant.module, mutant.lines if mutant.function else ())
        kept, total = [], 0.0
        for each in tests:
            total += each.seconds
            if total > budget:
                break
            kept.append(each)
        return kept

    # --- which mutants

    def _mutants(self) -> list[Mutant]:
        chosen: list[Mutant] = []
        again: Path | None = self.config.getoption("--again")
        verdicts = msgspec.json.decode(again.read_bytes(), type=list[Verdict]) if again else []
        missed = {each.mutant for each in verdicts if each.outcome in MISSED}
        for name in self.files:
            mutants = mutants_of((ROOT / name).read_text(), name)
            only: str = self.config.getoption("--only")
            mutants = [each for each in mutants if only in str(each)]
            if again:
                mutants = [each for each in mutants if str(each) in missed]
            sample: int = self.config.getoption("--sample")
            if sample and sample < len(mutants):
                draw = random.Random(f"{self.config.getoption('--seed')} {name}")
                mutants = sorted(draw.sample(mutants, sample), key=lambda each: each.number)
            self._say(f"{name}: {len(mutants)} mutants")
            chosen += mutants
        return chosen

    # --- children

    def _in_children(
        self, work: Sequence[tuple[Mutant, list[Seen]]], functions: dict[str, Functions]
    ) -> Iterator[Verdict]:
        def attempt(mutant: Mutant, tests: list[Seen]) -> bytes:
            functions[mutant.module].patch(mutant)
            seconds = {each.test: each.seconds for each in tests}
            killers = dict(self.killers)
            names = sorted(seconds, key=lambda name: -killers.get((mutant.function, name), 0))
            survived = self._run(names, seconds)
            return b"survived" if survived else self.failed[0].encode()

        pending = [
            (lambda mutant=mutant, tests=tests: attempt(mutant, tests)) for mutant, tests in work
        ]
        verdicts = _fork_each(pending, self.workers)
        for (mutant, tests), (data, status) in zip(work, verdicts, strict=True):
            verdict = Verdict(str(mutant), "killed", data.decode(), len(tests))
            if not tests:
                verdict.outcome, verdict.by = "unseen", ""
            elif data == b"survived":
                verdict.outcome, verdict.by = "survived", ""
            elif status:
                verdict.outcome = "timed out" if not data else "killed"
            if verdict.outcome == "killed":
                self.killers[mutant.function, verdict.by] += 1
            yield verdict

    def _run(self, names: Sequence[str], seconds: dict[str, float] | None = None) -> bool:
        """Run some tests, until one fails; whether all of them passed."""
        self.failed = []
        for index, name in enumerate(names):
            if seconds is not None:
                _limit_cpu(TEST_SECONDS + 10 * seconds[name])
            item = self.items[name]
            after = self.items[names[index + 1]] if index + 1 < len(names) else None
            self.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self.failed:
                return False
        return True

    # --- words

    def _say(self, text: str) -> None:
        sys.__stdout__.write(text + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]

    def _report(self, verdicts: Sequence[Verdict]) -> None:
        for name in self.files:
            counts = Counter(
                each.outcome for each in verdicts if each.mutant.startswith(f"{name}:")
            )
            total = sum(counts.values())
            noticed = counts["killed"] + counts["timed out"]
            rate = 100 * noticed / total if total else 100.0
            self._say(f"{name}: {noticed} of {total} mutants noticed, {rate:.1f} %, {dict(counts)}")


def _digest(paths: Sequence[Path]) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def _module(name: str) -> object:
    return importlib.import_module(name.removesuffix(".py").replace("/", "."))


def _limit_cpu(seconds: float) -> None:
    """The system ends this process when it has computed for so long from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _fork_each(actions: Sequence[Callable[[], bytes]], workers: int) -> Iterator[tuple[bytes, int]]:
    """Do every action in a child of its own; what each returned, and its exit status, in order."""
    running: dict[int, tuple[int, IO[bytes]]] = {}
    done: dict[int, tuple[bytes, int]] = {}
    waiting = list(enumerate(actions))[::-1]
    for number in range(len(actions)):
        while number not in done:
            while waiting and len(running) < workers:
                index, action = waiting.pop()
                answer = tempfile.TemporaryFile()  # noqa: SIM115  # closed where it is read
                child = os.fork()
                if not child:
                    _be_child(action, answer)
                running[child] = index, answer
            child, status = os.waitpid(-1, 0)
            index, answer = running.pop(child)
            with answer:
                answer.seek(0)
                done[index] = answer.read(), status
        yield done.pop(number)


def _be_child(action: Callable[[], bytes], answer: IO[bytes]) -> NoReturn:
    """Do `action`, write what it returns, and end: nothing of the parent may run on here."""
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        answer.write(action())
        status = 0
    except BaseException as error:  # noqa: BLE001
        answer.write(f"raised {error!r}"[:1000].encode())
    finally:
        answer.flush()
        os._exit(status)
