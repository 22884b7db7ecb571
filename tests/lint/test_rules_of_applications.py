"""What the rules of templates know of an application: its functions, machines, code, log groups and places.

Sources: CloudFormation's resource types; the Amazon States Language (https://states-language.net/spec.html);
serverless-step-functions (lib/naming.js); boto3's clients; docs/tracing.md (the context object); docs/lint.md.
"""

import ast
import json
from pathlib import Path

import pytest

from monitoring.discovery.stack import StackResource
from monitoring.lint.templates import code as python
from monitoring.lint.templates import logs
from monitoring.lint.templates.application import (
    Application,
    Code,
    Spot,
    TemplateMachine,
    TemplateResource,
    has_context,
    plain_name,
    text_list,
)
from monitoring.lint.templates.kinds import NAMES, application_in, is_application, is_readable
from monitoring.lint.templates.places import _named_file, _owners, _pointers
from monitoring.lint.templates.reader import read_application
from monitoring.lint.templates.text import Text

SPOT = Spot(Text("t", "x"), ())


def resource(kind, logical_id, **properties):
    return TemplateResource(None, StackResource(logical_id, kind, properties), properties, SPOT, SPOT)


def function(logical_id, **properties):
    return resource("AWS::Lambda::Function", logical_id, **properties)


def group(logical_id, **properties):
    return resource("AWS::Logs::LogGroup", logical_id, **properties)


def application(*resources):
    return Application(Path("t"), resources)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("f", "f"),
        ("arn:aws:lambda:us-east-1:1:function:f", "f"),
        ("arn:aws:lambda:us-east-1:1:function:f:live", "f"),
        ("f:3", "f"),
        ("${F}", "F"),
        ("arn:aws:lambda:us-east-1:1:function:${F}", "F"),
        ({"Ref": "F"}, ""),
        (None, ""),
    ],
)
def test_a_function_is_named_by_its_arn_its_name_or_a_placeholder(value, name):
    assert plain_name(value) == name
    known = application(function("Other"), function("F", FunctionName="f"))
    assert (known.function(value) is not None) is (name in {"f", "F"})


@pytest.mark.parametrize(
    ("value", "texts"),
    [("a", ["a"]), (["a", "b"], ["a", "b"]), (["a", 1, None], ["a"]), (None, []), ({}, []), ([], [])],
)
def test_a_text_or_a_list_of_them_is_read_alike(value, texts):
    assert text_list(value) == texts


@pytest.mark.parametrize(
    ("value", "default", "number"),
    [(3, None, 3), ("30", None, 30), ("x", 5, None), (True, None, None), (-1, None, None), (2.5, 1, None)],
)
def test_a_number_that_only_the_deployment_knows_is_none(value, default, number):
    assert function("F", Timeout=value).number("Timeout", default) == number


def test_a_property_that_is_not_set_has_its_default():
    assert function("F").number("Timeout", 3) == 3
    assert function("F").number("Timeout") is None


def test_a_resource_is_called_by_its_logical_id_and_its_names():
    named = resource("AWS::IAM::Role", "R", RoleName="r", Arn={"x": 1}, Empty="")
    assert named.names("RoleName", "Arn", "Empty", "None") == {"R", "r"}


