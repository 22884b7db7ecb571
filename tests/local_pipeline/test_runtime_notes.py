"""Which version of a language runs the functions of another one is said at the start."""

import platform

import pytest

from monitoring.discovery.stack import Stack, StackResource
from monitoring.local_pipeline import pipeline

HERE = ".".join(platform.python_version_tuple()[:2])


def stack(*runtimes: str) -> Stack:
    resources = {
        str(number): StackResource(str(number), "AWS::Lambda::Function", {"Runtime": runtime})
        for number, runtime in enumerate(runtimes)
    }
    return Stack("shop", pipeline.Path(), resources)


@pytest.mark.parametrize(
    ("runtimes", "node", "notes"),
    [
        ((f"python{HERE}",), "20.1.2", []),
        (("python2.7", "python2.10", "python2.9", f"python{HERE}"), "", ["Python 2.7, 2.9, 2.10", HERE]),
        (("nodejs18.x", "nodejs22.x"), "20.1.2", ["Node.js 18, 22", "Node.js 20.1.2"]),
        (("nodejs20.x",), "20.1.2", ["Node.js 20 run on Node.js 20.1.2"]),
        (("nodejs20.x",), "", []),
        (("java21", "provided.al2023", "None"), "20.1.2", []),
    ],
)
def test_other_versions_are_named(
    runtimes: tuple[str, ...], node: str, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "node_version", lambda: node)
    sentences = list(pipeline._runtime_notes([stack(*runtimes)]))
    assert len(sentences) == bool(notes)
    assert all(words in sentences[0] for words in notes)
