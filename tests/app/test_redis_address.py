"""What can be the address of a Redis, and that no secret in one is repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import ConfigError
from connector.app.redis_address import check_address, check_written
from connector.app.secret import Secret


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379",
        "redis://localhost",
        "redis://user@redis.example:6379/3",
        "rediss://:hunter2@[::1]:6380/0?db=2",
        "unix:///run/redis.sock",
    ],
)
def test_an_address_is_taken(url: str) -> None:
    check_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:6379",
        "localhost:6379",
        "redis://",
        "redis://:hunter2@",
        "http://:hunter2@127.0.0.1:6379",
        "redis://host:hunter2",
        "redis://host:0",
        "redis://[hunter2",
        "unix://",
    ],
)
def test_an_invalid_address_is_an_error_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ConfigError, match="write, for example, redis://") as raised:
        check_address(url)

    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@127.0.0.1:6379",
        "redis://user:hunter2@127.0.0.1",
        "redis://127.0.0.1?password=hunter2",
        "unix:///run/redis.sock?db=1&password=hunter2",
    ],
)
def test_a_password_does_not_stand_in_a_file(url: str) -> None:
    with pytest.raises(ConfigError, match="the URL must not contain a password") as raised:
        check_written(url)

    assert "hunter2" not in str(raised.value)


def test_it_may_stand_where_secrets_are(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:hunter2@127.0.0.1:6379\n")
    (tmp_path / "wrong").write_text("hunter2\n")

    check_written(Secret(file=str(tmp_path / "url")))
    with pytest.raises(ConfigError, match="not a Redis URL") as raised:
        check_written(Secret(file=str(tmp_path / "wrong")))

    assert "hunter2" not in str(raised.value)