@pytest.mark.parametrize(
    ("value", "carries"),
    [
        ("$$", True),
        (" $$ ", True),
        ("$$.Execution", False),
        ("$", False),
        ("States.JsonMerge($$, $, false)", True),
        ("States.JsonMerge($, $$, false)", False),
        ("{% $merge([$states.input, $states.context]) %}", True),
        ({"_datadog.$": "$$"}, True),
        ({"_datadog": {}}, True),
        ({"_monitoring": 1}, True),
        ({"Execution.$": "$$.Execution"}, True),
        ({"x": {"y.$": "$$"}}, True),
        ({"x": ["a", {"Execution": 1}]}, True),
        ({"execution": 1}, False),
        ({"x": "y"}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_payload_carries_the_context_whole_or_in_its_fields(value, carries):
    assert has_context(value) is carries


def of_state(body, **machine):
    definition = {"StartAt": "A", "States": {"A": body}, **machine}
    return {state.name: state for state in TemplateMachine("m", definition, SPOT).states()}


TASK = {"Type": "Task", "Resource": "r", "Parameters": {"p": 1}, "Arguments": {"a": 1}}
INSIDE = {"StartAt": "B", "States": {"B": TASK}}


@pytest.mark.parametrize(
    ("machine", "own", "jsonata"),
    [
        ({}, {}, False),
        ({"QueryLanguage": "JSONata"}, {}, True),
        ({"QueryLanguage": "JSONata"}, {"QueryLanguage": "JSONPath"}, False),
        ({}, {"QueryLanguage": "JSONata"}, True),
        ({"QueryLanguage": "JSONPath"}, {}, False),
    ],
)
def test_a_state_is_of_its_own_language_else_of_its_machines(machine, own, jsonata):
    state = of_state({**TASK, **own}, **machine)["A"]
    assert state.is_jsonata is jsonata
    assert (state.arguments_key, state.arguments) == (
        ("Arguments", {"a": 1}) if jsonata else ("Parameters", {"p": 1})
    )


def test_the_language_of_a_parallel_is_not_that_of_its_branches():
    states = of_state({"Type": "Parallel", "QueryLanguage": "JSONata", "Branches": [INSIDE]})
    assert (states["A"].is_jsonata, states["B"].is_jsonata) == (True, False)


@pytest.mark.parametrize(
    ("around", "pointer"),
    [
        ({"Type": "Parallel", "Branches": ["x", INSIDE]}, ("Branches", 1)),
        ({"Type": "Map", "ItemProcessor": INSIDE}, ("ItemProcessor",)),
        ({"Type": "Map", "Iterator": INSIDE}, ("Iterator",)),
    ],
)
@pytest.mark.parametrize("catch", [[], [{"ErrorEquals": ["States.ALL"]}]])
@pytest.mark.parametrize(
    ("more", "passes"),
    [
        ({}, False),
        ({"ItemSelector": {"_datadog.$": "$$"}}, True),
        ({"ItemBatcher": {"BatchInput": {"_datadog.$": "$$"}}}, True),
        ({"ItemBatcher": "x"}, False),
        ({"Parameters": {"_datadog.$": "$$"}}, None),
    ],
)
def test_a_state_inside_another_knows_its_place_the_catch_and_the_context_around_it(
    around, pointer, catch, more, passes
):
    state = of_state({**around, **more, "Catch": catch})["B"]
    assert state.pointer == ("States", "A", *pointer, "States", "B")
    assert state.is_caught is bool(catch)
    assert state.passes_context is (around["Type"] == "Map" if passes is None else passes)
    deeper = of_state({**around, "Catch": catch, **more} | {key: around[key] for key in around})
    assert set(deeper) == {"A", "B"}


def test_only_express_machines_are_express():
    machine = resource("AWS::StepFunctions::StateMachine", "M", StateMachineType="EXPRESS")
    standard = resource("AWS::StepFunctions::StateMachine", "M")
    assert [TemplateMachine("m", {}, SPOT, item).is_express for item in (machine, standard, None)] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("name", "is_activity"),
    [("arn:aws:states:us-east-1:1:activity:a", True), ("Act", True), ("act", True), ("other", False)],
)
def test_an_activity_is_named_by_its_arn_or_declared(name, is_activity):
    known = application(resource("AWS::StepFunctions::Activity", "Act", Name="act"), function("other"))
    assert known.is_activity(name) is is_activity


# --- log groups


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({}, "/aws/lambda/F"),
        ({"FunctionName": "f"}, "/aws/lambda/f"),
        ({"FunctionName": {"Ref": "x"}}, "/aws/lambda/F"),
        ({"FunctionName": ""}, "/aws/lambda/F"),
        ({"FunctionName": "f", "LoggingConfig": {"LogGroup": "G"}}, "G"),
        ({"LoggingConfig": {"LogGroup": ""}}, "/aws/lambda/F"),
        ({"LoggingConfig": "x"}, "/aws/lambda/F"),
    ],
)
def test_a_function_writes_to_its_own_log_group_unless_another_is_set(properties, name):
    own = function("F", **properties)
    assert logs.group_of(own) == name
    declared = group("G", LogGroupName=name)
    assert logs.declared(application(own, declared), own) is declared
    assert (logs.declared(application(own, group("G", LogGroupName="x")), own) is None) is (name != "G")


