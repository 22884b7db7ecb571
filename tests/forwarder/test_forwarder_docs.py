"""The documentation of the forwarder says what the code does."""

from pathlib import Path

from monitoring.platform.names import METRICS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_metrics_is_the_table_in_code():
    page = (DOCS / "forwarder-metrics.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{m.name}` | {m.type} | {m.unit} | {m.family} | {m.meaning} |" for m in METRICS]


def test_names_of_metrics_are_unique():
    assert len({m.name for m in METRICS}) == len(METRICS)
