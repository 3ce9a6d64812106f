"""The tables of a configuration file, field by field, as they are written.

What they mean together — which exchange, which channels — is said by
`connector.app.running.configuration.configuration`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from connector.app.secret import Secret


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


Seconds = Annotated[float, Meta(gt=0, examples=[5.0])]


class LogTable(Table, frozen=True):
    """``[log]``: what is written to standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(examples=["info"])] = "info"
    format: Annotated[Literal["plain", "json"], Meta(examples=["json"])] = "plain"


class MetricsTable(Table, frozen=True):
    """``[metrics]``: the address of ``/metrics``, ``/healthz``, ``/readyz`` and ``/``."""

    bind: Annotated[str, Meta(examples=["127.0.0.1:9090"])] = "127.0.0.1:9090"
    token: Secret | None = None
    """With one, every page but the two of health needs ``Authorization: Bearer …``, or it as the
    password of any name."""
    streams: Annotated[bool, Meta(examples=[False])] = True
    """Whether each stream has series of its own; otherwise ``/metrics`` has their sums."""


class RunTable(Table, frozen=True):
    """``[run]``."""

    shutdown_timeout: Seconds = 10.0
    """Seconds that a clean end may take; then the rest is cancelled."""


OnFailure = Annotated[Literal["retry", "stop"], Meta(examples=["stop"])]
"""What to do after a sink or an adapter fails: keep retrying, or end the run."""


class EndpointsTable(Table, frozen=True):
    """``endpoints = { stream = "…", rest = "…" }``: a server of one's own."""

    stream: Annotated[str, Meta(examples=["ws://127.0.0.1:8080"])]
    rest: Annotated[str, Meta(examples=["http://127.0.0.1:8080"])]
    trades: Annotated[Literal["public", "market"], Meta(examples=["public"])] = "market"


class ReconnectTable(Table, frozen=True):
    """``reconnect = { … }``; as `connector.Reconnect`."""

    initial: Annotated[float, Meta(gt=0, examples=[0.25])] = 0.25
    factor: Annotated[float, Meta(ge=1, examples=[2.0])] = 2.0
    cap: Annotated[float, Meta(gt=0, examples=[10.0])] = 10.0
    jitter: Annotated[Literal["full", "none"], Meta(examples=["full"])] = "full"
    stable_after: Annotated[float, Meta(gt=0, examples=[10.0])] = 10.0
    max_attempts: Annotated[int, Meta(ge=1, examples=[20])] | None = None


class AdapterTable(Table, frozen=True):
    """``[adapters.NAME]``: one exchange, with all its connections."""

    exchange: Annotated[str, Meta(examples=["binance_usdm"])]
    endpoints: Annotated[str | EndpointsTable, Meta(examples=["testnet"])] = "production"
    numbers: Annotated[Literal["float", "decimal"], Meta(examples=["decimal"])] = "float"
    compression: Annotated[bool, Meta(examples=[True])] = False
    stale_after: Annotated[float, Meta(gt=0, examples=[5.0])] | None = None
    close_timeout: Annotated[float, Meta(ge=0, examples=[2.0])] = 2.0
    proxy: Annotated[str | Secret, Meta(examples=["socks5://10.0.0.1:1080"])] | None = None
    """A URL, or "environment"."""
    ca_file: Annotated[str, Meta(min_length=1, examples=["authority.pem"])] | None = None
    source_address: Annotated[str, Meta(examples=["192.0.2.5"])] | None = None
    addresses: Annotated[
        dict[str, tuple[str, ...]], Meta(examples=[{"fstream.binance.com": ["192.0.2.7"]}])
    ] = {}
    """Addresses to connect to, by host, instead of a look-up."""
    on_failure: OnFailure = "retry"
    reconnect: Annotated[ReconnectTable, Meta(examples=[{"initial": 0.25, "cap": 10.0}])] = (
        ReconnectTable()
    )


class AccountTable(Table, frozen=True):
    """``[accounts.NAME]``: an account that is watched; its key is never in the file."""

    adapter: Annotated[str, Meta(examples=["futures"])]
    key: Secret
    secret: Secret
    passphrase: Secret | None = None
    kind: Annotated[
        Literal["hmac", "ed25519", "rsa", "es256", "secp256k1"], Meta(examples=["ed25519"])
    ] = "hmac"


class GroupTable(Table, frozen=True):
    """``[groups.NAME]``: channels that are read together, with one policy."""

    adapter: Annotated[str, Meta(examples=["futures"])]
    channels: Annotated[tuple[str, ...], Meta(examples=[["trades", "best_quote"]])]
    symbols: Annotated[tuple[str, ...], Meta(examples=[["ETHUSDC", "BTCUSDC"]])] = ()
    buffer: Annotated[int, Meta(ge=1, examples=[1024])] = 1024
    overflow: Annotated[
        Literal["block", "drop_oldest", "conflate", "fail"], Meta(examples=["drop_oldest"])
    ] = "block"
    gaps: Annotated[bool | Literal["all"], Meta(examples=[True])] = True


class SinkTable(Table, frozen=True):
    """What every ``[[sinks]]`` has; beside it stand the fields of its kind."""

    kind: Annotated[str, Meta(examples=["jsonl"])]
    name: Annotated[str, Meta(min_length=1, examples=["events"])] = ""
    """Its name in logs and metrics; by default its kind."""
    groups: Annotated[tuple[str, ...] | None, Meta(examples=[["ticks"]])] = None
    """The groups whose events it writes; all, if left out."""
    on_failure: OnFailure = "retry"