def test_a_log_group_is_named_after_a_function():
    assert logs.is_named_after(group("G", LogGroupName="/aws/lambda/f"), {"f", "g"})
    assert not logs.is_named_after(group("G", LogGroupName="/aws/lambda/fx"), {"f"})
    assert not logs.is_named_after(group("G", LogGroupName="f"), {"f"})
    assert not logs.is_named_after(group("G"), {"f"})


def test_what_takes_log_groups_is_what_a_filter_names_or_our_own_handler():
    known = application(
        resource(
            "AWS::Logs::SubscriptionFilter", "S", DestinationArn="arn:aws:lambda:us-east-1:1:function:f"
        ),
        resource("AWS::Logs::SubscriptionFilter", "T", DestinationArn={"x": 1}),
        function("Own", FunctionName="own", Handler="monitoring.forwarder.handler"),
        function("Other", Handler="app.handler"),
    )
    assert logs.forwarders(known) == {"f", "Own", "own"}
    assert [item.logical_id for item in logs.groups(application(group("G"), function("F")))] == ["G"]


# --- what is a template


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        ({"StartAt": "A", "States": {}}, True),
        ({"States": {}}, False),
        ({"StartAt": "A", "States": []}, False),
        ({"Resources": {"A": {"Type": "t"}}}, True),
        ({"Resources": {"A": "x", "B": {"Type": "t"}}}, True),
        ({"Resources": {"A": {"type": "t"}}}, False),
        ({"Resources": {}}, False),
        ({"Resources": [], "service": "s", "provider": {}}, True),
        ({"service": "s", "provider": {}}, True),
        ({"service": "s", "functions": {}}, True),
        ({"service": "s"}, False),
        ({"provider": {}, "functions": {}}, False),
        ({"format_version": "1", "planned_values": {}}, True),
        ({"format_version": "1", "values": {}}, True),
        ({"format_version": "1"}, False),
        ({"planned_values": {}}, False),
        ([], False),
        (None, False),
        ("text", False),
    ],
)
def test_a_template_is_known_by_its_keys(body, is_one):
    assert is_application(body) is is_one


@pytest.mark.parametrize("name", [*NAMES, "main.tf", "x.template.json"])
def test_a_folder_holds_the_template_or_is_it(name, tmp_path):
    assert application_in(tmp_path) is None
    (tmp_path / name).write_text("")
    folder = name in {"main.tf", "x.template.json"}
    assert application_in(tmp_path) == (tmp_path if folder else tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "readable"),
    [
        ("t.json", "{}", True),
        ("t.json", "a: 1", False),
        ("t.yaml", "a: 1", True),
        ("t.yaml", "a: [", False),
        ("t.yaml", "{}", True),
        ("t.json", "[" * 100_000, False),
    ],
)
def test_a_text_is_what_its_ending_says(name, text, readable):
    assert is_readable(Path(name), text) is readable


# --- places


@pytest.mark.parametrize(
    ("key", "value", "file"),
    [
        ("DefinitionUri", "m.asl.json", "m.asl.json"),
        ("DefinitionUri", "s3://b/k", ""),
        ("definition", "${file(m.yml)}", "m.yml"),
        ("definition", " ${file(m.yml)} ", "m.yml"),
        ("definition", "${file(m.yml):part}", ""),
        ("DefinitionString", "{}", ""),
        ("Definition", "m.yml", ""),
    ],
)
def test_a_definition_may_be_in_a_file_beside_the_template(key, value, file):
    assert _named_file(key, value) == file


