"""How long lint takes for 800 dashboards of 30 widgets with queries that differ."""

import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from measure import is_quick, spent

STEPSCOPE = Path(sys.executable).with_name("stepscope")
METRICS = (
    "aws.lambda.duration",
    "aws.lambda.errors",
    "aws.states.lambda_functions_failed",
    "system.cpu.user",
    "app.orders",
)


def widget(number: int, chance: random.Random) -> dict[str, object]:
    """Return a typical widget: a graph or a number over one or two queries of its own."""
    queries = [
        {
            "data_source": "metrics",
            "name": f"query{index}",
            "query": f"sum:{chance.choice(METRICS)}{{$env,service:s{chance.randrange(10**6)}}} by {{region}}.as_count()",
        }
        for index in (1, 2)[: chance.choice((1, 2, 2))]
    ]
    formula = " / ".join(str(query["name"]) for query in queries)
    request = {
        "response_format": "timeseries",
        "queries": queries,
        "formulas": [{"formula": formula, "alias": f"series {number}"}],
        "style": {"palette": "dog_classic", "line_type": "solid", "line_width": "normal"},
        "display_type": "line",
    }
    definition = {
        "type": "timeseries",
        "title": f"Widget {number}",
        "show_legend": True,
        "legend_layout": "auto",
        "legend_columns": ["avg", "max", "value"],
        "requests": [request],
        "yaxis": {"include_zero": True, "scale": "linear"},
        "markers": [{"value": "y = 5", "display_type": "error dashed", "label": "limit"}],
    }
    place = {"x": 4 * (number % 3), "y": 3 * (number // 3), "width": 4, "height": 3}
    return {"definition": definition, "layout": place}


def write(folder: Path, boards: int, widgets: int) -> int:
    """Write the dashboards, and return their size in bytes."""
    chance = random.Random(1)
    size = 0
    for board in range(boards):
        body = {
            "title": f"Dashboard {board}",
            "layout_type": "ordered",
            "template_variables": [{"name": "env", "prefix": "env", "defaults": ["*"]}],
            "widgets": [widget(number, chance) for number in range(widgets)],
        }
        text = json.dumps(body, indent=2)
        size += len(text)
        (folder / f"board-{board}.json").write_text(text)
    return size


def lint(folder: Path, *options: str) -> Callable[[], object]:
    """One run of the command, as a person starts it."""
    return lambda: subprocess.run(
        [STEPSCOPE, "lint", str(folder), *options], stdout=subprocess.DEVNULL, check=False
    )


def main() -> None:
    """Print the table."""
    boards, rounds = (20, 1) if is_quick(__doc__) else (800, 5)
    with tempfile.TemporaryDirectory() as name:
        many = Path(name, "dashboards")
        many.mkdir()
        size = write(many, boards, 30)
        texts = [path.read_text() for path in many.glob("*.json")]
        calls = {
            "json.loads of the files": lambda: [json.loads(text) for text in texts],
            "stepscope lint --jobs 1": lint(many, "--jobs", "1"),
            "stepscope lint": lint(many),
        }
        taken = [{name: spent(call) for name, call in calls.items()} for _ in range(rounds)]
    print(
        f"{boards} dashboards of 30 widgets, {size / 1e6:.0f} MB, every query another one; rounds: {rounds}"
    )
    print(f"{'':34}{'median':>9}{'least':>9}{'processor':>11}{'against json.loads':>20}")
    floor = statistics.median(each["json.loads of the files"].processor for each in taken)
    for name in calls:
        clocks = [each[name].clock for each in taken]
        processor = statistics.median(each[name].processor for each in taken)
        least, middle = min(clocks), statistics.median(clocks)
        print(f"{name:34}{middle:9.2f}{least:9.2f}{processor:11.2f}{processor / floor:20.1f}")


if __name__ == "__main__":
    main()
