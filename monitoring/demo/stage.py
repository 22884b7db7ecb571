"""Deploy the example from its template to both embedded services, with its model, items and photos."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitoring.demo.figure import SlowFigure
from monitoring.demo.scenarios import SCENARIOS, Scenario, talks
from monitoring.deploy.start import shipped
from monitoring.discovery.stack import Stack
from monitoring.discovery.stacks import read_stacks
from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_aws.stack.machines import states_of
from monitoring.local_datadog import LocalDatadog
from monitoring.local_pipeline import Pipeline, PipelineOptions
from monitoring.local_pipeline.definitions import record_definitions
from monitoring.local_pipeline.forwarding import own_forwarders
from monitoring.local_pipeline.pipeline import start_services

STACK, STATE_MACHINE = "slides", "Pipeline"
SECRET, API_KEY = "slides/datadog-api-key", "local"
MODEL_KEY = "slides/model.npz"
"""The key of the model, as in `handlers.slides.seed` and in the template."""
RETRY_SECONDS = "1"
"""How long a forwarder retries before it spools; short, so that the outage of the demo is short."""
_PARTS = ("PhotoBucket", "ModelBucket", "SlideTable", STATE_MACHINE)


@dataclass(frozen=True, slots=True)
class Stage:
    """The deployed example.

    Attributes:
        pipeline: both services, and the deployment.
        photos: the folder with the photos, by key.
        functions: state -> function name.
    """

    pipeline: Pipeline
    photos: Path
    functions: Mapping[str, str]

    @property
    def aws(self) -> LocalAws:
        """The embedded AWS."""
        return self.pipeline.aws

    @property
    def datadog(self) -> LocalDatadog:
        """The embedded Datadog."""
        return self.pipeline.datadog

    @property
    def machine(self) -> str:
        """The ARN of the state machine."""
        return self.pipeline.deployment.state_machine(STATE_MACHINE)

    def unsubscribed(self, log_group: str) -> bool:
        """Return whether a log group has no subscription: the forwarder's own would cause a loop."""
        deployment = self.pipeline.deployment
        functions = [deployment.functions[name] for name in self.pipeline.forwarders]
        own = {deployment.log_groups[function] for function in functions}
        return log_group in own or log_group.startswith("/aws/codebuild/")

    def send(self, scenario: Scenario) -> None:
        """Put a scenario's photo into the bucket, which starts an execution; without a photo, start one."""
        bucket = str(self.pipeline.deployment.names["PhotoBucket"])
        if scenario.photo is None:
            detail = {"bucket": {"name": bucket}, "object": {"key": scenario.key}}
            event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
            self.aws.start(self.machine, event)
            return
        body = scenario.photo
        if isinstance(body, str):
            body = (self.photos / scenario.key).read_bytes()
        self.aws.client("s3").put_object(Bucket=bucket, Key=scenario.key, Body=body)


def template_of_the_example() -> Path:
    """Return the path of the example's template, which is also for deployments to AWS.

    Raises:
        InputError: the installation does not contain it.
    """
    return shipped("deploy") / "template.yaml"


@contextlib.contextmanager
def set_up(
    template: Path, database: Path, speed: float, port: int, say: Callable[[str], None]
) -> Iterator[Stage]:
    """Start both services, deploy the template and create the photos; remove everything at the end.

    Raises:
        InputError: the template cannot be read or deployed, or is not the example's; a port is in use,
            or the database cannot be used.
    """
    with contextlib.ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="stepscope-demo-")))
        figure = exits.enter_context(SlowFigure())
        say("teaching the model its slides, photographing them")
        seeded = exits.enter_context(_seeding(folder, figure.url))
        options = PipelineOptions(template, database=database, speed=speed, port=port)
        aws, datadog = exits.enter_context(start_services(options, say))
        say(f"deploying {template.name}")
        pipeline = _deployed(template, aws, datadog)
        seeded()
        _fill(pipeline, folder)
        yield Stage(pipeline, folder / "photos", _functions_by_state(pipeline))


