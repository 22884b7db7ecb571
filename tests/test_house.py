"""The house: where things are, by names that say so."""

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("old", "name", "new"),
    [
        ("monitoring.series", "Series", "monitoring.query.series"),
        ("monitoring.platform.names", "METRICS", "monitoring.log_events.names"),
    ],
)
def test_a_path_that_the_docs_once_named_is_the_new_module_and_says_so(old, name, new):
    for module in [path for path in sys.modules if old.startswith(path) and path != "monitoring"]:
        sys.modules.pop(module)
    with pytest.warns(DeprecationWarning, match=new.rpartition(".")[0]):
        found = importlib.import_module(old)
    assert getattr(found, name) is getattr(importlib.import_module(new), name)


def test_what_the_old_paths_offer_costs_the_package_nothing():
    code = "import monitoring, sys; print([name for name in sys.modules if 'platform' in name or 'series' in name])"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
