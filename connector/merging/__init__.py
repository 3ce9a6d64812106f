"""One ordered stream out of several copies of it, so that one disconnect loses nothing.

`merge` reads several feeds in the consumer's own task; `arbitration` decides, event by event, what
is new, what is a copy, and what is missing on every side; `event_identity` says which ids tell two
events apart. It may import feeds and what is below them. It opens nothing and starts no task.

.. code-block:: text

    feed A ─┐
            ├→ merge → arbitration → ``async for``
    feed B ─┘
"""

from connector.merging.merge import MergedFeed, MergeStatistics, merge

__all__ = ["MergeStatistics", "MergedFeed", "merge"]
