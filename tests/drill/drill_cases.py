"""What the tests of the drill share: the shipped monitors, and the faults that are played."""

from pathlib import Path

MONITORS = Path(__file__).parents[2] / "monitors"
PLAYED = (
    "handler-raises",
    "out-of-memory",
    "syntax-error",
    "throttled",
    "silent-retries",
    "claim-broken",
    "stuck-executions",
    "execution-times-out",
    "executions-stopped",
    "table-gone",
    "access-denied",
    "build-fails",
    "task-times-out",
    "events-dropped",
    "trigger-disabled",
    "intake-fails",
    "wrong-api-key",
    "busy-hour",
    "one-slow-call",
)
