"""What a template deploys: parameters, intrinsic functions, order, and where the code lies."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitoring.discovery.includes import with_includes
from monitoring.discovery.intrinsics import Intrinsics
from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.stacks import read_stacks
from monitoring.discovery.templates import load, parse_definition
from monitoring.errors import InputError

SAM = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Key: {Type: String}
  Zones: {Type: CommaDelimitedList, Default: "a, b"}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Resources:
  Orders:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: orders.asl.json
      DefinitionSubstitutions: {TakeArn: !GetAtt Take.Arn}
      Policies: [LambdaInvokePolicy: {FunctionName: !Ref Take}]
  Take:
    Type: AWS::Serverless::Function
    Properties: {Handler: take.handler, Runtime: python3.12, CodeUri: src/, Environment: {Variables: {QUEUE: !Ref Queue}}}
  Queue:
    Type: AWS::SQS::Queue
    Condition: IsProd
"""
DEFINITION = {
    "StartAt": "Take",
    "States": {"Take": {"Type": "Task", "Resource": "${TakeArn}", "End": True}},
}


@pytest.fixture
def sam(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(SAM)
    (tmp_path / "orders.asl.json").write_text(json.dumps(DEFINITION))
    return tmp_path / "template.yaml"


def test_a_sam_template_becomes_plain_cloudformation(sam: Path) -> None:
    (stack,) = read_stacks(sam)
    kinds = {name: resource.type for name, resource in stack.resources.items()}
    assert kinds["Take"] == "AWS::Lambda::Function"
    assert kinds["TakeRole"] == "AWS::IAM::Role"
    assert kinds["Orders"] == "AWS::StepFunctions::StateMachine"
    assert stack.code == {"Take": sam.parent / "src"}
    assert stack.parameters == {"Stage": "dev", "Key": "local-key", "Zones": ["a", "b"]}
    assert [note.split(":")[0] for note in stack.notes] == ["parameter Key has no default"]


def test_a_folder_is_looked_through_for_its_template(sam: Path) -> None:
    (from_folder,) = read_stacks(sam.parent)
    assert from_folder.source == sam


def test_the_name_is_the_one_that_sam_deploys_with(sam: Path) -> None:
    (sam.parent / "samconfig.toml").write_text('[default.deploy.parameters]\nstack_name = "shop-prod"\n')
    assert read_stacks(sam)[0].name == "shop-prod"
    assert read_stacks(sam, name="mine")[0].name == "mine"


def test_every_resource_comes_after_what_it_refers_to(sam: Path) -> None:
    (stack,) = read_stacks(sam)
    order = [resource.logical_id for resource in stack.in_order()]
    assert sorted(order) == sorted(stack.resources)
    for resource in stack.resources.values():
        for other in resource.references() & set(stack.resources):
            assert order.index(other) < order.index(resource.logical_id)


def test_an_api_may_include_its_document(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text("openapi: '3.0.1'\npaths: {/orders: {}}\n")
    (tmp_path / "template.yaml").write_text(
        "Resources:\n  Api:\n    Type: AWS::Serverless::Api\n    Properties:\n      StageName: prod\n"
        "      DefinitionBody: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: api.yaml}}}\n"
    )
    (stack,) = read_stacks(tmp_path)
    assert "/orders" in stack.resources["Api"].properties["Body"]["paths"]


def test_a_variable_of_sub_is_not_the_resource_of_its_name() -> None:
    own = {"Fn::Sub": ["${Machine}-${Other}", {"Machine": {"Ref": "Name"}}]}
    assert StackResource("Role", "X", {"A": own}).references() == {"Other", "Name"}


@pytest.mark.parametrize("limit", ["7", "!Ref Limit"])
def test_a_placeholder_may_stand_for_a_number_in_a_definitions_file(sam: Path, limit: str) -> None:
    text = '{"StartAt": "Take", "States": {"Take": {"Type": "Task", "Resource": "${TakeArn}", "TimeoutSeconds": ${limit}, "End": true}}}'
    (sam.parent / "orders.asl.json").write_text(text)
    source = SAM.replace("{TakeArn: !GetAtt Take.Arn}", f"{{TakeArn: !GetAtt Take.Arn, limit: {limit}}}")
    sam.write_text(source.replace("Parameters:", "Parameters:\n  Limit: {Type: Number, Default: 7}"))
    (stack,) = read_stacks(sam)
    assert '"TimeoutSeconds\\": 7' in json.dumps(stack.resources["Orders"].properties)


def test_a_circle_is_refused_with_its_members() -> None:
    ring = {name: StackResource(name, "X", {"A": {"Ref": other}}) for name, other in ("ab", "bc", "ca")}
    with pytest.raises(InputError, match=r"circle: [abc] -> [abc] -> [abc]"):
        Stack("s", Path("t.yaml"), ring).in_order()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Resources: {A: {Properties: {}}}", "A has no Type"),
        ("Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {Runtime: python3.12}}}", "Handler"),
        ("Parameters: {}", "not a SAM or CloudFormation template"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_stacks(tmp_path / "template.yaml")


def test_a_value_for_an_unknown_parameter_is_refused(sam: Path) -> None:
    with pytest.raises(InputError, match="no parameter Stag"):
        read_stacks(sam, parameters={"Stag": "prod"})


def test_a_folder_of_definitions_is_a_stack_of_state_machines(tmp_path: Path) -> None:
    for name in ("take-order", "pay"):
        (tmp_path / f"{name}.asl.json").write_text(json.dumps(DEFINITION))
    (stack,) = read_stacks(tmp_path)
    assert {name: r.properties["StateMachineName"] for name, r in stack.resources.items()} == {
        "TakeOrder": "take-order",
        "Pay": "pay",
    }


def intrinsics(**more: object) -> Intrinsics:
    attributes = {("Queue", ""): "https://queue", ("Queue", "Arn"): "arn:queue"}
    names = {"AWS::Region": "eu-west-1", "Stage": "dev", "List": ["a", "b", "c"], "Yes": "true"}
    return Intrinsics(names, lambda name, attribute: attributes[name, attribute], **more)  # type: ignore[arg-type]


# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"Ref": "Stage"}, "dev"),
        ({"Ref": "Queue"}, "https://queue"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:queue"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:queue"),
        ({"Fn::Sub": "${Stage}-${Queue.Arn}-${!Stage}"}, "dev-arn:queue-${Stage}"),
        ({"Fn::Sub": ["${Own}-${Stage}", {"Own": {"Ref": "Stage"}}]}, "dev-dev"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}, 1]]}, "a-dev-1"),
        ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b,c"),
        ({"Fn::Select": ["1", {"Ref": "List"}]}, "b"),
        ({"Fn::Select": [1, {"Fn::Split": ["|", "x|y"]}]}, "y"),
        ({"Fn::If": ["IsDev", "yes", "no"]}, "yes"),
        ({"A": {"Fn::If": ["IsProd", 1, {"Ref": "AWS::NoValue"}]}, "B": 2}, {"B": 2}),
        ([1, {"Ref": "AWS::NoValue"}], [1]),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "memory"]}, 128),
        ({"Fn::FindInMap": ["Sizes", "prod", "memory", {"DefaultValue": 1}]}, 1),
        ({"Fn::Base64": "hi"}, "aGk="),
        ({"Fn::GetAZs": ""}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::Length": {"Ref": "List"}}, 3),
        ({"Fn::ToJsonString": {"a": {"Ref": "Stage"}}}, '{"a":"dev"}'),
        ({"Fn::ImportValue": "other-name"}, "other-name"),
        ("{{resolve:ssm:/a/b:1}}", "/a/b:1"),
    ],
)
def test_an_intrinsic_function_is_resolved(value: object, resolved: object) -> None:
    conditions = {
        "IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
        "IsProd": {
            "Fn::And": [{"Fn::Not": [{"Condition": "IsDev"}]}, {"Fn::Equals": [{"Ref": "Yes"}, True]}]
        },
    }
    mappings = {"Sizes": {"dev": {"memory": 128}}}
    assert intrinsics(conditions=conditions, mappings=mappings).resolve(value) == resolved


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Nobody"},
        {"Fn::GetAtt": ["Nobody", "Arn"]},
        {"Fn::Sub": "${Nobody}"},
        {"Fn::If": ["Nobody", 1, 2]},
        {"Fn::Select": [9, ["a"]]},
        {"Fn::Join": "text"},
        {"Fn::FindInMap": ["Sizes", "x", "y"]},
        {"Fn::Transform": {"Name": "AWS::Include"}},
    ],
)
def test_what_cannot_be_resolved_says_what(value: object) -> None:
    with pytest.raises(InputError):
        intrinsics().resolve(value)


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text().filter(lambda key: key != "Ref" and not key.startswith("Fn::")), inner, max_size=3
        )
    ),
    max_leaves=20,
)


