"""Signatures: the published vectors are accepted, and nothing else is."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from connector.testing.exchange.trading.credentials import (
    Credentials,
    made_up,
    payload_of_params,
    payload_of_request,
)
from connector.testing.exchange.trading.refusals import Refused

SPOT_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
USDM_SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
TAIL = "&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
FIX_KEY = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u"


@pytest.mark.parametrize(
    ("secret", "payload", "signature"),
    [
        (  # binance_trading §11.1, V1
            SPOT_SECRET,
            "symbol=LTCBTC&side=BUY&type=LIMIT" + TAIL,
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
        (  # V2
            SPOT_SECRET,
            "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT"
            + TAIL,
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
        (  # V5
            USDM_SECRET,
            (
                "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
                "&recvWindow=5000&timestamp=1591702613943"
            ),
            "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
        ),
    ],
)
def test_published_vectors_over_rest(secret: str, payload: str, signature: str) -> None:
    credentials = Credentials("key", secret)

    for query, body in (
        (f"{payload}&signature={signature}", ""),
        (payload, f"signature={signature}"),
        ("", f"{payload}&signature={signature.upper()}"),
    ):
        assert credentials.verifies(*payload_of_request(query, body))
    assert not credentials.verifies(payload.encode() + b"0", signature)


def test_published_vectors_on_the_websocket_api() -> None:
    params = {
        "symbol": "１２３４５６", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "1.00000000", "price": "0.10000000", "recvWindow": "5000",
        "timestamp": "1645423376532", "apiKey": KEY, "signature": "not part of it",
    }  # fmt: skip

    assert Credentials(KEY, SPOT_SECRET).verifies(
        payload_of_params(params),
        "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    )


def test_the_published_ed25519_vector() -> None:
    pem = f"-----BEGIN PRIVATE KEY-----\n{FIX_KEY}\n-----END PRIVATE KEY-----\n"
    payload = b"A\x01EXAMPLE\x01SPOT\x011\x0120240627-11:17:25.223"
    signature = (
        "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
    )

    credentials = Credentials("key", pem, "ed25519")

    assert credentials.verifies(payload, signature)
    assert not credentials.verifies(payload, signature[:-4] + "AA==")
    assert not credentials.verifies(payload, "no base64")
    load_der_private_key(base64.b64decode(FIX_KEY), None)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_made_up_keys_sign(kind: str) -> None:
    credentials = made_up("mm1", kind)  # type: ignore[arg-type]
    private = load_pem_private_key(credentials.secret.encode(), None)
    payload = b"symbol=ETHUSDC&timestamp=1"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        made = private.sign(payload)
    else:
        assert isinstance(private, rsa.RSAPrivateKey)
        made = private.sign(payload, padding.PKCS1v15(), hashes.SHA256())
    text = quote(base64.b64encode(made).decode(), safe="")

    signed = payload_of_request(f"{payload.decode()}&signature={text}", "")

    assert credentials.verifies(*signed)
    assert not credentials.verifies(payload, "")
    assert credentials.secret not in repr(credentials)


def test_the_same_name_has_the_same_key() -> None:
    assert made_up("mm1") == made_up("mm1") != made_up("mm2")
    assert made_up("mm1", "ed25519") == made_up("mm1", "ed25519")


@pytest.mark.parametrize(
    ("query", "code"),
    [("a=1&timestamp=2", -1102), ("a=1&signature=&b=2", -1022), ("signature=f&a=1", -1022)],
)
def test_a_signature_comes_last(query: str, code: int) -> None:
    with pytest.raises(Refused, match=str(code)):
        payload_of_request(query, "")
