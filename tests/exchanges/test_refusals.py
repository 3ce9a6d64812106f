"""Refusals as tables: what each venue's codes and words mean, and what a reply says then."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.exchanges import bitget, bybit, okx
from connector.exchanges.inbound import Unknown
from connector.exchanges.refusals import NO_REASON, UNDECODABLE, ErrorBodies, Refusals
from connector.exchanges.refusals import not_an_object as read_no_object

TABLE = Refusals(
    later=frozenset({"429", "slow_down"}), later_words=("limit",), already_words=("already",)
)


@pytest.mark.parametrize(
    ("code", "message", "meaning"),
    [
        (429, "Too many", "later"),
        ("429", "Too many", "later"),
        (None, "slow_down", "later"),
        (None, "please slow_down", "never"),
        (None, "Rate LIMIT exceeded", "later"),
        (None, "Already subscribed", "already"),
        (7, "no such stream", "never"),
        (None, "", "never"),
    ],
)
def test_meanings(code: Any, message: str, meaning: str) -> None:
    assert TABLE.meaning(code, message) == meaning


def test_a_reply_names_streams_unless_it_means_not_now() -> None:
    assert TABLE.reply(1, 7, "no", ("a",)).streams == ("a",)
    later = TABLE.reply(1, 429, "", ("a",), others="again")
    assert (later.streams, later.others, later.message) == (None, "wait", NO_REASON)


def test_a_request_that_is_refused_whole_is_not_accepted_for_one_unnamed_stream() -> None:
    assert TABLE.reply(1, None, "already", None).refusal == "already"
    assert TABLE.reply(1, None, "already", None, others="again").refusal == "never"
    assert TABLE.reply(1, None, "already", ("a",), others="again").refusal == "already"


class _Form(msgspec.Struct):
    code: int | None = None
    text: str = ""


BODIES = ErrorBodies(form=_Form, told=lambda said: (said.code, said.text), success=frozenset({0}))


@pytest.mark.parametrize(
    ("body", "said", "refuses"),
    [
        (b'{"code":7,"text":"no"}', (7, "no"), True),
        (b'{"code":7}', (7, NO_REASON), True),
        (b'{"code":0,"text":"OK"}', (0, "OK"), False),
        (b"{}", (None, "{}"), False),
        (b"<html>down</html>", (None, "<html>down</html>"), False),
        (b"\xff" * 300, (None, "\\xff" * 200), False),
        (b"", (None, NO_REASON), False),
        (b"[" * 100_000, (None, "[" * 200), False),
    ],
)
def test_bodies(body: bytes, said: tuple[int | None, str], refuses: bool) -> None:
    assert BODIES.read(body) == said
    assert BODIES.refuses(body) is refuses


@given(st.binary(max_size=30))
def test_no_body_breaks_the_reading(body: bytes) -> None:
    for exchange in (okx.Okx(), bitget.Spot(), bybit.Linear()):
        code, text = exchange.rest.error(body)
        assert text
        assert exchange.rest.refuses(body) is (code not in (None, 0, "0", "00000"))


@pytest.mark.parametrize(
    ("frame", "kind"), [(b"[1]", "list"), (b'"x"', "str"), (b"null", "NoneType")]
)
def test_a_frame_that_is_no_object(frame: bytes, kind: str) -> None:
    assert read_no_object(frame) == Unknown(kind)


def test_a_frame_that_is_no_json() -> None:
    with pytest.raises(UNDECODABLE):
        read_no_object(b"hello")


def test_an_unknown_kind_is_short() -> None:
    assert Unknown("k" * 1000).kind == "k" * 40
