"""Replace `#{AWS::Region}` in a `serverless.yml` by Fn::Sub, as the plugin serverless-pseudo-parameters does.

https://github.com/svdgraaf/serverless-pseudo-parameters#readme
"""

import re
from collections.abc import Mapping
from typing import Any

PLUGIN = "serverless-pseudo-parameters"
_REFERENCE = re.compile(r"#\{([A-Za-z0-9:.]+)\}")


def substituted(value: Any, *, inside: bool = False) -> Any:
    """Return a part of a template in which each text with `#{NAME}` is an Fn::Sub with `${NAME}`.

    Args:
        value: a JSON value.
        inside: whether the value is already the text of an Fn::Sub.
    """
    if isinstance(value, str):
        text = _REFERENCE.sub(r"${\1}", value)
        return text if inside or text == value else {"Fn::Sub": text}
    if isinstance(value, Mapping):
        return {key: substituted(part, inside=key == "Fn::Sub") for key, part in value.items()}
    if isinstance(value, list):
        return [substituted(part, inside=inside and at == 0) for at, part in enumerate(value)]
    return value


def has_plugin(plugins: Any) -> bool:
    """Return whether a service's `plugins` (a list, or an object with `modules`) contain the plugin."""
    names = plugins.get("modules") if isinstance(plugins, Mapping) else plugins
    return isinstance(names, list) and PLUGIN in names
