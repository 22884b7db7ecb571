"""`stepscope doctor` over the embedded AWS and Datadog: each step, working and broken."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from shapes import deviations

from monitoring.cli.doctor import command
from monitoring.doctor.walk import DoctorOptions, walk
from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_datadog import Access, LocalDatadog, Settings

CODE = Path(__file__).parent / "code"


@pytest.fixture(scope="module")
def datadog():
    with LocalDatadog(settings=Settings(access=Access(api_key="right"))) as running:
        yield running


@pytest.fixture(scope="module")
def aws(tmp_path_factory, datadog):
    """A forwarder with a spool, and three functions: all is well, not decorated, not subscribed."""
    with LocalAws(tmp_path_factory.mktemp("aws"), speed=20) as running:
        queue = running.client("sqs").create_queue(QueueName="spool")["QueueUrl"]
        running.client("secretsmanager").create_secret(Name="key", SecretString='{"api_key": "right"}')
        running.client("secretsmanager").create_secret(Name="wrong", SecretString="wrong-key-1234")
        deploy_forwarder(running, datadog, queue)
        for name, handler in (
            ("good", "decorated"),
            ("bare", "plain"),
            ("alone", "decorated"),
            ("new", "plain"),
        ):
            running.deploy_function(name, handler=f"steps.{handler}", code=CODE, timeout=20, memory=256)
        for name in ("good", "bare", "new"):
            running.subscribe(f"/aws/lambda/{name}", "forwarder")
        running.client("logs").delete_log_group(logGroupName="/aws/lambda/new")
        for name in ("good", "bare", "alone"):
            running.invoke(name, {})
        running.drain()
        running.queue = queue
        yield running


def deploy_forwarder(aws, datadog, queue, secret="key", **more):
    variables = {"DD_URL": datadog.url, "DD_API_KEY_SECRET_ARN": secret, "MONITORING_SPOOL_QUEUE": queue}
    variables = {name: value for name, value in (variables | more).items() if value}
    aws.deploy_function(
        "forwarder", handler="monitoring.forwarder.handler", timeout=30, memory=512, environment=variables
    )


@pytest.fixture
def forwarder(aws, datadog):
    """Deploy the forwarder with other variables; the right ones come back."""
    yield lambda **more: deploy_forwarder(aws, datadog, aws.queue, **more)
    deploy_forwarder(aws, datadog, aws.queue)


def checks(aws, *functions, **more):
    options = DoctorOptions(functions=functions, app_key="app", **more)
    return {check.name: check for check in walk(options, aws.client)}


def statuses(found):
    return {name: check.status for name, check in found.items()}


def test_a_function_whose_points_arrive_is_well_in_every_step(aws):
    found = checks(aws, "good")
    assert statuses(found) == dict.fromkeys(
        ("account", "forwarder", "key", "health", "spool", "lines", "subscription", "points"), "ok"
    )
    assert all(check.where and not check.hint for check in found.values())


def test_a_function_that_prints_no_metrics_is_to_be_decorated(aws):
    found = checks(aws, "bare")
    assert statuses(found)["lines"] == "fault"
    assert "@monitored" in found["lines"].hint
    assert statuses(found)["subscription"] == "ok"


def test_a_log_group_without_subscription_is_named_with_the_parameters_that_select_it(aws):
    found = checks(aws, "alone")
    assert (found["subscription"].status, found["subscription"].where) == ("fault", "/aws/lambda/alone")
    assert "LogGroupPrefixes" in found["subscription"].hint
    assert "points" not in found


def test_a_function_that_was_never_invoked_has_no_log_group(aws):
    found = checks(aws, "new")
    assert found["lines"].status == "fault"
    assert "no log group" in found["lines"].message


def test_a_function_that_wrote_nothing_lately_is_not_judged(aws):
    aws.create_log_group("/aws/lambda/silent")
    aws.deploy_function("silent", handler="steps.plain", code=CODE)
    assert statuses(checks(aws, "silent"))["lines"] == "unknown"


@pytest.mark.parametrize(
    ("more", "name", "status", "words"),
    [
        ({"secret": "wrong"}, "key", "fault", "403"),
        ({"secret": "absent"}, "key", "unknown", "ResourceNotFoundException"),
        ({"secret": "", "DD_API_KEY": "right"}, "key", "ok", "accepts"),
        ({"secret": "", "DD_API_KEY_SSM_NAME": "absent"}, "key", "unknown", "ParameterNotFound"),
        ({"DD_URL": "http://127.0.0.1:9"}, "key", "fault", "Datadog does not answer"),
        ({"DD_FORWARD_LOG": "perhaps"}, "forwarder", "fault", "write true or false"),
        ({"MONITORING_SPOOL_QUEUE": ""}, "spool", "fault", "loses data"),
    ],
)
def test_a_forwarder_that_is_set_up_wrongly(aws, forwarder, more, name, status, words):
    forwarder(**more)
    found = checks(aws, "good")
    assert found[name].status == status
    assert words in found[name].message
    assert status == "ok" or found[name].hint


def test_a_key_is_never_shown(aws, forwarder):
    forwarder(secret="wrong")
    assert "wrong-key-1234" not in repr(checks(aws, "good"))


def test_entries_in_the_spool_and_dead_letters_are_counted(aws):
    sqs = aws.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1000})
    sqs.set_queue_attributes(QueueUrl=aws.queue, Attributes={"RedrivePolicy": policy})
    for queue in (aws.queue, dead, dead):
        sqs.send_message(QueueUrl=queue, MessageBody="{}")
    try:
        found = checks(aws, "good")
    finally:
        for queue in (aws.queue, dead):
            sqs.purge_queue(QueueUrl=queue)
    assert "1 entries" in found["spool"].message
    assert "2 messages" in found["dead letters"].message
    assert found["dead letters"].where == arn


def test_an_error_in_the_forwarders_log_is_shown(aws):
    aws.host.put_lines(
        "/aws/lambda/forwarder", "s", [line("[ERROR] UndeliveredError: logs could not be sent: 503")]
    )
    found = checks(aws, "good")
    assert found["health"].status == "fault"
    assert "UndeliveredError" in found["health"].message


def line(text):
    from monitoring.local_aws.output import Line

    return Line(text)


def test_points_that_are_not_there_are_a_fault(aws, datadog):
    aws.deploy_function("lost", handler="steps.plain", code=CODE)
    aws.host.put_lines("/aws/lambda/lost", "s", [line("MONITORING|1795428000|1|count|shop.lost")])
    aws.subscribe("/aws/lambda/lost", "forwarder")  # too late for that line
    found = checks(aws, "lost")
    assert found["points"].where == "shop.lost{functionname:lost}"
    assert found["points"].status == "fault"


def test_without_a_forwarder_the_way_to_install_one_is_said(aws, monkeypatch):
    monkeypatch.setattr("monitoring.doctor.walk.FORWARDER", "another.handler")
    found = checks(aws, "good")
    assert found["forwarder"].status == "fault"
    assert "deploy/forwarder.yaml" in found["forwarder"].hint
    assert found["subscription"].status == "fault"


def test_more_functions_than_are_looked_at_are_counted(aws):
    found = checks(aws, most=1)
    assert "further functions" in found["functions"].message


@pytest.mark.parametrize("options", [{"functions": ("absent",)}, {"forwarder": "absent"}])
def test_a_name_that_nothing_has_is_wrong_input(aws, options):
    with pytest.raises(InputError, match="absent"):
        list(walk(DoctorOptions(**options), aws.client))


class Refused:
    """A client whose calls are denied."""

    def __getattr__(self, name):
        from botocore.exceptions import ClientError

        def call(*_, **__):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, name)

        return call


@pytest.mark.parametrize(("service", "name"), [("logs", "health"), ("sqs", "spool"), ("logs", "lines")])
def test_what_is_denied_could_not_be_looked_at_and_stops_nothing(aws, service, name):
    options = DoctorOptions(functions=("good",))
    found = {
        check.name: check
        for check in walk(options, lambda wish: Refused() if wish == service else aws.client(wish))
    }
    assert found[name].status == "unknown"
    assert "AccessDenied" in found[name].message
    assert found[name].hint


def test_without_credentials_nothing_is_looked_at():
    with pytest.raises(InputError, match="a call to AWS failed: AccessDenied"):
        list(walk(DoctorOptions(), lambda _: Refused()))


@pytest.fixture
def run(aws, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("DD_APP_KEY", "app")
    return lambda *arguments: CliRunner().invoke(
        command, ["--endpoint-url", aws.endpoint_url, *arguments], standalone_mode=False
    )


def test_the_command_ends_with_1_where_a_step_does_not_work(run):
    result = run("--function", "alone")
    assert result.return_value == 1
    assert "✗ subscription: the forwarder does not receive its events [/aws/lambda/alone]" in result.output
    assert "    next: select it by" in result.output


def test_the_command_gives_the_checks_as_json(run):
    result = run("--function", "alone", "--json")
    report = json.loads(result.output)
    assert report["faults"] >= 1
    assert {"name", "status", "where", "message", "hint"} == set(report["checks"][0])


@pytest.mark.checkout
def test_the_document_has_the_shape_of_its_schema(run):
    assert deviations("doctor", json.loads(run("--function", "alone", "--json").output)) == []


def test_an_address_that_is_none_is_wrong_input(run):
    assert isinstance(run("--url", "ftp://x").exception, InputError)
