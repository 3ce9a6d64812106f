"""Classify errors of Redis: temporary ones, and those for which a retry would not help.

What Redis or a proxy says is repeated only as far as it can hold nothing of ours: an unknown
command, for example, is answered with its arguments, and those are a password or a payload.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import trio
from coredis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004  # coredis' own
    ExecAbortError,
    PersistenceError,
    ReadOnlyError,
    TryAgainError,
    UnblockedError,
)

AWAY = (
    ConnectionError,
    ClusterDownError,
    PersistenceError,
    ReadOnlyError,
    TryAgainError,
    UnblockedError,
    OSError,  # TimeoutError among them
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)
"""Errors of a Redis that restarts, fails over, or is not there."""
_CODES: Mapping[type[BaseException], str] = {
    ReadOnlyError: "READONLY",
    UnblockedError: "UNBLOCKED",
    BusyLoadingError: "LOADING",
    ClusterDownError: "CLUSTERDOWN",
    TryAgainError: "TRYAGAIN",
}
"""What coredis has taken off the beginning of an answer."""
PASSING = frozenset(
    {
        *_CODES.values(),
        "BUSY",
        "INPROG",
        "MASTERDOWN",
        "MISCONF",
        "NOGOODSLAVE",
        "NOREPLICAS",
        "OOM",
    }
)
"""What answers begin with that pass, too: a script runs, memory, disk or replicas are missing."""
_ELSEWHERE = frozenset({"READONLY", "UNBLOCKED", "MASTERDOWN"})
"""Of these, what a server says that is no primary any more: the name may lead to another one."""
_SAID_CHARACTERS = 120
_COMMAND = re.compile(r"Command # \d+ \(.*\) of pipeline caused error: ", re.DOTALL)
_ABORTED = "Transaction discarded because of: "
_ARGUMENTS = re.compile(r"[,;:]? *(with args|args) .*", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'?|\"[^\"]*\"?|`[^`]*`?")
_NAME = re.compile(r"""['"`][\w.|-]{1,24}['"`]""")


def passes(error: Exception) -> bool:
    """Whether waiting helps."""
    return isinstance(error, AWAY) or _first_word(error) in PASSING


def leads_elsewhere(error: Exception) -> bool:
    """Whether a new connection is better than the one that there is."""
    kinds = (ReadOnlyError, UnblockedError, TimeoutError)
    return isinstance(error, kinds) or _first_word(error) in _ELSEWHERE


def describe(error: BaseException, *, timeout: float) -> str:
    """What happened, and why: the cause that is deepest says it best.

    Args:
        error: of coredis, or of the network below it.
        timeout: seconds that an answer may take, as it is configured.
    """
    parts: list[str] = []
    for each in _chain(error):
        if isinstance(each, TimeoutError):
            text = f"no answer within {timeout:g} s"
        else:
            code = _CODES.get(type(each), "")
            text = " ".join(filter(None, (code, _said(_answer(each)))))
        if text and text not in parts:
            parts.append(text)
    if len(parts) > 2:
        parts = [parts[0], parts[-1]]
    return ": ".join(parts) or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error`, and what caused it."""
    seen: set[int] = set()
    present: BaseException | None = error
    while present is not None and id(present) not in seen:
        seen.add(id(present))
        if isinstance(present, BaseExceptionGroup):
            present = present.exceptions[0]
            continue
        if not isinstance(present, ExecAbortError) or present is error:
            yield present  # otherwise it only says that there was the other
        present = present.__cause__ or (
            None if present.__suppress_context__ else present.__context__
        )


def _said(text: str) -> str:
    """`text` without what it may have of a request, on one line."""
    line = " ".join(_ARGUMENTS.sub("", text).split())
    line = _QUOTED.sub(lambda found: found[0] if _NAME.fullmatch(found[0]) else "'…'", line)
    shown = "".join(each if each.isprintable() else "?" for each in line)
    return shown if len(shown) <= _SAID_CHARACTERS else shown[:_SAID_CHARACTERS] + "…"


def _answer(error: BaseException) -> str:
    """What the server has said, without what coredis has put before it."""
    text = str(error)
    if text.startswith("Command #"):
        found = _COMMAND.match(text)
        text = "" if found is None else text[found.end() :]
    return text.removeprefix(_ABORTED)


def _first_word(error: BaseException) -> str:
    return _answer(error).partition(" ")[0]
