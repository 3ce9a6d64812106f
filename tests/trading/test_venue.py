"""What a venue's replies show of themselves."""

from __future__ import annotations

from rich.pretty import pretty_repr

from connector.trading.venue import Answer


def test_an_answer_does_not_show_its_payload() -> None:
    answer = Answer(7, b'{"listenKey": "abc"}')

    assert repr(answer) == str(answer) == "<Answer to 7: done>"
    assert "abc" not in pretty_repr(answer)
    assert "abc" in str(answer.payload)
