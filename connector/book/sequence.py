"""Check the numbers that an exchange gives to all messages of a connection, for local books.

Coinbase Advanced Trade counts all messages of all channels, including replies, from 0. A missing
message may have been a heartbeat or a change of any book. All books of the connection therefore
lose their sync:

.. code-block:: text

    message ──▶ MessageSequence.take ── 0 ──▶ Book.delta, Book.restarted
                                     └─ else ▶ Book.lost("sequence") of every book, reconnect

Source: coinbase §3, §4.
"""

from __future__ import annotations


class MessageSequence:
    """Counts the messages of one connection; a new connection begins with a new one."""

    def __init__(self) -> None:
        self._expected = 0

    def __repr__(self) -> str:
        return f"<MessageSequence, next is {self._expected}>"

    def take(self, number: int) -> int:
        """How many messages are missing before this one; negative if it, or a later one, was seen.

        Args:
            number: what the exchange has written on it.
        """
        missing = number - self._expected
        self._expected = max(number + 1, self._expected)
        return missing


__all__ = ["MessageSequence"]
