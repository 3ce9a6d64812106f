"""The rules by which each exchange numbers the deltas and snapshots of its book.

A rule is a `connector.exchanges.protocol.SequenceRule`. It takes the last id and a delta. It
returns the id to remember if the delta follows, 0 if the delta is old and must be dropped, and a
negative number if a delta is missing before it.

===================  ========  =================================  ============================
rule set             snapshot  a delta follows when               and the book is verified by
===================  ========  =================================  ============================
`BINANCE_SPOT`       REST      its ids begin at the last + 1
`BINANCE_FUTURES`    REST      it names the last id (``pu``)
`OKX`                stream    it names the last id               CRC32 of 25 levels, if not 0
`OKX_REST`           REST      it names the last id
`BYBIT`              stream    its id is the last + 1
`BITGET`             stream    it names the last id, if any       CRC32 of 25 levels, if not 0
`DERIBIT`            stream    it names the last id
`KRAKEN`             stream    always: there are no ids           CRC32 of 10 levels
`KRAKEN_FUTURES`     stream    its number is the last + 1
`COINBASE`           stream    always: there are no ids           bids and asks not crossing
`COINBASE_ADVANCED`  stream    no message of the connection is    bids and asks not crossing
                               missing (`MessageSequence`)
`HYPERLIQUID`        stream    never: every event is a snapshot
===================  ========  =================================  ============================

Without ids, a lost message is detected only by the check in the last column. A book without ids and
without a checksum can be wrong below its top, and the exchange offers no way to detect that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import attrs

from connector.book.checksum import ASKS_THEN_BIDS, INTERLEAVED, Checksum
from connector.events import BookDelta

DeltaRule: TypeAlias = Callable[[int, BookDelta], int]
"""A `connector.exchanges.protocol.SequenceRule` for deltas."""

ReadDigits: TypeAlias = Callable[[Any], "tuple[list[bytes], list[bytes]] | None"]
"""From a delta or snapshot to what each of its bids and asks contributes to a checksum, as the
exchange wrote it (`connector.book.digits.read_digits`); None if that is not known, or not wanted
because no checksum is made of it."""


@attrs.frozen(kw_only=True)
class BookRules:
    """How the deltas and snapshots of one kind of book fit together."""

    name: str
    snapshot: Literal["rest", "stream"]
    """Where a snapshot comes from: fetched over REST, or first in the stream itself. A stream may
    send one at any time: it replaces the book."""
    follow: DeltaRule
    """Whether a delta follows the last one."""
    join: DeltaRule
    """Whether a delta is the first to follow a snapshot that was fetched."""
    checksum: Checksum | None = None
    """What `BookDelta.checksum` is compared with, if there is one."""
    read_digits: ReadDigits | None = None
    """How to read the digits of which the checksum is made; None: the levels have them, or there is
    no checksum."""
    truncates: bool = False
    """Whether the exchange drops levels below the subscribed depth without a message."""
    never_crosses: bool = False
    """Whether a best bid at or above the best ask is the only sign of a loss."""


def dense(last_id: int, delta: BookDelta) -> int:
    """Ids have no holes; a delta may begin before the last id: quantities are absolute.

    Source: binance_spot §6, bybit §5, kraken §5.
    """
    last = delta.last_update_id
    if last <= last_id:
        return 0
    return last if delta.first_update_id <= last_id + 1 else -last


def chained(last_id: int, delta: BookDelta) -> int:
    """Each delta names the last id of the one before. Source: binance_usdm §5."""
    last = delta.last_update_id
    if delta.previous_update_id == last_id:
        return last
    return 0 if last <= last_id else -last


def covers_snapshot(snapshot_id: int, delta: BookDelta) -> int:
    """The first delta after a snapshot reaches from before its id to it or beyond.

    The documented condition is ``U <= id <= u``. Between ``pu`` and ``U`` nothing has changed, so
    ``pu <= id <= u`` says the same of a book whose ids have holes, and joins it at once when the
    market is quiet. Source: binance_usdm §5.
    """
    last, previous = delta.last_update_id, delta.previous_update_id
    if last < snapshot_id:
        return 0
    begins = delta.first_update_id if previous is None else min(previous, delta.first_update_id)
    return last if begins <= snapshot_id else -last


def named(last_id: int, delta: BookDelta) -> int:
    """Each delta names the id before; ids may jump, and even fall when the exchange resets them.

    So an id below the last one does not prove that a delta is old: only the last one itself, once
    more, is dropped. A heartbeat names itself. Source: okx §5, deribit §5, bitget §5.
    """
    last = delta.last_update_id
    if delta.previous_update_id == last_id:
        return last
    return 0 if last == last_id else -max(last, 1)


def named_after_snapshot(snapshot_id: int, delta: BookDelta) -> int:
    """``prevSeqId <= id < seqId``. Source: okx §5."""
    last, previous = delta.last_update_id, delta.previous_update_id
    if last <= snapshot_id:
        return 0
    return last if previous is not None and previous <= snapshot_id else -last


def named_if_at_all(last_id: int, delta: BookDelta) -> int:
    """As `named`, of a stream that names ids only since some version of it."""
    return named(last_id, delta) if delta.previous_update_id is not None else max(last_id, 1)


def unnumbered(last_id: int, delta: BookDelta) -> int:
    """There are no ids: every delta follows."""
    return last_id if last_id > 0 else 1


BINANCE_SPOT = BookRules(name="binance_spot", snapshot="rest", follow=dense, join=dense)
"""Source: binance_spot §6."""

BINANCE_FUTURES = BookRules(
    name="binance_futures", snapshot="rest", follow=chained, join=covers_snapshot
)
"""USD-M and COIN-M. Source: binance_usdm §5."""

OKX = BookRules(
    name="okx", snapshot="stream", follow=named, join=named_after_snapshot, checksum=INTERLEAVED
)
"""Source: okx §5."""

OKX_REST = attrs.evolve(OKX, name="okx_rest", snapshot="rest")
"""As OKX has announced it: no snapshot in the stream any more. Source: okx §5."""

BYBIT = BookRules(name="bybit", snapshot="stream", follow=dense, join=dense)
"""Source: bybit §5."""

BITGET = BookRules(
    name="bitget",
    snapshot="stream",
    follow=named_if_at_all,
    join=named_if_at_all,
    checksum=INTERLEAVED,
)
"""Source: bitget §5."""

DERIBIT = BookRules(name="deribit", snapshot="stream", follow=named, join=named)
"""Source: deribit §5."""

KRAKEN = BookRules(
    name="kraken",
    snapshot="stream",
    follow=unnumbered,
    join=unnumbered,
    checksum=ASKS_THEN_BIDS,
    truncates=True,
)
"""Spot, versions 1 and 2. Source: kraken §3, §4."""

KRAKEN_FUTURES = BookRules(name="kraken_futures", snapshot="stream", follow=dense, join=dense)
"""Source: kraken_futures_v1."""

COINBASE = BookRules(
    name="coinbase",
    snapshot="stream",
    follow=unnumbered,
    join=unnumbered,
    never_crosses=True,
)
"""The Exchange's feed, which has no sequence. Source: coinbase §2, §4."""

COINBASE_ADVANCED = attrs.evolve(COINBASE, name="coinbase_advanced")
"""Advanced Trade, which numbers the messages of a whole connection: check them with a
`connector.book.MessageSequence` first. Source: coinbase §3, §4."""

HYPERLIQUID = BookRules(name="hyperliquid", snapshot="stream", follow=unnumbered, join=unnumbered)
"""Whole books that replace each other. Source: hyperliquid §5."""
