"""Step 6: is the site built? Asked again after each wait."""

from typing import TYPE_CHECKING, Any

from handlers.slides.aws import client, logger, object_size, setting
from monitoring import count, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def explain(build: dict[str, Any]) -> str:
    """In which phase a build failed, and what that phase said."""
    for phase in build.get("phases", ()):
        if phase.get("phaseStatus") not in {None, "SUCCEEDED"}:
            said = "; ".join(context.get("message", "") for context in phase.get("contexts", ()))
            return f"{phase['phaseType']}: {said}" if said else str(phase["phaseType"])
    return ""


def site_is_there(event: dict[str, Any], result: dict[str, Any]) -> bool:
    """Return whether a build that succeeded has left a site: CodeBuild's word is a claim too."""
    if result["status"] != "SUCCEEDED":
        return True
    return object_size(setting("SITE_BUCKET"), f"{event['talk']}/index.html") > 0


@monitored(verify=site_is_there)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`talk` and the `build` id in; CodeBuild's `status` and, for a failure, the `reason` out."""
    talk, build_id = event["talk"], event["build"]
    with span("codebuild.batch_get_builds", resource=build_id.partition(":")[0]):
        found = client("codebuild").batch_get_builds(ids=[build_id])["builds"]
    if not found:
        return {"status": "NOT_FOUND", "reason": f"CodeBuild has no build {build_id}."}
    status, reason = found[0]["buildStatus"], explain(found[0])
    if status != "IN_PROGRESS":
        count("slides.builds.finished", tags=[f"talk:{talk}", f"status:{status.lower()}"])
    logger.info("build looked at", build=build_id, status=status, reason=reason)
    return {"status": status, "reason": reason}
