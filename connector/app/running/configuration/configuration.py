"""`Configuration`: all settings of ``connector run``, as one frozen value.

`read_configuration` makes it from the text of a TOML file, or raises `Misconfigured` with every
mistake in it. Nothing is connected to and no secret is kept.
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

import attrs
import msgspec

from connector.adapter.channel_streams import can_share
from connector.app.naming import (
    EXCHANGES,
    environments,
    module_of,
    parse_channels,
    write_channel,
)
from connector.app.redis_address import check_written
from connector.app.running.configuration.network_way import Way, check_proxy, check_tcp
from connector.app.running.configuration.places import Path, find_places
from connector.app.running.configuration.plans import (
    AccountPlan,
    AdapterPlan,
    Configuration,
    GroupPlan,
    SinkPlan,
)
from connector.app.running.configuration.reading import Findings, Mistake, read_table, unknown
from connector.app.running.configuration.tables import (
    AccountTable,
    AdapterTable,
    GroupTable,
    LogTable,
    MetricsTable,
    RunTable,
    SinkTable,
)
from connector.app.running.configuration.targets import targets_of
from connector.app.running.sinks import (
    ELSEWHERE,
    FRAME_KINDS,
    KINDS,
    RecordedFrames,
    RedisEvents,
    RedisFrames,
    settings_of,
)
from connector.channels import AnyChannel
from connector.errors import ConfigError
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Overflow
from connector.link.pacing import Reconnect
from connector.trading.client_ids import check_name

S = TypeVar("S")
P = TypeVar("P")
T = TypeVar("T")

_EXTRAS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "metrics": (("prometheus_client", "prometheus-client"), ("hypercorn", "hypercorn")),
        "redis": (("coredis", "coredis"),),
        "capture": (("zstandard", "zstandard"),),
    }
)
"""The modules of an extra, with the packages that bring them."""

_NUMBERS: Mapping[str, type[Any]] = MappingProxyType({"float": float, "decimal": Decimal})


class Misconfigured(ConfigError):
    """A configuration that cannot work; `mistakes` has all that is wrong with it."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes

    def __reduce__(self) -> tuple[type[Misconfigured], tuple[tuple[Mistake, ...]]]:
        return type(self), (self.mistakes,)


