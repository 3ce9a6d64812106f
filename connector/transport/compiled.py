"""Load the compiled loops if they are installed; they are optional and give the same results.

`connector/transport/_speedups.c` contains the hottest loops in C, `connector/book/_rows.c` the
levels of books, and `connector/exchanges/_usual_json.c` the decoder of private messages
and of lists of trades (`connector.exchanges.usual_json`; without it msgspec decodes them). They are
compiled when the package is installed on a machine with a C compiler. Without a compiler, or with
``CONNECTOR_NO_EXTENSION=1`` in the environment, the same loops run in Python
(`connector.feeds.hot_loop`, `connector.feeds.delivery_delay`,
`connector.transport.websocket_frames`, `connector.transport.deflate`, `connector.transport.tls`,
`connector.exchanges.shortcuts`, `connector.book.rows`, `connector.book.digits`), at about one and a
half times the cost per message. Each loop says in Python what it does; the tests hold both to the
same results.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from types import ModuleType

_PARTS = (
    "arranged",
    "consecutive",
    "numbered",
    "split",
    "once",
    "lift_text",
    "inflate_text",
    "read_records",
    "take_and_put",
    "Intake",
    "Handover",
    "Wait",
    "Histogram",
)


def load(
    name: str = "connector.transport._speedups", parts: Iterable[str] = _PARTS
) -> ModuleType | None:
    """A compiled part of the package, or None.

    Args:
        name: of the module.
        parts: what must be in it.
    """
    if os.environ.get("CONNECTOR_NO_EXTENSION"):
        return None
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    # One that was compiled from older source, before the package was changed where it lies.
    return module if all(hasattr(module, each) for each in parts) else None


EXTENSION = load()
