"""A drill that was played once for all tests: health, some faults and some ordinary days."""

from types import SimpleNamespace

import pytest
from drill_cases import PLAYED

from monitoring.drill.faults import chosen
from monitoring.drill.run import DrillWatcher, play, play_health
from monitoring.drill.stage import set_up


@pytest.fixture(scope="session")
def drilled() -> SimpleNamespace:
    """`health`, `played` by the fault's name, and the log events by log group."""
    faults = chosen(PLAYED)
    with set_up("prod") as stage:
        health = play_health(stage)
        played = dict(zip(PLAYED, play(stage, faults, DrillWatcher()), strict=True))
        logs: dict[str, list[str]] = {}
        for event in stage.aws.log_events():
            logs.setdefault(event.log_group, []).append(event.message)
        spooled = {path.name for path in stage.home.glob("*-spool") if any(path.rglob("*"))}
        objects = stage.aws.client("s3").list_objects_v2(Bucket="claim-broken--orders").get("Contents", [])
    return SimpleNamespace(
        faults={fault.name: fault for fault in faults},
        health=health,
        played=played,
        logs=logs,
        spooled=spooled,
        objects=[each["Key"] for each in objects],
    )
