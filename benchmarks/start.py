"""How long each command takes with hardly anything to do: its start, beside that of what it stands on.

Run: python benchmarks/start.py [--rounds N]

Fresh processes take turns, a round each; the figures are medians over the rounds. With compiled files, as pip
leaves them; and without, as in a checkout whose environment says PYTHONDONTWRITEBYTECODE.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Spent, medians, parser, spent

from monitoring.local_datadog import LocalDatadog

FLOOR = "import numpy, yaml, click"
MONITOR = {
    "name": "failed",
    "type": "query alert",
    "query": "sum(last_5m):sum:aws.states.executions_failed{env:prod} by {statemachinearn}.as_count() > 5",
    "options": {"thresholds": {"critical": 5, "warning": 3}, "on_missing_data": "default"},
    "message": "@oncall",
}
TEST = """\
monitor: failed
start: 2026-03-01T00:00:00Z
series:
  - metric: aws.states.executions_failed
    type: count
    tags: [statemachinearn:m, env:prod]
    values: 0x9 9 0x19
expect:
  - alerts_within: 2m
    of: 10m
  - never: No Data
"""
POINTS = {
    "series": [
        {
            "metric": "aws.states.executions_failed",
            "tags": ["env:prod", "statemachinearn:m"],
            "points": [[1772323200 + 60 * minute, minute % 7] for minute in range(60)],
        }
    ]
}
FILES = {
    "monitors/failed.json": json.dumps(MONITOR, indent=2),
    "monitors/failed.test.yaml": TEST,
    "points.json": json.dumps(POINTS),
    "app.log": "MONITORING|1772323200|1|count|slides.identified|#talk:a\n",
}
COMMANDS = (
    ("--help",),
    ("lines", "app.log"),
    ("test", "monitors/failed.test.yaml"),
    ("lint", "monitors/failed.json"),
    ("query", "sum:aws.states.executions_failed{*}", "--data", "points.json"),
    ("backtest", "monitors/failed.json", "--data", "points.json"),
    ("forward", "app.log", "--json"),
    ("plan",),
)


def run(code: str, arguments: tuple[str, ...], environment: dict[str, str], folder: str) -> Spent:
    """One process."""
    command = [sys.executable, "-c", code, *arguments]
    return spent(
        lambda: subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    )


def environments(folder: Path, url: str) -> tuple[dict[str, str], dict[str, str]]:
    """With compiled files, and without."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    kept |= {"DD_URL": url, "PYTHONPATH": str(Path(__file__).parents[1])}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}, kept | {"PYTHONDONTWRITEBYTECODE": "1"}


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=9)
    chosen = options.parse_args()
    rounds = 1 if chosen.quick else chosen.rounds
    cases = {"python -c pass": ("pass", ()), f"python -c '{FLOOR}'": (FLOOR, ())}
    for arguments in COMMANDS:
        cases[f"stepscope {arguments[0]}"] = ("from monitoring.cli import main; main()", arguments)
    with tempfile.TemporaryDirectory() as folder, LocalDatadog() as datadog:
        for name, text in FILES.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        both = environments(Path(folder), datadog.url)
        measured: dict[tuple[str, int], list[Spent]] = {}
        for code, arguments in cases.values():
            run(code, arguments, both[0], folder)  # leaves the compiled files
        for _ in range(rounds):
            for name, (code, arguments) in cases.items():
                for at, environment in enumerate(both):
                    spent = run(code, arguments, environment, folder)
                    measured.setdefault((name, at), []).append(spent)
    floor = medians(measured[f"python -c '{FLOOR}'", 0])
    print(
        f"{'':40}{'clock':>7}{'least':>7}{'processor':>11}{'of floor':>10}   not compiled: clock{'least':>7}"
    )
    for name in cases:
        both_ways = [measured[name, at] for at in (0, 1)]
        compiled, source = map(medians, both_ways)
        least, least_source = (min(each.clock for each in runs) for runs in both_ways)
        ratio = compiled.processor / floor.processor
        print(
            f"{name:40}{compiled.clock:>7.2f}{least:>7.2f}{compiled.processor:>11.2f}{ratio:>10.2f}"
            f"{source.clock:>22.2f}{least_source:>7.2f}"
        )


if __name__ == "__main__":
    main()
