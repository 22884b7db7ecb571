"""The old place of the pytest plugin, for `-p monitoring.pytest_plugin`: see `stepscope_pytest`."""

from stepscope_pytest import *  # noqa: F403
