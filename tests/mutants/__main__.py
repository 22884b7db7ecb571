"""Make small harmful edits to the package, one at a time, and see whether the tests of the area notice.

    python tests/mutants                          a sample of every area
    python tests/mutants --area monitor --sample 60 --seed 1
    python tests/mutants --changed [BASE]         what was changed since BASE; without BASE the merge base with main
    python tests/mutants --rules                  the mutants of rules.txt, each of which breaks a rule: all have to be killed

The exit status is 1 if a mutant survived for which survivors.txt has no reason, or (without --changed) if less than 95 %
of an area's mutants were killed; 2 if the arguments are wrong. It is 0 with --report, and where --changed has no commit
to compare with: a fixed sample is judged then, which says nothing of a change.
"""

import argparse
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import mutant_rules
import mutant_run as run
from mutant_areas import AREAS, ROOT
from mutant_operators import Mutant, mutants

REASONS = Path(__file__).with_name("survivors.txt")
ENOUGH = 0.95


def reasons(path: Path = REASONS) -> dict[str, str]:
    """Return the reason for each mutant that may survive, by its key: `KEY | equivalent: …` or `KEY | accepted: …`."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.rpartition(" | ") for line in lines if line and not line.startswith("#"))
    return {key: reason for key, _, reason in pairs}


def git(*arguments: str) -> str | None:
    """Return what git prints; None if it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def base_of(name: str) -> str | None:
    """Return the commit to compare with: what is named, or the merge base with main, or the commit before."""
    if name:
        return name if git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") else None
    head = git("rev-parse", "HEAD")
    for branch in ("origin/main", "main"):
        base = git("merge-base", "HEAD", branch)
        if base and base != head:
            return base.strip()
    before = git("rev-parse", "--verify", "--quiet", "HEAD~1")
    return before.strip() if before else None


def changed_lines(diff: str) -> dict[str, set[int]]:
    """Return the lines that a diff without context adds or changes, by file."""
    lines: dict[str, set[int]] = defaultdict(set)
    path = ""
    for line in diff.splitlines():
        if line.startswith("+++ "):
            path = line[4:].removeprefix("b/")
        elif line.startswith("@@ "):
            start, _, count = line.split()[2].lstrip("+").partition(",")
            lines[path].update(range(int(start), int(start) + int(count or 1)))
    return lines


def all_mutants(area: str, lines: Mapping[str, set[int]] | None = None, root: Path = ROOT) -> list[Mutant]:
    """Return the mutants of an area; with `lines` those that touch one of them."""
    made: list[Mutant] = []
    for path in AREAS[area].source_files(root):
        if lines is None or path in lines:
            made += mutants(path, (root / path).read_text(encoding="utf-8"))
    if lines is None:
        return made
    return [mutant for mutant in made if lines[mutant.path] & set(range(mutant.line, mutant.last + 1))]


class Table:
    """What became of the mutants, area by area."""

    def __init__(self, allowed: Mapping[str, str]) -> None:
        """Keep the reasons that survivors have."""
        self.allowed = allowed
        self.verdicts: dict[str, list[run.Verdict]] = defaultdict(list)
        self.unexplained: list[run.Verdict] = []

    def add(self, area: str, verdict: run.Verdict) -> None:
        """Count a verdict."""
        self.verdicts[area].append(verdict)
        if not verdict.killed and verdict.mutant.key not in self.allowed:
            self.unexplained.append(verdict)

    def row(self, area: str) -> tuple[int, int, int, int, float]:
        """Return the area's mutants, killed, equivalent, otherwise survived, and its score: killed of what could be."""
        verdicts = self.verdicts[area]
        killed = sum(verdict.killed for verdict in verdicts)
        left = [self.allowed.get(verdict.mutant.key, "") for verdict in verdicts if not verdict.killed]
        equivalent = sum(reason.startswith("equivalent") for reason in left)
        able = len(verdicts) - equivalent
        return len(verdicts), killed, equivalent, len(left) - equivalent, killed / able if able else 1.0

    def __str__(self) -> str:
        """As Markdown."""
        head = "| area | mutants | killed | equivalent | other survivors | score |\n| --- | --: | --: | --: | --: | --: |\n"
        rows = [(area, *self.row(area)) for area in self.verdicts]
        return head + "\n".join(
            f"| {a} | {n} | {k} | {e} | {s} | {score:.1%} |" for a, n, k, e, s, score in rows
        )

    def low(self) -> list[str]:
        """Return the areas whose score is too low."""
        return [area for area in self.verdicts if self.row(area)[4] < ENOUGH]


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python tests/mutants", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument(
        "--area", action="append", choices=AREAS, help="an area; again for more; all without it"
    )
    parser.add_argument(
        "--sample", type=int, default=60, metavar="N", help="mutants of each area; 0: every one"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="of the choice: the same seed, the same mutants"
    )
    parser.add_argument(
        "--changed", nargs="?", const="", metavar="BASE", help="only lines changed since BASE"
    )
    parser.add_argument("--limit", type=int, default=40, metavar="N", help="with --changed: mutants in all")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="begin no mutant after so many seconds"
    )
    parser.add_argument("--report", action="store_true", help="end with status 0 whatever survives")
    parser.add_argument("--verbose", action="store_true", help="print what killed each mutant, too")
    parser.add_argument("--jobs", type=int, default=2, help="mutants judged at once")
    parser.add_argument("--rules", action="store_true", help="only the mutants of rules.txt")
    parser.add_argument("--only", default="", metavar="TEXT", help="only mutants whose key contains the text")
    parser.set_defaults(fixed=False)
    return parser.parse_args()