SERVICE = {
    "service": "s",
    "provider": {},
    "functions": {"pay-out": {}, "pay": {}},
    "stepFunctions": {"stateMachines": {"m": {"name": "Flow"}, "n": {}}},
    "resources": [{"Resources": {"Table": {}}}, "x"],
}


@pytest.mark.parametrize(
    ("content", "logical_id", "pointer"),
    [
        ({"Resources": {"A": {}}}, "A", ("Resources", "A")),
        ({"resources": {"Resources": {"A": {}}}}, "A", ("resources", "Resources", "A")),
        (SERVICE, "Table", ("resources", 0, "Resources", "Table")),
        (SERVICE, "PayDashoutLambdaFunction", ("functions", "pay-out")),
        (SERVICE, "Flow", ("stepFunctions", "stateMachines", "m")),
        (SERVICE, "NStepFunctionsStateMachine", ("stepFunctions", "stateMachines", "n")),
        (SERVICE, "Other", None),
        ({"functions": ["a"], "stepFunctions": {"stateMachines": "x"}, "resources": 1}, "A", None),
    ],
)
def test_a_logical_id_has_its_place_in_the_template(content, logical_id, pointer):
    assert next(_pointers(content, logical_id), None) == pointer


@pytest.mark.parametrize(
    ("content", "logical_id", "owners"),
    [
        ({"Resources": {"Api": {}, "ApiStage": {}, "B": {}}}, "ApiStageX", [("Api", ("Resources", "Api")), ("ApiStage", ("Resources", "ApiStage"))]),
        (SERVICE, "PayDashoutLogGroup", [("PayDashout", ("functions", "pay-out")), ("Pay", ("functions", "pay")), ("", ("provider",))]),
        (SERVICE, "IamRole", [("", ("provider",))]),
        ({"functions": {"f": {}}}, "X", []),
    ],
)  # fmt: skip
def test_what_a_framework_generates_belongs_to_what_begins_its_logical_id(content, logical_id, owners):
    assert list(_owners(content, logical_id)) == owners


# --- Python


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a", "a"),
        ("a.b.c", "a.b.c"),
        ("a.b()", "a.b"),
        ("a().b", "a.b"),
        ("(1).b", "b"),
        ("1", ""),
        ("a[0].b", "b"),
    ],
)
def test_a_name_is_written_with_its_dots(text, name):
    assert python.dotted(ast.parse(text, mode="eval").body) == name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def handler(e, c): ...", True),
        ("async def handler(e, c): ...", True),
        ("def other(e, c): ...", False),
        ("def handler(e, c): ...\nhandler = wrap(handler)", False),
        ("def handler(e, c): ...\nother = wrap(handler)", True),
        ("def handler(e, c): ...\na.handler = 1", True),
        ("class handler: ...", False),
        ("if x:\n  def handler(e, c): ...", False),
    ],
)
def test_a_handler_is_a_plain_function_that_nothing_wraps_afterwards(text, found):
    assert (python.handler_function(ast.parse(text), "handler") is not None) is found


