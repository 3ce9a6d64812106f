"""Load the compiled loops if they are installed; they are optional and give the same results.

`connector/transport/_speedups.c` contains the hottest loops in C. It is compiled when the package
is installed on a machine with a C compiler. Without a compiler, or with
``CONNECTOR_NO_EXTENSION=1`` in the environment, the same loops run in Python
(`connector.feeds.hot_loop`, `connector.transport.websocket_frames`, `connector.transport.deflate`,
`connector.exchanges.shortcuts`), at about one and a half times the cost per message. Each loop says
in Python what it does; the tests hold both to the same results.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

_PARTS = (
    "arranged",
    "numbered",
    "split",
    "once",
    "lift_text",
    "inflate_text",
    "take_and_put",
    "Intake",
)


def load() -> ModuleType | None:
    """The compiled part, or None."""
    if os.environ.get("CONNECTOR_NO_EXTENSION"):
        return None
    try:
        module = importlib.import_module("connector.transport._speedups")
    except ImportError:
        return None
    # One that was compiled from older source, before the package was changed where it lies.
    return module if all(hasattr(module, name) for name in _PARTS) else None


EXTENSION = load()
