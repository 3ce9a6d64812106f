"""Read secrets from a file or an environment variable that the configuration names.

``{ env = "NAME" }`` or ``{ file = "path" }``. The value is read when it is used and kept nowhere,
so that no repr, log or error can show it.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from connector.errors import ConfigError


class Secret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a secret is."""

    env: str | None = None
    """The environment variable that holds it."""
    file: str | None = None
    """The file that holds it; white space around it is left out."""

    def reveal(self) -> str:
        """The secret itself: pass it on, do not keep it.

        Raises:
            ConfigError: it is not where it should be; says what to do.
        """
        if (self.env is None) == (self.file is None):
            raise ConfigError('a secret is either { env = "NAME" } or { file = "path" }')
        if self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                raise ConfigError(f"the environment variable {self.env} is not set")
            return value
        assert self.file is not None
        try:
            value = Path(self.file).expanduser().read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ConfigError(f"cannot read the secret in {self.file}: {reason}") from None
        if not value:
            raise ConfigError(f"the file {self.file} is empty; it must contain the secret")
        return value
