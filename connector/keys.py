"""API keys: they sign the requests of an account, and are never printed.

.. code-block:: python

    from connector.keys import ApiKey

    ApiKey.from_environment("BINANCE")   # BINANCE_KEY and BINANCE_SECRET, or BINANCE_SECRET_FILE
    ApiKey.from_files("/run/secrets/key", "/run/secrets/private.pem", kind="ed25519")

Pass an `ApiKey` to `Adapter.open_account`. ``repr``, ``str``, errors and log records never contain
the key or the secret, and pickling raises.

HMAC keys need only the standard library. The other kinds need the extra ``trade``
(``pip install "trio-connector[trade]"``): cryptography, and coincurve for secp256k1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias, get_args

from connector.errors import ConfigError

if TYPE_CHECKING:
    from coincurve import PrivateKey as SecpPrivateKey
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

Kind: TypeAlias = Literal["hmac", "ed25519", "rsa", "es256", "secp256k1"]
Digest: TypeAlias = Literal["sha256", "sha512"]

_KINDS: tuple[str, ...] = get_args(Kind)
_INSTALL = 'this needs cryptography: pip install "trio-connector[trade]"'


class ApiKey:
    """A key of one account at one exchange.

    Args:
        key: the exchange's API key. For ``secp256k1``: the account's address.
        secret: the secret of an HMAC key. For ``ed25519``, ``rsa`` and ``es256``: the private key
            as PEM, or as base64 of its PKCS#8 form. For ``secp256k1``: 32 bytes in hex.
        kind: how to sign requests.
        passphrase: the third part of a key, on exchanges that have one.
        account: the sub-account or vault to act for, on exchanges that require it.

    Raises:
        ConfigError: a part is missing or has the wrong form. The message does not contain the
            value.
    """

    __slots__ = ("_account", "_hmac", "_key", "_kind", "_passphrase", "_private", "_secret")

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        kind: Kind = "hmac",
        passphrase: str | None = None,
        account: str | None = None,
    ) -> None:
        if kind not in _KINDS:
            raise ConfigError(f"ApiKey: kind={kind!r}; write one of {', '.join(_KINDS)}")
        self._key = _checked("key", key)
        self._kind: Kind = kind
        self._passphrase = None if passphrase is None else _checked("passphrase", passphrase)
        self._account = None if account is None else _checked("account", account)
        self._secret = b""
        self._hmac: PreparedHmac | None = None
        self._private: Any = None
        if kind == "hmac":
            self._secret = _checked("secret", secret).encode()
        elif kind == "secp256k1":
            self._private = _secp256k1(secret)
        else:
            self._private = _private_key(secret, kind)

    @classmethod
    def from_environment(
        cls, prefix: str, *, kind: Kind = "hmac", account: str | None = None
    ) -> ApiKey:
        """Read a key from environment variables: ``PREFIX_KEY`` and ``PREFIX_SECRET``.

        ``PREFIX_SECRET_FILE`` can name a file with the secret instead. ``PREFIX_PASSPHRASE`` is
        read if it is set.

        Raises:
            ConfigError: a variable is missing, or its file cannot be read.
        """
        name = f"{prefix}_SECRET"
        secret, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
        if secret is not None and path is not None:
            raise ConfigError(f"both {name} and {name}_FILE are set; set one of them")
        if path is not None:
            secret = _read(path)
        key = os.environ.get(f"{prefix}_KEY")
        if key is None or secret is None:
            missing = f"{prefix}_KEY" if key is None else f"{name} or {name}_FILE"
            raise ConfigError(f"no API key in the environment: set {missing}")
        passphrase = os.environ.get(f"{prefix}_PASSPHRASE")
        return cls(key.strip(), secret.strip(), kind=kind, passphrase=passphrase, account=account)

    @classmethod
    def from_files(
        cls,
        key: str | Path,
        secret: str | Path,
        *,
        passphrase: str | Path | None = None,
        kind: Kind = "hmac",
        account: str | None = None,
    ) -> ApiKey:
        """Read a key from files. Surrounding white space is removed.

        Raises:
            ConfigError: a file cannot be read.
        """
        return cls(
            _read(key),
            _read(secret),
            kind=kind,
            passphrase=None if passphrase is None else _read(passphrase),
            account=account,
        )

    @property
    def key(self) -> str:
        """The public part of the key. Each request contains it."""
        return self._key

    @property
    def kind(self) -> Kind:
        """How the key signs requests."""
        return self._kind

    @property
    def passphrase(self) -> str | None:
        """The third part of the key; None without one."""
        return self._passphrase

    @property
    def account(self) -> str | None:
        """The sub-account or vault to act for; None without one."""
        return self._account

    def sign(self, payload: bytes, *, digest: Digest = "sha256", decode: bool = False) -> bytes:
        """Sign `payload`. Returns raw bytes.

        Args:
            payload: the bytes to sign.
            digest: the hash function of HMAC, RSA (PKCS #1 v1.5) and ES256.
            decode: whether to decode the secret of an HMAC key from base64 first.

        Returns:
            The signature. For ES256: the 64 bytes r and s, as in a JSON Web Token.

        Raises:
            ConfigError: a ``secp256k1`` key signs hashes only: `sign_hash`; or `decode` is given
                and the secret is not base64.
        """
        match self._kind:
            case "hmac":
                if digest != "sha256" or decode:
                    return hmac_signature(self._hmac_secret(decode=decode), payload, digest)
                if self._hmac is None:
                    self._hmac = PreparedHmac(self._secret)
                return self._hmac.sign(payload)
            case "ed25519":
                return ed25519_signature(self._private, payload)
            case "rsa":
                return rsa_signature(self._private, payload, digest)
            case "es256":
                return es256_signature(self._private, payload)
            case _:
                raise ConfigError("a secp256k1 key signs a hash: use sign_hash")

    def sign_hash(self, hashed: bytes) -> tuple[int, int, int]:
        """r, s and the recovery id (0 or 1) of a ``secp256k1`` key's signature of 32 bytes.

        Raises:
            ConfigError: it is a key of another kind.
        """
        if self._kind != "secp256k1":
            raise ConfigError(f"a key of kind {self._kind!r} does not sign hashes: use sign")
        return secp256k1_signature(self._private, hashed)

    def _hmac_secret(self, *, decode: bool) -> bytes:
        if not decode:
            return self._secret
        try:
            return base64.b64decode(self._secret, validate=True)
        except (binascii.Error, ValueError):
            raise ConfigError("the secret of this API key is not base64") from None

    def __repr__(self) -> str:
        return f"<ApiKey {self._kind}>"

    def __eq__(self, other: object) -> bool:
        """Whether both stand for the same account: one of them may be open at a time."""
        if not isinstance(other, ApiKey):
            return NotImplemented
        return (self._key, self._account) == (other._key, other._account)

    def __hash__(self) -> int:
        return hash((self._key, self._account))

    def __copy__(self) -> ApiKey:
        return self

    def __deepcopy__(self, _: object) -> ApiKey:
        return self

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("an ApiKey cannot be pickled: it would leave a secret behind")


# --- signing, as functions of the secret and the payload


def hmac_signature(secret: bytes, payload: bytes, digest: Digest = "sha256") -> bytes:
    """HMAC with SHA-256 or SHA-512."""
    return hmac.digest(secret, payload, digest)


class PreparedHmac:
    """HMAC with SHA-256 of one secret, whose two padded keys are hashed once (RFC 2104 §4).

    What is left for each message takes half as long as `hmac.digest`.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        size = hashlib.sha256().block_size
        key = secret if len(secret) <= size else hashlib.sha256(secret).digest()
        padded = key.ljust(size, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def sign(self, payload: bytes) -> bytes:
        """The signature of `payload`."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(payload)
        outer.update(inner.digest())
        return outer.digest()


def ed25519_signature(private: Ed25519PrivateKey, payload: bytes) -> bytes:
    """Ed25519 (RFC 8032): 64 bytes, the same for the same payload."""
    return private.sign(payload)


def rsa_signature(private: RSAPrivateKey, payload: bytes, digest: Digest = "sha256") -> bytes:
    """RSASSA-PKCS1-v1_5 (RFC 8017 §8.2)."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

    hashing = hashes.SHA512() if digest == "sha512" else hashes.SHA256()
    return private.sign(payload, padding.PKCS1v15(), hashing)


def es256_signature(private: EllipticCurvePrivateKey, payload: bytes) -> bytes:
    """ECDSA on P-256 with SHA-256, as r and s of 32 bytes each (RFC 7518 §3.4)."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    r, s = utils.decode_dss_signature(private.sign(payload, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def secp256k1_signature(private: SecpPrivateKey, hashed: bytes) -> tuple[int, int, int]:
    """ECDSA on secp256k1, deterministic (RFC 6979), with a low s: r, s and the recovery id."""
    signed = private.sign_recoverable(hashed, hasher=None)
    return int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:64], "big"), signed[64]


# --- reading


def _checked(name: str, value: object) -> str:
    if value == "":
        raise ConfigError(f"ApiKey: {name} is empty")
    if isinstance(value, str) and "-----BEGIN " in value:
        raise ConfigError(
            f"ApiKey: {name} is PEM, and an HMAC key has none; for a private key pass "
            "kind='ed25519', kind='rsa' or kind='es256'"
            if name == "secret"
            else f"ApiKey: {name} is PEM; the PEM of a private key belongs into secret"
        )
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise ConfigError(f"ApiKey: {name} must be text without spaces or line breaks")
    return value


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"cannot read the file {str(path)!r} of an API key: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the file {str(path)!r} of an API key is not text") from error


def _private_key(secret: object, kind: str) -> object:
    """The private key in PEM, or in base64 of PKCS#8."""
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415
            ec,
            ed25519,
            rsa,
        )
    except ImportError:
        raise ConfigError(f"ApiKey(kind={kind!r}): {_INSTALL}") from None
    text = str(secret).strip().encode()
    try:
        if text.startswith(b"-----"):
            private = serialization.load_pem_private_key(text, password=None)
        else:
            der = base64.b64decode(b"".join(text.split()), validate=True)
            private = serialization.load_der_private_key(der, password=None)
    except (ValueError, TypeError, binascii.Error):
        private = None
    match private:
        case ed25519.Ed25519PrivateKey():
            fits = kind == "ed25519"
        case rsa.RSAPrivateKey():
            fits = kind == "rsa"
        case ec.EllipticCurvePrivateKey():
            fits = kind == "es256" and isinstance(private.curve, ec.SECP256R1)
        case _:
            fits = False
    if not fits:
        raise ConfigError(
            f"ApiKey(kind={kind!r}): the secret is not an unencrypted private key of this kind; "
            "pass its PEM text, or base64 of its PKCS#8 form"
        )
    return private


def _secp256k1(secret: object) -> SecpPrivateKey:
    try:
        from coincurve import PrivateKey  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "ApiKey(kind='secp256k1'): this needs coincurve: pip install \"trio-connector[trade]\""
        ) from None
    text = str(secret).strip().removeprefix("0x")
    try:
        number = bytes.fromhex(text)
        if len(number) != 32:
            raise ValueError
        return PrivateKey(number)
    except ValueError:
        raise ConfigError("ApiKey(kind='secp256k1'): the secret is not 32 bytes in hex") from None


__all__ = [
    "ApiKey",
    "Digest",
    "Kind",
    "ed25519_signature",
    "es256_signature",
    "hmac_signature",
    "rsa_signature",
    "secp256k1_signature",
]
