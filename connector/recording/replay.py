"""`replay`: an exchange that plays a recording, with the same feeds and gaps, without a network.

    async with open_adapter(replay(binance.UsdMFutures(), "recordings")) as adapter:
        ...

Sessions open and end where they did, with their numbers, and events carry the times at which they
were received. Two replays of one recording give the same events, at whatever speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic

import attrs

from connector.channels import Channel
from connector.errors import ConfigError
from connector.events import N_co
from connector.exchanges.protocol import (
    AnyExchange,
    AnyStream,
    E,
    Envelope,
    Exchange,
    Inbound,
    Limits,
    Liveness,
    Page,
    RestRequest,
    RestService,
    Stream,
)
from connector.exchanges.requests import PublicRequests
from connector.exchanges.symbol_form import SymbolForm
from connector.instruments import Instrument
from connector.recording.folder import files_of
from connector.recording.playhead import Playhead
from connector.recording.playing import Replaying
from connector.recording.reader import ALWAYS, Span, links_of, start_of


@attrs.frozen
class Recording:
    """A recording as a source of frames (`connector.link.source.FrameSource`).

    Args:
        paths: its files, in their order.
        speed: 1 is the recorded speed; `math.inf` does not pause.
        span: the part to play.
        zero_ns: the recorded time at which its clock begins; None: that of the first step.
    """

    paths: tuple[Path, ...]
    speed: float = 1.0
    span: Span = ALWAYS
    zero_ns: int | None = None

    @contextmanager
    def begin(self, exchange: AnyExchange) -> Iterator[Replaying]:
        """Begin at the first file."""
        starts = [start_of(path) for path in self.paths]
        for start, path in zip(starts, self.paths, strict=True):
            if start.exchange != exchange.name:
                said = f"{path} is a recording of {start.exchange}, not of {exchange.name}"
                raise ConfigError(said)
        streams = frozenset(name for start in starts for name in start.streams)
        playhead = Playhead(self.paths, self.speed, self.span, self.zero_ns)
        playhead.now_ns = starts[0].started_ns
        envelope = (exchange.exchange if isinstance(exchange, Replay) else exchange).envelope
        number_of = None if envelope is None else envelope.number
        try:
            yield Replaying(exchange, playhead, streams, number_of)
        finally:
            playhead.close()


@attrs.frozen
class Replay(Generic[N_co]):
    """An exchange with a recording as its source. `replay` creates it."""

    exchange: Exchange[N_co]
    """Pass it to `open_adapter`."""
    source: Recording
    """The recording that is played."""
    routes: Mapping[str, str] = attrs.field(eq=False)
    """The recorded route of each stream, by its name."""

    @property
    def name(self) -> str:
        """As of the exchange."""
        return self.exchange.name

    @property
    def numbers(self) -> type[N_co]:
        """As of the exchange."""
        return self.exchange.numbers

    @property
    def symbol_form(self) -> SymbolForm:
        """As of the exchange."""
        return self.exchange.symbol_form

    @property
    def limits(self) -> Limits:
        """As of the exchange."""
        return self.exchange.limits

    @property
    def envelope(self) -> Envelope | None:
        """As the exchange's; the player checks the numbers before streams are left out."""
        envelope = self.exchange.envelope
        return None if envelope is None else attrs.evolve(envelope, number=None)

    @property
    def liveness(self) -> Liveness:
        """As for the exchange, though there is no server to ping."""
        return self.exchange.liveness

    @property
    def compression(self) -> bool:
        """As of the exchange."""
        return self.exchange.compression

    @property
    def default_route(self) -> str:
        """As of the exchange."""
        return self.exchange.default_route

    @property
    def notice(self) -> None:
        """None: what happens at the exchange does not concern a recording."""
        return

    @property
    def rest(self) -> RestService:
        """As of the exchange; it is not asked."""
        return self.exchange.rest

    def url(self, route: str) -> str:
        """As for the exchange, but no connection is made to it."""
        return self.exchange.url(route)

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """As of the exchange, on the route that brought it."""
        stream = self.exchange.stream(channel)
        return attrs.evolve(stream, route=self.routes.get(stream.name, stream.route))

    def subscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """As of the exchange; it is not sent."""
        return self.exchange.subscribe(request_id, streams)

    def unsubscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """As of the exchange; it is not sent."""
        return self.exchange.unsubscribe(request_id, streams)

    def instruments(
        self,
    ) -> RestRequest[tuple[Instrument, ...]] | RestRequest[Page[Instrument]]:
        """As of the exchange; answered if they were recorded."""
        return self.exchange.instruments()

    @property
    def requests(self) -> PublicRequests:
        """As of the exchange; answered if they were recorded."""
        return self.exchange.requests

    def parse(self, frame: bytes) -> Inbound:
        """As of the exchange."""
        return self.exchange.parse(frame)


def replay(
    exchange: Exchange[N_co],
    paths: str | Path | Sequence[str | Path],
    *,
    speed: float = 1.0,
    since_ns: int | None = None,
    until_ns: int | None = None,
) -> Replay[N_co]:
    """Replay a recording of `exchange`. Pass the result to `open_adapter`.

    Args:
        exchange: the recorded exchange, such as ``binance.UsdMFutures()``.
        paths: a file, a folder, or several files. They are played in the order of recording. A
            file that is not a recording is left out, with a warning in the log.
        speed: 1 for the original speed, 10 for ten times that, `math.inf` for as fast as possible.
            The time is trio's: with `trio.testing.MockClock`, no speed takes any. With `math.inf`
            use `Overflow.BLOCK`; the other policies would drop most events.
        since_ns: begin with frames received at this time, nanoseconds since the epoch.
        until_ns: end before frames received at this time.

    Raises:
        ConfigError: there is no such recording, or more than one of that exchange, or no such
            speed.
    """
    if isinstance(speed, bool) or not speed > 0:
        raise ConfigError(f"speed={speed!r}: write a number above 0, or math.inf")
    files = files_of(paths, exchange.name)
    return _replay(exchange, Recording(files, float(speed), Span(since_ns, until_ns)))


def _replay(exchange: Exchange[N_co], recording: Recording) -> Replay[N_co]:
    routes: dict[str, str] = {}
    with suppress(OSError, ConfigError):  # raised when it begins
        for path in recording.paths:
            routes.update(start_of(path).routes)
        for stream, link in links_of(recording.paths).items():
            routes[stream] = link.removeprefix(f"{exchange.name}/").partition("#")[0]
    return Replay(exchange, recording, routes)
