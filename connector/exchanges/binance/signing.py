"""Signatures of Binance requests, over REST and over the WebSocket API.

The two differ. REST signs the query exactly as it is sent, percent-encoded; the WebSocket API
signs the parameters in the order of their names, not encoded, the API key among them.

Source: binance_trading §11.1.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import TypeAlias
from urllib.parse import quote

from connector.errors import ConfigError
from connector.keys import ApiKey

Parameter: TypeAlias = str | int | bool
Parameters: TypeAlias = Mapping[str, Parameter]

KEY_HEADER = "X-MBX-APIKEY"
_KINDS = ("hmac", "ed25519", "rsa")


def check_key(key: ApiKey) -> None:
    """Refuse a kind of key that Binance does not have.

    Raises:
        ConfigError: the key is of another kind.
    """
    if key.kind not in _KINDS:
        raise ConfigError(
            f"Binance has no API keys of kind {key.kind!r}; it has {', '.join(_KINDS)}"
        )


def text_of(value: Parameter) -> str:
    """A parameter as written in JSON, without quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def query(parameters: Parameters) -> str:
    """The query of a REST request, percent-encoded, in the order given."""
    return "&".join(
        f"{name}={quote(text_of(value), safe='')}" for name, value in parameters.items()
    )


def signature(key: ApiKey, payload: str) -> str:
    """The signature of `payload`: hex for HMAC, else base64."""
    signed = key.sign(payload.encode())
    return signed.hex() if key.kind == "hmac" else base64.b64encode(signed).decode()


def signed_query(key: ApiKey, parameters: Parameters) -> str:
    """The query of a signed REST request, its signature last."""
    payload = query(parameters)
    return f"{payload}&signature={quote(signature(key, payload), safe='')}"


def payload(parameters: Parameters) -> str:
    """The text to sign for a request over the WebSocket API."""
    form, values = _form(tuple(parameters))
    text = form % values(parameters)
    # Nearly no request has a truth value: it costs less to look for their words than for them.
    if "True" in text or "False" in text:
        spelled = {name: text_of(each) for name, each in parameters.items()}
        return form % values(spelled)
    return text


@lru_cache(maxsize=64)
def _form(names: tuple[str, ...]) -> tuple[str, Callable[[Parameters], object]]:
    """The text to sign with gaps for the values, and what finds these: both as ``%`` wants them.

    The requests of an account have few sets of names. To sort and to write them for each request
    costs as much as its HMAC.
    """
    ordered = sorted(names)
    return "&".join(f"{name.replace('%', '%%')}=%s" for name in ordered), itemgetter(*ordered)


def signed_parameters(key: ApiKey, parameters: Parameters) -> dict[str, Parameter]:
    """The parameters of a signed request over the WebSocket API, key and signature added."""
    complete: dict[str, Parameter] = {"apiKey": key.key, **parameters}
    sign(key, complete)
    return complete


def sign(key: ApiKey, parameters: dict[str, Parameter]) -> None:
    """Add the signature to the parameters of a request over the WebSocket API."""
    parameters["signature"] = signature(key, payload(parameters))
