"""Serving pages over HTTP in the caller's nursery: hypercorn's trio worker, no thread."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol, cast

import attrs
import hypercorn
import trio
from hypercorn.config import Sockets
from hypercorn.trio.run import worker_serve
from hypercorn.utils import wrap_app

from connector.app.running.configuration import split_address


@attrs.frozen
class Page:
    """An answer."""

    status: int
    kind: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Site(Protocol):
    """A served page."""

    def answer(self, path: str, headers: Mapping[str, str]) -> Page:
        """The page at `path`; `headers` of the request, names in lower case."""
        ...


async def serve(
    site: Site, bind: str, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve `site` at the address `bind` until cancelled; reports the URL when it listens.

    Raises:
        OSError: the address cannot be listened at.

    Cancellation: requests under way are cut off.
    """
    config = hypercorn.Config()
    config.accesslog = None
    errors = logging.getLogger("connector.http")
    errors.setLevel(logging.WARNING)
    config.errorlog = errors
    config.include_server_header = False
    application = wrap_app(cast("Any", _application(site)), config.wsgi_max_body_size, "asgi")
    # Not hypercorn's own way to listen, which leaves the socket open when its address is taken.
    with _listen(bind) as listener:
        sockets = Sockets([], [listener], [])
        start = partial(worker_serve, application, config, sockets=sockets)
        async with trio.open_nursery() as nursery:
            (url,) = await nursery.start(start)
            task_status.started(url)


def _listen(bind: str) -> socket.socket:
    host, port = split_address(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _application(site: Site) -> Callable[..., Awaitable[None]]:
    """`site` as an ASGI application."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        if scope["type"] != "http":
            return
        headers = {str(k, "latin-1"): str(v, "latin-1") for k, v in scope["headers"]}
        if scope["method"] in ("GET", "HEAD"):
            page = site.answer(scope["path"], headers)
        else:
            page = Page(405, "text/plain", b"only GET\n")
        await send(
            {
                "type": "http.response.start",
                "status": page.status,
                "headers": [
                    (b"content-type", page.kind.encode()),
                    (b"content-length", str(len(page.body)).encode()),
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                    *page.headers,
                ],
            }
        )
        body = b"" if scope["method"] == "HEAD" else page.body
        await send({"type": "http.response.body", "body": body})

    return application
