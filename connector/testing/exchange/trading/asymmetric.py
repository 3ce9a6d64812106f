"""Private keys of accounts, and signatures checked with their public halves (extra ``trade``).

Source: binance_trading §11.1: RSA is PKCS #1 v1.5 with SHA-256, keys are PKCS #8.
"""

from __future__ import annotations

from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

RSA_BITS = 2048


def verifies(pem: str, payload: bytes, signature: bytes) -> bool:
    """Whether the signature was made of `payload` with this private key."""
    private = load_pem_private_key(pem.encode(), password=None)
    try:
        if isinstance(private, ed25519.Ed25519PrivateKey):
            private.public_key().verify(signature, payload)
        elif isinstance(private, rsa.RSAPrivateKey):
            private.public_key().verify(signature, payload, padding.PKCS1v15(), hashes.SHA256())
        else:
            return False
    except InvalidSignature:
        return False
    return True


def private_key(kind: Literal["ed25519", "rsa"], seed: bytes) -> str:
    """A private key as PEM: of the 32 bytes of `seed`, or a new one for RSA."""
    private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    if kind == "ed25519":
        private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    else:
        private = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
