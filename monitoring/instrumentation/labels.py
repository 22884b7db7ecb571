"""What repeats from call to call, as text: a call's tags, and the fixed part of its root span."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quote

from monitoring.instrumentation.triggers import DATADOG_NAMES
from monitoring.lines import tag_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.instrumentation.decorator import Options
    from monitoring.instrumentation.settings import Settings
    from monitoring.instrumentation.step_functions import Identity
    from monitoring.instrumentation.triggers import Trigger

_KEPT = 256
_known: dict[Any, Labels] = {}


class Labels:
    """The texts of all calls that share a function, a trigger and a state.

    `scope`: the tags that every point of the call carries; `tags`: those of the call's own metrics. `head`
    and `meta` are members of the root span's JSON, `child` the fixed meta of the other spans. The rest are
    what follows the value in the lines of the metrics that every call prints.
    """

    __slots__ = (
        "arn",
        "child",
        "duration",
        "function",
        "head",
        "invocations",
        "meta",
        "request",
        "response",
        "scope",
        "service",
        "settings",
        "tags",
        "trigger",
    )

    def __init__(
        self,
        chosen: Settings,
        given: tuple[Any, ...],
        trigger: Trigger,
        identity: Identity | None,
        function: str,
        arn: Any,
    ) -> None:
        self.settings, self.trigger, self.arn, self.function = chosen, trigger, arn, function
        self.scope = ",".join(tag_list([*given, *chosen.tags]))
        self.tags = ",".join([*tag_list(_tags(trigger, identity)), *([self.scope] if self.scope else [])])
        self.invocations = f"count|stepscope.invocations|#{self.tags}"
        self.duration = f"histogram|stepscope.duration|#{self.tags}"
        self.request = f"histogram|stepscope.request.size|#{self.tags}"
        self.response = f"histogram|stepscope.response.size|#{self.tags}"
        self.service = chosen.service or function.lower() or "aws.lambda"
        self.head = f'"service":{quote(self.service)},"resource":{quote(function)},"name":"aws.lambda",'
        self.meta = meta_json(_root_meta(chosen, trigger, function, arn if isinstance(arn, str) else ""))
        self.child = meta_json({"_dd.origin": "lambda", "env": chosen.env})


def labels_of(
    chosen: Settings, options: Options, trigger: Trigger, identity: Identity | None, context: Any
) -> Labels:
    """The labels of a call; made once for each combination."""
    arn, named = getattr(context, "invoked_function_arn", None), getattr(context, "function_name", None)
    function = (named if isinstance(named, str) else "") or chosen.function_name or options.function
    place = (identity.state_machine, identity.state) if identity is not None else None
    key = (chosen, options.tags, trigger.name, trigger.resource, trigger.arn, place, function, arn)
    try:
        found = _known.get(key)
    except TypeError:  # a tag or an ARN that cannot be hashed
        return Labels(chosen, options.tags, trigger, identity, function, arn)
    if found is None:
        if len(_known) >= _KEPT:
            _known.clear()
        found = _known[key] = Labels(chosen, options.tags, trigger, identity, function, arn)
    return found


def _tags(trigger: Trigger, identity: Identity | None) -> list[str]:
    tags = [f"trigger:{trigger.name}"]
    if trigger.resource:
        tags.append(f"trigger_resource:{trigger.resource}")
    if identity is not None:
        tags += [f"statemachine:{identity.state_machine}", f"state:{identity.state}"]
    return tags


def meta_json(meta: dict[str, str]) -> str:
    """The members of a JSON object, without its braces; empty values are left out."""
    return ",".join(f"{quote(key)}:{quote(value)}" for key, value in meta.items() if value)


def _root_meta(chosen: Settings, trigger: Trigger, function: str, arn: str) -> dict[str, str]:
    parts = arn.split(":")
    return {
        "_dd.origin": "lambda",
        "span.kind": "server",
        "cold_start": "false",
        "env": chosen.env,
        "version": chosen.version,
        "function_arn": ":".join(parts[:7]).lower(),
        "function_version": parts[7] if len(parts) > 7 else "",
        "functionname": function.lower(),
        "trigger": trigger.name,
        "trigger.resource": trigger.resource,
        "function_trigger.event_source": DATADOG_NAMES.get(trigger.name, trigger.name),
        "function_trigger.event_source_arn": trigger.arn,
    }
