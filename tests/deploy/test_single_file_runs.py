"""The single file of the Serverless Framework runs here: a photo by HTTP, a commit that builds, the image's function."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitoring.local_pipeline import Pipeline, PipelineOptions, start_pipeline

pytestmark = [pytest.mark.slow, pytest.mark.checkout]
ROOT = Path(__file__).parents[2]
IDENTITY = {
    f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


@pytest.fixture(scope="module")
def slides() -> Iterator[Pipeline]:
    with start_pipeline(PipelineOptions(ROOT / "deploy" / "serverless.yml", speed=20)) as pipeline:
        names = pipeline.deployment.names
        place = {"AWS_ENDPOINT_URL": pipeline.aws.endpoint_url, "AWS_DEFAULT_REGION": pipeline.aws.region}
        keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "PYTHONPATH": str(ROOT)}
        seed = [sys.executable, "-m", "handlers.slides.seed", "--table", names["SlideTable"]]
        command = [*seed, "--model-bucket", names["ModelBucket"]]
        subprocess.run(command, env={**os.environ, **place, **keys}, check=True)
        yield pipeline


def until(ask: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(0.2)
    raise AssertionError("it has not come")


def test_nothing_of_it_has_a_stand_in(slides: Pipeline) -> None:
    assert [each.logical_id for each in slides.deployment.stand_ins if not each.quiet] == []


def test_a_commit_builds_the_site(slides: Pipeline, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "handlers", tmp_path / "handlers", ignore=shutil.ignore_patterns("__pycache__"))
    repository = slides.deployment.addresses["SiteRepository"]
    for command in (
        ["init", "-q", "--initial-branch=main"],
        ["add", "."],
        ["commit", "-q", "-m", "the site's code"],
        ["push", "-q", repository, "main"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, env={**os.environ, **IDENTITY}, check=True)
    client, project = slides.aws.client("codebuild"), slides.deployment.names["BuildProject"]
    (build,) = client.list_builds_for_project(projectName=project)["ids"]

    def ended() -> Any:
        (described,) = client.batch_get_builds(ids=[build])["builds"]
        return described if described["buildStatus"] != "IN_PROGRESS" else None

    assert until(ended)["buildStatus"] == "SUCCEEDED"


def test_a_photo_sent_by_http_runs_the_pipeline(slides: Pipeline, tmp_path: Path) -> None:
    order = ["--folder", str(tmp_path), "--photo", "night-watch/one.jpg=s05:ordinary:11"]
    seed = [sys.executable, "-m", "handlers.slides.seed", *order]
    subprocess.run(seed, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    photo = (tmp_path / "photos" / "night-watch" / "one.jpg").read_bytes()
    address = f"{slides.deployment.addresses['HttpApi']}/photos/night-watch/one.jpg"
    headers = {"Content-Type": "image/jpeg"}
    answer = httpx.put(address, content=photo, headers=headers, timeout=60, trust_env=False)
    assert (answer.status_code, answer.text) == (202, "night-watch/one.jpg")

    def ended() -> Any:
        executions = slides.aws.host.executions_since(0)
        return next((told for told in executions if told[0]["status"] != "RUNNING"), None)

    described, history = until(ended)
    path = [
        event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
    ]
    assert (described["status"], path[-1]) == ("SUCCEEDED", "Done")
    assert slides.aws.refusals() == ()
    slides.aws.drain(60)
    metrics = {metric.name for metric in slides.datadog.store.metrics()}
    assert {"slides.photos.bytes", "slides.identified", "slides.shown"} <= metrics
