"""The simulated venues by the name that `open_exchange` takes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from connector.testing.kits.bitget.kit import BitgetKit
from connector.testing.kits.bybit.kit import BybitKit
from connector.testing.kits.coinbase.kit import CoinbaseKit
from connector.testing.kits.deribit.kit import DeribitKit
from connector.testing.kits.hyperliquid.kit import HyperliquidKit
from connector.testing.kits.kit import Kit
from connector.testing.kits.kraken.kit import FuturesKit, SpotKit, UnifiedKit
from connector.testing.kits.okx.kit import OkxKit
from connector.testing.venues.rules import VENUES, Rules, VenueName, routed

KITS: Mapping[VenueName, Kit] = MappingProxyType(
    {
        "bybit_spot": BybitKit("spot"),
        "bybit_linear": BybitKit("linear"),
        "bybit_inverse": BybitKit("inverse"),
        "okx": OkxKit(),
        "deribit": DeribitKit(),
        "bitget_spot": BitgetKit("spot"),
        "bitget_futures": BitgetKit("futures"),
        "kraken": SpotKit(),
        "kraken_futures": FuturesKit(),
        "kraken_unified": UnifiedKit(),
        "coinbase": CoinbaseKit(),
        "hyperliquid": HyperliquidKit(),
    }
)


def rules_of(venue: VenueName, trades: str, *, trades_privately: bool) -> Rules:
    """What a venue allows.

    Args:
        venue: its name.
        trades: the route of ``<symbol>@trade`` on "usdm".
        trades_privately: whether accounts are to trade there.

    Raises:
        ValueError: there is no such venue or route, or nobody can trade there.
    """
    kit = KITS.get(venue)
    if venue not in VENUES and kit is None:
        names = ("binance_spot", "binance_usdm", "binance_coinm", *KITS)
        given = str(venue)
        near = [each for each in names if given and given in each]
        near = near or difflib.get_close_matches(given, names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"{venue!r} is not an exchange; {hint}write one of {', '.join(map(repr, names))}"
        )
    if kit is None:
        return routed(VENUES[venue], trades)
    if trades_privately:
        raise ValueError(f"nobody can trade at {venue!r} yet: leave the accounts out")
    return kit.rules
