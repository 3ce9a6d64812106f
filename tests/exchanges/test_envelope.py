"""Names of streams in the frames of exchanges that each wrap them in another way."""

from __future__ import annotations

import pytest

from connector.exchanges.envelope import Envelope, Part, find_name

COMBINED = Envelope((Part(b'{"stream":"', b'","data":'),), tail=b"}")
TOPIC = Envelope((Part(b'"topic":"', b'"'),), anchored=False)
SPREAD = Envelope((Part(b'{"arg":{"channel":"', b'"'), Part(b'"instId":"', b'"')))


@pytest.mark.parametrize(
    ("envelope", "frame", "name", "behind"),
    [
        (COMBINED, b'{"stream":"a@trade","data":{}}', b"a@trade", 27),
        (COMBINED, b'{"stream":"a@trade"}', b"", -1),
        (COMBINED, b"{}", b"", -1),
        (COMBINED, b"", b"", -1),
        (TOPIC, b'{"topic":"tickers.A","data":1}', b"tickers.A", 20),
        (TOPIC, b'{"type":"delta","topic":"tickers.A"}', b"tickers.A", 35),
        (TOPIC, b'{"type":"delta","topic":"tickers.A', b"", -1),
        (TOPIC, b'{"op":"pong"}', b"", -1),
        (SPREAD, b'{"arg":{"channel":"books","instId":"X"},"data":[]}', b"books:X", 38),
        (SPREAD, b'{"arg":{"channel":"books","instType":"X"}}', b"", -1),
        (Envelope(()), b"anything", b"", -1),
    ],
)
def test_the_name_and_where_it_ends(
    envelope: Envelope, frame: bytes, name: bytes, behind: int
) -> None:
    assert find_name(envelope.shape[0], frame) == (name, behind)


def test_a_shape_says_what_the_payload_is() -> None:
    assert COMBINED.shape[1:] == (False, 1)
    assert TOPIC.shape[1:] == (True, 0)
