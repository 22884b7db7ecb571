"""Monitors: a month of a five-minute monitor over 100 groups, and 500 monitor tests.

Run: python benchmarks/monitors.py
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import is_quick, timed

from monitoring.monitor.evaluation import Data
from monitoring.query.series import Series
from monitoring.testing.backtest import Variant, backtest

START = 1772323200
MONTH = 30 * 86400
BODY = {
    "type": "query alert",
    "query": "sum(last_5m):sum:aws.states.executions_failed{env:prod} by {statemachinearn}.as_count() > 5",
    "options": {"thresholds": {"critical": 5, "warning": 3}, "on_missing_data": "default"},
}
TEST = """\
monitor: failed
start: 2026-03-01T00:00:00Z
series:
  - metric: aws.states.executions_failed
    type: count
    tags: [statemachinearn:m{n}, env:prod]
    values: 0x9 9 0x19
expect:
  - at: 10m
    state: OK
  - alerts_within: 2m
    of: 10m
  - recovers_by: 20m
  - never: No Data
"""


def month(groups: int) -> list[Series]:
    """One point a minute for 30 days, from each of `groups` state machines; each has 20 bad half hours."""
    random = np.random.default_rng(1)
    times = START + np.arange(MONTH // 60, dtype=np.int64) * 60
    return [
        Series(
            "aws.states.executions_failed",
            ("env:prod", f"statemachinearn:m{at}"),
            times,
            failures(random, len(times)),
            "count",
            60,
        )
        for at in range(groups)
    ]


def failures(random: np.random.Generator, minutes: int) -> np.ndarray:
    """Failed executions by the minute: one in an hour, and three a minute in the bad half hours."""
    values = random.poisson(1 / 60, minutes).astype(float)
    for start in random.integers(0, minutes - 30, 20):
        values[start : start + 30] = random.poisson(3, 30)
    return values


def command(*arguments: str) -> None:
    """One run of the command, which has to end well."""
    program = "from monitoring.cli import main; main()"
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Print the table."""
    groups, tests, rounds = (2, 5, 1) if is_quick(__doc__) else (100, 500, 3)
    data = Data(month(groups))
    replayed = timed(lambda: list(backtest([Variant("as it is", BODY)], data, START, START + MONTH)), rounds)
    floor = timed(lambda: [np.add.reduceat(each.values, np.arange(len(each.values))) for each in data.series])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "failed.json").write_text(json.dumps({**BODY, "name": "failed"}))
        (path / "failed.test.yaml").write_text(TEST.format(n=0))
        one = timed(lambda: command("test", str(path / "failed.test.yaml")), 5)
        for at in range(1, tests):
            (path / f"case{at}.test.yaml").write_text(TEST.format(n=at))
        many = timed(lambda: command("test", folder), rounds)
    rows = [
        (f"30-day backtest, {groups} groups", replayed, "5 s", floor, "a pass over the points"),
        (f"{tests} monitor tests, the command as a whole", many, "3 s", one, "the command with one test"),
    ]
    print(f"{'':<48} {'clock':>6} {'processor':>9}  aim    processor against")
    for name, spent, aim, against, what in rows:
        ratio = spent.processor / against.processor
        print(f"{name:<48} {spent.clock:>6.2f} {spent.processor:>9.2f}  {aim:<5}  {ratio:.1f} x {what}")


if __name__ == "__main__":
    main()
