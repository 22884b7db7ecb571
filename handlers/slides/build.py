"""Step 5: have CodeBuild build the site."""

from typing import TYPE_CHECKING, Any

from handlers.slides.aws import client, logger, setting
from monitoring import count, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def queued(event: dict[str, Any], result: dict[str, Any]) -> bool:
    """Return whether CodeBuild knows the build."""
    return bool(client("codebuild").batch_get_builds(ids=[result["id"]])["builds"])


@monitored(verify=queued)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`talk` in; the `id` of the build out."""
    talk, project = event["talk"], setting("BUILD_PROJECT")
    with span("codebuild.start_build", resource=project):
        answer = client("codebuild").start_build(
            projectName=project,
            environmentVariablesOverride=[{"name": "TALK", "value": talk, "type": "PLAINTEXT"}],
        )
    build = answer["build"]["id"]
    count("slides.builds.started", tags=[f"talk:{talk}"])
    logger.info("build started", build=build)
    return {"id": build}
