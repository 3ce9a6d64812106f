"""An error says what happened in a short line, keeps what programs need, and survives a copy."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import errors
from connector.channels import Trades
from connector.errors import (
    RAW_EXCERPT_BYTES,
    ConnectorError,
    DecodeError,
    HandshakeRejected,
    SubscriptionRejected,
)

LONGEST_MESSAGE = 5 * RAW_EXCERPT_BYTES
"""Characters, with every byte of an excerpt escaped."""

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9)
made = st.one_of(
    st.builds(
        HandshakeRejected,
        st.integers(100, 599),
        st.dictionaries(names, st.text(max_size=500)),
        st.binary(max_size=2000),
    ),
    st.builds(
        SubscriptionRejected,
        st.builds(Trades, names),
        st.one_of(st.none(), st.integers(), st.text(max_size=2000)),
        st.text(max_size=2000),
    ),
    st.builds(
        DecodeError, st.none() | names, names.map(lambda word: word * 300), st.binary(max_size=2000)
    ),
)


@given(made)
def test_a_message_is_one_short_printable_line(error: ConnectorError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) <= LONGEST_MESSAGE


@given(made)
def test_an_error_survives_copying_and_pickling(error: ConnectorError) -> None:
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other) == vars(error)


def test_every_error_is_a_connector_error_and_exported() -> None:
    kinds = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }

    assert kinds < set(errors.__all__)
    assert all(issubclass(getattr(errors, name), ConnectorError) for name in kinds)


def test_what_the_exchange_said_at_length_stays_available() -> None:
    body = b'{"code":-1003,"msg":"Way too many requests"}' + b" " * 1000

    error = HandshakeRejected(418, {"retry-after": "120", "set-cookie": "secret"}, body)

    assert (error.status, error.body) == (418, body)
    assert error.headers["retry-after"] == "120"
    assert "Way too many requests" in str(error)
    assert "secret" not in str(error)


def test_a_refusal_names_channel_code_and_words() -> None:
    error = SubscriptionRejected(Trades("ETHUSDC"), -1121, "Invalid symbol.")

    for said in ("Trades(symbol='ETHUSDC')", "code -1121", "'Invalid symbol.'"):
        assert said in str(error)
    assert (error.channel, error.code, error.message) == (
        Trades("ETHUSDC"),
        -1121,
        "Invalid symbol.",
    )


def test_a_refusal_ends_with_its_hint_even_when_pickled() -> None:
    error = SubscriptionRejected(Trades("BTCUSD"), None, "unknown pair", "did you mean BTC/USD?")

    assert str(error).endswith("'unknown pair'; did you mean BTC/USD?")
    assert pickle.loads(pickle.dumps(error)).hint == "did you mean BTC/USD?"


@pytest.mark.parametrize("stream", ["ethusdc@trade", None])
def test_an_undecodable_frame_is_kept_in_part(stream: str | None) -> None:
    error = DecodeError(stream, "Object missing required field `p`", b"x" * 1_000_000)

    assert error.raw == b"x" * RAW_EXCERPT_BYTES
    assert (stream or "unknown stream") in str(error)
    assert "xxx" not in str(error)
