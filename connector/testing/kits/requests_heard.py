"""What dialects do alike with requests: read an object, and count requests in a window of time."""

from __future__ import annotations

from collections import deque
from typing import Any

import attrs
import msgspec
import trio


def object_in(text: bytes) -> dict[str, Any] | None:
    """The JSON object in a message; None if it is something else, or not JSON."""
    try:
        said = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return said if isinstance(said, dict) else None


@attrs.define
class RequestWindow:
    """Allows so many requests in a window of time; a refused request counts, too."""

    most: int
    seconds: float
    _taken: deque[float] = attrs.field(factory=deque)

    def take(self) -> bool:
        """Count a request; False if it is one too many."""
        now = trio.current_time()
        self._taken.append(now)
        while self._taken[0] <= now - self.seconds:
            self._taken.popleft()
        return len(self._taken) <= self.most
