"""The base class of all channels; `connector.channels` has the channels themselves."""

from __future__ import annotations

from typing import Any, Generic, TypeAlias, TypeVar

import typing_extensions

E_co = TypeVar("E_co", covariant=True)
D_co = typing_extensions.TypeVar("D_co", covariant=True, default=Any)


class Channel(Generic[E_co, D_co]):
    """Base of all channels.

    It is generic in the event that its feed yields: `E_co` of an exchange with float numbers, and
    `D_co` of one that was made with ``numbers=Decimal``. ``Channel[Trade]`` leaves the latter open.
    """

    @property
    def symbol(self) -> str | None:
        """The symbol as it was written; None for all symbols, or where there is none."""
        return None


AnyChannel: TypeAlias = Channel[Any]
"""A channel of any kind."""
