"""One embedded AWS for a module of tests, and what they ask of it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.local_aws import LocalAws

CODE = Path(__file__).parent / "code"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Runs twenty times as fast as the wall clock."""
    with LocalAws(tmp_path_factory.mktemp("aws"), speed=20) as running:
        yield running


@pytest.fixture(scope="module")
def deploy(aws: LocalAws) -> Callable[..., str]:
    """Deploys a handler of code/steps.py under its own name, once."""
    done: dict[str, str] = {}

    def deploy_step(name: str, function: str = "", **settings: Any) -> str:
        if name not in done:
            aws.deploy_function(
                name, handler=f"steps.{function or name}", code=CODE, **{"timeout": 5, **settings}
            )
            done[name] = name
        return name

    return deploy_step


@pytest.fixture(scope="module")
def messages(aws: LocalAws) -> Callable[..., list[str]]:
    """The messages in a log group, from a number of events on."""

    def messages_of(group: str, since: int = 0) -> list[str]:
        return [event.message for event in aws.log_events()[since:] if event.log_group == group]

    return messages_of


@pytest.fixture(scope="module")
def got(aws: LocalAws) -> Callable[[], list[dict[str, Any]]]:
    """What the subscriber of code/forwarder.py was given until now."""

    def everything() -> list[dict[str, Any]]:
        s3 = aws.client("s3")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket="got").get("Contents", [])]
        return [json.loads(s3.get_object(Bucket="got", Key=key)["Body"].read()) for key in keys]

    return everything
