"""A secret is named, read when it is used, and shown by nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from connector import ConfigError
from connector.app.secret import Secret


def test_it_is_read_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t")
    (tmp_path / "token").write_text(" s3cr3t\n")

    assert Secret(env="TOKEN").reveal() == "s3cr3t"
    assert Secret(file=str(tmp_path / "token")).reveal() == "s3cr3t"
    assert "s3cr3t" not in repr(Secret(env="TOKEN"))
    assert b"s3cr3t" not in msgspec.json.encode(Secret(file=str(tmp_path / "token")))


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        (Secret(env="NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE is not set"),
        (
            Secret(file="no-such-file"),
            "cannot read the secret in no-such-file: No such file or directory",
        ),
        (Secret(), "either"),
        (Secret(env="A", file="b"), "either"),
    ],
)
def test_a_secret_that_is_not_there_is_explained(secret: Secret, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        secret.reveal()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_a_file_without_a_secret_is_explained_without_its_content(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "token").write_bytes(content)

    with pytest.raises(ConfigError, match="token") as raised:
        Secret(file=str(tmp_path / "token")).reveal()

    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