def read_configuration(text: str) -> Configuration:
    """The configuration that the TOML document `text` writes.

    Raises:
        Misconfigured: something in it cannot work.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured((_syntax(str(error)),)) from error
    reader = _Reader(document, Findings(find_places(text)))
    configuration = reader.read()
    if reader.findings:
        raise Misconfigured(tuple(reader.findings))
    return configuration


def _syntax(message: str) -> Mistake:
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    line = int(found[1]) if found else 1
    return Mistake(line, "", f"line {line}: not TOML: {message}")


class _Reader:
    """Reads one document; what is wrong gathers in `findings`."""

    def __init__(self, document: dict[str, Any], findings: Findings) -> None:
        self.findings = findings
        self._document = document
        self._written: dict[str, dict[AnyChannel, int]] = {}
        """Of each group, which of its ``channels`` writes each channel."""

    def read(self) -> Configuration:
        """Everything; of use only when there are no `findings`."""
        known = [field.name for field in attrs.fields(Configuration)]
        for key in self._document:
            if key not in known:
                self.findings.add((key,), unknown("table", key, known))
        adapters = self._named("adapters", AdapterTable, 'exchange = "binance_usdm"', self._adapter)
        groups = self._named("groups", GroupTable, 'channels = ["trades"]', self._group)
        self._check_offers(adapters, groups)
        return Configuration(
            adapters=adapters,
            groups=groups,
            sinks=self._sinks(adapters, groups),
            log=self._single("log", LogTable) or LogTable(),
            metrics=self._metrics(),
            run=self._single("run", RunTable) or RunTable(),
            accounts=self._accounts(adapters),
        )

    def _named(
        self, key: str, kind: type[S], example: str, make: Callable[[S, Path], P | None]
    ) -> dict[str, P]:
        """What `make` makes of the tables ``[key.NAME]``, without those that are wrong."""
        tables = self._document.get(key, {})
        if not isinstance(tables, dict) or not tables:
            self.findings.add((key,), f"there is none; write [{key}.NAME] with {example}")
            return {}
        made: dict[str, P] = {}
        for name, value in tables.items():
            table = read_table(kind, value, (key, name), self.findings)
            plan = None if table is None else make(table, (key, name))
            if plan is not None:
                made[name] = plan
        return made

    def _single(self, key: str, kind: type[S]) -> S | None:
        if key not in self._document:
            return None
        return read_table(kind, self._document[key], (key,), self.findings)

    def _metrics(self) -> MetricsTable | None:
        table = self._single("metrics", MetricsTable)
        if table is not None:
            self._check_installed(("metrics",), "metrics", "to serve metrics")
            self._try(("metrics", "bind"), split_address, table.bind)
        return table

    def _adapter(self, table: AdapterTable, path: Path) -> AdapterPlan | None:
        exchange = EXCHANGES.get(table.exchange)
        # Read in any case, for the mistakes in it.
        endpoints = self._endpoints(table, (*path, "endpoints"))
        way = self._way(table, path)
        if exchange is None:
            if table.exchange:
                known = unknown("exchange", table.exchange, EXCHANGES)
                self.findings.add((*path, "exchange"), known)
            return None
        return AdapterPlan(
            exchange=exchange(
                endpoints=endpoints,
                numbers=_NUMBERS[table.numbers],
                compression=table.compression,
            ),
            reconnect=Reconnect(**msgspec.structs.asdict(table.reconnect)),
            stale_after=table.stale_after,
            close_timeout=table.close_timeout,
            on_failure=table.on_failure,
            way=way,
        )

    def _way(self, table: AdapterTable, path: Path) -> Way:
        # One at a time, so that each is told where it stands.
        self._try((*path, "ca_file"), check_tcp, table.ca_file, None, {})
        self._try((*path, "source_address"), check_tcp, None, table.source_address, {})
        self._try((*path, "addresses"), check_tcp, None, None, table.addresses)
        if table.proxy is not None:
            self._try((*path, "proxy"), check_proxy, table.proxy)
        return Way(
            proxy=table.proxy,
            ca_file=table.ca_file,
            source_address=table.source_address,
            addresses=tuple(table.addresses.items()),
        )

    def _endpoints(self, table: AdapterTable, path: Path) -> Any:
        written = table.endpoints
        # Whatever the exchange is called, the mistakes in its endpoints are told.
        name = table.exchange if table.exchange in EXCHANGES else next(iter(EXCHANGES))
        if isinstance(written, str):
            known = environments(name)
            environment = known.get(written)
            if environment is None:
                own = '; or a server of your own, { stream = "ws://…", rest = "http://…" }'
                self.findings.add(path, unknown("environment", written, known) + own)
            return known["production"] if environment is None else environment
        kind = module_of(name).Endpoints
        # One at a time, so that each is told where it stands.
        made: dict[str, str] = {}
        for key, other in {"stream": "ws://localhost", "rest": "http://localhost"}.items():
            urls = {"stream": "ws://localhost", "rest": "http://localhost"}
            urls[key] = getattr(written, key) or other
            right = self._try((*path, key), lambda each: kind.at(**each), urls)
            made[key] = other if right is None else urls[key]
        endpoints = kind.at(**made)
        if hasattr(endpoints, "trades"):
            return attrs.evolve(endpoints, trades=written.trades)
        return endpoints

    def _group(self, table: GroupTable, path: Path) -> GroupPlan | None:
        adapters = self._document.get("adapters", {})
        if table.adapter and table.adapter not in adapters:
            self.findings.add((*path, "adapter"), unknown("adapter", table.adapter, adapters))
        if table.channels == ():
            self.findings.add(
                (*path, "channels"), 'there is none; write, for example, channels = ["trades"]'
            )
        channels = self._written[str(path[-1])] = {}
        for index, text in enumerate(table.channels or ()):
            where = (*path, "channels", index)
            for channel in self._try(where, parse_channels, text, table.symbols) or ():
                if channels.setdefault(channel, index) != index:
                    self.findings.add(where, f"{write_channel(channel)} is listed twice")
        return GroupPlan(
            adapter=table.adapter,
            channels=tuple(channels),
            buffer=table.buffer,
            overflow=Overflow(table.overflow),
            gaps=table.gaps,
        )

    def _check_offers(
        self, adapters: Mapping[str, AdapterPlan], groups: Mapping[str, GroupPlan]
    ) -> None:
        """Note the channels that their exchange does not offer."""
        kinds: dict[tuple[str, str], AnyStream] = {}
        for name, group in groups.items():
            plan = adapters.get(group.adapter)
            if plan is None:
                continue
            for channel in group.channels:
                where = ("groups", name, "channels", self._written[name][channel])
                stream = self._try(where, plan.exchange.stream, channel)
                if stream is None:
                    continue
                known = kinds.setdefault((group.adapter, stream.name), stream)
                if not can_share(known, stream):
                    self.findings.add(
                        where,
                        f"{write_channel(known.channel)} is the same stream, which is decoded "
                        "once; write one of them, or give each an adapter of its own",
                    )

    def _accounts(self, adapters: Mapping[str, AdapterPlan]) -> dict[str, AccountPlan]:
        if "accounts" not in self._document:
            return {}
        example = 'adapter = "futures", key = { env = "BINANCE_KEY" }'
        accounts = self._named("accounts", AccountTable, example, self._account)
        for name, plan in accounts.items():
            adapter = adapters.get(plan.adapter)
            if adapter is not None and not hasattr(adapter.exchange, "trading"):
                where = ("accounts", name, "adapter")
                self.findings.add(where, f"{adapter.exchange.name} has no accounts")
        return accounts

    def _account(self, table: AccountTable, path: Path) -> AccountPlan | None:
        adapters = self._document.get("adapters", {})
        if table.adapter and table.adapter not in adapters:
            self.findings.add((*path, "adapter"), unknown("adapter", table.adapter, adapters))
        self._try(path, check_name, path[-1])
        if None in (table.key, table.secret):  # which is a finding already
            return None
        return AccountPlan(table.adapter, table.key, table.secret, table.passphrase, table.kind)

    def _sinks(
        self, adapters: Mapping[str, AdapterPlan], groups: Mapping[str, GroupPlan]
    ) -> dict[str, SinkPlan]:
        tables = self._document.get("sinks", [])
        if not isinstance(tables, list) or not tables:
            self.findings.add(("sinks",), 'there is none; write [[sinks]] with kind = "log"')
            return {}
        sinks: dict[str, SinkPlan] = {}
        writers: dict[object, tuple[str, str]] = {}
        for index, value in enumerate(tables):
            path = ("sinks", index)
            if not isinstance(value, dict):
                self.findings.add(path, "write [[sinks]], a table for each")
                continue
            before = len(self.findings)
            plan = self._sink(value, path)
            right = len(self.findings) == before
            name = value.get("name") or value.get("kind")
            if isinstance(name, str) and name in sinks:
                self.findings.add(
                    path, f"another sink is called {name!r}; give one a name of its own"
                )
            elif plan is not None:
                sinks[str(name)] = plan
                for key, target, adapter in targets_of(plan, adapters, groups) if right else ():
                    writer = str(name), adapter
                    first = writers.setdefault(target, writer)
                    if first[0] != name:
                        other = f"the sink {first[0]!r} writes there, too; give each"
                        self.findings.add((*path, key), f"{other} a {key} of its own")
                    elif first != writer:
                        both = f"the adapters {first[1]!r} and {adapter!r} would write to the same"
                        self.findings.add(
                            path, f"{both} stream; give each a sink with a {key} of its own"
                        )
        read = {group for each in sinks.values() for group in each.groups}
        for group in groups if len(sinks) == len(tables) else ():
            if group not in read:
                self.findings.add(("groups", group), "no sink takes it; name it in a sink's groups")
        return sinks

    def _sink(self, value: dict[str, Any], path: Path) -> SinkPlan | None:
        common = {field.name for field in msgspec.structs.fields(SinkTable)}
        of_kind = {key: each for key, each in value.items() if key not in common}
        table = read_table(
            SinkTable,
            {key: each for key, each in value.items() if key in common},
            path,
            self.findings,
        )
        if table is None:
            return None
        groups = self._document.get("groups", {})
        for index, group in enumerate(table.groups or ()):
            if group not in groups:
                self.findings.add((*path, "groups", index), unknown("group", group, groups))
        kind = settings_of(table.kind, value.get("what"))
        if kind is None:
            if table.kind:
                known = {**KINDS, **FRAME_KINDS}
                what = ELSEWHERE.get(table.kind) or unknown("kind of sink", table.kind, known)
                self.findings.add((*path, "kind"), what)
            return None
        settings = read_table(kind, of_kind, path, self.findings)
        if isinstance(settings, RedisEvents | RedisFrames):
            self._check_installed(path, "redis", "to write to Redis")
            self._try((*path, "url"), check_written, settings.url)
        elif isinstance(settings, RecordedFrames):
            self._check_installed(path, "capture", "to record")
        taken = tuple(groups if table.groups is None else table.groups)
        if settings is None:
            return None
        return SinkPlan(table.kind, taken, settings, table.on_failure)

    def _check_installed(self, path: Path, extra: str, purpose: str) -> None:
        for module, package in _EXTRAS[extra]:
            if importlib.util.find_spec(module) is None:
                self.findings.add(
                    path,
                    f"{package} is needed {purpose}; install it with: "
                    f'python -m pip install "trio-connector[{extra}]"',
                )

    def _try(self, path: Path, make: Callable[..., T], *arguments: Any) -> T | None:
        """What `make` makes; its ConfigError is a mistake at `path`."""
        try:
            return make(*arguments)
        except ConfigError as error:
            self.findings.add(path, str(error).removeprefix("Endpoints: "))
            return None


def split_address(bind: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:9090``, ``:9090`` or ``[::1]:9090``.

    Raises:
        ConfigError: it is none of these.
    """
    found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\[\]:/\s]*):(\d{1,5})", bind)
    if found is None or int(found[2]) > 65535:
        raise ConfigError(
            f'{bind!r} is not an address; write, for example, bind = "127.0.0.1:9090"'
        )
    return found[1].strip("[]"), int(found[2])
