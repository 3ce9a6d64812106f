"""The load server: sends prepared frames to each client, as fast as it takes them.

Blocking sockets and one `sendall` per 64 KiB: it is never the bottleneck. With TLS, one record per
message, as exchanges do it.
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
from collections.abc import Iterator

from benchmarks import workloads

BLOCK_BYTES = 65_536


def accept(connection: socket.socket, *, deflate: bool = False) -> str:
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


def request_id(data: bytes) -> str:
    """The id of the one SUBSCRIBE that a client sends, from its masked frame."""
    length = data[1] & 0x7F
    start = {126: 4, 127: 10}.get(length, 2)
    mask, payload = data[start : start + 4], data[start + 4 :]
    text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    if data[0] & 0x40:
        text = zlib.decompressobj(wbits=-15).decompress(text + b"\x00\x00\xff\xff")
    return re.split(rb'"id": *', text)[1].split(b",")[0].strip(b" }").decode()


def answer(connection: socket.socket) -> None:
    """Accept the first request, whether its id is a number or a string.

    More may follow, when there are many streams: the next ones are not answered, and no contestant
    waits for more than the first reply before it counts.
    """
    asked = request_id(connection.recv(65_536))
    connection.sendall(workloads.frame(f'{{"result":null,"id":{asked}}}'))


def serve(connection: socket.socket, blocks: Blocks, *, deflate: bool = False) -> None:
    target = accept(connection, deflate=deflate)
    if "@" not in target:  # else the streams are named in the URL
        answer(connection)
    for block in blocks.of(target):
        connection.sendall(block)
    while connection.recv(65_536):
        pass


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
        with contextlib.suppress(OSError, IndexError, ValueError):
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            serve(connection, blocks, deflate=options.deflate)
        connection.close()

    # A thread for each: some clients open connections that they then do not use.
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=attend, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
