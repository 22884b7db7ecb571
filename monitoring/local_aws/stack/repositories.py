"""CodeCommit repositories: bare Git repositories on this disk, whose pushes are events of EventBridge.

https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from monitoring.discovery.stack import StackResource
from monitoring.errors import InputError
from monitoring.local_aws.stack.resource import Deployed, Site

_HOOK = """#!{python}
import json, sys, urllib.request
NONE = "0" * 40
for line in sys.stdin:
    old, new, name = line.split()
    kind = "Created" if old == NONE else "Deleted" if new == NONE else "Updated"
    detail = {{
        "event": "reference" + kind,
        "repositoryName": {name!r},
        "repositoryId": {name!r},
        "referenceType": "tag" if name.startswith("refs/tags/") else "branch",
        "referenceName": name.split("/", 2)[-1],
        "referenceFullName": name,
    }}
    detail.update({{"commitId": new}} if new != NONE else {{}})
    detail.update({{"oldCommitId": old}} if old != NONE else {{}})
    entry = {{
        "Source": "aws.codecommit",
        "DetailType": "CodeCommit Repository State Change",
        "Resources": [{arn!r}],
        "Detail": json.dumps(detail),
    }}
    headers = {{
        "X-Amz-Target": "AWSEvents.PutEvents",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/{region}/events/aws4_request, "
        "SignedHeaders=host, Signature=0",
    }}
    body = json.dumps({{"Entries": [entry]}}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    opener.open(urllib.request.Request({url!r}, body, headers), timeout=60).read()
"""


def repository(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a repository: `git push` to its folder is a commit, which rules hear of."""
    name = str(properties["RepositoryName"])
    arn = site.arn("codecommit", name)
    host = f"git-codecommit.{site.aws.region}.amazonaws.com/v1/repos/{name}"
    attributes = {
        "Arn": arn,
        "Name": name,
        "CloneUrlHttp": f"https://{host}",
        "CloneUrlSsh": f"ssh://{host}",
    }
    git = shutil.which("git")
    stand_in = "" if git else "a name and an ARN: Git is not installed here"
    if git:
        path = repository_folder(site.aws.home, name)
        _create(git, path, resource.logical_id)
        hook = path / "hooks" / "post-receive"
        url = site.aws.host.endpoint_url
        hook.write_text(
            _HOOK.format(python=sys.executable, name=name, arn=arn, region=site.aws.region, url=url)
        )
        hook.chmod(0o755)
        site.aws.host.repositories[resource.logical_id] = path
    return Deployed(name, lambda attribute: attributes[attribute], stand_in)


def repository_folder(home: Path, name: str) -> Path:
    """Return where a repository lies."""
    return home / "codecommit" / f"{name}.git"


def _create(git: str, path: Path, logical_id: str) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [git, "init", "--quiet", "--bare", "--initial-branch=main", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  Git itself
    if done.returncode:
        raise InputError(f"repository {logical_id} cannot be created: {done.stderr.strip()}")
