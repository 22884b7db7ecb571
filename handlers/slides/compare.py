"""Step 2: is this slide different from the last time?"""

from typing import TYPE_CHECKING, Any

from handlers.slides.aws import client, logger, setting
from monitoring import count, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def last_slide(talk: str) -> str | None:
    """Return the slide that the site shows; None before the first."""
    table = setting("STATE_TABLE")
    with span("dynamodb.get_item", resource=table):
        answer = client("dynamodb").get_item(TableName=table, Key={"talk": {"S": talk}}, ConsistentRead=True)
    slide: str | None = answer.get("Item", {}).get("slide", {}).get("S")
    return slide


@monitored
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`talk` and `slide` in; `changed` and the `last` slide out."""
    talk, slide = event["talk"], event["slide"]
    last = last_slide(talk)
    changed = slide != last
    count("slides.compared", tags=[f"talk:{talk}", f"changed:{str(changed).lower()}"])
    logger.info("compared", slide=slide, last=last, changed=changed)
    return {"changed": changed, "last": last}
