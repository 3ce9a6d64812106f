"""One metric of an adapter: its name, and how it is read from the statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

import attrs

from connector.adapter.statistics import AdapterStatistics

Samples: TypeAlias = Iterable[tuple[tuple[str, ...], float]]
"""Values by the values of the labels behind ``adapter``; of equal ones the sum is shown."""


@attrs.frozen
class Family:
    """One metric: its name, and how it is read from the statistics of an adapter."""

    name: str
    kind: Literal["gauge", "counter"]
    text: str
    labels: tuple[str, ...]
    """Behind ``adapter``, which all have."""
    read: Callable[[AdapterStatistics], Samples]
