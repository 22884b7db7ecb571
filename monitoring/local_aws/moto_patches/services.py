"""Patches of moto's server, and of its CodeBuild and CloudFront: what takes time on AWS takes time."""

import json
import re
import time
from typing import Any

from monitoring.local_aws.moto_patches.patch import Host, Patch

INVALIDATION_SECONDS = 10.0
"""State machine time until a CloudFront invalidation is completed."""


def _validate_source(original: Any, _: Host) -> Any:
    def validate(source: dict[str, Any]) -> None:
        if source.get("type") != "NO_SOURCE":
            original(source)

    return validate


def _start_build(original: Any, host: Host) -> Any:
    def start_build(self: Any) -> Any:
        answer = original(self)
        build = answer.result["build"]
        project = self.codebuild_backend.codebuild_projects[build["projectName"]].project_metadata
        host.start_build(build, json.loads(self.body or "{}"), project)
        return answer

    return start_build


def _batch_get_builds(_: Any, __: Host) -> Any:
    def batch_get_builds(self: Any, ids: list[str]) -> list[dict[str, Any]]:
        builds = [build for history in self.build_metadata_history.values() for build in history]
        return [build for build in builds if build["id"] in ids]

    return batch_get_builds


def _stop_build(_: Any, host: Host) -> Any:
    def stop_build(self: Any, build_id: str) -> Any:
        host.stop_build(build_id)
        return next(iter(self.batch_get_builds([build_id])), None)

    return stop_build


def _invalidation_init(original: Any, _: Host) -> Any:
    def init(self: Any, distribution: Any, paths: list[str], caller_ref: str) -> None:
        self.made = time.monotonic()
        original(self, distribution, paths, caller_ref)

    return init


def _invalidation_get(original: Any, host: Host) -> Any:
    def get(self: Any, name: str) -> Any:
        if name != "status":
            return original(self, name)
        over = time.monotonic() - self.made >= INVALIDATION_SECONDS / host.speed
        return "Completed" if over else "InProgress"

    return get


def _put_events(original: Any, _: Host) -> Any:
    def put_events(self: Any, events: list[dict[str, Any]]) -> Any:
        return original(
            self, [event if _is_object(event.get("Detail")) else {**event, "Detail": "?"} for event in events]
        )

    return put_events


def _is_object(detail: Any) -> bool:
    try:
        return not detail or isinstance(json.loads(detail), dict)
    except ValueError:
        return False


def _missing_parameter(original: Any, _: Host) -> Any:
    def error(parameter: str) -> Exception:
        from moto.sns.exceptions import SNSInvalidParameter

        if parameter != "MessageGroupId":
            return original(parameter)  # type: ignore[no-any-return]
        refused: Exception = SNSInvalidParameter(
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
        )
        return refused

    return error


_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")


def _create_secret(original: Any, _: Host) -> Any:
    def create_secret(self: Any, name: str, *rest: Any, **more: Any) -> Any:
        from moto.secretsmanager.exceptions import ValidationException

        if not _SECRET_NAME.fullmatch(name):
            raise ValidationException(
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the "
                "following: -/_+=.@!"
            )
        return original(self, name, *rest, **more)

    return create_secret


def _modules(original: Any, _: Host) -> Any:
    names = tuple(original())
    return lambda: names


PATCHES = (
    Patch(
        "moto.events.models:EventsBackend.put_events",
        "moto takes an event whose detail is not a JSON object; AWS says that it is malformed",
        _put_events,
        ("self", "events"),
    ),
    Patch(
        "moto.sns.models:MissingParameter",
        "a message without a group for a FIFO topic is an InvalidParameter on AWS, no MissingParameter",
        _missing_parameter,
    ),
    Patch(
        "moto.secretsmanager.models:SecretsManagerBackend.create_secret",
        "moto takes names of secrets that AWS refuses",
        _create_secret,
    ),
    Patch(
        "moto.backends:list_of_moto_modules",
        "moto lists its own folder, some 180 entries, at every request",
        _modules,
        (),
    ),
    Patch(
        "moto.codebuild.responses:_validate_required_params_source",
        "moto wants a location of a project that has no source",
        _validate_source,
        ("source",),
    ),
    Patch(
        "moto.codebuild.responses:CodeBuildResponse.start_build",
        "moto runs no build, and drops environmentVariablesOverride and buildspecOverride",
        _start_build,
        ("self",),
    ),
    Patch(
        "moto.codebuild.models:CodeBuildBackend.batch_get_builds",
        "moto's builds have succeeded as soon as one asks",
        _batch_get_builds,
        ("self", "ids"),
    ),
    Patch(
        "moto.codebuild.models:CodeBuildBackend.stop_build",
        "the build that runs has to be ended",
        _stop_build,
        ("self", "build_id"),
    ),
    Patch(
        "moto.cloudfront.models:Invalidation.__init__",
        "the time at which an invalidation began",
        _invalidation_init,
        ("self", "distribution", "paths", "caller_ref"),
    ),
    Patch(
        "moto.cloudfront.models:Invalidation.__getattribute__",
        "moto's invalidations are completed at once, in a word (COMPLETED) that CloudFront does not use",
        _invalidation_get,
    ),
)
