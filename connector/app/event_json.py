"""Events as JSON: the same fields in ``connector replay --json`` and in the sink ``jsonl``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from connector.app.naming import write_channel
from connector.events import Event, Gap, RawMessage, asdict, kind_of


def describe(event: Event | Gap) -> dict[str, Any]:
    """The type and the public fields of `event`, as JSON can write them."""
    fields = {"type": kind_of(event).__name__, **asdict(event)}
    if isinstance(event, Gap):
        fields["channels"] = [write_channel(channel) for channel in event.channels]
    elif isinstance(event, RawMessage):
        fields["data"] = msgspec.Raw(event.data)
    return fields


def plain(value: Any) -> Any:
    """What JSON has for a `value` that msgspec does not know."""
    if isinstance(value, Sequence):  # a side of a local book
        return list(value)
    raise NotImplementedError(type(value))


def line(fields: dict[str, Any]) -> bytes:
    """`fields` as one line of JSON, with its line feed."""
    return msgspec.json.encode(fields, enc_hook=plain) + b"\n"
