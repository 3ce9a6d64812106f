"""Binance's signatures, by the vectors of its documentation (binance_trading §11.1)."""

from __future__ import annotations

import pytest

from connector.errors import ConfigError
from connector.exchanges.binance import signing
from connector.keys import ApiKey

SPOT = ApiKey(
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
)
FUTURES = ApiKey("key", "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9")
ED25519 = ApiKey(
    "4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO",
    "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u",
    kind="ed25519",
)


@pytest.mark.parametrize(
    ("key", "parameters", "expected"),
    [
        pytest.param(
            SPOT,
            {
                "symbol": "LTCBTC",
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "1",
                "price": "0.1",
                "recvWindow": 5000,
                "timestamp": 1499827319559,
            },
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
            id="V1",
        ),
        pytest.param(
            SPOT,
            {
                "symbol": "１２３４５６",
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "1",
                "price": "0.1",
                "recvWindow": 5000,
                "timestamp": 1499827319559,
            },
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
            id="V2",
        ),
        pytest.param(
            FUTURES,
            {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "LIMIT",
                "quantity": "1",
                "price": "9000",
                "timeInForce": "GTC",
                "recvWindow": 5000,
                "timestamp": 1591702613943,
            },
            "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
            id="V5",
        ),
    ],
)
def test_rest(key: ApiKey, parameters: dict[str, str | int], expected: str) -> None:
    assert signing.signed_query(key, parameters) == (
        f"{signing.query(parameters)}&signature={expected}"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {},
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
            id="V3",
        ),
        pytest.param(
            {
                "price": "0.10000000",
                "quantity": "1.00000000",
                "recvWindow": 5000,
                "side": "BUY",
                "symbol": "１２３４５６",
            },
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
            id="V4",
        ),
    ],
)
def test_websocket(changes: dict[str, str | int], expected: str) -> None:
    signed = signing.signed_parameters(SPOT, _order() | changes)

    assert signed["signature"] == expected
    assert signed["apiKey"] == SPOT.key


def _order() -> dict[str, str | int]:
    return {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "recvWindow": 100,
        "timestamp": 1645423376532,
    }


def test_websocket_with_ed25519() -> None:
    assert signing.signed_parameters(ED25519, _order())["signature"] == (
        "82wlF5RobwT7JZehRQgOaupNEm5GrAqJj5tqZeCCE6ZxkhlUbWBThOx00q3FVnCKn882P+9p85phztjk4bOMAQ=="
    )
    assert signing.signed_parameters(ED25519, {"timestamp": 1649729878532})["signature"] == (
        "cGkloHLHGGNbrduoWDYBlzIPwRHyDVYVfCE0rDkPwKdKedurBgm2JNWRkwloQDBFG6Mcloavo1siYfEtZbV/Ag=="
    )


def test_rest_encodes_base64() -> None:
    signed = signing.signed_query(ED25519, _order())

    assert signed.rpartition("signature=")[2].endswith("%3D%3D")


def test_booleans_are_those_of_json() -> None:
    assert signing.query({"reduceOnly": True, "closePosition": False}) == (
        "reduceOnly=true&closePosition=false"
    )


def test_booleans_are_signed_as_they_are_sent() -> None:
    parameters = {"symbol": "BTCUSDT", "reduceOnly": True, "close": False}

    assert signing.payload(parameters) == "close=false&reduceOnly=true&symbol=BTCUSDT"
    assert signing.payload({"symbol": "TrueUSDT"}) == "symbol=TrueUSDT"
    assert signing.payload({"id": "False", "limit": 1}) == "id=False&limit=1"


def test_a_key_of_a_chain_is_refused() -> None:
    with pytest.raises(ConfigError, match="secp256k1"):
        signing.check_key(ApiKey("0x1", "0x" + "1" * 64, kind="secp256k1"))
    signing.check_key(SPOT)
