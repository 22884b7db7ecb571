"""project-settings: a stepscope.toml that cannot be read, or that holds what nothing reads."""

from collections.abc import Iterator

from monitoring.lint.model import Refusal, Rule
from monitoring.resources.project import SettingFault, parse_settings

RULE = Rule(
    "project-settings",
    "error",
    "A stepscope.toml that plan, apply and test would refuse.",
    refusals=(Refusal("the words of the finding", "`stepscope plan`, `apply` and `test`"),),
)


def check_settings(text: str) -> Iterator[SettingFault]:
    """Yield everything that is wrong with the text of a stepscope.toml."""
    yield from parse_settings(text)[1]
