"""Alias of `stepscope_pytest`, the pytest plugin, for `-p monitoring.pytest_plugin`."""

from stepscope_pytest import *  # noqa: F403