def test_of_two_handlers_the_last_counts():
    tree = ast.parse("def handler(e, c): a\ndef handler(e, c): b")
    assert python.handler_function(tree, "handler") is tree.body[1]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("import boto3\ns3 = boto3.client('s3')\ndef handler(e, c): s3.get_object()", [("s3", "get_object")]),
        ("import boto3\ndef handler(e, c): boto3.client('s3').get_object()", [("s3", "get_object")]),
        ("s3: object = boto3.client('s3')\ndef handler(e, c): s3.get_object()", [("s3", "get_object")]),
        ("s3 = boto3.client('s3', region_name='x', config=c)\ns3.get_object()", [("s3", "get_object")]),
        ("s3 = boto3.client('s3', aws_access_key_id='x')\ns3.get_object()", []),
        ("s3 = boto3.client('s3')\ns3 = other\ndef handler(e, c): s3.get_object()", []),
        ("s3 = boto3.client('s3')\ndef handler(e, s3): s3.get_object()", []),
        ("s3 = boto3.client(name)\ndef handler(e, c): s3.get_object()", []),
        ("s3 = boto3.client()\ndef handler(e, c): s3.get_object()", []),
        ("s3 = boto3.resource('s3')\ndef handler(e, c): s3.get_object()", []),
        ("def handler(e, c): get_object()", []),
        ("s3 = boto3.client('s3')\ndef other(): s3.get_object()\ndef handler(e, c): ...", []),
        ("s3 = boto3.client('s3')\ndef other(): s3.get_object()\ndef handler(e, c): other()", [("s3", "get_object")]),
        ("s3 = boto3.client('s3')\nclass A:\n  def m(self): s3.get_object()\ndef handler(e, c): A().m()", []),
        ("s3 = boto3.client('s3')\ns3.get_object()", [("s3", "get_object")]),
        ("def a(): b()\ndef b(): a(); boto3.client('sqs').send_message()\ndef handler(e, c): a()", [("sqs", "send_message")]),
    ],
)  # fmt: skip
def test_the_calls_of_aws_clients_are_those_that_are_certain(text, calls):
    tree = ast.parse(text)
    made = python.client_calls(tree, python.reachable(tree, "handler"))
    assert [(call.service, call.method) for call in made] == calls


@pytest.mark.parametrize(("line", "column", "at"), [(1, 0, 0), (1, 3, 2), (2, 0, 5), (2, 2, 7)])
def test_a_place_in_python_counts_bytes_and_a_place_in_a_text_characters(line, column, at):
    text = Text("f.py", "aébc\nxyz")
    assert python.offset(Code(Path("f.py"), "h", text), line, column) == at


@pytest.mark.parametrize("text", ["def (", "a\0b", "(" * 100_000])
def test_what_is_not_python_has_no_tree(text):
    assert python.parsed(Code(Path("f.py"), "h", Text("f.py", text))) is None
    assert python.parsed(Code(Path("f.py"), "h", Text("f.py", "a = 1"))) is not None


# --- reading


@pytest.mark.parametrize("ending", ["json", "yaml", "yml"])
def test_a_definition_alone_is_a_machine_named_by_its_file(ending, tmp_path):
    path = tmp_path / f"flow.asl.{ending}"
    path.write_text(json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}))
    (machine,) = read_application(path).machines
    assert (machine.name, machine.resource, machine.spot.pointer) == ("flow", None, ())


TEMPLATE = {
    "Resources": {
        "Take": {"Type": "AWS::Lambda::Function", "Properties": {
            "Handler": "app.handler", "Runtime": "python3.13", "Code": "src", "FunctionName": {"Fn::Sub": "x-${Nothing}"}}},
        "Flow": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
            "StateMachineName": "flow", "Definition": {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}}},
    }
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, True),
        ({"Runtime": "nodejs22.x"}, False),
        ({"Handler": "app"}, False),
        ({"Handler": "other.handler"}, False),
        ({"Handler": "pack.app.handler"}, True),
    ],
)
def test_a_function_has_the_code_of_its_handler_where_that_is_python_on_this_disk(change, code, tmp_path):
    template = json.loads(json.dumps(TEMPLATE))
    template["Resources"]["Take"]["Properties"] |= change
    (tmp_path / "src" / "pack").mkdir(parents=True)
    for place in ("src/app.py", "src/pack/app.py"):
        (tmp_path / place).write_text("def handler(event, context): ...")
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template))
    read = read_application(path)
    assert ("Take" in read.codes) is code
    if code:
        assert read.codes["Take"].handler == "handler"
        assert read.codes["Take"].file.name == "app.py"
    (machine,) = read.machines
    assert (machine.name, machine.resource.logical_id) == ("flow", "Flow")
    assert {item.logical_id for item in read.resources} == {"Take", "Flow"}
