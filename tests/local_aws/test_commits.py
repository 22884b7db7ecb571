"""A commit in CodeCommit starts the build that a rule names, with the files of the commit."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from monitoring.local_aws import LocalAws
from monitoring.local_aws.stack import Deployment


def template(*, allowed: bool) -> dict[str, Any]:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}]}
    may = {"Effect": "Allow", "Action": "codebuild:StartBuild", "Resource": {"Fn::GetAtt": ["Build", "Arn"]}}
    policy = {"PolicyName": "build", "PolicyDocument": {"Statement": [may] if allowed else []}}
    kinds = {"event": ["referenceCreated", "referenceUpdated"], "referenceName": ["main"]}
    spec = "version: 0.2\nphases: {build: {commands: [cat page.txt, 'echo of $WHO']}}\n"
    overrides = {"environmentVariablesOverride": [{"name": "WHO", "value": "somebody"}]}
    return {
        "Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": "site"}},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [policy]},
        },
        "Build": {
            "Type": "AWS::CodeBuild::Project",
            "Properties": {
                "ServiceRole": "arn:aws:iam::123456789012:role/build",
                "Artifacts": {"Type": "NO_ARTIFACTS"},
                "Source": {
                    "Type": "CODECOMMIT",
                    "Location": {"Fn::GetAtt": ["Repository", "CloneUrlHttp"]},
                    "BuildSpec": spec,
                },
                "Environment": {
                    "Type": "LINUX_CONTAINER",
                    "ComputeType": "BUILD_GENERAL1_SMALL",
                    "Image": "x",
                },
            },
        },
        "Commit": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {
                    "source": ["aws.codecommit"],
                    "resources": [{"Fn::GetAtt": ["Repository", "Arn"]}],
                    "detail": kinds,
                },
                "Targets": [
                    {
                        "Id": "build",
                        "Arn": {"Fn::GetAtt": ["Build", "Arn"]},
                        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                        "Input": json.dumps(overrides),
                    }
                ],
            },
        },
    }


def deployed(aws: LocalAws, folder: Path, *, allowed: bool) -> Deployment:
    path = folder / "template.json"
    path.write_text(json.dumps({"Resources": template(allowed=allowed)}))
    return aws.deploy(path, stack=folder.name.replace("_", "-")[-24:].strip("-"))


def push(folder: Path, repository: str, text: str, branch: str = "main") -> None:
    work = folder / f"work-{branch}"
    work.mkdir()
    (work / "page.txt").write_text(text + "\n")
    identity = {
        f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    for command in (
        ["init", "-q", f"--initial-branch={branch}"],
        ["add", "."],
        ["commit", "-q", "-m", "a page"],
        ["push", "-q", repository, branch],
    ):
        subprocess.run(["git", *command], cwd=work, env={**os.environ, **identity}, check=True)


def builds(aws: LocalAws, deployment: Deployment) -> list[str]:
    project = deployment.names["Build"]
    return aws.client("codebuild").list_builds_for_project(projectName=project)["ids"]


def test_a_commit_to_main_builds_its_files(aws: LocalAws, tmp_path: Path) -> None:
    deployment = deployed(aws, tmp_path, allowed=True)
    push(tmp_path, deployment.addresses["Repository"], "elsewhere", "draft")
    assert builds(aws, deployment) == []
    push(tmp_path, deployment.addresses["Repository"], "the page of main")
    (build,) = builds(aws, deployment)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        (described,) = aws.client("codebuild").batch_get_builds(ids=[build])["builds"]
        if described["buildStatus"] != "IN_PROGRESS":
            break
        time.sleep(0.1)
    assert described["buildStatus"] == "SUCCEEDED", described["phases"]
    group = f"/aws/codebuild/{deployment.names['Build']}"
    lines = [event.message for event in aws.log_events() if event.log_group == group]
    assert {"the page of main", "of somebody"} <= set(lines)


def test_a_rule_whose_role_may_not_build_starts_nothing(aws: LocalAws, tmp_path: Path) -> None:
    deployment = deployed(aws, tmp_path, allowed=False)
    push(tmp_path, deployment.addresses["Repository"], "a page")
    assert builds(aws, deployment) == []
    assert any("codebuild:StartBuild" in text for text in aws.refusals())


def test_a_build_of_an_empty_repository_fails_and_says_so(aws: LocalAws, tmp_path: Path) -> None:
    deployment = deployed(aws, tmp_path, allowed=True)
    client = aws.client("codebuild")
    build = client.start_build(projectName=deployment.names["Build"])["build"]["id"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        (described,) = client.batch_get_builds(ids=[build])["builds"]
        if described["buildStatus"] != "IN_PROGRESS":
            break
        time.sleep(0.1)
    assert described["buildStatus"] == "FAILED"
    contexts = [context for phase in described["phases"] for context in phase.get("contexts") or ()]
    assert any("git checkout of site" in context.get("message", "") for context in contexts)
