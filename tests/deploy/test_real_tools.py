"""The tools that people deploy with take every file of deploy/; .ci/deploy-tools installs them and runs this."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from provider_schema import faults

pytestmark = pytest.mark.checkout
ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TEMPLATES = sorted(path.name for path in DEPLOY.glob("*.yaml"))


def run(tool, *arguments, folder=ROOT):
    """Run a tool of the PATH to its end, and return its output; the test is skipped where there is none."""
    command = shutil.which(tool)
    if command is None:
        pytest.skip(f"{tool} is not on the PATH: .ci/deploy-tools installs it")
    environment = {
        **os.environ,
        "AWS_DEFAULT_REGION": "us-east-1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "SLS_TELEMETRY_DISABLED": "1",
    }
    return subprocess.run(
        [command, *map(str, arguments)],
        cwd=folder, env=environment, timeout=600, capture_output=True, text=True, check=False,
    )  # fmt: skip


def passed(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_templates_are_those_that_the_tools_are_run_over():
    assert {"forwarder.yaml", "template.yaml"} <= set(TEMPLATES)


@pytest.mark.tools
@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_finds_nothing(name):
    assert passed(run("cfn-lint", DEPLOY / name)) == ""


@pytest.mark.tools
@pytest.mark.parametrize("name", TEMPLATES)
def test_sam_validate_with_lint_takes_the_template(name):
    assert "is a valid SAM Template" in passed(run("sam", "validate", "--lint", "--template", DEPLOY / name))


@pytest.mark.tools
def test_sam_build_makes_each_function_of_the_example(tmp_path):
    """The folders of `make bundles` hold the project's files alone: nothing is downloaded."""
    text = (DEPLOY / "template.yaml").read_text("utf-8")
    runtime = f"python3.{sys.version_info.minor}"
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "template.yaml").write_text(text.replace("python3.12", runtime))
    for name in set(re.findall(r"CodeUri: \.\./build/(\w+)", text)):
        shutil.copytree(ROOT / "handlers", tmp_path / "build" / name / "handlers")
    shutil.copytree(ROOT / "handlers", tmp_path / "handlers")
    template = tmp_path / "deploy" / "template.yaml"
    passed(run("sam", "build", "--template", template, "--build-dir", tmp_path / "built", folder=tmp_path))
    functions = re.findall(r"^  (\w+):\n    Type: AWS::Serverless::Function$", text, re.MULTILINE)
    assert len(functions) == 11
    shared = [name for name in functions if (tmp_path / "built" / name / "handlers").is_dir()]
    assert shared  # functions of one folder share what is built of it
    assert "AWS::Serverless::StateMachine" in (tmp_path / "built" / "template.yaml").read_text("utf-8")


@pytest.mark.tools
def test_osls_packages_the_single_file(tmp_path):
    """The image is given as a URI, because building it takes Docker."""
    osls = shutil.which("osls")
    if osls is None:
        pytest.skip("osls is not on the PATH: .ci/deploy-tools installs it")
    text = (DEPLOY / "serverless.yml").read_text("utf-8")
    image = "identify: {path: .., file: deploy/identify.Dockerfile}"
    assert image in text
    digest = "a" * 64
    uri = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/slides@sha256:{digest}"
    service = tmp_path / "deploy"
    service.mkdir()
    (service / "serverless.yml").write_text(text.replace(image, f'identify: {{uri: "{uri}"}}'))
    (service / "node_modules").symlink_to(
        next(p for p in Path(osls).resolve().parents if p.name == "node_modules")
    )
    (tmp_path / "build").mkdir()
    for name in ("steps", "forwarder"):
        shutil.make_archive(str(tmp_path / "build" / name), "zip", ROOT / "handlers")
    passed(run("osls", "package", "--package", tmp_path / "out", folder=service))
    template = json.loads((tmp_path / "out" / "cloudformation-template-update-stack.json").read_text())
    types = [resource["Type"] for resource in template["Resources"].values()]
    assert types.count("AWS::Lambda::Function") == 12
    assert types.count("AWS::StepFunctions::StateMachine") == 1


# -- checkov: what it finds is mended, or there is a reason here

