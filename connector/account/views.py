"""Read-only mappings of the values of an account: balances, positions, orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

import attrs

from connector.accounts import Balance, Position, Summary
from connector.inputs.decimals import ZERO
from connector.instruments import Instrument


@attrs.frozen
class LastKnown:
    """The last known values of an account. They may be wrong: use them for display only."""

    as_of_ns: int | None
    """Time at which the values were known, by this machine's clock, nanoseconds since the epoch;
    None if the account was never synced."""
    balances: Mapping[str, Balance]
    """The balances by asset."""
    positions: Mapping[str, Position]
    """The positions by symbol."""
    summary: Summary | None
    """The totals of a margin account."""


class Positions(dict[str, Position]):
    """The account's positions, by the symbols of the exchange's instruments."""

    def __missing__(self, symbol: object) -> NoReturn:
        raise KeyError(
            f"the exchange has no instrument {symbol!r}; write its symbol as the exchange does"
        )


class Balances(Mapping[str, Balance]):
    """The account's balances, and 0 for all other assets of the exchange."""

    def __init__(self, told: Mapping[str, Balance], instruments: Mapping[str, Instrument]) -> None:
        self._told = told
        self._instruments = instruments

    def __getitem__(self, asset: str) -> Balance:
        found = self._told.get(asset)
        if found is not None:
            return found
        if any(
            asset in (each.base, each.quote, each.settle) for each in self._instruments.values()
        ):
            return Balance(asset=asset, total=ZERO, available=ZERO, locked=ZERO)
        raise KeyError(f"the exchange has no asset {asset!r}; write it as the exchange does")

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)
