"""The guides' commands, each page in an empty folder, print what the page shows."""

from pathlib import Path

import pytest
from page import Command, steps_of
from terminals import Terminals

pytestmark = pytest.mark.checkout
GUIDES = sorted((Path(__file__).parents[2] / "docs" / "guides").glob("*.md"))
WITHOUT_COMMANDS = {"limits"}


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_guide_is_true_as_written(path, tmp_path):
    steps = steps_of(path.read_text(encoding="utf-8"))
    assert any(isinstance(step, Command) for step in steps) is (path.stem not in WITHOUT_COMMANDS)
    terminals = Terminals(tmp_path)
    for step in steps:
        terminals.carry_out(step)
