"""How moto's Step Functions is imported without half of moto."""

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator


@contextlib.contextmanager
def without_batch() -> Iterator[None]:
    """Lets moto's Step Functions have the enum that it wants of Batch, and not what Batch imports.

    Batch needs EC2, which takes half of the time that the embedded AWS needs to start. The package is
    imported properly when somebody uses it.
    """
    found = importlib.util.find_spec("moto")
    folders = list(found.submodule_search_locations or ()) if found else []
    if "moto.batch" in sys.modules or not folders:
        yield
        return
    light = types.ModuleType("moto.batch")
    light.__path__ = [f"{folder}/batch" for folder in folders]
    sys.modules["moto.batch"] = light
    try:
        yield
    finally:
        del sys.modules["moto.batch"]
