"""A terminal that does not know Unicode: nothing that the program writes raises there."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from connector.app.characters import PLAIN, write_plainly


def written(text: str, encoding: str) -> str:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as stream:
        write_plainly([stream])
        stream.write(text)
        stream.flush()
        return raw.getvalue().decode(encoding)


def test_bars_stay_bars() -> None:
    assert written("tasks ▁▄█ 22 – x", "cp1252") == "tasks .=# 22 – x"
    assert written("a → b", "ascii") == "a > b"
    assert written("tasks ▁▄█ 22", "utf-8") == "tasks ▁▄█ 22"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")))
def test_any_text_can_be_written(text: str) -> None:
    assert all(
        each in text or each in "".join(PLAIN.values()) + "?" for each in written(text, "cp1252")
    )
