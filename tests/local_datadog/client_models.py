"""The models of Datadog's client, one at a time: its own `models` imports all of them, which are 8,400 modules in version 2."""

import importlib
import re
from typing import Any

WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Models:
    """The models of a version of the API, by the name of their class."""

    def __init__(self, version: str) -> None:
        self._version = version

    def __getattr__(self, name: str) -> Any:
        module = f"datadog_api_client.{self._version}.model.{WORDS.sub('_', name).lower()}"
        return getattr(importlib.import_module(module), name)
