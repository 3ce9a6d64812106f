"""What the pinned trio-websocket does with a stream of its own, and with one that we own.

The reason why a session opens the stream itself. Should a new version pass the first test, the
second way is still the right one, and the first test has done its duty.
"""

from __future__ import annotations

import attrs
import pytest

from connector.testing.explore import sweep
from tests.specimens import left_to_the_collector, structured

FAULTS = ("cancel", "eof", "bad_frame", "bad_utf8", "close", "handshake_hang", "http_503")


@pytest.mark.parametrize("fault", ["eof", "bad_frame", "bad_utf8", "http_503", "cancel"])
def test_open_websocket_leaves_the_socket_open(fault: str) -> None:
    report = sweep(left_to_the_collector.SCENARIO, kinds=("steps",), faults=(fault,), enough=3)

    assert report.invariants & {"I1", "I2", "I4"}, str(report)


def test_with_an_owned_stream_the_steps_are_clean() -> None:
    """A sample; `nox -s explore` tries every step of the adapter, which does the same."""
    scenario = attrs.evolve(structured.SCENARIO, stride=7)

    report = sweep(scenario, kinds=("steps", "operations"), faults=FAULTS)

    assert not report.findings, str(report)
