"""Check the URL of a Redis; errors do not repeat it, because it may contain a password."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from connector.app.secret import Secret
from connector.errors import ConfigError

SCHEMES = ("redis", "rediss", "unix")
EXAMPLES = (
    "write, for example, redis://127.0.0.1:6379/0, rediss://redis.example:6379 with TLS, or "
    "unix:///run/redis/redis.sock"
)

_PASSWORD = re.compile(r"//[^/]*:[^/]*@|[?&]password=")


def check_address(url: str) -> None:
    """See that `url` can be the address of a Redis; nothing is connected to.

    Raises:
        ConfigError: it cannot; says what can be, and nothing of what is in it.
    """
    try:
        parts = urlsplit(url)
        place = parts.path if parts.scheme == "unix" else parts.hostname
        numbered = parts.port is None or parts.port > 0
    except ValueError:
        place, numbered = None, False
    if not place or not numbered or parts.scheme not in SCHEMES:
        raise ConfigError(f"this is not a Redis URL; {EXAMPLES}")


def check_written(url: str | Secret) -> None:
    """See that `url` can stand in a file.

    Raises:
        ConfigError: as `check_address`, or as `Secret.reveal`; or there is a password in it.
    """
    check_address(url if isinstance(url, str) else url.reveal())
    if isinstance(url, str) and _PASSWORD.search(url):
        raise ConfigError(
            'the URL must not contain a password: write url = { env = "REDIS_URL" } '
            'or { file = "…" }'
        )
