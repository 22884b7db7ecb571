"""The vectors of the line, and the emitters of the documentation run against them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from spec_reader import printed_point

from monitoring.lines import Point, format_point

DOCS = Path(__file__).parents[2] / "docs"
VECTORS = [
    json.loads(line) for line in (DOCS / "line-vectors.jsonl").read_text(encoding="utf-8").splitlines()
]
LINES = [vector["line"] for vector in VECTORS]


def emitter(language: str) -> str:
    page = (DOCS / "other-runtimes.md").read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found, f"the page has an emitter for {language}"
    return found.group(1)


@pytest.mark.parametrize("vector", VECTORS, ids=[str(number) for number in range(len(VECTORS))])
def test_python_prints_each_vector(vector):
    point = Point(vector["metric"], vector["value"], vector["seconds"], vector["type"], tuple(vector["tags"]))
    assert format_point(point) == vector["line"]
    printed_point(vector["line"])


@pytest.mark.node
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js on the PATH")
def test_node_prints_the_vectors(tmp_path):
    script = tmp_path / "emit.js"
    script.write_text(
        emitter("javascript") + f"for (const v of {json.dumps(VECTORS)}) monitoring(v.metric, v.value, v);\n",
        encoding="utf-8",
    )
    done = subprocess.run(["node", script], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode().splitlines() == LINES


@pytest.mark.java
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a JDK on the PATH")
def test_java_prints_the_vectors(tmp_path):
    quoted = [
        f"Monitoring.print({_java(v['metric'])}, {v['value']!r}, {_java(v['type'])}, "
        f"java.util.List.of({', '.join(map(_java, v['tags']))}), {v['seconds']}L);"
        for v in VECTORS
    ]
    main = "class Main { public static void main(String[] a) throws Exception {\n"
    main += (
        'System.setOut(new java.io.PrintStream(System.out, true, "UTF-8"));\n' + "\n".join(quoted) + "\n}}\n"
    )
    (tmp_path / "Monitoring.java").write_text(emitter("java"), encoding="utf-8")
    (tmp_path / "Main.java").write_text(main.replace("1700000000000,", "1700000000000.0,"), encoding="utf-8")
    subprocess.run(
        ["javac", "-encoding", "UTF-8", "Monitoring.java", "Main.java"], cwd=tmp_path, check=True, timeout=120
    )
    done = subprocess.run(["java", "Main"], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert done.stdout.decode().splitlines() == LINES


def _java(text: str) -> str:
    return json.dumps(text)


@pytest.mark.parametrize("language", ["go", "csharp"])
def test_the_emitters_that_ci_cannot_run_are_there(language):
    assert "MONITORING|" in emitter(language)
