"""The load server: sends prepared frames to each client, as fast as it takes them.

Blocking sockets and one `sendall` per 64 KiB: it is never the bottleneck. With TLS, one record per
message, as exchanges do it, all of them encrypted before the first is sent.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import workloads

BLOCK_BYTES = 65_536


def accept(connection: socket.socket | Encrypted, *, deflate: bool = False) -> str:
    """Answer the upgrade (RFC 6455 §4.2.2); the target asked for."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65_536)
    key = next(
        line.split(b":", 1)[1].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    token = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(token) + b"\r\n"
        + b"Sec-WebSocket-Extensions: permessage-deflate\r\n" * deflate + b"\r\n"
    )  # fmt: skip
    return request.split(b" ", 2)[1].decode()


def requests(connection: socket.socket | Encrypted) -> Iterator[str]:
    """The ids of the requests that a client sends, from their masked frames, until it leaves."""
    data = b""
    while True:
        length = data[1] & 0x7F if len(data) > 1 else 0
        start = {126: 4, 127: 10}.get(length, 2)
        if start > 2:
            length = int.from_bytes(data[2:start], "big")
        start += 4  # the mask
        if len(data) < 6 or len(data) < start + length:
            more = connection.recv(65_536)
            if not more:
                return
            data += more
            continue
        mask, payload = data[start - 4 : start], data[start : start + length]
        compressed, is_text = data[0] & 0x40, data[0] & 0x0F == 1
        data = data[start + length :]
        if is_text:
            text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
            if compressed:
                text = zlib.decompressobj(wbits=-15).decompress(text + b"\x00\x00\xff\xff")
            yield re.split(rb'"id": *', text)[1].split(b",")[0].strip(b" }").decode()


def reply(asked: str) -> bytes:
    """The frame that accepts a request, whether its id is a number or a string."""
    return workloads.frame(f'{{"result":null,"id":{asked}}}')


class Encrypted:
    """A connection with TLS that can encrypt ahead."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._until_done(self._tls.do_handshake)

    def _until_done(self, operation: Callable[..., Any], *arguments: object) -> Any:
        while True:
            try:
                return operation(*arguments)
            except ssl.SSLWantReadError:
                self.send_ahead(self._outgoing.read())
                data = self._connection.recv(BLOCK_BYTES)
                self._incoming.write(data)
                if not data:
                    self._incoming.write_eof()
            finally:
                self.send_ahead(self._outgoing.read())

    def recv(self, size: int) -> bytes:
        data: bytes = self._until_done(self._tls.read, size)
        return data

    def sendall(self, data: bytes) -> None:
        self._tls.write(data)
        self.send_ahead(self._outgoing.read())

    def encrypted(self, frames: list[bytes]) -> list[bytes]:
        """Blocks of records, one for each of `frames`; to be sent in order, and next."""
        blocks = []
        for frame in frames:
            self._tls.write(frame)
            if self._outgoing.pending >= BLOCK_BYTES:
                blocks.append(self._outgoing.read())
        return [*blocks, self._outgoing.read()]

    def send_ahead(self, block: bytes) -> None:
        """Send what is encrypted."""
        self._connection.sendall(block)


def serve(connection: socket.socket | Encrypted, blocks: Blocks, *, deflate: bool = False) -> None:
    """Accept, send everything behind the first reply, and go on answering."""
    target = accept(connection, deflate=deflate)
    asked = requests(connection)
    # Without a request the streams are named in the URL.
    replies = [reply(next(asked))] if "@" not in target else []
    if isinstance(connection, Encrypted):
        for block in connection.encrypted([*replies, *blocks.of(target)]):
            connection.send_ahead(block)
    else:
        for block in [*replies, *blocks.of(target)]:
            connection.sendall(block)
    for each in asked:
        connection.sendall(reply(each))


class Blocks:
    """What is sent, in pieces of 64 KiB or one by one; with the envelope of ``/stream`` or bare."""

    def __init__(self, texts: list[str], *, one_by_one: bool, deflate: bool) -> None:
        self._texts = texts
        self._one_by_one = one_by_one
        self._make_frame = workloads.deflated_frames() if deflate else workloads.frame
        self._made: dict[bool, list[bytes]] = {}

    def of(self, target: str) -> list[bytes]:
        """The blocks for a connection to `target`."""
        bare = "/ws" in target
        if bare not in self._made:
            texts = map(workloads.bare, self._texts) if bare else iter(self._texts)
            frames = map(self._make_frame, texts)
            self._made[bare] = list(frames if self._one_by_one else joined(frames))
        return self._made[bare]


def joined(frames: Iterator[bytes]) -> Iterator[bytes]:
    pending, size = [], 0
    for each in frames:
        pending.append(each)
        size += len(each)
        if size >= BLOCK_BYTES:
            yield b"".join(pending)
            pending, size = [], 0
    yield b"".join(pending)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--symbols", type=int, default=1)
    parser.add_argument("--certificate", help="PEM of key and chain: speak TLS")
    parser.add_argument("--deflate", action="store_true", help="compress every message")
    options = parser.parse_args()

    texts = list(workloads.texts(options.workload, options.messages, options.symbols))
    blocks = Blocks(texts, one_by_one=bool(options.certificate), deflate=options.deflate)
    blocks.of("/stream")
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
    print(listener.getsockname()[1], flush=True)

    def attend(connection: socket.socket) -> None:
        with contextlib.suppress(OSError, IndexError, ValueError, StopIteration):
            if context is not None:
                serve(Encrypted(connection, context), blocks, deflate=options.deflate)
            else:
                serve(connection, blocks, deflate=options.deflate)
        connection.close()

    # A thread for each: some clients open connections that they then do not use.
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=attend, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
