"""Write entries into Redis in order, each batch in one round trip, and survive its outages.

While Redis is away a batch waits. What Redis had taken and has lost, as it does when it is killed,
is sent again from a tail that is kept, before anything new.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter, deque
from collections.abc import Iterable, Iterator

import attrs
import trio
from coredis import PureToken

from connector.app.redis.client import TIMEOUT_SECONDS, Client, Patience
from connector.app.redis.entries import Fields, number_of, numbered

_QUIET_SECONDS = 0.02
"""No Redis restarts in less; within it, a connection that broke is an error that is seen."""
_PIECE_ENTRIES, _PIECE_BYTES = 256, 1024 * 1024
"""What is sent at once, so that what was missing for long is not more than an answer may take."""


@attrs.frozen
class _Sent:
    key: bytes
    number: int
    fields: Fields


class Writer:
    """Numbers entries, and lets Redis have each of them once, as far as can be known.

    Args:
        client: how to reach Redis.
        maxlen: entries that Redis keeps per key, about.
        tail: entries of all keys that are kept to be sent again.
        timeout: seconds in which `client` expects an answer.
        limit: seconds that Redis may be away; None means forever.
    """

    def __init__(
        self,
        client: Client,
        *,
        maxlen: int,
        tail: int,
        timeout: float = TIMEOUT_SECONDS,
        limit: float | None = None,
    ) -> None:
        self.patience = Patience(client, timeout=timeout, limit=limit)
        self.resent = 0
        """Entries that Redis had taken and lost, or may have."""
        self._client = client
        self._timeout = timeout
        self._maxlen = maxlen
        self._run = secrets.token_hex(8)
        self._numbers: Counter[bytes] = Counter()
        self._tail: deque[_Sent] = deque(maxlen=tail)
        self._unsure = False
        """Whether it is unknown what Redis has."""
        self._server: object = None
        self._written = -math.inf

    @property
    def entries(self) -> int:
        """Entries so far."""
        return self._numbers.total()

    async def write(self, entries: Iterable[tuple[bytes, Fields]]) -> None:
        """Let Redis have `entries`, each with its key; returns when it has taken them.

        Raises:
            RedisRefused: it does not want them.
            RedisAway: it was away for longer than the limit.

        Cancellation: which of them it has taken is not known.
        """
        fresh: list[_Sent] = []
        for key, fields in entries:
            number = self._numbers[key] = self._numbers[key] + 1
            fresh.append(_Sent(key, number, numbered(fields, self._run, number)))
        if not fresh:
            await trio.lowlevel.checkpoint()
            return

        async def send() -> None:
            if trio.current_time() - self._written > _QUIET_SECONDS:
                await self._look_at_server()
            # A batch may be more than the tail holds: it is not only there.
            missing = await self._missing(fresh) if self._unsure else fresh
            self._unsure = True
            for piece in _pieces(missing):
                await self._send(piece)
            self._unsure = False
            self._written = trio.current_time()

        await self.patience.until_done(send)
        self._tail.extend(fresh)

    async def _send(self, entries: list[_Sent]) -> None:
        """Send `entries` in one round trip."""
        # Of one key all or none: what was refused may not come behind what was not.
        one_by_one = len({sent.key for sent in entries}) == len(entries)
        # Not to raise what it says: coredis repeats in it what was sent.
        async with self._client.pipeline(
            transaction=not one_by_one, raise_on_error=False, timeout=self._timeout
        ) as pipeline:
            for sent in entries:
                pipeline.xadd(
                    sent.key,
                    sent.fields,
                    trim_strategy=PureToken.MAXLEN,
                    trim_operator=PureToken.APPROXIMATELY,
                    threshold=self._maxlen,
                )
        for result in pipeline.results or ():
            if isinstance(result, Exception):
                raise result

    async def _look_at_server(self) -> None:
        """Find out whether Redis has been restarted while nothing was sent that would have failed.

        Of another process, or a replica that took over, it is not known what it has.
        """
        server = (await self._client.info("server"))["run_id"]
        self._unsure = self._unsure or self._server not in (None, server)
        self._server = server

    async def _missing(self, fresh: list[_Sent]) -> list[_Sent]:
        """What Redis does not have, of the tail and of what is to be sent."""
        candidates = [*self._tail, *fresh]
        has: dict[bytes, int] = {}
        for key in dict.fromkeys(sent.key for sent in candidates):
            has[key] = await self._last_number(key)
        missing = [sent for sent in candidates if sent.number > has[sent.key]]
        self.resent += len(missing) - sum(sent.number > has[sent.key] for sent in fresh)
        return missing

    async def _last_number(self, key: bytes) -> int:
        """Number of the last entry of this run under `key`."""
        for found in await self._client.xrevrange(key, count=1):
            return number_of(found.field_values, self._run) or 0  # type: ignore[arg-type]
        return 0


def _pieces(entries: list[_Sent]) -> Iterator[list[_Sent]]:
    """`entries` in order, in lists that are not too large."""
    piece: list[_Sent] = []
    size = 0
    for sent in entries:
        if piece and (len(piece) >= _PIECE_ENTRIES or size >= _PIECE_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(sent)
        size += sum(map(len, sent.fields.values()))
    if piece:
        yield piece
