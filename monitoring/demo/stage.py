"""The stage: both embedded services, the pipeline deployed to them, and everything that the photos need."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitoring.demo.figure import SlowFigure
from monitoring.demo.scenarios import SCENARIOS, talks
from monitoring.demo.template import ExampleTemplate, FunctionSpec, Ref, read_template, resolve
from monitoring.deploy.start import shipped
from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_datadog import LocalDatadog
from monitoring.local_pipeline.definitions import record_definitions

STATE_MACHINE, PROJECT = "slides", "slides-site"
FORWARDER, STATES_FORWARDER = "slides-forwarder", "slides-states-forwarder"
_FORWARDERS = {"ForwarderFunction": FORWARDER, "StatesForwarderFunction": STATES_FORWARDER}
_BUCKETS = {
    "PhotoBucket": "slides-photos",
    "ModelBucket": "slides-model",
    "DocumentBucket": "slides-documents",
    "SiteBucket": "slides-site",
}
_TABLES = {"SlideTable": "slides", "StateTable": "slides-state"}


@dataclass(frozen=True, slots=True)
class Stage:
    """Hold what runs, and its names: `functions` has a function's name for each state of the machine."""

    aws: LocalAws
    datadog: LocalDatadog
    functions: dict[str, str]

    def unsubscribed(self, log_group: str) -> bool:
        """Return whether nobody forwards a log group: the forwarder's own would never end."""
        own = {f"/aws/lambda/{name}" for name in _FORWARDERS.values()}
        return log_group in own or log_group.startswith("/aws/codebuild/")


@contextlib.contextmanager
def set_up(database: Path, speed: float, port: int, say: Callable[[str], None]) -> Iterator[Stage]:
    """Start everything, deploy the pipeline and put the photos there; at the end all of it is gone.

    Raises:
        InputError: a port is in use, or the database cannot be used.
    """
    with contextlib.ExitStack() as exits:
        say("starting AWS and Datadog on this machine")
        datadog = exits.enter_context(LocalDatadog(database, port))
        home = Path(tempfile.mkdtemp(prefix="stepscope-demo-"))
        exits.callback(shutil.rmtree, home, ignore_errors=True)
        aws = exits.enter_context(LocalAws(home, speed=speed))
        figure = exits.enter_context(SlowFigure())
        names = _resources(aws, template := read_template())
        say("teaching the model its slides, photographing them, deploying the functions")
        seed = exits.enter_context(_seeding(aws, figure.url))
        functions = _deploy(aws, datadog, template, names)
        _plain_photos(aws)
        seed()
        yield Stage(aws, datadog, functions)


def _resources(aws: LocalAws, template: ExampleTemplate) -> dict[str, str]:
    """Buckets, tables, topic, distribution and project; logical name -> what it is called here."""
    for bucket in _BUCKETS.values():
        aws.client("s3").create_bucket(Bucket=bucket)
    for name, table in _TABLES.items():
        aws.client("dynamodb").create_table(TableName=table, **template.properties(name))
    topic = aws.client("sns").create_topic(Name="slides")["TopicArn"]
    names = {**_BUCKETS, **_TABLES, "Topic": topic, "BuildProject": PROJECT, "Environment": "demo"}
    names |= dict.fromkeys(
        ("Spool", "Digests"), ""
    )  # nothing fails to arrive here: the forwarder's memory does
    names["Distribution"] = _distribution(aws)
    _build_project(aws, template, names)
    return names


def _distribution(aws: LocalAws) -> str:
    origin = {"Id": "site", "DomainName": "slides-site.s3.amazonaws.com"}
    config = {
        "CallerReference": "demo",
        "Comment": "the talk's site",
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [{**origin, "S3OriginConfig": {"OriginAccessIdentity": ""}}],
        },
        "DefaultCacheBehavior": {"TargetOriginId": "site", "ViewerProtocolPolicy": "redirect-to-https"},
    }
    made = aws.client("cloudfront").create_distribution(DistributionConfig=config)
    return str(made["Distribution"]["Id"])


def _build_project(aws: LocalAws, template: ExampleTemplate, names: dict[str, str]) -> None:
    """Create the project with the template's own build commands; the code is on this machine already."""
    own = template.properties("BuildProject")
    variables = {each["Name"]: each["Value"] for each in own["Environment"]["EnvironmentVariables"]}
    variables = {**resolve(variables, names), "PYTHONPATH": str(_example())}
    pairs = [{"name": key, "value": value} for key, value in variables.items()]
    aws.client("codebuild").create_project(
        name=PROJECT,
        source={"type": "NO_SOURCE", "location": "none", "buildspec": own["Source"]["BuildSpec"]},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": own["Environment"]["Image"],
            "computeType": own["Environment"]["ComputeType"],
            "environmentVariables": pairs,
        },
        serviceRole="arn:aws:iam::123456789012:role/build",
    )


