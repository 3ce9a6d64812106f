"""Keys of accounts, and whether a request was signed with them.

HMAC needs the standard library only; Ed25519 and RSA need `cryptography` (extra ``trade``).
Source: binance_trading §1 and §11.1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal, TypeAlias
from urllib.parse import unquote

import attrs

from connector.testing.exchange.trading.refusals import refusal

KeyKind: TypeAlias = Literal["hmac", "ed25519", "rsa"]


@attrs.frozen
class Credentials:
    """What a client of one account needs to sign; `repr` does not show it.

    Attributes:
        key: the API key, 64 characters.
        secret: HMAC: the shared secret; otherwise: the private key as PEM (PKCS#8).
        kind: "hmac", "ed25519" or "rsa".
    """

    key: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    kind: KeyKind = "hmac"

    def verifies(self, payload: bytes, signature: str) -> bool:
        """Whether `signature` was made of `payload` with this secret.

        Args:
            payload: the bytes that were signed, as they arrived.
            signature: hexadecimal in either case for HMAC, base64 otherwise.
        """
        if self.kind == "hmac":
            made = hmac.new(self.secret.encode(), payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(made, signature.lower())
        try:
            given = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            return False
        from connector.testing.exchange.trading import asymmetric  # noqa: PLC0415  # an extra

        return asymmetric.verifies(self.secret, payload, given)


def made_up(name: str, kind: KeyKind = "hmac") -> Credentials:
    """Credentials for an account: the same name, the same key; RSA keys are new each time."""
    key = hashlib.sha256(f"key of {name}".encode()).hexdigest()
    seed = hashlib.sha256(f"secret of {name}".encode())
    if kind == "hmac":
        return Credentials(key, seed.hexdigest())
    from connector.testing.exchange.trading import asymmetric  # noqa: PLC0415  # an extra

    return Credentials(key, asymmetric.private_key(kind, seed.digest()), kind)


def payload_of_params(params: Mapping[str, str]) -> bytes:
    """What is signed on the WebSocket API: all parameters but the signature, sorted by name.

    Raw UTF-8, not percent-encoded; numbers as they stand in the JSON (binance_trading §11.1).
    """
    named = sorted((name, value) for name, value in params.items() if name != "signature")
    return "&".join(f"{name}={value}" for name, value in named).encode()


def payload_of_request(query: str, body: str) -> tuple[bytes, str]:
    """What is signed over REST: query and body joined without a separator, and the signature.

    The signature comes last, in the query or the body; a request that carries it elsewhere was
    not signed in the documented way.

    Raises:
        Refused: there is no signature, or it is not the last parameter.
    """
    source, other = (body, query) if "signature=" in body else (query, "")
    head, found, signature = source.rpartition("signature=")
    if not found or not signature:
        raise refusal("missing", "signature")
    if "&" in signature or (head and not head.endswith("&")):
        raise refusal("signature")
    signed = other + head.removesuffix("&")
    if source is query:
        signed += body
    return signed.encode(), unquote(signature)
