"""API keys: the published vectors, and nothing secret anywhere."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import logging
import pickle
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.keys import ApiKey, Kind, PreparedHmac

BINANCE_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ED25519 = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u"
WALLET = "0x0123456789012345678901234567890123456789012345678901234567890123"


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.mark.parametrize(
    ("secret", "payload", "expected"),
    [
        pytest.param(
            BINANCE_SECRET,
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
            "&recvWindow=5000&timestamp=1499827319559",
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
            id="binance",
        ),
        pytest.param(
            "AMANDASECRECT",
            "1576074319000\n1iqt2wls\n",
            "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1",
            id="deribit",
        ),
        pytest.param(
            "testsecret",
            "GET/realtime1662350400000",
            "b38c4f23eca76c513b6542823c0882c502bdea24e31f6d6af028af804c5c850a",
            id="bybit",
        ),
    ],
)
def test_hmac_in_hex(secret: str, payload: str, expected: str) -> None:
    assert ApiKey("key", secret).sign(payload.encode()).hex() == expected


@pytest.mark.parametrize(
    ("secret", "payload", "expected"),
    [
        pytest.param(
            "22582BD0CFF14C41EDBF1AB98506286D",
            "1538054050GET/users/self/verify",
            "+LdIr8lkkvhr5hoA3g9TMC0+uQJ849ftAcocA/ouu4M=",
            id="okx",
        ),
        pytest.param(
            "testsecret",
            "1538054050GET/user/verify",
            "M2vwMzyED3XIWYNUlYkec++yGzhAanfbZ3Ibx2IkV/Q=",
            id="bitget",
        ),
    ],
)
def test_hmac_in_base64(secret: str, payload: str, expected: str) -> None:
    assert base64.b64encode(ApiKey("key", secret).sign(payload.encode())).decode() == expected


def test_hmac_with_a_decoded_secret_and_sha512() -> None:
    """The vector of Kraken (kraken §7)."""
    key = ApiKey(
        "key",
        "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==",
    )
    body = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    payload = b"/0/private/AddOrder" + hashlib.sha256(b"1616492376594" + body).digest()

    signed = key.sign(payload, digest="sha512", decode=True)

    assert base64.b64encode(signed).decode() == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )


def test_ed25519_signs_the_published_vector() -> None:
    payload = b"A\x01EXAMPLE\x01SPOT\x011\x0120240627-11:17:25.223"

    signed = ApiKey("key", ED25519, kind="ed25519").sign(payload)

    assert base64.b64encode(signed).decode() == (
        "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
    )


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_rsa_verifies(digest: str) -> None:
    private = rsa.generate_private_key(65537, 2048)
    key = ApiKey("key", pem(private), kind="rsa")

    signed = key.sign(b"payload", digest=digest)  # type: ignore[arg-type]

    hashing = hashes.SHA256() if digest == "sha256" else hashes.SHA512()
    private.public_key().verify(signed, b"payload", padding.PKCS1v15(), hashing)


def test_es256_verifies_and_is_64_bytes() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key = ApiKey("key", pem(private), kind="es256")

    signed = key.sign(b"payload")

    assert len(signed) == 64
    der = utils.encode_dss_signature(
        int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:], "big")
    )
    private.public_key().verify(der, b"payload", ec.ECDSA(hashes.SHA256()))


def test_secp256k1_signs_the_vector_of_the_venue() -> None:
    """hyperliquid §8: hash of an action, its EIP-712 digest, and r, s, v."""
    connection = bytes.fromhex("884f2c32bb6dbdd65f6033e32fb28c0cb6f5b345db0f6471fd3366d85c9252c1")
    domain = keccak(
        keccak(
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        )
        + keccak(b"Exchange")
        + keccak(b"1")
        + (1337).to_bytes(32, "big")
        + bytes(32)
    )
    agent = keccak(keccak(b"Agent(string source,bytes32 connectionId)") + keccak(b"a") + connection)
    digest = keccak(b"\x19\x01" + domain + agent)

    r, s, recovery = ApiKey("0xaddress", WALLET, kind="secp256k1").sign_hash(digest)

    assert f"{r:#x}" == "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e"
    assert f"{s:#x}" == "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e"
    assert recovery + 27 == 28


ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Of the group of secp256k1 (SEC 2 §2.4.1)."""


def test_secp256k1_verifies_with_another_implementation() -> None:
    private = ec.generate_private_key(ec.SECP256K1())
    number = private.private_numbers().private_value.to_bytes(32, "big")
    digest = hashlib.sha256(b"payload").digest()

    r, s, _ = ApiKey("0xaddress", number.hex(), kind="secp256k1").sign_hash(digest)

    private.public_key().verify(
        utils.encode_dss_signature(r, s),
        digest,
        ec.ECDSA(utils.Prehashed(hashes.SHA256())),
    )
    assert s <= ORDER // 2


