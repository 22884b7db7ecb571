"""`serverless.yml`, with the Step Functions plugin's section."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitoring.deploy.discovery.found import Found, Function, StateMachine, state_machine
from monitoring.deploy.discovery.templates import definition_of, number_of, text_of

DEFAULT_TIMEOUT = 6
DEFAULT_SIZE = 1024
STREAMS = {"stream": "kinesis", "msk": "kafka", "kafka": "kafka"}
ASYNCHRONOUS = {"s3", "sns", "schedule", "eventBridge", "cloudwatchEvent", "cloudwatchLog", "iot"}


def read_serverless(config: Mapping[str, Any], path: Path) -> Found:
    """The functions and state machines of a service; `${…}` becomes `*` in names."""
    provider = config.get("provider") if isinstance(config.get("provider"), Mapping) else {}
    service = config.get("service")
    name = service.get("name") if isinstance(service, Mapping) else service
    prefix = f"{_plain(name)}-{_plain((provider or {}).get('stage', 'dev'))}"
    functions = config.get("functions") or {}
    if isinstance(functions, list):
        functions = {key: one for part in functions if isinstance(part, Mapping) for key, one in part.items()}
    machines = (config.get("stepFunctions") or {}).get("stateMachines") or {}
    return Found(
        str(path),
        tuple(
            _function(f"{prefix}-{key}", one, provider or {})
            for key, one in functions.items()
            if isinstance(one, Mapping)
        ),
        tuple(_state_machine(key, one) for key, one in machines.items() if isinstance(one, Mapping)),
    )


def _plain(value: Any) -> str:
    return re.sub(r"\$\{[^}]*\}+", "*", text_of(value))


def _function(name: str, given: Mapping[str, Any], provider: Mapping[str, Any]) -> Function:
    events = [str(kind) for one in given.get("events") or [] for kind in _kinds(one)]
    return Function(
        name=_plain(given["name"]) if given.get("name") else name,
        timeout=number_of(given.get("timeout", provider.get("timeout")), DEFAULT_TIMEOUT),
        memory=number_of(given.get("memorySize", provider.get("memorySize")), DEFAULT_SIZE),
        streams=tuple(sorted({STREAMS[kind] for kind in events if kind in STREAMS})),
        asynchronous=bool(ASYNCHRONOUS & set(events)),
        dead_letters="onError" in given or "deadLetter" in given,
    )


def _kinds(event: Any) -> list[Any]:
    return list(event) if isinstance(event, Mapping) else [event]


def _state_machine(key: str, given: Mapping[str, Any]) -> StateMachine:
    definition = definition_of(given.get("definition"))
    name = _plain(given["name"]) if given.get("name") else f"{key}*"
    return state_machine(name, definition, express=given.get("type") == "EXPRESS")
