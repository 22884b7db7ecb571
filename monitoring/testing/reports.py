"""Write the results of monitor tests as JUnit XML and JSON."""

from html import escape
from typing import Any

from monitoring.testing.collect import Report
from monitoring.testing.explanation import explain, title
from monitoring.testing.runner import CaseResult


def _attribute(text: str) -> str:
    return f'"{escape(text)}"'


def as_json(report: Report) -> dict[str, Any]:
    """Return counts, one object for each case, and the monitors without a test."""
    return {
        "passed": report.count("passed"),
        "failed": report.count("failed"),
        "errors": report.count("error"),
        "seconds": round(report.seconds, 3),
        "untested": [str(path) for path in report.untested],
        "cases": [_case(result) for result in report.results],
    }


def _case(result: CaseResult) -> dict[str, Any]:
    monitor = result.case.monitor
    return {
        "path": result.case.file,
        "line": result.case.place.line,
        "name": title(result),
        "monitor": monitor if isinstance(monitor, str) else None,
        "status": result.status,
        "seconds": round(result.seconds, 6),
        "failures": [_failure(failure) for failure in result.failures],
        "errors": [
            {
                "line": problem.place.line,
                "column": problem.place.column,
                "message": problem.message,
                "hint": problem.hint,
            }
            for problem in result.problems
        ],
    }


def _failure(failure: Any) -> dict[str, Any]:
    verdict = failure.verdict
    evidence = None
    if verdict is not None:
        evidence = {
            "group": verdict.group,
            "time": verdict.time,
            "state": None if verdict.state is None else str(verdict.state),
            "value": verdict.value,
            "window": list(verdict.evidence.window),
            "rule": str(verdict.evidence),
        }
    return {
        "line": failure.place.line,
        "expected": failure.expected,
        "got": failure.got,
        "at": failure.at,
        "evidence": evidence,
    }


def as_junit(report: Report) -> str:
    """Return the JUnit XML: a testsuite per file, a testcase per case."""
    files: dict[str, list[CaseResult]] = {}
    for result in report.results:
        files.setdefault(result.case.file, []).append(result)
    suites = "".join(_suite(file, results) for file, results in files.items())
    totals = (
        f'tests="{len(report.results)}" failures="{report.count("failed")}" errors="{report.count("error")}"'
    )
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    spent = f'time="{report.seconds:.3f}"'
    return f'{head}<testsuites name="stepscope test" {totals} {spent}>\n{suites}</testsuites>\n'


def _suite(file: str, results: list[CaseResult]) -> str:
    counts = {status: sum(result.status == status for result in results) for status in ("failed", "error")}
    spent = sum(result.seconds for result in results)
    head = (
        f'  <testsuite name={_attribute(file)} tests="{len(results)}" failures="{counts["failed"]}"'
        f' errors="{counts["error"]}" time="{spent:.3f}">\n'
    )
    return head + "".join(_testcase(file, result) for result in results) + "  </testsuite>\n"


def _testcase(file: str, result: CaseResult) -> str:
    head = (
        f"    <testcase classname={_attribute(file)} name={_attribute(title(result))} file={_attribute(file)}"
        f' line="{result.case.place.line}" time="{result.seconds:.3f}"'
    )
    if result.passed:
        return f"{head}/>\n"
    tag = "error" if result.problems else "failure"
    first = result.problems[0].message if result.problems else result.failures[0].expected
    text = escape("".join(sign for sign in explain(result) if sign >= " " or sign in "\n\t"))
    return f"{head}>\n      <{tag} message={_attribute(first)}>{text}</{tag}>\n    </testcase>\n"
