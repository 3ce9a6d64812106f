"""Where the real captures are, and how to read them, with nothing but the standard library."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of captures; without it the test is skipped."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("CONNECTOR_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no captures in {folder}; set CONNECTOR_DATA to the folder that has them")
    return folder


@pytest.fixture(scope="session")
def received_frames(data_folder: Path) -> Callable[[str], Iterator[bytes]]:
    """The frames that a capture received, in order, byte for byte."""

    def read(name: str) -> Iterator[bytes]:
        with gzip.open(data_folder / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if record["k"] == "recv":
                    yield record["m"].encode()

    return read
