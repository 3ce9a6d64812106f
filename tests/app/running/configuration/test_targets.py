"""Two sinks that write to the same are a mistake; two that do not are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.app.running.configuration import Misconfigured, read_configuration

TWO = """\
[adapters.futures]
exchange = "binance_usdm"

[adapters.copy]
exchange = "binance_usdm"

[adapters.spot]
exchange = "binance_spot"

[groups.ticks]
adapter = "futures"
channels = ["trades:ETHUSDC", "order_book:ETHUSDC"]

[groups.again]
adapter = "copy"
channels = ["trades:ETHUSDC"]

[groups.quotes]
adapter = "futures"
channels = ["best_quote:ETHUSDC"]

[groups.deltas]
adapter = "futures"
channels = ["book_deltas:ETHUSDC"]

[groups.spot]
adapter = "spot"
channels = ["trades:ETHUSDC"]

[[sinks]]
kind = "log"
"""


def sink(kind: str, name: str = "", **fields: str) -> str:
    lines = [f'kind = "{kind}"', *([f'name = "{name}"'] if name else [])]
    return "\n".join(["[[sinks]]", *lines, *(f"{key} = {value}" for key, value in fields.items())])


FRAMES = '"frames"'
TOGETHER = [
    (sink("recording", path='"r"'), sink("recording", "b", path='"./x/../r"'), "'recording' writ"),
    (sink("jsonl", path='"a"'), sink("jsonl", "b", path='"a"'), "'jsonl' writes there, too"),
    (sink("jsonl"), sink("jsonl", "b"), "give each a path of its own"),
    (sink("jsonl", path='"a"'), sink("recording", path='"a"'), "'jsonl' writes there, too"),
    (
        sink("redis", groups='["ticks", "spot"]'),
        sink("redis", "b", groups='["spot"]'),
        "'redis' writes there, too; give each a prefix of its own",
    ),
    (
        sink("redis", what=FRAMES, groups='["ticks"]'),
        sink("redis", "b", what=FRAMES, groups='["deltas"]'),
        "'redis' writes there, too; give each a prefix of its own",
    ),
    (
        sink("redis", what=FRAMES, groups='["ticks", "again"]'),
        "",
        "the adapters 'futures' and 'copy' would write to the same stream; give each a sink with",
    ),
]
APART = [
    (sink("recording", path='"r"'), sink("recording", "b", path='"r/b"')),
    (sink("jsonl"), sink("jsonl", "b", path='"a"')),
    (sink("redis"), sink("redis", "b", prefix='"b"')),
    (sink("redis", groups='["ticks"]'), sink("redis", "b", groups='["again"]')),
    (sink("redis", groups='["ticks"]'), sink("redis", "b", what=FRAMES, groups='["ticks"]')),
    (
        sink("redis", what=FRAMES, groups='["ticks", "spot"]'),
        sink("redis", "b", what=FRAMES, groups='["quotes"]'),
    ),
    (
        sink("redis", what=FRAMES, groups='["ticks"]'),
        sink("redis", "b", what=FRAMES, groups='["ticks"]', url='"redis://127.0.0.1:6380"'),
    ),
]


@pytest.mark.parametrize(("one", "other", "says"), TOGETHER)
def test_two_sinks_with_one_target_are_a_mistake(one: str, other: str, says: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        read_configuration(f"{TWO}\n{one}\n{other}")

    (told,) = raised.value.mistakes
    assert says in told.message
    assert told.line > TWO.count("\n")


@pytest.mark.parametrize(("one", "other"), APART)
def test_two_that_do_not_are_fine(one: str, other: str) -> None:
    assert len(read_configuration(f"{TWO}\n{one}\n{other}").sinks) == 3


def test_a_link_does_not_hide_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    paths = [f'"{tmp_path}/r"', f'"{tmp_path}/link/r"']
    sinks = [sink("recording", f"r{number}", path=path) for number, path in enumerate(paths)]

    with pytest.raises(Misconfigured, match="the sink 'r0' writes there, too"):
        read_configuration("\n".join((TWO, *sinks)))