@given(_plain)
def test_a_value_without_functions_stays_as_it_is(value: object) -> None:
    assert intrinsics().resolve(value) == value


def test_every_short_tag_has_its_long_form(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        yaml.safe_dump({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {}}}})
        + "Outputs: {T: {Value: !Sub '${T}/x'}, U: {Value: !GetAtt T.TopicName}}\n"
    )
    (stack,) = read_stacks(path)
    assert stack.outputs == {"T": {"Fn::Sub": "${T}/x"}, "U": {"Fn::GetAtt": ["T", "TopicName"]}}


ANSWERS = """
StartAt: Answer
States:
  Answer:
    Type: Choice
    Choices: [{Variable: $.a, BooleanEquals: true, Next: Yes}]
    Default: No
  Yes: {Type: Succeed}
  No: {Type: Pass, Next: off}
  off: {Type: Fail}
"""


def test_states_of_a_definition_in_yaml_may_be_named_yes_and_no():
    definition = parse_definition(ANSWERS, "x")
    assert list(definition["States"]) == ["Answer", "Yes", "No", "off"]
    assert definition["States"]["Answer"]["Default"] == "No"
    assert definition["States"]["Answer"]["Choices"] == [
        {"Variable": "$.a", "BooleanEquals": True, "Next": "Yes"}
    ]


