"""What Binance's errors mean: certain only by the exact status, code and text."""

from __future__ import annotations

import pytest

from connector.exchanges import binance
from connector.trading.venue import Refusal

SPOT = binance.Spot().trading
USDM = binance.UsdMFutures().trading


@pytest.mark.parametrize(
    ("status", "code", "text", "meaning", "reason"),
    [
        (400, -1013, "Filter failure: PRICE_FILTER", "refused", "filter"),
        (400, -2010, "Order would immediately match and take.", "refused", "post_only"),
        (
            400,
            -2010,
            "Account has insufficient balance for requested action.",
            "refused",
            "balance",
        ),
        (400, -2010, "Duplicate order sent.", "duplicate", "other"),
        (400, -2010, "Something else.", "refused", "other"),
        (400, -2011, "Unknown order sent.", "absent", "other"),
        (400, -2011, "Order was not canceled due to cancel restrictions.", "unknown", "other"),
        (400, -2013, "Order does not exist.", "absent", "other"),
        (400, -1021, "Timestamp for this request is outside of the recvWindow.", "time", "other"),
        (400, -1111, "Precision is over the maximum", "refused", "filter"),
        (400, -1102, "Mandatory parameter", "refused", "other"),
        (400, -1121, "Invalid symbol.", "refused", "closed"),
        (429, -1015, "Too many new orders", "limit", "limit"),
        (418, -1003, "IP banned until 1", "banned", "limit"),
        (401, -2015, "Invalid API-key", "permission", "permission"),
        (400, -1022, "Signature", "permission", "permission"),
    ],
)
def test_spot(status: int, code: int, text: str, meaning: str, reason: str) -> None:
    verdict = SPOT.verdict(Refusal(status, code, text))

    assert (verdict.meaning, verdict.reason) == (meaning, reason)


@pytest.mark.parametrize(
    ("status", "code", "text", "meaning", "reason"),
    [
        (400, -2019, "Margin is insufficient.", "refused", "balance"),
        (400, -5022, "Post Only order will be rejected", "refused", "post_only"),
        (400, -2022, "ReduceOnly Order is rejected.", "refused", "reduce_only"),
        (400, -4116, "ClientOrderId is duplicated.", "duplicate", "other"),
        (400, -4164, "notional must be no smaller", "refused", "filter"),
        (400, -4014, "Price not increased by tick size.", "refused", "filter"),
        (400, -4016, "Limit price can't be higher", "refused", "price_band"),
        (400, -2011, "Unknown order sent.", "absent", "other"),
        (503, -1008, "Server is overloaded", "busy", "other"),
        (503, 0, "Service Unavailable.", "busy", "other"),
        (503, None, "Service Unavailable.", "busy", "other"),
        (400, -5028, "ME recvWindow reject", "refused", "other"),
        (400, -1121, "Invalid symbol.", "refused", "closed"),
        (400, -4061, "Order's position side does not match", "refused", "other"),
    ],
)
def test_usdm(status: int, code: int | None, text: str, meaning: str, reason: str) -> None:
    verdict = USDM.verdict(Refusal(status, code, text))

    assert (verdict.meaning, verdict.reason) == (meaning, reason)


@pytest.mark.parametrize("trading", [SPOT, USDM])
@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (500, -1000, "An unknown error occurred while processing the request."),
        (503, -1000, "Unknown error, please check your request or try again later."),
        (503, -1001, "Internal error; unable to process your request. Please try again."),
        (400, -1006, "An unexpected response was received from the message bus."),
        (400, -1007, "Timeout waiting for response from backend server."),
        (408, -1007, "Timeout"),
        (504, None, "<html>Gateway Timeout</html>"),
        (500, -2010, "Account has insufficient balance for requested action."),
        (409, -2021, "Order cancel-replace partially failed."),
        (200, None, ""),
        (400, -9999, "Never heard of"),
        (400, None, "Service Unavailable."),
    ],
)
def test_everything_else_is_unknown(trading: object, status: int, code: int, text: str) -> None:
    verdict = trading.verdict(Refusal(status, code, text))  # type: ignore[attr-defined]

    assert verdict.meaning == "unknown"


def test_503_of_spot_is_never_a_refusal() -> None:
    assert SPOT.verdict(Refusal(503, None, "Service Unavailable.")).meaning == "unknown"
