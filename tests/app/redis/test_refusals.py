"""Which errors of Redis pass, and that none of them repeats what was sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("coredis", reason="the extra [redis] is not installed")

from coredis import exceptions
from coredis.parser import Parser

from connector.app.redis.refusals import describe, leads_elsewhere, passes

PAYLOAD = '{"e":"trade","s":"ETHUSDC","p":"3000.10"}'


ALWAYS = "ERR unknown command 'XADD' OOM no memory"
"""What is told whatever the payload is."""


def answer(text: str) -> Exception:
    """What coredis makes of an answer of Redis."""
    return Parser().parse_error(text)


@pytest.mark.parametrize(
    "text",
    [
        "NOREPLICAS Not enough good replicas to write.",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "UNBLOCKED force unblock from blocking operation, instance state changed",
        "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "LOADING Redis is loading the dataset in memory",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "ERR max number of clients reached",
        "EXECABORT Transaction discarded because of: OOM command not allowed",
    ],
)
def test_these_pass(text: str) -> None:
    assert passes(answer(text))
    code = text.removeprefix("EXECABORT Transaction discarded because of: ").partition(" ")[0]
    assert code == "ERR" or code in describe(answer(text), timeout=5)


@pytest.mark.parametrize(
    "text",
    [
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "NOPERM User default has no permissions to run the 'xadd' command",
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "ERR unknown command 'XADD', with args beginning with: 'a'",
        "BUSYGROUP Consumer Group name already exists",
        "EXECABORT Transaction discarded because of previous errors.",
    ],
)
def test_these_do_not(text: str) -> None:
    assert not passes(answer(text))


def test_a_demoted_primary_is_disconnected() -> None:
    assert leads_elsewhere(answer("READONLY You can't write against a read only replica."))
    assert leads_elsewhere(answer("UNBLOCKED force unblock from blocking operation"))
    assert leads_elsewhere(answer("MASTERDOWN Link with MASTER is down"))
    assert leads_elsewhere(TimeoutError())
    assert not leads_elsewhere(answer("OOM command not allowed"))


@pytest.mark.parametrize(
    "error",
    [
        answer(f"ERR unknown command 'XADD', with args beginning with: 'k' 'frames' '{PAYLOAD}'"),
        answer(f"ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `{PAYLOAD}`"),
        answer(f"ERR proxy does not like '{PAYLOAD}'"),
        exceptions.ResponseError(
            f"Command # 1 (XADD k frames {PAYLOAD}) of pipeline caused error: OOM not allowed"
        ),
        exceptions.ResponseError(f"Command # 1: XADD k frames {PAYLOAD}"),
    ],
)
def test_nothing_that_was_sent_is_repeated(error: Exception) -> None:
    told = describe(error, timeout=5)

    assert told and "ETHUSDC" not in told and "3000" not in told


@given(st.text(alphabet=st.characters(exclude_characters="'"), min_size=8))
def test_no_payload_is_repeated_whatever_is_in_it(payload: str) -> None:
    for text in (
        f"ERR unknown command 'XADD', with args beginning with: 'key' '{payload}'",
        f"Command # 3 (XADD key {payload}) of pipeline caused error: OOM no memory",
    ):
        told = describe(exceptions.ResponseError(text), timeout=5)
        assert payload.strip() not in told or payload.strip() in ALWAYS


def test_the_deepest_cause_is_reported() -> None:
    cause = OSError("certificate verify failed: self-signed certificate")
    middle = OSError("All connection attempts failed")
    middle.__cause__ = ExceptionGroup("multiple", [cause])
    error = exceptions.ConnectionError("Unable to establish a connection to 127.0.0.1:6379")
    error.__cause__ = middle

    assert describe(error, timeout=5) == (
        "Unable to establish a connection to 127.0.0.1:6379: "
        "certificate verify failed: self-signed certificate"
    )
    error.__cause__ = TimeoutError()
    assert describe(error, timeout=0.5).endswith(": no answer within 0.5 s")
