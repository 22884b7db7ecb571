"""Run CodeBuild builds: execute the commands of a buildspec as local processes, phase by phase.

A build is in PROVISIONING for some state machine time; then its duration and its status are those of its
commands. Their output is written to `/aws/codebuild/PROJECT`. Sources: none, S3 or CodeCommit; artifacts:
none or S3.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from monitoring.local_aws.output import Line
from monitoring.local_aws.platform_lines import iso_time

PROVISIONING_SECONDS = 3.0
"""Seconds of state machine time between the start of a build and its first command."""

COMMAND_PHASES = ("install", "pre_build", "build", "post_build")


class Builds:
    """The builds of one embedded AWS.

    Args:
        folder: the parent folder of the builds' working directories.
        environment: environment variables of every build.
        client: returns boto3 clients.
        put: writes lines to a log group and stream.
        speed: the time in PROVISIONING is `PROVISIONING_SECONDS / speed`.
        access_key: returns the access key for a role's ARN; "" for the shared one.
    """

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        client: Callable[[str], Any],
        put: Callable[[str, str, list[Line]], None],
        speed: float,
        access_key: Callable[[str], str] = lambda role: "",
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._client = client
        self._put = put
        self._access_key = access_key
        self.provisioning_seconds = PROVISIONING_SECONDS / speed
        self._running: dict[str, _Build] = {}
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}

    def start(self, build: dict[str, Any], request: dict[str, Any], project: dict[str, Any]) -> None:
        """Run a build in the background; `build` (as in BatchGetBuilds) is updated while it runs."""
        name = build["projectName"]
        with self._lock:
            self._numbers[name] = self._numbers.get(name, 0) + 1
            build["buildNumber"] = self._numbers[name]
            running = self._running[build["id"]] = _Build(self, build, request, project)
        running.thread.start()

    def stop(self, build_id: str) -> None:
        """Stop a build: its status becomes STOPPED."""
        with self._lock:
            running = self._running.get(build_id)
        if running is not None:
            running.stop()
            running.thread.join()

    def close(self) -> None:
        """Stop all builds."""
        with self._lock:
            running = list(self._running.values())
        for build in running:
            build.stop()
        for build in running:
            build.thread.join()


class _Build:
    """A running build."""

    def __init__(
        self, builds: Builds, build: dict[str, Any], request: dict[str, Any], project: dict[str, Any]
    ) -> None:
        self._builds = builds
        self._build = build
        self._access_key = builds._access_key(str(project.get("serviceRole") or ""))
        self._source = dict(project["source"])
        if "buildspecOverride" in request:
            self._source["buildspec"] = request["buildspecOverride"]
        self._version = str(request.get("sourceVersion") or project.get("sourceVersion") or "")
        self._artifacts = request.get("artifactsOverride") or project.get("artifacts") or {}
        variables = [
            *project["environment"].get("environmentVariables", []),
            *request.get("environmentVariablesOverride", []),
        ]
        self._variables = {variable["name"]: variable["value"] for variable in variables}
        self._stream = build["id"].partition(":")[2]
        self._group = f"/aws/codebuild/{build['projectName']}"
        self._folder = builds._folder / self._stream
        self._stopped = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self.thread = threading.Thread(target=self._run, name=f"build {build['id']}", daemon=True)
        self._begin(variables)

    def _begin(self, variables: list[dict[str, Any]]) -> None:
        """Return the response of StartBuild: nothing has run yet."""
        self._build["source"] = self._source
        self._build["artifacts"] = self._artifacts
        self._build["environment"] = {**self._build["environment"], "environmentVariables": variables}
        self._build["phases"] = self._build["phases"][:1]
        logs = {"groupName": self._group, "streamName": self._stream, "cloudWatchLogs": {"status": "ENABLED"}}
        self._build["logs"] = logs
        self._build["currentPhase"] = "QUEUED"

    def stop(self) -> None:
        """Stop the build's commands."""
        self._stopped.set()
        if self._process is not None and self._process.poll() is None:  # the process id may be in use again
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _run(self) -> None:
        status = "FAILED"
        try:
            if self._phases():
                status = "SUCCEEDED"
        except Exception as failed:  # noqa: BLE001  a build that cannot run has failed; its log says why
            self._log(f"[Container] Phase context status code: CLIENT_ERROR Message: {failed}")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._build |= {
            "buildStatus": "STOPPED" if self._stopped.is_set() else status,
            "buildComplete": True,
            "currentPhase": "COMPLETED",
            "endTime": iso_time(),
        }

    def _phases(self) -> bool:
        self._phase("QUEUED", lambda: "")
        self._phase("PROVISIONING", self._provision)
        if not self._phase("DOWNLOAD_SOURCE", self._download):
            return False
        spec = self._buildspec()
        good = True
        for name in COMMAND_PHASES:
            commands = [str(line) for line in (spec.get("phases", {}).get(name) or {}).get("commands", [])]
            if not self._phase(name.upper(), partial(self._commands, name, commands)):
                good = False
                if name != "build":  # post_build runs though build failed, as on AWS
                    break
        if good:
            good = self._phase("UPLOAD_ARTIFACTS", lambda: self._upload(spec.get("artifacts") or {}))
        self._phase("FINALIZING", lambda: "")
        return good and not self._stopped.is_set()

    def _phase(self, kind: str, work: Callable[[], str]) -> bool:
        """Run a phase and describe it; `work` returns the error, or ""."""
        if self._stopped.is_set():
            return False
        self._build["currentPhase"] = kind
        phase: dict[str, Any] = {"phaseType": kind, "startTime": iso_time()}
        self._build["phases"] = [*self._build["phases"], phase]
        began = time.monotonic()
        problem = work()
        done = {
            "phaseStatus": "STOPPED" if self._stopped.is_set() else "FAILED" if problem else "SUCCEEDED",
            "endTime": iso_time(),
            "durationInSeconds": round(time.monotonic() - began),
            "contexts": [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": problem}] if problem else [],
        }
        self._build["phases"] = [*self._build["phases"][:-1], phase | done]
        return not problem

    def _provision(self) -> str:
        self._stopped.wait(self._builds.provisioning_seconds)
        self._folder.mkdir(parents=True)
        return ""

    def _download(self) -> str:
        if self._source["type"] == "NO_SOURCE":
            return ""
        if self._source["type"] == "CODECOMMIT":
            return self._clone()
        if self._source["type"] != "S3":
            return f"a source of type {self._source['type']} cannot be had here: use S3 or CODECOMMIT"
        bucket, _, key = self._source["location"].partition("/")
        s3 = self._builds._client("s3")
        if not key or key.endswith("/"):
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
                for item in page.get("Contents", []):
                    target = self._folder / item["Key"].removeprefix(key)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    s3.download_file(bucket, item["Key"], str(target))
            return ""
        packed = self._folder / ".source.zip"
        s3.download_file(bucket, key, str(packed))
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(self._folder)
        packed.unlink()
        return ""

    def _clone(self) -> str:
        """Check out the repository's newest commit, or the requested version."""
        name = str(self._source["location"]).rstrip("/").rpartition("/")[2]
        place = self._builds._folder.parent / "codecommit" / f"{name}.git"
        version = self._version.removeprefix("refs/heads/") or "main"
        for command in (["clone", "--quiet", str(place), "."], ["checkout", "--quiet", version]):
            done = subprocess.run(  # noqa: S603  Git, with the names of the project
                ["git", *command],  # noqa: S607
                cwd=self._folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                return f"CLIENT_ERROR: git {command[0]} of {name}: {done.stderr.strip()[-300:]}"
        return ""

    def _buildspec(self) -> dict[str, Any]:
        text = self._source.get("buildspec") or "buildspec.yml"
        if "\n" not in text and text.endswith((".yml", ".yaml")):
            text = (self._folder / text).read_text()
        spec = yaml.safe_load(text)
        if not isinstance(spec, dict):
            raise TypeError("YAML_FILE_ERROR: the buildspec is not a mapping of version and phases")
        self._variables = {**(spec.get("env") or {}).get("variables", {}), **self._variables}
        return spec

    def _commands(self, phase: str, commands: list[str]) -> str:
        if not commands:
            return ""
        at = self._folder / ".command"
        steps = [f"echo {n} > {str(at)!r}\n{command}" for n, command in enumerate(commands)]
        self._log(f"[Container] {datetime.now(UTC):%Y/%m/%d %H:%M:%S} Entering phase {phase.upper()}")
        self._process = subprocess.Popen(  # noqa: S603  running what the user's buildspec says is what it is for
            ["/bin/sh", "-ec", "\n".join(steps)],
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        if self._stopped.is_set():
            self.stop()
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        for line in self._process.stdout:
            self._log(line.rstrip("\n"))
        code = self._process.wait()
        self._process.stdout.close()
        if code == 0:
            return ""
        command = commands[int(at.read_text())]
        return f"Error while executing command: {command}. Reason: exit status {code}"

    def _environment(self) -> dict[str, str]:
        python = str(Path(sys.executable).parent)
        return {
            **self._builds._environment,
            **({"AWS_ACCESS_KEY_ID": self._access_key} if self._access_key else {}),
            "PATH": os.pathsep.join([python, os.environ.get("PATH", os.defpath)]),
            "CODEBUILD_BUILD_ID": self._build["id"],
            "CODEBUILD_BUILD_ARN": self._build["arn"],
            "CODEBUILD_BUILD_NUMBER": str(self._build["buildNumber"]),
            "CODEBUILD_SRC_DIR": str(self._folder),
            **{name: str(value) for name, value in self._variables.items()},
        }

    def _upload(self, artifacts: dict[str, Any]) -> str:
        if self._artifacts.get("type") != "S3" or not artifacts:
            return ""
        base = self._folder / artifacts.get("base-directory", ".")
        prefix = "/".join(part for part in (self._artifacts.get("path"), self._artifacts.get("name")) if part)
        files = sorted(
            {f for pattern in artifacts.get("files", ["**/*"]) for f in base.glob(pattern) if f.is_file()}
        )
        if not files:
            return "no matching artifact paths found"
        s3 = self._builds._client("s3")
        for file in files:
            key = "/".join(part for part in (prefix, file.relative_to(base).as_posix()) if part)
            s3.upload_file(str(file), self._artifacts["location"], key)
        return ""

    def _log(self, message: str) -> None:
        if message:
            self._builds._put(self._group, self._stream, [Line(message)])
