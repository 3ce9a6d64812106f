"""What an account shows, as mappings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from connector.accounts import Balance, Position, Summary
from connector.decimals import ZERO
from connector.instruments import Instrument


@attrs.frozen
class LastKnown:
    """What an account has last shown, whether that is still true or not: for screens."""

    as_of_ns: int | None
    """Wall clock; None if it never was synced."""
    balances: Mapping[str, Balance]
    positions: Mapping[str, Position]
    summary: Summary | None


class Balances(Mapping[str, Balance]):
    """Balances that are told, and 0 of other assets that the exchange has."""

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
        raise KeyError(asset)

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)
