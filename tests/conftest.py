"""What every test area shares."""

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Browser

for size in ("COLUMNS", "LINES"):
    # GNU readline, which pytest imports, sets them in the environment that the processes of `-n` inherit.
    os.environ.pop(size, None)
FEW = int(os.environ.get("STEPSCOPE_FEW_CASES") or 0)
"""So many cases of each test are run, and examples of each property; 0 for all.

For the tests of the built wheel: what it lacks, every case of a test lacks.
"""

OF_PROPERTY = "_hypothesis_internal_use_settings"
"""Where Hypothesis keeps the settings of one test: it has no public way to lower them from outside."""

# A test never asserts a time, and a slow machine is not a finding.
settings.register_profile("stepscope", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", settings.get_profile("stepscope"), max_examples=FEW or 1)
settings.load_profile("few" if FEW else "stepscope")


@pytest.fixture(scope="module")
def window() -> "Iterator[Browser]":
    """A window of a headless Chromium; the test is skipped where there is none."""
    from browser import chromium

    with chromium() as opened:
        yield opened


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases of a test after the first few, and the examples of a property that asks for a number of them."""
    if not FEW:
        return
    cases: Counter[str] = Counter()
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        cases[name := item.nodeid.partition("[")[0]] += 1
        (kept if cases[name] <= FEW else left_out).append(item)
        property_settings = getattr(test := getattr(item, "function", None), OF_PROPERTY, None)
        if property_settings is not None:
            setattr(test, OF_PROPERTY, settings(property_settings, max_examples=FEW))
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept
