"""Which of lint, `stepscope test` and the drill notices each mutation of the shipped monitors.

python tests/drill/mutation_table.py             say what nothing notices
python tests/drill/mutation_table.py --write     write docs/monitor-mutations.md
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from monitor_mutations import EDITS, SIBLINGS, Mutation, mutations

from monitoring.drill import watching
from monitoring.drill.fault import Fault
from monitoring.drill.faults import ALL
from monitoring.drill.judge import judge
from monitoring.drill.run import DrillWatcher, Laid, Played, Scene, laid_out, play, play_health, seen_by
from monitoring.drill.stage import set_up
from monitoring.drill.watching import Seen, Watcher
from monitoring.errors import InputError
from monitoring.lint.engine import FileReport, lint_file, lint_together
from monitoring.lint.rules import modules
from monitoring.resources.variables import fill_in
from monitoring.testing import Case, Folder, load, run_case

ROOT = Path(__file__).parents[2]
MONITORS = ROOT / "monitors"
DELAY = 720
"""Seconds until a point of CloudWatch is in Datadog, as `stepscope drill` has it."""


class Noticed(NamedTuple):
    """Who notices one mutation of one monitor."""

    key: str
    kind: str
    lint: bool
    test: bool
    drill: bool

    @property
    def letters(self) -> str:
        """`L`, `T` and `D` for those that notice."""
        marks = zip("LTD", (self.lint, self.test, self.drill), strict=True)
        return "".join(letter for letter, noticed in marks if noticed)


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """Return a monitor with the defaults of its variables; those of the message stay, they are handles and links."""
    return fill_in({**body, "message": ""}, {}) | {"message": body["message"]}


class Bench:
    """A copy of `monitors/` in which one file at a time is replaced by a mutation."""

    def __init__(self, home: Path) -> None:
        self.path = Path(shutil.copytree(MONITORS, home / "monitors"))
        for folder in ("dashboards", "slos", "downtimes"):
            shutil.copytree(ROOT / folder, home / folder)
        self.original = Folder(self.path)
        self.bodies = {
            key: _plain(json.loads((self.path / f"{key}.json").read_text()))
            for key in sorted(self.original.keys())
        }
        for key in self.bodies:
            self.restore(key)
            self.original.body(key)
        self.codes = frozenset(modules())

    def mutants(self, key: str) -> list[Mutation]:
        """Return the mutations of a monitor."""
        return list(mutations(self.bodies[key]))

    def users(self, key: str) -> list[str]:
        """Return the monitor and the composites that refer to it."""
        return [other for other, body in self.bodies.items() if other == key or f":{key}}}" in body["query"]]

    @cached_property
    def cases(self) -> dict[str, list[Case]]:
        """The cases of each monitor's test file."""
        return {key: load(path) for key in self.bodies if (path := self.path / f"{key}.test.yaml").exists()}

    @cached_property
    def reports(self) -> dict[str, FileReport]:
        """What lint says of each file as it is, and what it needs of it for the rules across files."""
        files = sorted(self.path.parent.rglob("*.json"))
        return {str(path): lint_file(str(path), self.codes) for path in files}

    def replaced(self, key: str, body: dict[str, Any]) -> Folder:
        """Write a mutation and return the folder with it."""
        (self.path / f"{key}.json").write_text(json.dumps(body))
        kept = {other: filled for other, filled in self.original.bodies.items() if other != key}
        return Folder(self.path, bodies=kept)

    def restore(self, key: str) -> None:
        """Put the monitor's file back."""
        (self.path / f"{key}.json").write_text(json.dumps(self.bodies[key]))

    def linted(self, key: str) -> set[tuple[str, str]]:
        """Return file and rule of each finding, with the monitor as it now is."""
        path = str(self.path / f"{key}.json")
        reports = self.reports | {path: lint_file(path, self.codes)}
        findings = [finding for report in reports.values() for finding in report.findings]
        facts = [report.facts for report in reports.values() if report.facts is not None]
        return {(each.path, each.rule) for each in (*findings, *lint_together(facts, self.codes))}

    def tested(self, key: str, folder: Folder) -> bool:
        """Return whether every case of the monitor and of its composites passes."""
        cases = [case for user in self.users(key) for case in self.cases.get(user, ())]
        return all(run_case(case, folder).passed for case in cases)


@dataclass(frozen=True)
class Stagings:
    """Faults as they were laid out once, so that only the mutated monitor is evaluated again."""

    scene: Scene
    faults: dict[str, Fault]
    played: dict[str, Played]
    laid: dict[str, Laid]
    seen: dict[str, list[Seen]]
    wrong: dict[str, tuple[str, ...]]

    def noticed(self, keys: Sequence[str], folder: Folder) -> bool:
        """Return whether the drill finds something wrong that it does not find without the mutation."""
        try:
            watchers, left_out = watching.load(folder, DELAY)
            if left_out:
                return True
            changed = [watcher for watcher in watchers if watcher.key in keys]
            return any(self._differs(name, watchers, changed) for name in self._concerned(keys))
        except InputError:
            return True

    def _concerned(self, keys: Sequence[str]) -> Iterator[str]:
        for name, fault in self.faults.items():
            if fault.control or {*fault.must, *fault.quiet} & {*keys}:
                yield name

    def _differs(self, name: str, watchers: list[Watcher], changed: list[Watcher]) -> bool:
        fresh = seen_by(changed, self.laid[name])
        keys = {watcher.key for watcher in changed}
        seen = [each for each in self.seen[name] if each.key not in keys] + fresh
        judged = judge(self.faults[name], self.played[name].takes, seen, watchers, False)
        return bool({*judged.wrong} - {*self.wrong[name]})


def staged(folder: Folder, health: Played, faults: dict[str, Fault], played: dict[str, Played]) -> Stagings:
    """Lay out faults that were played, and let the monitors as they are look at them."""
    watchers = watching.load(folder, DELAY)[0]
    scene = Scene(watchers, health)
    wanted = scene.wanted | {*SIBLINGS.values()}
    laid = {name: laid_out(scene, fault, played[name], wanted) for name, fault in faults.items()}
    seen = {name: seen_by(watchers, laid[name]) for name in faults}
    wrong = {
        name: judge(fault, played[name].takes, seen[name], watchers, False).wrong
        for name, fault in faults.items()
    }
    return Stagings(scene, faults, played, laid, seen, wrong)


def played_once() -> tuple[Played, dict[str, Fault], dict[str, Played]]:
    """Play every fault of the drill."""
    with set_up("prod") as stage:
        health = play_health(stage)
        played: dict[str, Played] = {}
        for at in range(0, len(ALL), 6):
            batch = ALL[at : at + 6]
            played |= zip((fault.name for fault in batch), play(stage, batch, DrillWatcher()), strict=True)
    return health, {fault.name: fault for fault in ALL}, played


def judged(bench: Bench, key: str, mutation: Mutation, stagings: Stagings | None) -> Noticed:
    """Return who notices a mutation; without stagings the drill is not asked."""
    before = bench.linted(key)
    folder = bench.replaced(key, mutation.body)
    try:
        lint = bool(bench.linted(key) - before)
        test = not bench.tested(key, folder)
        drill = stagings is not None and stagings.noticed(bench.users(key), folder)
    finally:
        bench.restore(key)
    return Noticed(key, mutation.kind, lint, test, drill)


def everything() -> list[Noticed]:
    """Judge every mutation of every monitor."""
    health, faults, played = played_once()
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(Path(home))
        stagings = staged(bench.original, health, faults, played)
        return [
            judged(bench, key, mutation, stagings) for key in bench.bodies for mutation in bench.mutants(key)
        ]


EQUAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "missing data: resolve": (
        "a sum without points is 0 with `default`, and OK with `resolve`: these alert above a threshold, so 0 is OK too",
        (),
    ),
    "missing data: default": (
        "the same the other way round",
        ("lambda-cold-starts", "lambda-error-rate", "lambda-url-errors"),
    ),
    "missing data left out": (
        "without the option the state stays, as with `default` where the query is not a sum",
        ("lambda-duration-near-timeout",),
    ),
    "as_count left out": (
        "the forwarder sends these as distributions, and `as_count` changes the sum of counts and rates alone",
        ("lambda-error-burst", "part-forwarder-quiet"),
    ),
    "delay doubled, or 15 minutes": (
        "a composite has no window of its own: its members wait",
        ("forwarder-silent", "pipeline-down"),
    ),
    "new_group_delay left out": (
        "it compares with the day before, so no group is new when it is first evaluated",
        ("executions-slow",),
    ),
    "new_group_delay of a day": (
        "as above; the others have no groups of their own",
        (
            "executions-slow",
            "forwarder-silent",
            "part-forwarder-quiet",
            "part-lambda-is-called",
            "pipeline-down",
        ),
    ),
}
"""Kind -> why nothing can notice it, and for which monitors; none named: all that nothing notices."""


def unexplained(rows: Iterable[Noticed]) -> list[Noticed]:
    """Return the mutations that nothing notices and that change what a monitor does."""
    return [row for row in rows if not row.letters and not _equal(row)]


def _equal(row: Noticed) -> bool:
    _, keys = EQUAL.get(row.kind, ("", ("",)))
    return not keys or row.key in keys


PAGE = ROOT / "docs" / "monitor-mutations.md"
_HEAD = """# What would notice a slip in a monitor?

Every shipped monitor is edited harmfully, one edit at a time, as a slip of a hand or a well-meant change would: another
threshold, window, delay, scope, group, metric, aggregator, handle, missing-data option or condition of the message. Then
`stepscope lint`, the monitor's own test (`stepscope test`) and `stepscope drill` say whether they notice. At least one has to.

```
python tests/drill/mutation_table.py            # about six minutes: what nothing notices
python tests/drill/mutation_table.py --write    # this page
```

Lint notices where it has a finding more than before; a test where a case fails or cannot be run, of the monitor or of a
composite that refers to it; the drill where something is wrong that was right before, among the faults that the monitor is there
for and the ordinary days. `tests/drill/test_monitor_mutations.py` compares this page with the monitors: a part of it at every run,
all of it with `-m slow`. The edits are the table in `tests/drill/monitor_mutations.py`.
"""


_LEGEND = """The columns are the numbers above. `L` lint, `T` test, `D` drill; `=` nothing notices, for the reason
above; empty: the monitor has nothing of the kind.
"""


def page(rows: Sequence[Noticed]) -> str:
    """Return docs/monitor-mutations.md."""
    count = sum(not row.letters for row in rows)
    total = (
        f"{len(rows)} mutations of {len({row.key for row in rows})} monitors: "
        f"{len(rows) - count} are noticed, {count} change nothing that a monitor does.\n"
    )
    parts = [
        _HEAD,
        total,
        _by_kind(rows),
        "## What nothing can notice\n",
        *(f"- *{kind}*, {_of(rows, kind)}: {reason}." for kind, (reason, _) in EQUAL.items()),
        "\n## Each monitor\n",
        _LEGEND,
        _by_monitor(rows),
    ]
    return "\n".join(parts)


def _of(rows: Sequence[Noticed], kind: str) -> str:
    keys = [row.key for row in rows if row.kind == kind and not row.letters]
    return f"{len(keys)} monitors" if len(keys) > 5 else ", ".join(keys)


def _by_kind(rows: Sequence[Noticed]) -> str:
    lines = [
        "| | mutation | monitors | lint | test | drill | none |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for number, kind in enumerate(EDITS, 1):
        letters = [row.letters for row in rows if row.kind == kind]
        by = (sum(letter in each for each in letters) for letter in "LTD")
        cells = (number, kind, len(letters), *by, letters.count("") or "")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, ""])


def _by_monitor(rows: Sequence[Noticed]) -> str:
    head = ("monitor", *map(str, range(1, len(EDITS) + 1)))
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    table = {(row.key, row.kind): row.letters or "=" for row in rows}
    for key in dict.fromkeys(row.key for row in rows):
        cells = (table.get((key, kind), "") for kind in EDITS)
        lines += [f"| {key} | {' | '.join(cells)} |"]
    return "\n".join([*lines, ""])


def recorded(text: str) -> list[Noticed]:
    """Return the rows of a page, from its table of monitors."""
    lines = text[text.index("| monitor |") :].splitlines()[2:]
    rows = []
    for line in lines:
        key, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for kind, letters in zip(EDITS, cells, strict=True):
            if letters:
                rows.append(Noticed(key, kind, *(letter in letters for letter in "LTD")))
    return rows


def main() -> int:
    """Judge everything, write the page where that is asked for, and list what nothing notices."""
    rows = everything()
    if "--write" in sys.argv:
        PAGE.write_text(page(rows))
    missed = unexplained(rows)
    for row in missed:
        print(f"{row.key}: nothing notices: {row.kind}")
    print(f"{len(rows)} mutations, {len(missed)} that nothing notices and should")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
