"""Listen keys of USD-M: one per account, valid for sixty minutes at a time.

Source: binance_trading §2.2, binance_usdm §6.
"""

from __future__ import annotations

import hashlib

import attrs

from connector.testing.exchange.trading.refusals import refusal

LIFETIME_MS = 60 * 60_000


@attrs.frozen
class ListenKey:
    """A key, and the time until which it is valid."""

    account: str
    text: str = attrs.field(repr=False)
    expires_ms: int = 0


@attrs.define
class ListenKeys:
    """The keys of all accounts."""

    _keys: dict[str, ListenKey] = attrs.field(factory=dict)
    _made: int = 0

    def open(self, account: str, now_ms: int) -> str:
        """POST: return the active key or a new one; either is valid for sixty minutes."""
        known = self.active(account, now_ms)
        if known is None:
            self._made += 1
            seed = f"listen key {self._made} of {account}"
            known = ListenKey(account, hashlib.sha256(seed.encode()).hexdigest())
        self._keys[account] = attrs.evolve(known, expires_ms=now_ms + LIFETIME_MS)
        return known.text

    def extend(self, account: str, now_ms: int) -> str:
        """PUT: extend the key to sixty minutes from now.

        Raises:
            Refused: -1125 if there is no key.
        """
        known = self.active(account, now_ms)
        if known is None:
            raise refusal("listen_key")
        self._keys[account] = attrs.evolve(known, expires_ms=now_ms + LIFETIME_MS)
        return known.text

    def close(self, account: str) -> ListenKey | None:
        """End an account's key, for all connections that use it."""
        return self._keys.pop(account, None)

    def active(self, account: str, now_ms: int) -> ListenKey | None:
        """The key of an account if it has not expired."""
        known = self._keys.get(account)
        return known if known is not None and now_ms < known.expires_ms else None

    def account_of(self, text: str, now_ms: int) -> str | None:
        """The account with this valid key."""
        for account in self._keys:
            known = self.active(account, now_ms)
            if known is not None and known.text == text:
                return account
        return None

    def take_expired(self, now_ms: int) -> list[ListenKey]:
        """The keys that have expired by now, each once."""
        expired = [key for key in self._keys.values() if key.expires_ms <= now_ms]
        for key in expired:
            del self._keys[key.account]
        return expired

    def next_expiry_ms(self) -> int | None:
        """When the next key expires."""
        return min((key.expires_ms for key in self._keys.values()), default=None)