def chosen_of(options: argparse.Namespace, root: Path = ROOT) -> dict[str, list[Mutant]]:
    """Return the mutants to judge, by area; of the sources in a copy, which nobody changes meanwhile."""
    areas = options.area or list(AREAS)
    choice = random.Random(options.seed)
    if options.changed is not None:
        base = base_of(options.changed)
        diff = git("diff", "--unified=0", "--no-color", base, "--", "monitoring") if base else None
        if diff is None:
            if options.changed:
                print(f"{options.changed} is not a commit here; fetch it, or leave it out", file=sys.stderr)
                sys.exit(2)
            options.fixed = True
            print(
                "no commit to compare with (a shallow clone?): a fixed sample of two mutants of each area",
                flush=True,
            )
            return {area: random.Random(1).sample(all_mutants(area, root=root), 2) for area in areas}
        made = [(area, mutant) for area in areas for mutant in all_mutants(area, changed_lines(diff), root)]
        picked = choice.sample(made, min(options.limit, len(made)))
        print(
            f"{len(made)} mutants of the lines changed since {str(base)[:12]}; {len(picked)} are judged",
            flush=True,
        )
        return {area: [mutant for name, mutant in picked if name == area] for area in areas}
    made_of = {
        area: [mutant for mutant in all_mutants(area, root=root) if options.only in mutant.key]
        for area in areas
    }
    return {
        area: choice.sample(made, min(options.sample or len(made), len(made)))
        for area, made in made_of.items()
    }


def judge_rules(jobs: int, deadline: float) -> int:
    """Judge the mutants of rules.txt by the tests that are named there; return the exit status: 1 if one survives."""
    rules, survived, judged = list(mutant_rules.rules()), 0, 0
    texts = {rule.key: rule.text for rule in rules}
    held_by = {rule.key: rule.tests for rule in rules}
    files = sorted({file for rule in rules for file in rule.tests})
    with run.copies(jobs + 1) as trees:
        mutants = [rule.mutant(trees[0]) for rule in rules]
        for verdict in run.verdicts(mutants, files, trees, deadline, held_by):
            judged += 1
            survived += not verdict.killed
            outcome = f"by {verdict.by}" if verdict.killed else f"SURVIVED {verdict.mutant.key}"
            print(f"{texts[verdict.mutant.key]}: {outcome}", flush=True)
    print(
        f"{judged - survived} of {len(rules)} rules are held; {len(rules) - judged} were not judged in time"
    )
    return 1 if survived else 0


def main() -> int:
    """Judge mutants; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = arguments()
    deadline = time.monotonic() + options.seconds
    if options.rules:
        status = judge_rules(options.jobs, deadline)
        return 0 if options.report else status
    table = Table(reasons())
    with run.copies(options.jobs + 1) as trees:
        chosen = {area: picked for area, picked in chosen_of(options, trees[0]).items() if picked}
        planned = sum(map(len, chosen.values()))
        for area, picked in chosen.items():
            print(f"{area}: {len(picked)} mutants, ", end="", flush=True)
            files = list(AREAS[area].test_files(trees[0]))
            for verdict in run.verdicts(picked, files, trees, deadline):
                table.add(area, verdict)
                show(table, area, verdict, planned, options.verbose)
    if options.changed is not None:
        status = report(table, planned, "of what was changed", scored=False)
    else:
        status = report(table, planned, f"sample {options.sample}, seed {options.seed}")
    return 0 if options.fixed or options.report else status


def show(table: Table, area: str, verdict: run.Verdict, planned: int, verbose: bool) -> None:
    """Print a survivor (with `verbose` each mutant), and on a terminal how far the run is."""
    done = sum(map(len, table.verdicts.values()))
    mutant = verdict.mutant
    if verbose and verdict.killed:
        print(
            f"{done}/{planned} killed: {mutant.key}\n    by {verdict.by}, {verdict.seconds:.0f} s", flush=True
        )
    if sys.stdout.isatty():
        print(f"\r\033[K{done}/{planned} {area} {mutant.path}:{mutant.line}", end="", flush=True)
    if not verdict.killed:
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        reason = table.allowed.get(mutant.key, "NO REASON RECORDED")
        print(f"{clear}survived: {mutant.path}:{mutant.line} [{mutant.operator}] {mutant.key}", flush=True)
        print(f"    {reason}; {verdict.cases} cases, {verdict.seconds:.0f} s", flush=True)


def report(table: Table, planned: int, what: str, scored: bool = True) -> int:
    """Print the table and return the exit status; a few mutants have no score worth judging."""
    done = sum(map(len, table.verdicts.values()))
    print(f"\n{table}\n\n{what}" if table.verdicts else "no mutant")
    if done < planned:
        print(f"{planned - done} of {planned} mutants were not judged: the time was over")
    for verdict in table.unexplained:
        print(f"! survived without a reason: {verdict.mutant.key}")
    low = table.low() if scored and not table.unexplained else []
    print("".join(f"! {area}: less than {ENOUGH:.0%} were killed\n" for area in low), end="")
    return 1 if table.unexplained or low else 0


if __name__ == "__main__":
    sys.exit(main())