def test_a_key_of_a_template_is_a_name_and_its_value_may_be_a_truth_value(tmp_path):
    (tmp_path / "t.yaml").write_text("Parameters: {Yes: {Default: yes}, on: {NoEcho: true}}")
    assert load(tmp_path / "t.yaml") == {"Parameters": {"Yes": {"Default": True}, "on": {"NoEcho": True}}}


INCLUDING = {
    "a section": "Resources:\n  Fn::Transform: {Name: AWS::Include, Parameters: {Location: part.yaml}}\n",
    "a section with more": (
        "Resources:\n  Own: {Type: AWS::SQS::Queue}\n"
        "  Fn::Transform: {Name: AWS::Include, Parameters: {Location: part.yaml}}\n"
    ),
    "the template": (
        "Transform: [{Name: AWS::Include, Parameters: {Location: whole.yaml}}]\n"
        "Resources:\n  Own: {Type: AWS::SQS::Queue}\n"
    ),
    "a body": (
        "Resources:\n  Topic:\n    Fn::Transform: {Name: AWS::Include, Parameters: {Location: body.yaml}}\n"
    ),
    "a property": (
        "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties:\n"
        "      Fn::Transform: {Name: AWS::Include, Parameters: {Location: properties.yaml}}\n"
    ),
}


@pytest.mark.parametrize("text", INCLUDING.values(), ids=INCLUDING)
def test_a_template_includes_files_beside_it(tmp_path: Path, text: str) -> None:
    body = "{Type: AWS::SNS::Topic, Properties: {TopicName: told}}"
    for name, content in (
        ("part", f"Topic: {body}"),
        ("whole", f"Resources: {{Topic: {body}, Own: {{Type: AWS::SNS::Topic}}}}"),
        ("body", body),
        ("properties", "TopicName: told"),
    ):
        (tmp_path / f"{name}.yaml").write_text(content)
    (tmp_path / "template.yaml").write_text(text)
    (stack,) = read_stacks(tmp_path)
    assert stack.resources["Topic"].properties == {"TopicName": "told"}
    assert [stack.resources[name].type for name in stack.resources if name == "Own"] in (
        [],
        ["AWS::SQS::Queue"],
    )


def test_a_file_that_includes_itself_and_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    text = INCLUDING["a section with more"]
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(InputError, match=r"part\.yaml: an included file is not there"):
        read_stacks(tmp_path)
    (tmp_path / "part.yaml").write_text(
        "Fn::Transform: {Name: AWS::Include, Parameters: {Location: part.yaml}}\n"
    )
    with pytest.raises(InputError, match="include one another too deeply"):
        read_stacks(tmp_path)


@pytest.mark.parametrize(
    "parameters",
    ["x", 5, None, [], [{"Location": "a.yaml"}], {}, {"Location": 5}, {"Location": {"Ref": "X"}}],
    ids=str,
)
def test_an_include_of_another_shape_stays_as_it_is_written(tmp_path: Path, parameters: object) -> None:
    include = {"Name": "AWS::Include", "Parameters": parameters}
    template = {"Transform": include, "Resources": {"Fn::Transform": include}}
    assert with_includes(template, tmp_path) == template


def test_a_folder_without_a_known_name_lists_what_it_has(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"stack{number}.yaml").write_text("")
    with pytest.raises(InputError) as refused:
        read_stacks(tmp_path)
    assert (
        "Give the file (stack0.yaml, stack1.yaml, stack2.yaml, stack3.yaml, stack4.yaml, …)"
        in refused.value.hint
    )
