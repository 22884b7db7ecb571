"""`#{AWS::Region}` in a `serverless.yml`: the plugin serverless-pseudo-parameters makes Fn::Sub of it.

https://github.com/svdgraaf/serverless-pseudo-parameters#readme
"""

import re
from collections.abc import Mapping
from typing import Any

PLUGIN = "serverless-pseudo-parameters"
_REFERENCE = re.compile(r"#\{([A-Za-z0-9:.]+)\}")


def substituted(value: Any, *, inside: bool = False) -> Any:
    """Return a template's part with each text that has `#{NAME}` as Fn::Sub of `${NAME}`.

    Args:
        value: JSON's values.
        inside: whether the value is the text of an Fn::Sub already.
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
    """Return whether a service's `plugins` (a list, or an object with `modules`) name the plugin."""
    names = plugins.get("modules") if isinstance(plugins, Mapping) else plugins
    return isinstance(names, list) and PLUGIN in names
