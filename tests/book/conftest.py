"""Where the captures are."""

from __future__ import annotations

import os
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
