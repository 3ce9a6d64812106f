"""The meaning of Binance's errors for an order: a table by exact status, code and text.

Every other error means *unknown*: every 5xx of spot, -1006, -1007, HTTP 408 and 409, and any error
that Binance has added since.

Source: binance_trading §6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from connector.errors import RefusalReason
from connector.trading.venue import Meaning, Rule

_SOURCE = "binance_trading §6"


def _rules(
    codes: Iterable[int], meaning: Meaning, reason: RefusalReason = "other", status: int = 400
) -> tuple[Rule, ...]:
    return tuple(
        Rule(code=code, status=status, meaning=meaning, reason=reason, source=_SOURCE)
        for code in codes
    )


def _text(text: str, meaning: Meaning, reason: RefusalReason = "other") -> Rule:
    """The text of a rule; for -2010 it decides."""
    return Rule(code=-2010, status=400, text=text, meaning=meaning, reason=reason, source=_SOURCE)


def _table(*rules: Rule) -> Mapping[int | str | None, tuple[Rule, ...]]:
    table: dict[int | str | None, tuple[Rule, ...]] = {}
    # Rules with a text before those without.
    for rule in sorted(rules, key=lambda each: each.text is None):
        table[rule.code] = (*table.get(rule.code, ()), rule)
    return MappingProxyType(table)


_COMMON = (
    Rule(code=-1003, status=429, meaning="limit", reason="limit", source=_SOURCE),
    Rule(code=-1003, status=418, meaning="banned", reason="limit", source=_SOURCE),
    Rule(code=-1015, status=429, meaning="limit", reason="limit", source=_SOURCE),
    Rule(code=-1008, meaning="busy", source=_SOURCE),
    *_rules([-1021], "time"),
    *_rules([-1022], "permission", "permission"),
    *_rules([-1099, -2014, -2015], "permission", "permission"),
    *_rules([-1099, -2014, -2015], "permission", "permission", status=401),
    *_rules([-1013, -1111], "refused", "filter"),
    # There is no such symbol any more.
    *_rules([-1121], "refused", "closed"),
    *_rules([*range(-1130, -1121), *range(-1120, -1099), -1135], "refused"),
    Rule(code=-2011, status=400, text="Unknown order sent.", meaning="absent", source=_SOURCE),
    *_rules([-2013], "absent"),
    *_rules([-2020], "refused"),
)

SPOT = _table(
    *_COMMON,
    _text("Duplicate order sent.", "duplicate"),
    _text("Account has insufficient balance for requested action.", "refused", "balance"),
    _text("Order would immediately match and take.", "refused", "post_only"),
    _text("Market is closed.", "refused", "closed"),
    _text("This action is disabled on this account.", "refused", "permission"),
    _text("This symbol is not permitted for this account.", "refused", "permission"),
    *_rules([-2010], "refused"),
    *_rules([-2025], "refused", "limit"),
    # An amend: the order is unchanged.
    *_rules([-2038, -2039], "refused"),
)
"""Of spot."""

USDM = _table(
    *_COMMON,
    Rule(
        code=None,
        status=503,
        text="Service Unavailable.",
        meaning="busy",
        source="binance_trading §6: not counted, a failure for certain",
    ),
    *_rules([-2018, -2019], "refused", "balance"),
    *_rules([-2021, -2026, -2027, -2028, -4120], "refused"),
    *_rules([-2022], "refused", "reduce_only"),
    *_rules([-2025, -4045], "refused", "limit"),
    *_rules([*range(-4014, -4000), -4023, -4029, -4164], "refused", "filter"),
    *_rules([-4015, -4117], "refused"),
    *_rules([-4016, -4024, -4131], "refused", "price_band"),
    # -4061: hedge mode was switched; the next audit sees it.
    *_rules([-4061], "refused"),
    *_rules([-4062, -4118], "refused", "reduce_only"),
    *_rules([-4087, *range(-4107, -4104), -4189, -4400, -4401], "refused", "closed"),
    *_rules([-4116], "duplicate"),
    *_rules([-5021], "refused"),
    *_rules([-5022], "refused", "post_only"),
    *_rules([*range(-5041, -5036)], "refused"),
    # An amend: the order is unchanged. -5028 came too late for the engine.
    *_rules([*range(-5029, -5023), -5043, -5047], "refused"),
)
"""Of USD-M futures."""
