"""Where recorded material lies that is not part of the package; tests skip, saying so, where it is absent."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def shared_data(name: str) -> Path:
    """The file of that name, or a skip that says what is missing."""
    folder = Path(os.environ.get("STEPSCOPE_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / name).is_file():
        pytest.skip(f"recorded data {name} is not here ({folder}); set STEPSCOPE_DATA to its folder")
    return folder / name
