"""Parse a finite number on the command line; a plain float would accept ``inf`` and ``nan``."""

from __future__ import annotations

import math
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """As `click.FloatRange`, and finite. The help shows no range that every number obeys."""

    def _describe_range(self) -> str:
        return "" if self.min == 0 and self.max is None else super()._describe_range()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number that `value` writes."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number.", param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        if number < 0 and self.min == 0:
            self.fail(f"{value} is less than 0.", param, ctx)
        return super().convert(number, param, ctx)
