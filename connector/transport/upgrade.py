"""Read the HTTP answer to a WebSocket upgrade, as far as the tap needs it.

trio-websocket parses and checks the answer. It does not detect an answer that ends too early, keeps
nothing of one whose body never ends, and reports no extensions. The tap therefore holds the head
back until it is complete, notes its content, and removes an accepted permessage-deflate from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from connector.errors import ExchangeUnavailable

HEAD_LIMIT_BYTES = 65_536
"""Limit of a response head, and of the body of a rejection."""

SWITCHING_PROTOCOLS = 101
_BEGINNING = b"HTTP/1.1 "
_EXTENSIONS = "sec-websocket-extensions"
_end_of_head = re.compile(rb"\n\r?\n")
_status_line = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r?\n)")


@attrs.frozen
class ResponseHead:
    """Status and headers of the answer."""

    status: int
    lines: tuple[bytes, ...] = attrs.field(repr=False)
    """The raw lines after the status line, without their ends."""
    status_line: bytes = attrs.field(repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; values of a repeated name are joined by a comma."""
        headers: dict[str, str] = {}
        for line in self.lines:
            name, value = _header(line)
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers

    @property
    def is_interim(self) -> bool:
        """Whether the answer itself is still to come (RFC 9110 §15.2)."""
        return 100 <= self.status < 200 and self.status != SWITCHING_PROTOCOLS

    def without_extensions(self) -> bytes:
        """The head without its extensions."""
        kept = [line for line in self.lines if _header(line)[0] != _EXTENSIONS]
        return b"\r\n".join([self.status_line, *kept, b"", b""])

    @property
    def extensions(self) -> str | None:
        """The extensions that the server accepted, None when it names none."""
        return self.headers.get(_EXTENSIONS)


def split_head(known: bytes, more: bytes) -> tuple[ResponseHead, int] | None:
    """Read the head of a response.

    Args:
        known: what has been received, in which the head does not end.
        more: what has been received now.

    Returns:
        The head and its length in bytes; None when it is not complete.

    Raises:
        ExchangeUnavailable: this is not, or cannot become, an HTTP/1 response.
    """
    data = known + more
    beginning = data[: len(_BEGINNING)]
    end = _end_of_head.search(data, max(0, len(known) - len(b"\n\r")))
    if not beginning.startswith(_BEGINNING[:7]) and not _BEGINNING.startswith(beginning):
        raise ExchangeUnavailable(_not_http(data))
    if end is None:
        if len(data) > HEAD_LIMIT_BYTES:
            raise ExchangeUnavailable(
                f"answered with more than {HEAD_LIMIT_BYTES} bytes of HTTP headers"
            )
        return None
    status = _status_line.match(data)
    if status is None:
        raise ExchangeUnavailable(_not_http(data))
    status_line, *lines = [line.rstrip(b"\r") for line in data[: end.start()].split(b"\n")]
    return ResponseHead(int(status[1]), tuple(lines), status_line), end.end()


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.partition(b":")
    return name.strip().lower().decode("latin-1"), value.strip().decode("latin-1")


def _not_http(data: bytes) -> str:
    return f"answered with something that is not HTTP, beginning {data[:20]!r}; check the URL"
