"""Connect to a host name over TCP, without using up the worker threads of the program.

Names are looked up in threads, because the operating system offers nothing else. A lookup that
hangs cannot be ended, so its thread stays. trio allows 40 threads for the whole program. The
lookups of each host therefore have a separate limit of two threads. If both hang, the next attempt
waits for one of them until it times out.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from itertools import zip_longest

import trio

_LOOKUPS_PER_HOST = 2
_HEAD_START_SECONDS = 0.25
"""Delay before the next address is tried in parallel (RFC 8305 §8)."""

_limiters: trio.lowlevel.RunVar[dict[str, trio.CapacityLimiter]] = trio.lowlevel.RunVar(
    "connector_lookup_limiters"
)


def limiter_of(host: str) -> trio.CapacityLimiter:
    """The thread limit for lookups of `host`, shared within this `trio.run`."""
    try:
        limiters = _limiters.get()
    except LookupError:
        limiters = {}
        _limiters.set(limiters)
    return limiters.setdefault(host, trio.CapacityLimiter(_LOOKUPS_PER_HOST))


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of `host`, in the order in which to try them.

    Raises:
        OSError: the name is unknown, or the lookup failed.

    Cancellation: the lookup continues in its thread, and keeps counting against the limit.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        await trio.lowlevel.checkpoint()
        return [host]
    found = await trio.to_thread.run_sync(
        _ask_system, host, port, abandon_on_cancel=True, limiter=limiter_of(host)
    )
    first = found[0][0]
    same = [address for family, address in found if family == first]
    others = [address for family, address in found if family != first]
    # One family may be broken on the way: the second attempt is of the other (RFC 8305 §4).
    both = (each for pair in zip_longest(same, others) for each in pair if each is not None)
    return list(dict.fromkeys(both))


async def open_tcp(
    host: str, port: int, *, source: str | None = None, pinned: Sequence[str] | None = None
) -> trio.SocketStream:
    """Connect to whichever address of `host` answers first (RFC 8305).

    Args:
        host: a name, or an address.
        port: the port of the host.
        source: the local address of the connection.
        pinned: the addresses of the host; if given, its name is not looked up.

    Raises:
        OSError: the name is unknown, or no address accepts the connection.

    Cancellation: attempts in progress are closed.
    """
    addresses = await find(host, port, source=source, pinned=pinned)
    if len(addresses) == 1:
        return await _open(addresses[0], port, source)
    return await _open_first(addresses, port, source)


async def find(
    host: str, port: int, *, source: str | None = None, pinned: Sequence[str] | None = None
) -> list[str]:
    """The addresses of `host`, in the order in which to try them; arguments as of `open_tcp`.

    Raises:
        OSError: the name is unknown, or it has no address of the kind of `source`.

    Cancellation: as of `look_up`.
    """
    addresses = list(pinned) if pinned else await look_up(host, port)
    if source is not None:
        kind = ipaddress.ip_address(source).version
        addresses = [each for each in addresses if _version(each) == kind]
        if not addresses:
            raise OSError(f"{host} has no address that can be reached from {source}")
    return addresses


def _version(address: str) -> int:
    return ipaddress.ip_address(address.partition("%")[0]).version


async def _open(address: str, port: int, source: str | None) -> trio.SocketStream:
    if source is None:
        return await trio.open_tcp_stream(address, port)
    return await trio.open_tcp_stream(address, port, local_address=source)


async def _open_first(
    addresses: Sequence[str], port: int, source: str | None = None
) -> trio.SocketStream:
    winners: list[trio.SocketStream] = []
    errors: list[OSError] = []
    try:
        async with trio.open_nursery() as nursery:

            async def attempt(address: str, failed: trio.Event) -> None:
                try:
                    winners.append(await _open(address, port, source))
                    nursery.cancel_scope.cancel()
                except OSError as error:
                    errors.append(error)
                    failed.set()

            for address in addresses:
                failed = trio.Event()
                nursery.start_soon(attempt, address, failed)
                with trio.move_on_after(_HEAD_START_SECONDS):
                    await failed.wait()
    except BaseException:
        for stream in winners:
            stream.socket.close()
        raise
    for stream in winners[1:]:
        stream.socket.close()
    if not winners:
        raise errors[0] from ExceptionGroup("no address accepts a connection", errors)
    return winners[0]


def _ask_system(host: str, port: int) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, str(address[0])) for family, _, _, _, address in found]
