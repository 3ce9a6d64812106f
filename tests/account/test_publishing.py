"""Feeds of account events: what they refuse."""

from __future__ import annotations

from typing import Any, cast

import pytest

from connector.account.publishing import Publishing
from connector.errors import ConfigError


async def test_a_feed_of_account_events_takes_no_channels() -> None:
    publishing = Publishing()

    with pytest.raises(ConfigError, match="no channels"):
        await publishing.add_channels(cast("Any", None), ())
    with pytest.raises(ConfigError, match="no channels"):
        publishing.remove_channels(cast("Any", None), ())
