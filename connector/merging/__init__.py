"""Merge several copies of a stream into one ordered stream, so that one disconnect loses nothing.

`merge` reads several feeds in the consumer's own task. `arbitration` decides for each event whether
it is new or a copy, and which events are missing on every side. `event_identity` defines the ids by
which copies are recognised. The package opens nothing and starts no task. It may import feeds and
the packages below them.

.. code-block:: text

    feed A ─┐
            ├→ merge → arbitration → ``async for``
    feed B ─┘
"""

from connector.merging.merge import MergedFeed, MergeStatistics, merge

__all__ = ["MergeStatistics", "MergedFeed", "merge"]
