"""Switches for behaviour that the notes leave open, each with its possible readings.

Run your tests with every reading, because a client must work with each. Source: binance_trading
§14 and the places named at the switches.
"""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class Readings:
    """How the simulated exchange behaves where the documentation is silent."""

    post_only_refusal: Literal["error", "expires"] = "error"
    """USD-M, a GTX order that would take: -5022 and no order, or the events NEW and EXPIRED
    (§6)."""
    default_prevention: Literal["EXPIRE_MAKER", "NONE"] = "EXPIRE_MAKER"
    """Self-trade prevention of an order that names no mode (§5.3, §14)."""
    hedge_reduce_only: Literal[-1106, -4062] = -1106
    """The code for ``reduceOnly`` in hedge mode (§5.3)."""
    unwanted_time_in_force: Literal[-1106, -1114] = -1106
    """Spot: the code for ``timeInForce`` with an order that takes none (§5.1)."""
    client_id_scope: Literal["symbol", "account"] = "symbol"
    """Spot: among which open orders a client id is unique (§14)."""
    reused_id_finds: Literal["newest", "oldest"] = "newest"
    """Which order a query by a client id returns that was used again (§5.4, §14)."""
    balances_first: bool = False
    """Spot: ``outboundAccountPosition`` before ``executionReport`` (§3, §14)."""
    lite_last: bool = False
    """USD-M: ``TRADE_LITE`` follows ``ORDER_TRADE_UPDATE`` instead of preceding it (§0 (5), §4)."""
    trade_before_new: bool = False
    """The first fill of a taking order is reported before its ``NEW`` (§0 (6))."""
    reply_first: bool = False
    """The reply to a request precedes the events it causes, instead of following them (§0 (6))."""
    amend_below_filled: Literal["refused", "ends"] = "refused"
    """Spot: an amendment to no more than what is filled: -2038, or the order expires (§5.2)."""
    key_in_path: bool = False
    """USD-M: whether ``/private/ws/<listenKey>`` delivers; it is silent on mainnet (§2.2)."""
    closes_after_error: bool = False
    """Spot: whether the WebSocket API closes with 1008 after every error (§2.1)."""
    countdown_cancels_algo: bool = False
    """USD-M: whether the countdown cancels conditional orders, too (§10)."""
    expiry_time_as_text: bool = False
    """USD-M: ``E`` of ``listenKeyExpired`` as a string, as in 2023 (§2.2)."""
