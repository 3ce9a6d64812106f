"""The refusals of the exchange: status, code and exact text, as one table.

Source: binance_trading §6, binance_spot §9, binance_usdm §7. A text that no note quotes is marked
*assumed*; clients must tell refusals by code, and by text only where the notes say so.
"""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The request is answered with an error, and has had no effect.

    Attributes:
        status: the status of the HTTP answer, and in the envelope of the WebSocket API.
        data: further fields of the error, such as ``retryAfter``.
        retry_after_seconds: the value of the Retry-After header.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        data: dict[str, Any] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{code} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.data = data
        self.retry_after_seconds = retry_after_seconds


SAYINGS: dict[str, tuple[int, int, str]] = {
    # binance_trading §6
    "too_much_weight": (
        429, -1003,
        ("Too much request weight used; current limit is {} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."),
    ),
    "banned": (418, -1003, ("Way too much request weight used; IP banned until {}. "
               "Please use WebSocket Streams for live updates to avoid bans.")),
    "unexpected_response": (
        500, -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
    ),
    "timeout": (
        408, -1007,
        ("Timeout waiting for response from backend server. Send status unknown; "
        "execution status unknown."),
    ),
    "overload": (
        503, -1008, ("Server is currently overloaded with other requests. "
        "Please try again in a few minutes."),
    ),
    "filter": (400, -1013, "Filter failure: {}"),
    "too_many_orders": (
        429, -1015, "Too many new orders; current limit is {} orders per {}.",
    ),
    "late": (400, -1021, "Timestamp for this request is outside of the recvWindow."),
    "early": (400, -1021, "Timestamp for this request was 1000ms ahead of the server's time."),
    "signature": (400, -1022, "Signature for this request is not valid."),
    "illegal": (400, -1100, "Illegal characters found in parameter '{}'; legal range is '{}'."),
    "missing": (
        400, -1102,
        "Mandatory parameter '{}' was not sent, was empty/null, or malformed.",
    ),
    "unknown_parameter": (400, -1103, "An unknown parameter was sent."),
    "unread": (
        400, -1104, "Not all sent parameters were read; read '{}' parameter(s) but was sent '{}'.",
    ),
    "unwanted": (400, -1106, "Parameter '{}' sent when not required."),
    "precision": (400, -1111, "Precision is over the maximum defined for this asset."),
    "tif_unwanted": (400, -1114, "TimeInForce parameter sent when not required."),
    "tif": (400, -1115, "Invalid timeInForce."),
    "type": (400, -1116, "Invalid orderType."),
    "side": (400, -1117, "Invalid side."),
    "symbol": (400, -1121, "Invalid symbol."),
    "listen_key": (400, -1125, "This listenKey does not exist."),
    "interval": (400, -1127, "More than {} between startTime and endTime."),
    "combination": (400, -1128, "Combination of optional parameters invalid."),
    "parameter": (400, -1130, "Data sent for parameter '{}' is not valid."),
    "window_too_long": (400, -1131, "recvWindow must be less than 60000."),
    "request_id": (400, -1135, "Invalid request ID."),
    "balance": (400, -2010, "Account has insufficient balance for requested action."),
    "duplicate_spot": (400, -2010, "Duplicate order sent."),
    "would_take": (400, -2010, "Order would immediately match and take."),
    "market_closed": (400, -2010, "Market is closed."),
    "trading_disabled": (400, -2010, "This action is disabled on this account."),
    "unknown_order": (400, -2011, "Unknown order sent."),
    "restrictions": (
        400, -2011, "Order was not canceled due to cancel restrictions.",
    ),
    "no_order": (400, -2013, "Order does not exist."),
    "key_format": (401, -2014, "API-key format invalid."),
    "key": (401, -2015, "Invalid API-key, IP, or permissions for action."),
    "subscribed": (400, -2035, "User Data Stream subscription is already active."),  # text assumed
    "too_many_subscriptions": (
        400, -2042, "Too many user data stream subscriptions on this connection.",  # text assumed
    ),
    "amend": (400, -2038, "The requested quantity is not valid for this order."),  # text assumed
    "ids_disagree": (
        400, -2039, "Client order ID is not correct for this order ID.",
    ),
    # USD-M, binance_trading §6 and binance_usdm §7
    "margin": (400, -2019, "Margin is insufficient."),
    "would_trigger": (400, -2021, "Order would immediately trigger."),
    "reduce_only": (400, -2022, "ReduceOnly Order is rejected."),
    "open_orders": (400, -2025, "Reach max open order limit."),
    "price_low": (400, -4001, "Price less than 0."),
    "price_high": (400, -4002, "Price greater than max price."),
    "quantity_low": (400, -4003, "Quantity less than or equal to zero."),
    "quantity_min": (400, -4004, "Quantity less than min quantity."),
    "quantity_max": (400, -4005, "Quantity greater than max quantity."),
    "price_min": (400, -4013, "Price less than min price."),
    "tick": (400, -4014, "Price not increased by tick size."),
    "client_id_length": (400, -4015, "Client order id length should be less than 36 chars."),
    "percent_high": (400, -4016, "Limit price can't be higher than {}."),
    "step": (400, -4023, "Qty not increased by step size."),
    "percent_low": (400, -4024, "Limit price can't be lower than {}."),
    "no_side_change": (400, -4059, "No need to change position side."),
    "position_side_invalid": (400, -4060, "Invalid position side."),
    "position_side": (400, -4061, "Order's position side does not match user's setting."),
    "reduce_only_type": (
        400, -4062, "Invalid or improper reduceOnly value.",
    ),
    "side_change_orders": (
        400, -4067, "Position side cannot be changed if there exists open orders.",
    ),
    "side_change_position": (
        400, -4068, "Position side cannot be changed if there exists position.",
    ),
    "stop_orders": (400, -4045, "Reach max stop order limit."),
    "only_reduce": (400, -4087, "User can only place reduce only order."),
    "duplicate_usdm": (400, -4116, "ClientOrderId is duplicated."),
    "use_algo": (
        400, -4120,
        ("Order type not supported for this endpoint. Please use the Algo Order API endpoints "
        "instead."),
    ),
    "market_bound": (
        400, -4131,
        "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    ),
    "notional": (
        400, -4164,
        "Order's notional must be no smaller than {} (unless you choose reduce only).",
    ),
    "fok": (
        400, -5021,
        ("Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history"),
    ),
    "post_only": (
        400, -5022,
        ("Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history"),
    ),
    "modify_not_limit": (400, -5025, "Only limit order is supported."),
    "modify_too_often": (400, -5026, "Exceed maximum modify order limit."),
    "modify_same": (400, -5027, "No need to modify the order."),
    "engine_window": (
        400, -5028, "Timestamp for this request is outside of the ME recvWindow.",
    ),
    "stp": (400, -5038, "Invalid selfTradePreventionMode."),
    "callback_rate": (400, -2007, "Invalid callBack rate."),
    "one_closes": (
        400, -4130,
        ("An open stop or take profit order with GTE and closePosition in the direction is "
        "existing."),
    ),
    "activation_price": (400, -4135, "Invalid activation price."),
    "closing_type": (400, -4136, "Target strategy invalid for orderType {},closePosition true"),
    "closing_quantity": (400, -4137, "Quantity must be zero with closePosition equals true."),
    "closing_reduces": (400, -4138, "Reduce only must be true with closePosition equals true."),
    "good_till": (400, -5040, "Invalid goodTillDate."),
    "modify_reduce_only": (400, -5047, "The order is not reduce-only."),  # text assumed
}  # fmt: skip
"""Name to (status, code, text); ``{}`` is filled in."""

UNKNOWN_503 = "Unknown error, please check your request or try again later."
"""USD-M: the order may exist (binance_trading §6)."""
UNAVAILABLE_503 = "Service Unavailable."
"""USD-M: the order does not exist (binance_trading §6)."""


def refusal(
    name: str,
    *values: object,
    data: dict[str, Any] | None = None,
    retry_after_seconds: float | None = None,
) -> Refused:
    """Make the refusal of that name with its text filled in; raise the result."""
    status, code, text = SAYINGS[name]
    return Refused(
        status, code, text.format(*values), data=data, retry_after_seconds=retry_after_seconds
    )
