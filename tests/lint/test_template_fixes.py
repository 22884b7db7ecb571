"""--fix changes values and nothing else: whatever a template looks like, its comments, order and other values stay."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.discovery.templates import load
from monitoring.lint import run

LAMBDA = "arn:aws:states:::lambda:invoke"
FIXED = frozenset({"task-context", "retry-jitter"})
WORDS = st.text("ab:#{}[]'\"\\ é,-", max_size=6) | st.sampled_from(
    ["yes", "a: b", "# no", "x # y", "- z", "|", "~"]
)
SCALARS = WORDS | st.integers(-9, 9) | st.booleans() | st.none() | st.floats(0, 1)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=5,
)
PAYLOADS = st.dictionaries(st.sampled_from(["order", "x.y", "a b", "#c", "d: e"]), VALUES, max_size=3)
RETRIERS = st.fixed_dictionaries(
    {"ErrorEquals": st.lists(st.sampled_from(["States.ALL", "A", "B.C"]), min_size=1, max_size=2)},
    optional={"MaxAttempts": st.integers(1, 5), "JitterStrategy": st.just("FULL"), "Comment": WORDS},
)


@st.composite
def tasks(draw):
    state = {
        "Type": "Task",
        "Resource": LAMBDA,
        "Parameters": {"FunctionName": "f", "Payload": draw(PAYLOADS)},
        "End": True,
    }
    if draw(st.booleans()):
        state["Retry"] = draw(st.lists(RETRIERS, max_size=3))
    if draw(st.booleans()):
        state["Comment"] = draw(WORDS)
    keys = draw(st.permutations(list(state)))
    return {key: state[key] for key in keys}


def definitions(states):
    return st.dictionaries(st.sampled_from(["A", "B b", "C-c"]), states, min_size=1, max_size=3).map(
        lambda named: {"StartAt": next(iter(named)), "States": named}
    )


STATES = st.recursive(
    tasks(),
    lambda inner: st.builds(
        lambda part, kind: {
            "Type": kind,
            **({"Branches": [part]} if kind == "Parallel" else {"ItemProcessor": part}),
        },
        definitions(inner),
        st.sampled_from(["Parallel", "Map"]),
    ),
    max_leaves=3,
)


def mended(value):
    """Return a definition as it should be after --fix."""
    if isinstance(value, list):
        return [mended(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("Type") == "Task" and value.get("Resource") == LAMBDA:
        value = copy.deepcopy(value)
        value["Parameters"]["Payload"]["_datadog.$"] = "$$"
        for retrier in value.get("Retry", []):
            retrier.setdefault("JitterStrategy", "FULL")
        return value
    return {key: mended(item) for key, item in value.items()}


def commented(text, indent=""):
    """Put a comment behind every line where YAML takes one, and one on a line of its own before it."""
    lines = []
    for number, line in enumerate(text.splitlines()):
        if re.search(r"[:\]}\w]$", line) and '"' not in line and "'" not in line:
            before = line[: len(line) - len(line.lstrip())]
            lines.append(f"{before}# before {number}")
            lines.append(f"{line}  # behind {number}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def dumped(value, **more):
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10**6, **more)


def in_template(value, indent):
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    lines = "".join(f"        {line}\n" for line in text.splitlines())
    return (
        "Resources:\n  M:\n    Type: AWS::StepFunctions::StateMachine\n    Properties:\n      # the machine\n"
        f"      DefinitionString: !Sub |  # as JSON\n{lines}      RoleArn: arn:aws:iam::123456789012:role/r\n"
    )


STYLES = {
    "m.asl.json": {
        "two": lambda value: json.dumps(value, indent=2),
        "tabs": lambda value: json.dumps(value, indent="\t", ensure_ascii=False) + "\n",
        "one line": json.dumps,
        "windows": lambda value: json.dumps(value, indent=4).replace("\n", "\r\n"),
    },
    "m.asl.yaml": {
        "block": lambda value: commented(dumped(value, default_flow_style=False)),
        "wide": lambda value: commented(dumped(value, default_flow_style=False, indent=6)),
        "leaves": lambda value: dumped(value, default_flow_style=None),
        "flow": lambda value: dumped(value, default_flow_style=True),
        "windows": lambda value: dumped(value, default_flow_style=False).replace("\n", "\r\n"),
        "json": lambda value: json.dumps(value, indent=2),
        "no newline": lambda value: dumped(value, default_flow_style=False).rstrip("\n"),
    },
    "template.yaml": {
        "embedded": lambda value: in_template(value, 2),
        "embedded in one line": lambda value: in_template(value, None),
    },
}
SHAPES = [(name, style) for name, styles in STYLES.items() for style in styles]


def is_subsequence(part, whole):
    rest = iter(whole)
    return all(character in rest for character in part)


def content(path):
    body = load(path)
    if "Resources" in body:
        return json.loads(body["Resources"]["M"]["Properties"]["DefinitionString"]["Fn::Sub"])
    return body


def comments(text):
    return re.findall(r"^(.*?)(,?)([ \t]*# (?:before|behind|as JSON|the machine).*?)\r?$", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "style"), SHAPES, ids=[f"{name} {style}" for name, style in SHAPES])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=definitions(STATES))
def test_a_fix_inserts_what_is_missing_and_changes_nothing_else(name, style, value, tmp_path):
    path = tmp_path / name
    before = STYLES[name][style](value)
    path.write_bytes(before.encode())
    if name == "template.yaml" and "${" in before:
        return
    whole = content(path)
    run.fix([path], FIXED)
    after = path.read_bytes().decode()
    assert content(path) == mended(whole)
    assert is_subsequence(before, after)
    for (line, _, words), (line_after, _, words_after) in zip(comments(before), comments(after), strict=True):
        assert words_after == words
        assert is_subsequence(line, line_after)
    assert after.count("\r\n") == after.count("\n") or "\r" not in before
    assert run.fix([path], FIXED) == {}
    assert path.read_bytes().decode() == after


HEAD = "Transform: AWS::Serverless-2016-10-31\nResources:\n"
MACHINE = HEAD + (
    "  M:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      Definition:\n"
    "        StartAt: A\n        States:\n%s"
)
LEFT = {
    "an anchor's payload": MACHINE
    % (
        "          A: {Type: Task, Resource: 'arn:aws:states:::lambda:invoke', Next: B,"
        " Parameters: {FunctionName: f, Payload: &p {a: 1}}}\n"
        "          B: {Type: Task, Resource: 'arn:aws:states:::lambda:invoke', End: true,"
        " Parameters: {FunctionName: g, Payload: *p}}\n"
    ),
    "a merge key": MACHINE.replace("Resources:", "x: &r {Retry: [{ErrorEquals: [A]}]}\nResources:")
    % "          A: {<<: *r, Type: Task, Resource: 'arn:aws:states:::sqs:sendMessage', End: true}\n",
}


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_what_an_anchor_shares_is_found_and_left(text, tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text(text)
    assert run.lint([path], FIXED).findings
    assert run.fix([path], FIXED) == {}
    assert path.read_text() == text


def test_short_tags_stay_as_they_are(tmp_path):
    text = MACHINE % (
        "          A:\n            Type: Task\n            Resource: !GetAtt F.Arn  # the function\n"
        '            Parameters:\n              bucket: !Ref Bucket\n              name: !Sub "${AWS::StackName}-a" # named\n'
        "              if: !If [Is, !Ref Bucket, !Ref AWS::NoValue]\n            End: true\n"
    )
    text = text.replace(
        "Resources:\n",
        "Conditions: {Is: !Equals [a, b]}\nResources:\n  Bucket: {Type: AWS::S3::Bucket}\n"
        "  F: {Type: AWS::Lambda::Function, Properties: {}}\n",
    )
    path = tmp_path / "template.yaml"
    path.write_text(text)
    run.fix([path], FIXED)
    inserted = '              "_datadog.$": "$$"\n'
    assert path.read_text() == text.replace("            End: true\n", inserted + "            End: true\n")


def test_a_byte_order_mark_stays(tmp_path):
    path = tmp_path / "m.asl.json"
    path.write_bytes(
        b"\xef\xbb\xbf"
        + json.dumps(
            {
                "StartAt": "A",
                "States": {
                    "A": {
                        "Type": "Task",
                        "Resource": LAMBDA,
                        "Parameters": {"FunctionName": "f", "Payload": {}},
                        "End": True,
                    }
                },
            }
        ).encode()
    )
    assert run.fix([path], FIXED) == {path: 1}
    assert path.read_bytes().startswith(b"\xef\xbb\xbf{")


def test_a_fix_reaches_the_definition_beside_the_template(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a").mkdir()
    Path("a/m.asl.yaml").write_text(
        "StartAt: A\nStates:\n  A:\n    Type: Task\n    Resource: f\n    Parameters: {a: 1}\n    End: true\n"
    )
    Path("t.yaml").write_text(
        HEAD + "  M: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: a/m.asl.yaml}}\n"
    )
    assert run.fix([Path("t.yaml")], FIXED) == {Path("a/m.asl.yaml"): 1}
    assert '{a: 1, "_datadog.$": "$$"}' in Path("a/m.asl.yaml").read_text()
