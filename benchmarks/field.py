"""The field: who takes part, in which workloads, and what has to be installed for it."""

from __future__ import annotations

import attrs

MARK = "picows bare"
"""What ratios are to."""
US = "connector"
UNCOMPILED = "connector, not compiled"
TWO_TASKS = "trio, two tasks"
"""The least that a reading and a consuming task of trio can do."""
BARE_TRIO = "trio bare"
"""The least that orders cost on trio: a task that places, and one that reads each connection."""
ANY = ("depth5", "trade", "aggTrade", "bookTicker", "depth", "mix")


@attrs.frozen
class Contestant:
    """One client."""

    module: str
    package: str | None = None
    """What has to be installed, into an environment of its own; None if it is in ours."""
    workloads: tuple[str, ...] = ANY
    options: tuple[str, ...] = ()
    deflate: bool = False
    slow: bool = False
    secure: bool = False
    """Whether it connects with TLS only."""
    plain: bool = True
    """Whether it takes part without TLS, or compression."""
    compiled: bool = True
    """Whether the compiled part of `connector` is used."""

    @property
    def full(self) -> bool:
        """Whether it is a connector of its own, rather than a WebSocket client with msgspec."""
        return self.package is not None

    @property
    def share(self) -> int:
        """One part in so many of the messages is enough."""
        return 10 if self.slow or self.full else 1


CONTESTANTS = {
    MARK: Contestant("picows_bare"),
    US: Contestant("connector_feed", deflate=True),
    UNCOMPILED: Contestant("connector_feed", deflate=True, compiled=False),
    "connector, batches": Contestant("connector_feed", options=("--way", "batches")),
    "connector, Decimal": Contestant(
        "connector_feed", workloads=("depth5", "trade", "mix"), options=("--way", "decimal")
    ),
    "picows.websockets": Contestant("picows_websockets", deflate=True, plain=False),
    "aiohttp": Contestant("aiohttp_client", deflate=True),
    "websockets": Contestant("websockets_asyncio", deflate=True),
    "trio-websocket": Contestant("trio_websocket_plain", slow=True),
    "python-binance": Contestant("full_python_binance", "python-binance", ("depth5", "trade")),
    "unicorn": Contestant(
        "full_unicorn", "unicorn-binance-websocket-api", ("depth5", "trade", "aggTrade")
    ),
    "ccxt.pro": Contestant("full_ccxt", "ccxt", ("trade",)),
    "nautilus_trader": Contestant("full_nautilus", "nautilus_trader", ("trade",)),
    "binance-sdk": Contestant(
        "full_binance_sdk", "binance-sdk-derivatives-trading-usds-futures", ("depth5", "aggTrade")
    ),
    "cryptofeed": Contestant("full_cryptofeed", "cryptofeed>=2.4", ("aggTrade",), secure=True),
}

PACED = {
    MARK: Contestant("latency_picows"),
    US: Contestant("latency_connector"),
    "websockets": Contestant("latency_websockets"),
    "trio, one task": Contestant("latency_trio"),
    TWO_TASKS: Contestant("latency_trio", options=("--way", "batches")),
}
"""Who is measured for latency: the last two are no clients, but the least that trio can do."""

LATE = {MARK: Contestant("picows_bare"), "connector, CONFLATE": Contestant("late_connector")}
"""Offered more than is wanted: a client that decodes everything, a consumer of 1 ms per event."""

ORDERS = {
    MARK: Contestant("orders_picows"),
    BARE_TRIO: Contestant("orders_trio"),
    US: Contestant("orders_connector"),
    "binance-sdk": Contestant("orders_binance_sdk", "binance-sdk-derivatives-trading-usds-futures"),
    "python-binance": Contestant("orders_python_binance", "python-binance"),
    "ccxt.pro": Contestant("orders_ccxt", "ccxt"),
}
"""Who places orders, over the WebSocket API. The first two are no clients, but the least that
asyncio with picows and trio can do. *nautilus_trader* has none: it places over REST."""

IDLE = {
    "connector, a link of one adapter": "link",
    "connector, an adapter": "adapter",
    MARK: "picows",
    "websockets": "websockets",
    "trio-websocket": "trio-websocket",
}
"""What a connection at rest holds, by the argument of `benchmarks.contestants.idle`."""


@attrs.frozen
class Workload:
    """One row group of the table."""

    name: str
    messages: int
    symbols: int = 1
    tls: bool = False
    deflate: bool = False

    def __str__(self) -> str:
        symbols = f", {self.symbols} symbols" * (self.symbols > 1)
        return f"{self.name}{symbols}{', TLS' * self.tls}{', deflate' * self.deflate}"

    def fits(self, contestant: Contestant) -> bool:
        """Whether the contestant can take part."""
        if self.deflate:
            return contestant.deflate
        alone = self.symbols == 1 and self.tls == contestant.secure
        return (
            contestant.plain
            and self.name in contestant.workloads
            and (alone or not contestant.full)
        )


HEADLINES = (Workload("depth5", 100_000), Workload("depth5", 60_000, tls=True))
WORKLOADS = (
    *HEADLINES,
    Workload("depth5", 100_000, symbols=50),
    Workload("depth5", 60_000, symbols=50, tls=True),
    Workload("depth5", 60_000, deflate=True),
    Workload("trade", 150_000),
    Workload("trade", 150_000, symbols=50),
    Workload("aggTrade", 150_000),
    Workload("aggTrade", 60_000, tls=True),
    Workload("bookTicker", 150_000),
    Workload("depth", 50_000),
    Workload("mix", 58_000),
)