def _function_name(spec: FunctionSpec) -> str:
    return _FORWARDERS.get(spec.name) or f"slides-{spec.handler.split('.')[-2]}"


def _deploy(
    aws: LocalAws, datadog: LocalDatadog, template: ExampleTemplate, names: dict[str, str]
) -> dict[str, str]:
    """Functions, state machine and subscriptions; state -> the name of its function."""
    specs = template.functions()
    for spec in specs:
        _deploy_function(aws, datadog, spec, names)
    machine = template.properties("Pipeline")
    definition = _definition()
    called = {spec.name: _function_name(spec) for spec in specs}
    wanted: dict[str, Ref] = machine["DefinitionSubstitutions"]
    arns = {key: aws.function_arn(called[ref.name]) for key, ref in wanted.items()}
    aws.deploy_state_machine(STATE_MACHINE, definition, substitutions=arns)
    record_definitions(aws, datadog.store)
    for name in called.values():
        if name not in _FORWARDERS.values():
            aws.subscribe(f"/aws/lambda/{name}", FORWARDER)
    aws.subscribe(aws.state_machine_log_group(STATE_MACHINE), STATES_FORWARDER)
    aws.notify_status_changes(FORWARDER, STATE_MACHINE)
    by_placeholder = {key: called[ref.name] for key, ref in wanted.items()}
    return _functions_by_state(definition, by_placeholder)


def _deploy_function(aws: LocalAws, datadog: LocalDatadog, spec: FunctionSpec, names: dict[str, str]) -> None:
    given = {"ModelKey": "", "DatadogSite": "datadoghq.com", "DatadogApiKeySecretArn": "", **names}
    variables = resolve(spec.variables, given)
    if spec.name in _FORWARDERS:
        del variables["DD_API_KEY_SECRET_ARN"]
        variables |= {"DD_URL": datadog.url, "DD_API_KEY": "local", "MONITORING_LOG_PLATFORM": "true"}
    name = _function_name(spec)
    aws.deploy_function(
        name,
        handler=spec.handler,
        code=None if spec.name in _FORWARDERS else _example(),
        timeout=spec.timeout,
        memory=spec.memory,
        environment=variables,
        check=False,
    )
    if spec.concurrency:
        lambda_ = aws.client("lambda")
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=spec.concurrency)


def _example() -> Path:
    """Return the folder that holds the example's package `handlers`, which is installed as data."""
    return shipped("handlers").parent


def _definition() -> dict[str, Any]:
    text = (shipped("handlers") / "slides" / "state_machine.asl.json").read_text(encoding="utf-8")
    definition: dict[str, Any] = json.loads(text)
    return definition


def _functions_by_state(machine: dict[str, Any], functions: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, state in machine["States"].items():
        for branch in state.get("Branches", ()):
            found |= _functions_by_state(branch, functions)
        if state["Type"] == "Task":
            target = state["Parameters"].get("FunctionName", state["Resource"])
            found[name] = functions[target.removeprefix("${").removesuffix("}")]
    return found


def _plain_photos(aws: LocalAws) -> None:
    for scenario in SCENARIOS:
        if isinstance(scenario.photo, bytes):
            bucket = _BUCKETS["PhotoBucket"]
            aws.client("s3").put_object(Bucket=bucket, Key=scenario.key, Body=scenario.photo)


@contextlib.contextmanager
def _seeding(aws: LocalAws, figure_url: str) -> Iterator[Callable[[], None]]:
    """Fill the account with the example's own command in a second process; call the result to wait."""
    orders = [f"{each.key}={each.photo}" for each in SCENARIOS if isinstance(each.photo, str)]
    command = [
        *(sys.executable, "-P", "-m", "handlers.slides.seed"),  # not the handlers/ of the working directory
        *("--table", _TABLES["SlideTable"], "--talk", json.dumps(talks(figure_url))),
        *("--model-bucket", _BUCKETS["ModelBucket"], "--photo-bucket", _BUCKETS["PhotoBucket"]),
        *(part for order in orders for part in ("--photo", order)),
    ]
    path = [str(_example()), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_DEFAULT_REGION": aws.region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "NO_PROXY": "*",
    }
    process = subprocess.Popen(  # noqa: S603 - our own module
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C at the terminal is for the demo, which then ends this
    )

    def done() -> None:
        said = process.communicate()[0]
        if process.returncode:
            raise InputError(
                f"handlers.slides.seed ended with status {process.returncode}: {said.strip()[-400:]}"
            )

    try:
        yield done
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