def keccak(data: bytes) -> bytes:
    """Keccak-256 with its old padding, as chains use it."""
    rounds, lanes = 24, [[0] * 5 for _ in range(5)]
    rate = 136
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    mask = 2**64 - 1

    def rotate(value: int, by: int) -> int:
        return ((value << by) | (value >> (64 - by))) & mask if by else value

    for start in range(0, len(padded), rate):
        for index in range(rate // 8):
            chunk = padded[start + 8 * index : start + 8 * index + 8]
            lanes[index % 5][index // 5] ^= int.from_bytes(chunk, "little")
        state = 1
        for _ in range(rounds):
            columns = [
                lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4]
                for x in range(5)
            ]
            mixed = [columns[x - 1] ^ rotate(columns[(x + 1) % 5], 1) for x in range(5)]
            lanes = [[lanes[x][y] ^ mixed[x] for y in range(5)] for x in range(5)]
            x, y, current = 1, 0, lanes[1][0]
            for step in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                current, lanes[x][y] = (
                    lanes[x][y],
                    rotate(current, (step + 1) * (step + 2) // 2 % 64),
                )
            for y in range(5):
                row = [lanes[x][y] for x in range(5)]
                for x in range(5):
                    lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & mask & row[(x + 2) % 5])
            for bit in range(7):
                state = ((state << 1) ^ ((state >> 7) * 0x71)) % 256
                if state & 2:
                    lanes[0][0] ^= 1 << ((1 << bit) - 1)
    return b"".join(lanes[x][0].to_bytes(8, "little") for x in range(4))


def test_keccak_of_nothing() -> None:
    """The reference that the vector above rests on."""
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


# --- where keys come from


def test_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKX_KEY", "the-key")
    monkeypatch.setenv("OKX_SECRET", "the-secret")
    monkeypatch.setenv("OKX_PASSPHRASE", "the-passphrase")

    key = ApiKey.from_environment("OKX", account="desk-2")

    assert (key.key, key.passphrase, key.account) == ("the-key", "the-passphrase", "desk-2")
    assert key.sign(b"x") == ApiKey("k", "the-secret").sign(b"x")


def test_from_environment_reads_a_secret_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("the-secret\n")
    monkeypatch.setenv("B_KEY", "the-key")
    monkeypatch.setenv("B_SECRET_FILE", str(tmp_path / "secret"))

    assert ApiKey.from_environment("B").sign(b"x") == ApiKey("k", "the-secret").sign(b"x")


def test_from_environment_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="set NOWHERE_KEY"):
        ApiKey.from_environment("NOWHERE")
    monkeypatch.setenv("NOWHERE_KEY", "k")
    with pytest.raises(ConfigError, match="NOWHERE_SECRET or NOWHERE_SECRET_FILE"):
        ApiKey.from_environment("NOWHERE")
    monkeypatch.setenv("NOWHERE_SECRET", "s")
    monkeypatch.setenv("NOWHERE_SECRET_FILE", "f")
    with pytest.raises(ConfigError, match="set one of them"):
        ApiKey.from_environment("NOWHERE")


def test_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("the-key\n")
    (tmp_path / "secret").write_text(ED25519 + "\n")

    key = ApiKey.from_files(tmp_path / "key", tmp_path / "secret", kind="ed25519")

    assert key.key == "the-key"
    with pytest.raises(ConfigError, match=r"cannot read the file .*absent.*: No such file"):
        ApiKey.from_files(tmp_path / "key", tmp_path / "absent")


# --- secrets


@pytest.mark.parametrize(
    ("kind", "secret"),
    [("hmac", "hunter2hunter2"), ("ed25519", ED25519), ("secp256k1", WALLET)],
)
def test_nothing_shows_a_secret(kind: Kind, secret: str, caplog: pytest.LogCaptureFixture) -> None:
    key = ApiKey("the-public-key", secret, kind=kind, passphrase="open-sesame")
    if kind == "hmac":
        key.sign(b"what is prepared once is part of it from now on")
        assert isinstance(key._hmac, PreparedHmac)

    logging.getLogger("connector").error("key=%s %r", key, key)
    shown = f"{key} {key!r} {[key]} {caplog.text} {key.__reduce_ex__.__doc__} {key._hmac!r}"

    for part in (secret, secret.removeprefix("0x"), "the-public-key", "open-sesame"):
        assert part not in shown
    assert not hasattr(key, "__dict__")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(key, protocol)
        if key._hmac is not None:
            # Who has it can sign.
            with pytest.raises(TypeError, match=r"cannot pickle|cannot be pickled"):
                pickle.dumps(key._hmac, protocol)
    assert copy.copy(key) is key
    assert copy.deepcopy({"key": key})["key"] is key


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("hmac", "with a space"),
        ("ed25519", "c2VjcmV0LXNlY3JldA=="),
        ("rsa", ED25519),
        ("es256", "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----"),
        ("secp256k1", "0xnonsense"),
        ("secp256k1", "0" * 64),
    ],
)
def test_a_wrong_secret_is_refused_and_not_repeated(kind: Kind, secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ApiKey("key", secret, kind=kind)

    assert secret not in "".join(traceback.format_exception(caught.value, chain=True)[-1:])
    assert caught.value.__cause__ is None


def test_es256_needs_its_curve() -> None:
    with pytest.raises(ConfigError, match="es256"):
        ApiKey("key", pem(ec.generate_private_key(ec.SECP384R1())), kind="es256")


def test_kinds_do_not_mix() -> None:
    with pytest.raises(ConfigError, match="sign_hash"):
        ApiKey("key", WALLET, kind="secp256k1").sign(b"x")
    with pytest.raises(ConfigError, match="use sign"):
        ApiKey("key", "secret").sign_hash(bytes(32))
    with pytest.raises(ConfigError, match="kind='md5'"):
        ApiKey("key", "secret", kind="md5")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="not base64"):
        ApiKey("key", "not-base64!").sign(b"x", decode=True)


def test_the_same_key_is_equal() -> None:
    assert ApiKey("a", "s") == ApiKey("a", "t")
    assert ApiKey("a", "s") != ApiKey("a", "s", account="2")
    assert len({ApiKey("a", "s"), ApiKey("a", "s"), ApiKey("b", "s")}) == 2
    assert ApiKey("a", "s") != "a"


@given(secret=st.binary(max_size=150), payloads=st.lists(st.binary(max_size=200), max_size=3))
def test_a_prepared_secret_signs_as_hmac_does(secret: bytes, payloads: list[bytes]) -> None:
    prepared = PreparedHmac(secret)
    for payload in payloads:
        assert prepared.sign(payload) == hmac.digest(secret, payload, "sha256")
