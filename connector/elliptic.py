"""ECDSA on secp256k1 with a recovery id, deterministic (RFC 6979) and with a low s.

`cryptography` does not tell the recovery id, which venues on a chain need, so this is written in
plain integers. It takes about a millisecond and is **not** constant in time: whoever can measure
single signatures on your machine to the microsecond can read the key there, too.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TypeAlias

PRIME = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_G = (
    0x79BE667E_F9DCBBAC_55A06295_CE870B07_029BFCDB_2DCE28D9_59F2815B_16F81798,
    0x483ADA77_26A3C465_5DA4FBFC_0E1108A8_FD17B448_A6855419_9C47D08F_FB10D4B8,
)

Point: TypeAlias = tuple[int, int] | None
"""Affine coordinates; None for the point at infinity."""


def _add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % PRIME == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, PRIME)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, PRIME)
    x = (slope * slope - a[0] - b[0]) % PRIME
    return x, (slope * (a[0] - x) - a[1]) % PRIME


def multiply(factor: int, point: Point = _G) -> Point:
    """`factor` times `point`, by default the generator."""
    result: Point = None
    while factor:
        if factor & 1:
            result = _add(result, point)
        point = _add(point, point)
        factor >>= 1
    return result


def _nonces(private: int, hashed: bytes) -> tuple[bytes, bytes]:
    """The state of RFC 6979 §3.2 before the first candidate."""
    reduced = (int.from_bytes(hashed, "big") % ORDER).to_bytes(32, "big")
    seed = private.to_bytes(32, "big") + reduced
    key, value = b"\0" * 32, b"\1" * 32
    for separator in (b"\0", b"\1"):
        key = hmac.digest(key, value + separator + seed, hashlib.sha256)
        value = hmac.digest(key, value, hashlib.sha256)
    return key, value


def sign(private: int, hashed: bytes) -> tuple[int, int, int]:
    """r, s and the recovery id of the signature of a 32-byte hash.

    Raises:
        ValueError: `hashed` has another length.
    """
    if len(hashed) != 32:
        raise ValueError(f"a hash of {len(hashed)} bytes; it must have 32")
    z = int.from_bytes(hashed, "big")
    key, value = _nonces(private, hashed)
    while True:
        value = hmac.digest(key, value, hashlib.sha256)
        nonce = int.from_bytes(value, "big")
        point = multiply(nonce) if 0 < nonce < ORDER else None
        if point is not None:
            r = point[0] % ORDER
            s = pow(nonce, -1, ORDER) * (z + r * private) % ORDER
            # x above the order happens once in 2^128; such a nonce is passed over, so that the
            # recovery id is 0 or 1.
            if r and s and point[0] == r:
                odd = point[1] & 1
                return (r, s, odd) if s <= ORDER // 2 else (r, ORDER - s, odd ^ 1)
        key = hmac.digest(key, value + b"\0", hashlib.sha256)
        value = hmac.digest(key, value, hashlib.sha256)
