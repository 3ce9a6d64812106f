"""Classify the refusals of an exchange: what each means for its order.

A refusal is certain only if its exact status, code and text are in the venue's table; otherwise the
outcome of the order is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

from connector.errors import RefusalReason

Meaning: TypeAlias = Literal[
    "refused", "unknown", "absent", "duplicate", "time", "busy", "limit", "banned", "permission"
]
"""What a refusal means for the order it is about.

==============  ==============================================================================
``refused``     it was not accepted, for certain
``unknown``     it may have been
``absent``      the answering system knows no such order: it proves only as much as it knows
``duplicate``   an open order has this client id: not necessarily the one that was sent
``time``        refused for its time: sign anew
``busy``        refused because the exchange is overloaded
``limit``       refused: a limit per time is used up; `Verdict.retry_after`
``banned``      nobody at this address is heard until then
``permission``  the key, its address or the account may not do this; or not any more
==============  ==============================================================================
"""


@attrs.frozen
class Refusal:
    """A refusal, as the exchange sent it."""

    status: int
    code: int | str | None
    text: str
    retry_at_ns: int | None = None
    """Exchange's time from which on it hears again, where it says."""
    retry_after: float | None = None
    """The same in seconds from now."""


@attrs.frozen(kw_only=True)
class Rule:
    """One line of a venue's table of refusals.

    It applies only if all that it names is exactly so.
    """

    meaning: Meaning
    code: int | str | None
    """None for any, or none."""
    status: int | None = None
    text: str | None = None
    reason: RefusalReason = "other"
    source: str


@attrs.frozen
class Verdict:
    """The meaning of a refusal."""

    meaning: Meaning
    reason: RefusalReason = "other"


UNKNOWN = Verdict("unknown")


def judge(table: Mapping[int | str | None, tuple[Rule, ...]], refusal: Refusal) -> Verdict:
    """The first rule for exactly this status, code and text; *unknown* if there is none."""
    for rule in (*table.get(refusal.code, ()), *table.get(None, ())):
        if rule.status is not None and rule.status != refusal.status:
            continue
        if rule.text is not None and rule.text != refusal.text:
            continue
        return Verdict(rule.meaning, rule.reason)
    return UNKNOWN
