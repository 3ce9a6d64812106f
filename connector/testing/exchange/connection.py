"""One connection of the simulated exchange: sending, reading, limits and faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from fnmatch import fnmatchcase

import trio

from connector.testing.exchange import stream_requests
from connector.testing.exchange.event_log import Log
from connector.testing.exchange.kit_conversation import conversation_of
from connector.testing.exchange.lasting_faults import LASTING, Spoiler
from connector.testing.exchange.outbox import Outbox
from connector.testing.exchange.trading.conversation import Conversation
from connector.testing.exchange.trading.opening import API_ROUTE, TradingSide
from connector.testing.exchange.trading.private_stream import PrivateStream
from connector.testing.faults import distortion
from connector.testing.faults.faults import Fault
from connector.testing.market.audience import Audience
from connector.testing.network import server_websocket
from connector.testing.network.memory_connection import MemoryConnection
from connector.testing.network.server_end import Wire
from connector.testing.network.timers import Timers
from connector.testing.venues.rules import StreamPath, Venue

CLOSE_TIMEOUT_SECONDS = 5.0
OUTBOX_LIMIT_BYTES = 64 << 20
"""A client for which this many bytes are unsent is disconnected."""
CUT_SECONDS = 0.001
"""Delay between the last bytes of a cut reply and the reset, so that the bytes can arrive."""
GOING_AWAY, POLICY_VIOLATION = 1001, 1008
INVALID_REQUEST = 2


class ServerConnection:
    """A live connection at the exchange; its attributes are to be read only.

    Attributes:
        number: 1, 2, 3 … in the order in which connections reached the exchange.
        path: the request's target.
        route: the venue's route, such as ``/public``.
        combined: whether data is wrapped in ``{"stream": …, "data": …}``.
        opened_seconds: time of its acceptance, in seconds since the exchange was opened.
        messages_sent: number of data messages sent.
        messages_received: number of messages, pings and pongs received from the client.
        live: false as soon as the exchange has noticed, or decided, that the connection is over.
        reason: why the connection is over.
    """

    def __init__(
        self,
        number: int,
        path: str,
        understood: StreamPath,
        wire: Wire,
        *,
        venue: Venue,
        audience: Audience,
        log: Log,
        nested_errors: bool,
        trading: TradingSide | None = None,
    ) -> None:
        self.number = number
        self.path = path
        self.route = understood.route
        self.combined = understood.combined
        self.opened_seconds = log.seconds
        self.messages_sent = 0
        self.messages_received = 0
        self.live = True
        self.reason: str | None = None
        self._initial = understood.streams
        self._wire = wire
        self._venue = venue
        self._rules = venue.rules
        self._audience = audience
        self._log = log
        self._nested_errors = nested_errors
        self._streams: dict[str, None] = {}
        self._outbox = Outbox()
        self._timers = Timers()
        self._spoiler = Spoiler()
        self._by_count: list[tuple[int, Fault]] = []
        self._closing = False
        self._holds_open = False
        self._drops = False
        self._over = trio.Event()
        self._recent: deque[float] = deque()
        self._pings: dict[bytes, float] = {}
        self._conversation: Conversation | None = None
        self._private: PrivateStream | None = None
        self._kit = conversation_of(self, venue, audience, self._spoiler, self._timers)
        self._heard = trio.current_time()
        if trading is not None and self.route == API_ROUTE:
            self._conversation = trading.converse(self, path)
        elif trading is not None:
            self._private = trading.listen(self, self.route)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Names of the subscribed streams, in order; this route may not carry all of them."""
        return tuple(self._streams)

    @property
    def memory(self) -> MemoryConnection | None:
        """The connection of a network in memory that carries it, if one does."""
        return self._wire.memory

    @property
    def unsent_bytes(self) -> int:
        """Number of bytes that the network has not accepted yet."""
        return self._outbox.unsent_bytes

    @property
    def bytes_sent(self) -> int:
        """Number of bytes that the network has accepted."""
        return self._outbox.bytes_sent

    def __repr__(self) -> str:
        state = "live" if self.live else f"over: {self.reason}"
        return f"<ServerConnection #{self.number} {self.path} {state}>"

    # -- life -----------------------------------------------------------------------------------

    async def run(self, rest: bytes) -> None:
        """Serve the connection until it is over; `rest` was received after the request."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send)
                nursery.start_soon(self._timers.run)
                nursery.start_soon(self._read, rest)
                nursery.start_soon(self._watch_dead)
                self._begin()
                await self._over.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._end("the exchange was closed")
            self._log.note(self.number, "disconnected", self.reason or "")

    def _begin(self) -> None:
        rules = self._rules
        if len(self._initial) > rules.streams_per_connection:
            self._forbid("too many streams")
            return
        if self._private is not None:
            self._private.begin(*self.path.partition("?")[::2])
        for name in self._initial:
            self._subscribe(name, by_url=True)
        if self._kit is not None:
            self._kit.begin()
        self._timers.after(rules.client_silence_seconds, self._miss_client)
        self._timers.after(rules.ping_seconds, self._ping)
        if rules.announces_shutdown:
            notice = max(0.0, rules.lifetime_seconds - rules.shutdown_notice_seconds)
            self._timers.after(notice, self._announce_shutdown)
        self._timers.after(rules.lifetime_seconds, lambda: self.close(GOING_AWAY, "end of life"))

    def _end(self, reason: str) -> None:
        if self.reason is None:
            self.reason = reason
        self.live = False
        self._leave_audience()
        self._outbox.wake()
        self._over.set()

    def _leave_audience(self) -> None:
        for name in self._streams:
            self._audience.remove(name, self)
        for ears in (self._conversation, self._private):
            if ears is not None:
                ears.end()

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        """Send a close frame; then wait for the client's answer, or drop the connection."""
        if self._closing or not self.live:
            return
        self._put(server_websocket.close_frame(code, reason))
        self._stop_sending(f"closed by the exchange: {code} {reason}".rstrip())
        if drop:
            self._drops = True
            self._outbox.seal()
        if not self._holds_open:
            self._timers.after(CLOSE_TIMEOUT_SECONDS, lambda: self._end("closed"))

    def _stop_sending(self, reason: str) -> None:
        self._closing = True
        self._leave_audience()
        if self.reason is None:
            self.reason = reason

    # -- sending --------------------------------------------------------------------------------

    def _put(self, data: bytes) -> None:
        if self._closing or not self.live:
            return
        self._outbox.put(data)
        if self.unsent_bytes > OUTBOX_LIMIT_BYTES:
            self._end("the client does not read the sent data")

    async def wait_room(self, most_bytes: int) -> None:
        """Wait until at most this many bytes are unsent, or the connection is over."""
        while self.live and not self._closing and self.unsent_bytes > most_bytes:
            await self._outbox.wait_change()

    async def _send(self) -> None:
        if not await self._outbox.run(self._wire):
            self._end("the client is gone")
        elif self._drops:
            self._end("dropped")
        else:
            await self._wire.fin()

    def deliver(self, stream: str, data: bytes, frame: bytes | None = None) -> bool:
        """Send a payload of a stream; `frame` is its frame, if it was made already.

        Returns whether it was sent: a fault may withhold it.
        """
        if self._closing or not self.live:
            return False
        if self._spoiler:
            closes = self._spoiler.has("close_at_first_data", stream)
            if closes is not None:
                self.close(closes.code or GOING_AWAY, closes.message)
            if closes is not None or self._spoiler.withholds(stream):
                return False
            text = self._message(stream, data)
            frame = self._spoiler.spoil(stream, text, frame or server_websocket.text_frame(text))
        elif frame is None:
            frame = server_websocket.text_frame(self._message(stream, data))
        self._put(frame)
        self.messages_sent += 1
        while self._by_count and self._by_count[0][0] <= self.messages_sent:
            self.strike(self._by_count.pop(0)[1])
        return True

    def _message(self, stream: str, data: bytes) -> bytes:
        wrapped = distortion.payload_of(stream, data, combined=self.combined)
        return wrapped if self._kit is None else self._kit.message(stream, data)

    def say(self, text: bytes) -> None:
        """Send a message that is neither data nor a reply."""
        self._put(server_websocket.text_frame(text))

    # -- receiving ------------------------------------------------------------------------------

    async def _read(self, rest: bytes) -> None:
        frames: server_websocket.FrameReader | None = server_websocket.FrameReader()
        data = rest
        try:
            while self.live or self._wire.dead:
                try:
                    for message in frames.feed(data) if frames and not self._wire.dead else ():
                        await self._receive(message)
                except server_websocket.ProtocolViolation as violation:
                    frames = None
                    self._log.note(self.number, "violation", str(violation))
                    self.close(violation.code, violation.reason)
                data = bytes(await self._wire.stream.receive_some())
                if not data:
                    self._end("the client ended the stream")
                    return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end("the client broke the connection")

    async def _watch_dead(self) -> None:
        await self._wire.wait_abandoned()
        if self._wire.dead:
            self._end("the client left a dead connection")

    async def _receive(self, message: server_websocket.Message) -> None:
        self.messages_received += 1
        self._heard = trio.current_time()
        if message.opcode == server_websocket.CLOSE:
            await self._receive_close(message.close_code)
        elif self._counts(message) and self._is_too_fast():
            self._forbid("too many requests")
        elif message.opcode == server_websocket.PING:
            if self._spoiler.has("no_pong") is None:
                self._put(server_websocket.frame(server_websocket.PONG, message.payload))
        elif message.opcode == server_websocket.PONG:
            self._receive_pong(message.payload)
        elif not self._closing:
            self._obey(message.payload)

    async def _receive_close(self, code: int) -> None:
        with trio.move_on_after(CLOSE_TIMEOUT_SECONDS):
            self._put(server_websocket.close_frame(None if code == 1005 else code))
            await self._outbox.flush()
        if not self._holds_open:
            self._end(f"closed by the client: {code}")

    def _counts(self, message: server_websocket.Message) -> bool:
        """Whether messages are rate limited; the WebSocket API has weights (binance_trading §9)."""
        return self._conversation is None or message.opcode >= server_websocket.CLOSE

    def _is_too_fast(self) -> bool:
        now = trio.current_time()
        self._recent.append(now)
        while self._recent[0] <= now - 1.0:
            self._recent.popleft()
        return len(self._recent) > self._rules.messages_per_second

    def _forbid(self, reason: str) -> None:
        self._log.note(self.number, "violation", reason)
        self.close(POLICY_VIOLATION, reason, drop=True)

    def _obey(self, text: bytes) -> None:
        self._log.note(self.number, "request", text.decode())
        if self._conversation is not None:
            self._conversation.receive(text)
            return
        if self._kit is not None:
            self._kit.receive(text)
            return
        try:
            command = stream_requests.parse(text, self._rules)
            value = self._carry_out(command)
        except stream_requests.Refused as refused:
            reply = stream_requests.error(refused, nested=self._nested_errors)
        else:
            reply = stream_requests.result(command.request_id, value)
        if self._spoiler.has("no_ack") is None and self._spoiler.has("mute") is None:
            self._log.note(self.number, "reply", reply.decode())
            self._put(server_websocket.text_frame(reply))

    # -- for accounts -------------------------------------------------------------------------

    def reply(self, text: bytes) -> None:
        """Send a reply of the WebSocket API, unless a fault withholds it."""
        if self._spoiler.has("no_ack") is None and self._spoiler.has("mute") is None:
            self._log.note(self.number, "reply", text.decode())
            self._put(server_websocket.text_frame(text))

    def cut(self, text: bytes, first_bytes: int) -> None:
        """Send this many bytes of a message's frame, and reset the connection."""
        if not self.live:
            return
        if first_bytes:
            self._put(server_websocket.text_frame(text)[:first_bytes])
        self._stop_sending("cut")
        self._timers.after(CUT_SECONDS, self._reset)

    def _reset(self) -> None:
        self._end("cut")
        self._wire.reset()

    # -- requests for streams -------------------------------------------------------------------

    def _carry_out(self, command: stream_requests.Command) -> object:
        if command.method == "SUBSCRIBE":
            self._subscribe_all(command)
        elif command.method == "UNSUBSCRIBE":
            for name in command.params:
                if name in self._streams:
                    del self._streams[name]
                    self._audience.remove(name, self)
        elif command.method == "LIST_SUBSCRIPTIONS":
            return list(self._streams)
        elif command.method == "SET_PROPERTY":
            self.combined = command.params[1]
        elif command.method == "GET_PROPERTY":
            return self.combined
        return None

    def _subscribe_all(self, command: stream_requests.Command) -> None:
        for name in command.params:
            if (fault := self._spoiler.has("reject_subscription", name)) is not None:
                words = fault.message or "Invalid request: invalid stream"
                raise stream_requests.Refused(
                    INVALID_REQUEST if fault.code is None else fault.code,
                    words,
                    command.request_id,
                )
        if self._spoiler.has("no_ack") is not None:
            return
        if len(self._streams | dict.fromkeys(command.params)) > self._rules.streams_per_connection:
            self._forbid("too many streams")
            return
        for name in command.params:
            self._subscribe(name)

    def _subscribe(self, name: str, *, by_url: bool = False) -> None:
        if name not in self._streams:
            self._streams[name] = None
            if self._private is not None and not by_url:
                self._private.attach(name)
            if self._venue.serves(self.route, name):
                self._audience.add(name, self)

    # -- for a kit ----------------------------------------------------------------------------

    def hold(self, stream: str) -> None:
        """Count a stream as subscribed; its data begins with `begin_stream`."""
        self._streams[stream] = None

    def begin_stream(self, stream: str, first: Iterable[bytes]) -> None:
        """Send the first message of a stream, and its data from now on."""
        for data in first:
            self.deliver(stream, data)
        if stream in self._streams:
            self._audience.add(stream, self)

    def drop(self, stream: str) -> None:
        """Stop sending a stream."""
        if stream in self._streams:
            del self._streams[stream]
            self._audience.remove(stream, self)

    # -- liveness -------------------------------------------------------------------------------

    def _ping(self) -> None:
        payload = b"%d" % int(self._log.seconds * 1000)
        self._pings[payload] = trio.current_time()
        self._log.note(self.number, "ping", payload.decode())
        self._put(server_websocket.frame(server_websocket.PING, payload))
        self._timers.after(self._rules.pong_timeout_seconds, lambda: self._miss_pong(payload))
        self._timers.after(self._rules.ping_seconds, self._ping)

    def _receive_pong(self, payload: bytes) -> None:
        self._log.note(self.number, "pong", payload.decode("latin-1"))
        answered = self._pings.get(payload)
        if answered is not None:
            self._pings = {ping: sent for ping, sent in self._pings.items() if sent > answered}

    def _miss_pong(self, payload: bytes) -> None:
        if payload in self._pings:
            self._forbid("a ping was not answered")

    def _miss_client(self) -> None:
        left = self._heard + self._rules.client_silence_seconds - trio.current_time()
        if left <= 0:
            self._log.note(self.number, "violation", "the client says nothing")
            self._end("the client says nothing")
        else:
            self._timers.after(left, self._miss_client)

    def _announce_shutdown(self) -> None:
        if self._kit is not None:
            self._kit.shut_down()
            return
        data = b'{"e":"serverShutdown","E":%d}' % self._audience.now_ms()
        text = distortion.payload_of("!serverShutdown", data, combined=self.combined)
        if self._conversation is not None:
            text = b'{"event":%b}' % data
        self._put(server_websocket.text_frame(text))

    # -- faults ---------------------------------------------------------------------------------

    def plan(self, fault: Fault) -> None:
        """Schedule a live fault for an age or a count of messages, or apply it at once."""
        when = fault.when
        if when.messages is not None and when.messages > self.messages_sent:
            self._by_count.append((when.messages, fault))
            self._by_count.sort(key=lambda planned: planned[0])
        elif when.age_seconds is not None:
            age = self._log.seconds - self.opened_seconds
            self._timers.after(max(0.0, when.age_seconds - age), lambda: self.strike(fault))
        else:
            self.strike(fault)

    def strike(self, fault: Fault) -> None:
        """Apply a live fault now."""
        if not self.live:
            return
        self._log.note(self.number, "fault", str(fault))
        kind = fault.kind
        if kind in LASTING:
            self._spoiler.begin(fault)
        elif kind in ("close", "close_and_hold"):
            self._holds_open = kind == "close_and_hold"
            self.close(fault.code or GOING_AWAY, fault.message)
        elif kind == "fin":
            self._stop_sending("fault: fin")
            self._outbox.seal()
        elif kind == "reset":
            self._end("fault: reset")
            self._wire.reset()
        elif kind == "half_open":
            self._stop_sending("fault: half_open")
            self.live = False
            self._timers.clear()
            self._outbox.clear()
            self._outbox.wake()
            self._wire.half_open()
        elif kind == "server_shutdown":
            self._announce_shutdown()
            self._timers.after(fault.after_seconds, self._close_announced)
        else:
            self._send_wrong_bytes(fault)

    def _close_announced(self) -> None:
        self.close(GOING_AWAY, "as announced")

    def _send_wrong_bytes(self, fault: Fault) -> None:
        matching = (name for name in self._streams if fnmatchcase(name, fault.stream))
        text = distortion.strange_message(next(matching, "!unheardOf"), combined=self.combined)
        self._put(distortion.WRONG_BYTES[fault.kind](fault, text))
