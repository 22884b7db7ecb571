"""The vectors of the line, and the emitters of the documentation run against them."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from spec_reader import printed_point

from monitoring.lines import Point, format_point, value_text

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
    each = f"for (const v of {json.dumps(VECTORS)}) monitoring(v.metric, v.value, v);\n"
    assert printed(tmp_path, {"emit.js": emitter("javascript") + each}, ["node", "emit.js"]) == LINES


@pytest.mark.java
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a JDK on the PATH")
def test_java_prints_the_vectors(tmp_path):
    quoted = [
        f"Monitoring.print({_java(v['metric'])}, {float(v['value'])!r}, {_java(v['type'])}, "
        f"java.util.List.of({', '.join(map(_java, v['tags']))}), {v['seconds']}L);"
        for v in VECTORS
    ]
    main = "class Main { public static void main(String[] a) throws Exception {\n"
    main += (
        'System.setOut(new java.io.PrintStream(System.out, true, "UTF-8"));\n' + "\n".join(quoted) + "\n}}\n"
    )
    files = {"Monitoring.java": emitter("java"), "Main.java": main}
    assert printed(tmp_path, files, ["javac", "-encoding", "UTF-8", *files], ["java", "Main"]) == LINES


@pytest.mark.go
@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go on the PATH")
def test_go_prints_the_vectors(tmp_path):
    quoted = [
        f"Print({_utf8(v['metric'])}, {v['value']!r}, {_utf8(v['type'])}, "
        f"[]string{{{', '.join(map(_utf8, v['tags']))}}}, {v['seconds']})"
        for v in VECTORS
    ]
    main = "package main\n\nfunc main() {\n" + "\n".join(quoted) + "\n}\n"
    files = {"main.go": main, "monitoring.go": emitter("go").replace("package monitoring", "package main")}
    environ = {"GOCACHE": str(tmp_path / "cache"), "GO111MODULE": "off"}
    assert printed(tmp_path, files, ["go", "run", *files], **environ) == LINES


@pytest.mark.csharp
@pytest.mark.skipif(shutil.which("mcs") is None, reason="needs Mono's C# compiler on the PATH")
def test_csharp_prints_the_vectors(tmp_path):
    quoted = [
        f"Monitoring.Print({_java(v['metric'])}, {value_text(v['value'])}m, {_java(v['type'])}, "
        f"new string[] {{{', '.join(map(_java, v['tags']))}}}, {v['seconds']}L);"
        for v in VECTORS
    ]
    main = "static class Program { static void Main() {\n"
    main += "System.Console.OutputEncoding = new System.Text.UTF8Encoding(false);\n"
    main += "\n".join(quoted) + "\n}}\n"
    files = {"Monitoring.cs": emitter("csharp"), "Main.cs": main}
    assert printed(tmp_path, files, ["mcs", "-out:main.exe", *files], ["mono", "main.exe"]) == LINES


def printed(folder: Path, files: dict[str, str], *commands: list[str], **environ: str) -> list[str]:
    """Write a program, run what makes and starts it, and give the lines of the last command."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    given = {"cwd": folder, "env": {**os.environ, **environ}, "capture_output": True}
    for command in commands:
        done = subprocess.run(command, check=True, timeout=300, **given)
    return done.stdout.decode().splitlines()


def _java(text: str) -> str:
    """A literal of Java and C#: what is beyond the basic plane as a pair of escapes."""
    return json.dumps(text)


def _utf8(text: str) -> str:
    """A literal of Go, whose escapes know no pairs."""
    return json.dumps(text, ensure_ascii=False)