def _deployed(template: Path, aws: LocalAws, datadog: LocalDatadog) -> Pipeline:
    """Deploy the template; set only Datadog's address and the retry time of its forwarders."""
    secret = aws.client("secretsmanager").create_secret(Name=SECRET, SecretString=API_KEY)["ARN"]
    stacks = tuple(_with_code(stack) for stack in read_example(template, secret))
    forwarders = own_forwarders(stacks)
    settings = {
        "DD_URL": datadog.url,
        "MONITORING_LOG_PLATFORM": "true",
        "MONITORING_RETRY_SECONDS": RETRY_SECONDS,
    }
    deployment = aws.deploy(stacks, environment=dict.fromkeys(forwarders, settings))
    record_definitions(aws, datadog.store)
    return Pipeline(aws, datadog, stacks, deployment, tuple(forwarders), deployment.notes)


def read_example(template: Path, secret: str) -> tuple[Stack, ...]:
    """Read the example's template with the demo's parameters.

    Raises:
        InputError: the template cannot be read, or lacks a resource that the demo uses.
    """
    parameters = {"Environment": "demo", "DatadogApiKeySecretArn": secret}
    stacks = read_stacks(template, parameters=parameters, name=STACK)
    resources = {name for stack in stacks for name in stack.resources}
    if missing := [name for name in _PARTS if name not in resources]:
        raise InputError(
            f"the template has no {', no '.join(missing)}",
            where=str(template),
            hint="The demo runs the example: give deploy/template.yaml, or a changed copy of it.",
        )
    return stacks


def _with_code(stack: Stack) -> Stack:
    """Return the stack with the example's source folders as the code of its functions.

    The bundles of `make bundles` are for the processor and Python of Lambda, not of this machine.
    """
    source = shipped("handlers").parent
    functions = [resource.logical_id for resource in stack.of_type("AWS::Lambda::Function")]
    return replace(stack, code={**stack.code, **dict.fromkeys(functions, source)})


def _fill(pipeline: Pipeline, folder: Path) -> None:
    """Write the items of the slides' table and the model, as `handlers.slides.seed` does in an account."""
    names, aws = pipeline.deployment.names, pipeline.aws
    for item in json.loads((folder / "items.json").read_text(encoding="utf-8")):
        aws.client("dynamodb").put_item(TableName=names["SlideTable"], Item=item)
    bundle = str(pipeline.stacks[0].parameters.get("BundleKey"))
    for key, body in ((MODEL_KEY, (folder / "model.npz").read_bytes()), (bundle, _bundle())):
        aws.client("s3").put_object(Bucket=names["ModelBucket"], Key=key, Body=body)


def _bundle() -> bytes:
    """Return the zip file of the build's code, as `make bundles` creates it, but without libraries."""
    packed, root = io.BytesIO(), shipped("handlers")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            if path.suffix in {".py", ".json"}:
                archive.write(path, path.relative_to(root.parent))
    return packed.getvalue()


def _functions_by_state(pipeline: Pipeline) -> dict[str, str]:
    """Return state -> function name, from the deployed definition."""
    arn = pipeline.deployment.state_machine(STATE_MACHINE)
    described = pipeline.aws.host.answer_states("DescribeStateMachine", {"stateMachineArn": arn})
    return functions_by_state(json.loads(described["definition"]))


def functions_by_state(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return state -> function name for the tasks of a definition."""
    return {
        name: str((state.get("Parameters") or {}).get("FunctionName", state["Resource"])).rpartition(":")[2]
        for name, state in states_of(definition)
        if state["Type"] == "Task"
    }


@contextlib.contextmanager
def _seeding(folder: Path, figure_url: str) -> Iterator[Callable[[], None]]:
    """Start `handlers.slides.seed` in a process; the yielded function waits until model and photos exist."""
    orders = [f"{scenario.key}={scenario.photo}" for scenario in SCENARIOS if isinstance(scenario.photo, str)]
    command = [
        *(sys.executable, "-P", "-m", "handlers.slides.seed"),  # not the handlers/ of the working directory
        *("--folder", str(folder), "--talk", json.dumps(talks(figure_url))),
        *(part for order in orders for part in ("--photo", order)),
    ]
    path = [str(shipped("handlers").parent), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(  # noqa: S603 - our own module
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C goes only to the demo, which then ends this process
    )

    def done() -> None:
        output = process.communicate()[0]
        if process.returncode:
            raise InputError(
                f"handlers.slides.seed ended with status {process.returncode}: {output.strip()[-400:]}"
            )

    try:
        yield done
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