EXAMPLE = {
    "new buckets block public access and are encrypted by themselves since 2023": "53 54 55 56",
    "the services' own keys encrypt it: the example has no key to look after": "26 119 158 173",
    "taken down after the talk: nothing in it is kept, copied or audited": "18 21 28 86",
    "the account's concurrency is free for all; the functions talk to AWS alone; Step Functions retries, and a failure "
    "is an execution's": "115 116 117",
    "a public site of a talk, at CloudFront's own name and certificate": "68 174",
}
"""Why -> checks of checkov that fail in each form of the example, CKV_AWS_ left out."""
TERRAFORM_ALONE = {
    "as above: buckets, their keys and their copies": "CKV2_AWS_6 CKV2_AWS_61 CKV2_AWS_62 CKV_AWS_144 CKV_AWS_145",
    "as above: the site": "CKV2_AWS_32 CKV2_AWS_42 CKV2_AWS_47 CKV_AWS_305 CKV_AWS_310 CKV_AWS_374",
    "its traces go to Datadog": "CKV_AWS_50 CKV_AWS_284",
    "two weeks are enough; CodeBuild logs by default; code is signed where an account wants that": "CKV_AWS_338 "
    "CKV_AWS_314 CKV_AWS_272",
}
OF_BUCKETS = {"CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56"}
"""What CKV2_AWS_6 is for Terraform."""
example = {f"CKV_AWS_{number}": reason for reason, numbers in EXAMPLE.items() for number in numbers.split()}
REASONS = {
    "forwarder.yaml": {
        "CKV_AWS_19": "it is encrypted; checkov does not evaluate the condition in `SSEAlgorithm`",
        "CKV_AWS_18": "the entries are sent and deleted within hours",
        "CKV_AWS_21": "a version would keep what was scrubbed longer than asked",
        "CKV_AWS_119": "`KmsKeyArn` is the choice",
        "CKV_AWS_28": "the table remembers for a day what was sent, and nothing is lost with it",
        "CKV_AWS_116": "`ForwarderFailures`, an on-failure destination, is the successor of this queue",
        "CKV_AWS_115": "`Concurrency` is the choice; new accounts cannot reserve any",
        "CKV_AWS_117": "the subscriber talks to AWS alone",
    },
    "template.yaml": {
        **example,
        "CKV_AWS_27": "SqsManagedSseEnabled encrypts it, which checkov does not know",
    },
    "terraform/forwarder": {
        **dict.fromkeys(("CKV_AWS_144", "CKV2_AWS_62"), "the entries are sent and deleted within hours"),
        **dict.fromkeys(
            ("CKV_AWS_18", "CKV_AWS_21", "CKV_AWS_28", "CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117"),
            "as the template",
        ),
        "CKV_AWS_50": "its traces would be those of the tool that sends traces",
        "CKV_AWS_272": "code is signed where an account wants that",
        "CKV_AWS_338": "`log_retention_days` is the choice",
    },
    "terraform": {
        **{check: reason for check, reason in example.items() if check not in OF_BUCKETS},
        **{check: reason for reason, checks in TERRAFORM_ALONE.items() for check in checks.split()},
    },
}
"""File or folder of deploy/ -> check that fails in it -> why that is right."""


@pytest.mark.tools
@pytest.mark.parametrize("name", REASONS)
def test_checkov_finds_what_has_a_reason_and_nothing_else(name):
    path = DEPLOY / name
    done = run("checkov", "-d" if path.is_dir() else "-f", path, "--compact", "--quiet", "-o", "json",
               "--skip-download", "--skip-path", f"{name}/forwarder", "--framework", "terraform" if path.is_dir() else "cloudformation")  # fmt: skip
    report = json.loads(done.stdout)
    failed = {check["check_id"] for check in report["results"]["failed_checks"]}
    assert failed == set(REASONS[name])


def test_the_reasons_are_those_of_the_page():
    page = (ROOT / "docs" / "forwarder-install.md").read_text("utf-8")
    rows = re.findall(r"^\| (CKV_AWS_[^(]+)\(", page, re.MULTILINE)
    assert {check.strip() for row in rows for check in row.split(",")} == set(REASONS["forwarder.yaml"])


# -- Terraform: by its own formatter, and by what the provider takes

TERRAFORM = sorted(path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*.tf"))


@pytest.mark.parametrize("name", TERRAFORM)
def test_the_provider_takes_every_argument(name):
    assert list(faults((DEPLOY / name).read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('function_name = "f"', "aws_lambda_function.f: role is missing"),
        ('function_name = "f"\n role = "r"\n handlr = "h"', "aws_lambda_function.f: no argument handlr"),
        (
            'function_name = "f"\n role = "r"\n environment {\n variable = {}\n }',
            "aws_lambda_function.f.environment: no argument variable",
        ),
        (
            'function_name = "f"\n role = "r"\n dynamic "vpc_config" {\n for_each = [1]\n content {\n subnet_ids = []\n }\n }',
            "aws_lambda_function.f.vpc_config: security_group_ids is missing",
        ),
        ('function_name = "f"\n role = "r"\n dynamic "vpc" {\n for_each = [1]\n content {}\n }', "aws_lambda_function.f: no argument vpc"),
    ],
)  # fmt: skip
def test_what_the_provider_would_refuse_is_found(body, fault):
    assert [
        row.replace('"', "") for row in faults(f'resource "aws_lambda_function" "f" {{\n{body}\n}}\n')
    ] == [fault]


@pytest.mark.tools
def test_terraform_formats_nothing_anew():
    passed(run("terraform", "fmt", "-check", "-diff", "-recursive", DEPLOY))


@pytest.mark.tools
def test_terraform_validates_where_its_provider_is_at_hand(tmp_path):
    """Without a network there is a provider only in a mirror on the disk."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    folder = tmp_path / "deploy" / "terraform"
    if run("terraform", "init", "-backend=false", "-input=false", folder=folder).returncode:
        pytest.skip("the AWS provider cannot be had here")
    passed(run("terraform", "validate", folder=folder))
