"""The tap: a stream that keeps the hot path away from trio-websocket.

It sits between trio-websocket and the byte stream. It delivers whole, unfragmented text messages to
the sink, one list per read. It passes everything else (the HTTP answer, control frames, fragmented,
binary and invalid messages) up to trio-websocket, which processes them as usual. After it has
passed a message up, it waits until that message is delivered, so that the sink receives all
messages in the order in which the server sent them.

With the tap, trio-websocket delivers, sends and ends as without it, with three deliberate
exceptions:

- a text frame with bad UTF-8 fails when it is whole, not at the chunk with the bad byte;
- once we have sent our close frame, everything but the server's close frame is dropped
  (trio-websocket drops the messages, but breaks on a ping that arrives in this state);
- after our side has failed a connection, later frames in the same chunk are ignored
  (trio-websocket breaks on a ping behind a message that was too big).
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import trio

from connector.errors import ExchangeUnavailable, HandshakeRejected
from connector.transport.deflate import Inflater, agree
from connector.transport.outgoing import Outgoing
from connector.transport.sink import Sink
from connector.transport.tcp_reading import reader_of
from connector.transport.tls import records_of
from connector.transport.upgrade import (
    HEAD_LIMIT_BYTES,
    SWITCHING_PROTOCOLS,
    ResponseHead,
    split_head,
)
from connector.transport.websocket_frames import (
    CLOSE,
    CONTINUATION,
    MORE,
    ODD,
    TEXT,
    TOO_MANY_FRAGMENTS,
    Header,
    Violation,
    lift_text,
    most_fragments,
    read_close,
    read_header,
)

_READ_BYTES = 65_536
"""More would cost more: the events of a batch that is not yet consumed fill the processor's cache
and, once their containers are over the garbage collector's first threshold, wake the collector
for every batch (depth5, 300 bytes: 256 KiB cost 1.4 times as much per message as 64 KiB)."""
_LEAST_READ_BYTES = 4_096
"""However well the server compresses."""
_PORTION_MESSAGES = 512
"""Messages to deliver before other tasks run. Usual reads have fewer; one of empty messages could
have 32,768."""
_MESSAGE_TOO_BIG = 1009


class Tap(trio.abc.Stream):
    """The stream that trio-websocket reads from and writes to.

    Args:
        stream: the TCP or TLS stream; its opener remains its owner.
        sink: takes the messages, from `go_live` until `discard`.
        limit: text frames of more bytes are passed up, for trio-websocket to judge.
        compression: whether permessage-deflate was offered in the request.
    """

    __slots__ = (
        "_data", "_discarding", "_ended", "_ending", "_fragmented", "_fragments",
        "_inflater", "_lift_messages", "_live", "_missing", "_passing", "_position",
        "_reader", "_receive", "_released", "_sink", "_stream", "_taken", "_transparent",
        "_untaken", "_waiting", "blocked", "close_frame", "closing", "head", "limit",
        "messages", "offers_compression", "outgoing", "payload_bytes", "rejection", "reset",
        "wire_bytes",
    )  # fmt: skip
    # A dict would be 1 KiB larger: beyond 30 attributes its keys are not shared.

    def __init__(
        self, stream: trio.abc.Stream, sink: Sink, *, limit: int, compression: bool = False
    ) -> None:
        self.wire_bytes = 0
        self.payload_bytes = 0
        self.messages = 0
        self.blocked = False
        self.reset = False
        """Whether the connection broke, rather than ended."""
        self.head: ResponseHead | None = None
        """The answer to the upgrade, once its head has arrived."""
        self.rejection = b""
        """The received part of the body of an answer other than 101."""
        self.close_frame: tuple[int, str] | None = None
        """Code and text of the server's close frame."""

        self._stream = stream
        self.outgoing = Outgoing(stream)
        self._reader = reader = reader_of(stream)
        plain = stream.receive_some if reader is None else reader.receive
        self._receive = records_of(stream) or plain
        self._sink = sink
        self.limit = limit
        self.offers_compression = compression
        self._inflater: Inflater | None = None
        self._lift_messages = lift_text
        self._data = b""  # read, and not yet dealt with
        self._position = 0
        # The frame that is being passed up: what is missing of it, and what it is.
        self._missing = 0
        self._passing: Header | None = None
        self._fragmented = False
        self._fragments = 0
        self._transparent = False
        self._ending: trio.BrokenResourceError | trio.ClosedResourceError | None = None
        self._ended = False
        self._live = False
        self._discarding = False
        self.closing = False
        self._released: trio.Event | None = None
        """Set when no message is held back any more; exists only while a task waits."""
        self._untaken = False
        self._taken: trio.Event | None = None
        """Set when the message that was passed up is delivered; None before there is one."""
        self._waiting: trio.CancelScope | None = None

    @property
    def torn(self) -> bool:
        """Whether a write was cut short."""
        return self.outgoing.torn

    @property
    def compressed(self) -> bool:
        """Whether the server may compress."""
        return self._inflater is not None

    @property
    def is_rejected(self) -> bool:
        """Whether the server answers with another status than 101."""
        return self.head is not None and self.head.status != SWITCHING_PROTOCOLS

    # --- called by Connection

    def deliver_to(self, sink: Sink) -> None:
        """Deliver into `sink` from now on, even within a batch."""
        self._sink = sink

    def go_live(self) -> None:
        """Begin to deliver; until now, the first message was held back."""
        if not self._discarding:
            self._live = True
            self._release()

    def discard(self) -> None:
        """Stop delivering: drop all further messages, up to the server's close frame."""
        self._live = False
        self._discarding = True
        self._release()
        if self._taken is not None:
            self._taken.set()
        if self._waiting is not None:
            self._waiting.cancel()

    def _release(self) -> None:
        if self._released is not None:
            self._released.set()

    def begin_closing(self) -> None:
        """Discard, and drop pings as well: nothing may follow our close frame."""
        self.discard()
        self.closing = True

    async def hand_over(self, message: str | bytes) -> None:
        """Deliver a message that was passed up, and let the tap continue after it.

        Cancellation: the message may be undelivered.
        """
        batch = [message.encode() if isinstance(message, str) else message]
        taken = self._deliver(batch) if self._live else 0
        if taken < len(batch):
            await self._deliver_rest(batch, taken)
        self._untaken = False
        if self._taken is not None:
            self._taken.set()
            self._taken = None

    # --- trio.abc.Stream, for trio-websocket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data`.

        Raises:
            trio.BrokenResourceError: the connection is broken, or an earlier write was cut short.

        Cancellation: part of it may be written; `torn` says so.
        """
        torn = self.torn
        try:
            await self.outgoing.send_all(data)
        except trio.BrokenResourceError as error:
            if torn:  # by us: the exchange has broken nothing off
                raise
            self.reset = True
            if self.head is None:
                raise ExchangeUnavailable("broke off the connection") from error
            raise

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below."""
        await self._stream.aclose()

    def receive_some(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, max_bytes: int | None = None
    ) -> Coroutine[Any, Any, bytes]:
        """Deliver messages until there is data for trio-websocket, and return that data.

        Args:
            max_bytes: ignored; trio-websocket accepts any amount.

        Raises:
            trio.BrokenResourceError: the connection broke.
            ExchangeUnavailable: the server does not speak HTTP, or left during the handshake.
            HandshakeRejected: the server broke off a rejection.
            CompressionRefused: the server accepted compression in a way it must not.
            Violation: a message is compressed wrongly, or has too many fragments.

        Cancellation: the connection is unusable afterwards.
        """
        # Not `async`: a coroutine less between the readable socket and the consumer.
        if self.head is None:
            return self._receive_head()
        return self._receive_rejection() if self.is_rejected else self._receive_frames()

    # --- inside

    async def _receive_head(self) -> bytes:
        """Wait for the whole head of the answer and pass it up; others come before it (1xx)."""
        data = b""
        while True:
            chunk = await self._read()
            if not chunk:
                what = "broke off" if self.reset else "closed"
                when = "in the middle of its answer" if data else "before answering"
                raise ExchangeUnavailable(f"{what} the connection {when}") from self._ending
            split = split_head(data, chunk)
            data += chunk
            while split is not None and split[0].is_interim:
                data = data[split[1] :]
                split = split_head(b"", data)
            if split is None:
                if self.wire_bytes > 2 * HEAD_LIMIT_BYTES:
                    raise ExchangeUnavailable("gives interim responses (1xx) without an end")
                continue
            self.head, size = split
            if self.head.status == SWITCHING_PROTOCOLS:
                self._data, self._position = data, size
                if not self.offers_compression:
                    return data[:size]
                self._agree(self.head.extensions)
                return self.head.without_extensions()
            self.rejection = data[size:]
            return data

    def _agree(self, extensions: str | None) -> None:
        if agree(extensions):
            self._inflater = Inflater(self.limit)
            self._lift_messages = self._inflater.lift

    def rejected(self, body: bytes | None = None) -> HandshakeRejected:
        """The error for an answer other than 101, with the part that has arrived."""
        assert self.head is not None
        return HandshakeRejected(
            self.head.status, self.head.headers, self.rejection if body is None else body
        )

    async def _receive_rejection(self) -> bytes:
        """Pass the body of an answer other than 101 up."""
        if len(self.rejection) > HEAD_LIMIT_BYTES:
            raise self.rejected()
        chunk = await self._read()
        if not chunk:
            raise self.rejected()
        self.rejection += chunk
        return chunk

    async def _receive_frames(self) -> bytes:
        if self._untaken and self._taken is not None:
            await self._taken.wait()
            self._untaken = False
        if self._missing or self._transparent:
            await trio.lowlevel.checkpoint()
            return await self._pass_up()
        data, position = self._data, self._position
        # None of these changes before something is passed up.
        lift, limit = None if self._fragmented else self._lift_messages, self.limit
        reader, inflater, size = self._reader, self._inflater, _READ_BYTES
        while True:
            wanted = ODD
            if lift is not None:
                batch: list[bytes] = []
                position, wanted = lift(data, position, limit, batch)
                if batch:
                    # As `_deliver`, with a call less.
                    count = len(batch)
                    if count > _PORTION_MESSAGES or not self._live:
                        await self._deliver_in_portions(batch)
                    else:
                        self.messages += count
                        self.payload_bytes += len(batch[0]) if count == 1 else sum(map(len, batch))
                        taken = self._sink.deliver(batch, 0)
                        if taken < count:
                            await self._deliver_rest(batch, taken)
            if wanted <= ODD:
                if wanted == MORE:
                    await trio.lowlevel.checkpoint()
                    continue
                if inflater is not None and inflater.failure is not None:
                    raise inflater.failure
                wanted = self._judge(data, position)
                if wanted == ODD:
                    # trio-websocket may answer without ever waiting: this lets other tasks run.
                    await trio.lowlevel.checkpoint()
                    if not (self.closing and self._passing and self._passing.is_control):
                        break
                    position += self._missing
                    self._missing, self._passing = 0, None
                    continue
            if self._sink.leisurely:
                await self._sink.rest()
            if position == len(data):  # as `_read`, with a coroutine less
                if inflater is not None:
                    size = self._compressed_bytes()
                try:
                    if reader is None:
                        data = bytes(await self._receive(size))
                    else:
                        await reader.readable()
                        chunk = reader.read(size)
                        if chunk is None:
                            continue
                        data = chunk
                except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    data = self._broken(error)
                self.wire_bytes += len(data)
                if not data:
                    self._ended = True
            else:
                data = await self._refill(data[position:], wanted)
            position = 0
            if self._ended:
                self._transparent = True
                await trio.lowlevel.checkpoint()
                break
        self._data, self._position = data, position
        return await self._pass_up()

    async def _deliver_in_portions(self, batch: list[bytes]) -> None:
        """Deliver an unusually large batch in portions, or wait for `go_live`."""
        for begin in range(0, len(batch), _PORTION_MESSAGES):
            portion = batch[begin : begin + _PORTION_MESSAGES]
            taken = self._deliver(portion) if self._live else 0
            if taken < len(portion):
                await self._deliver_rest(portion, taken)
            if len(batch) > _PORTION_MESSAGES:
                await trio.lowlevel.checkpoint()

    def _deliver(self, batch: list[bytes]) -> int:
        """Give `batch` to the sink, and return how many messages it took."""
        self.messages += len(batch)
        self.payload_bytes += sum(map(len, batch))
        return self._sink.deliver(batch, 0)

    async def _deliver_rest(self, batch: list[bytes], taken: int) -> None:
        """Deliver the messages that waited for `go_live`, or for room in the sink."""
        if not self._live:
            if not self._discarding:
                self._released = trio.Event()
                await self._released.wait()
                self._released = None
            if self._discarding:
                return
            taken = self._deliver(batch)
        while taken < len(batch):
            self.blocked = True
            try:
                with trio.CancelScope() as self._waiting:
                    await self._sink.wait_for_room()
            finally:
                self.blocked, self._waiting = False, None
            if self._discarding:
                return
            taken = self._sink.deliver(batch, taken)

    def _judge(self, data: bytes, position: int) -> int:
        """Decide about the frame at `position`, which cannot be lifted.

        Returns:
            `ODD` to pass it up now, otherwise the number of bytes of it that must arrive first.
        """
        header = read_header(data, position)
        if isinstance(header, int):
            return header
        if header is None or not self._expects(header):
            self._transparent = True
            return ODD
        total = header.size + header.length
        if header.is_control and len(data) - position < total:
            return total
        if header.opcode == CLOSE:
            self.close_frame = read_close(data[position + header.size : position + total])
            self._transparent = True
        else:
            self._missing, self._passing = total, header
        return ODD

    def _expects(self, header: Header) -> bool:
        """Whether the frame may come now; a whole text frame is here only if it is not UTF-8."""
        if header.compressed:
            return False
        if header.is_control:
            return True
        if header.opcode == TEXT and header.final and header.length <= self.limit:
            return False
        return (header.opcode == CONTINUATION) == self._fragmented

    async def _pass_up(self) -> bytes:
        """Return the next bytes for trio-websocket; empty at the end of the stream."""
        if self._position == len(self._data):
            self._data, self._position = await self._read(), 0
            if not self._data:
                if self._ending is not None:
                    raise self._ending
                return b""
        begin = self._position
        if self._transparent:
            self._position = len(self._data)
        else:
            self._position = min(begin + self._missing, len(self._data))
            self._missing -= self._position - begin
            if not self._missing:
                self._passed()
        return self._data[begin : self._position]

    def _passed(self) -> None:
        """Note the effect of the frame that was passed up on later frames."""
        header, self._passing = self._passing, None
        if header is None or header.is_control:
            return
        self._fragmented = not header.final
        self._fragments = 0 if header.final else self._fragments + 1
        if self._fragments > most_fragments(self.limit):
            raise Violation(_MESSAGE_TOO_BIG, TOO_MANY_FRAGMENTS)
        if header.final and not self._discarding:
            self._untaken = True
            self._taken = trio.Event()

    async def _refill(self, rest: bytes, wanted: int) -> bytes:
        """Read until `rest` has grown to `wanted` bytes, or to the end of the stream."""
        # Joined once, at the end: a frame that trickles in must not be copied at every step.
        parts, have = [rest], len(rest)
        while have < wanted:
            chunk = await self._read()
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        return b"".join(parts)

    def _compressed_bytes(self) -> int:
        """Estimate how many bytes inflate to `_READ_BYTES`, from the data so far."""
        if self.payload_bytes <= self.wire_bytes:
            return _READ_BYTES
        return max(_LEAST_READ_BYTES, _READ_BYTES * self.wire_bytes // self.payload_bytes)

    async def _read(self) -> bytes:
        """Read once; empty at the end."""
        if self._ended:
            return b""
        size = _READ_BYTES if self._inflater is None else self._compressed_bytes()
        try:
            chunk = bytes(await self._receive(size))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            return self._broken(error)
        self._ended = not chunk
        self.wire_bytes += len(chunk)
        return chunk

    def _broken(self, error: trio.BrokenResourceError | trio.ClosedResourceError) -> bytes:
        """Note that reading ended with `error`; the end of the stream."""
        self._ended, self._ending = True, error
        self.reset = isinstance(error, trio.BrokenResourceError)
        return b""
