"""The parts of a configuration as frozen values: adapters, groups of channels, and sinks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from connector.app.running.configuration.network_way import Way
from connector.app.running.configuration.tables import LogTable, MetricsTable, RunTable
from connector.app.running.sinks import AnySettings
from connector.app.secret import Secret
from connector.channels import AnyChannel
from connector.exchanges.protocol import Exchange
from connector.feeds.buffer import Gaps, Overflow
from connector.keys import ApiKey, Kind
from connector.link.pacing import Reconnect


@attrs.frozen
class AdapterPlan:
    """One adapter."""

    exchange: Exchange
    reconnect: Reconnect
    stale_after: float | None
    close_timeout: float
    on_failure: Literal["retry", "stop"] = "retry"
    way: Way = attrs.field(factory=Way)


@attrs.frozen
class AccountPlan:
    """One account of an adapter, and the place of its key."""

    adapter: str
    key: Secret
    secret: Secret
    passphrase: Secret | None
    kind: Kind

    def read_key(self) -> ApiKey:
        """The key itself: pass it on, do not keep it.

        Raises:
            ConfigError: it is not where it should be, or is no such key.
        """
        passphrase = None if self.passphrase is None else self.passphrase.reveal()
        return ApiKey(
            self.key.reveal(), self.secret.reveal(), kind=self.kind, passphrase=passphrase
        )


@attrs.frozen
class GroupPlan:
    """Channels of one adapter that are read together."""

    adapter: str
    channels: tuple[AnyChannel, ...]
    buffer: int
    overflow: Overflow
    gaps: Gaps


@attrs.frozen
class SinkPlan:
    """One sink, and the groups that it takes."""

    kind: str
    groups: tuple[str, ...]
    settings: AnySettings
    on_failure: Literal["retry", "stop"] = "retry"


@attrs.frozen
class Configuration:
    """What is to run; the parts by their names."""

    adapters: Mapping[str, AdapterPlan]
    groups: Mapping[str, GroupPlan]
    sinks: Mapping[str, SinkPlan]
    log: LogTable
    metrics: MetricsTable | None
    """None: nothing is served."""
    run: RunTable
    accounts: Mapping[str, AccountPlan] = attrs.field(factory=dict)
