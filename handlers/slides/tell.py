"""Done, first half: tell SNS that the site shows a new slide."""

import json
from typing import TYPE_CHECKING, Any

from handlers.slides.aws import client, logger, setting
from monitoring import count, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@monitored
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`talk` and `slide` in; the `message` id out."""
    talk, slide, topic = event["talk"], event["slide"], setting("TOPIC_ARN")
    with span("sns.publish", resource=topic.rpartition(":")[2]):
        answer = client("sns").publish(
            TopicArn=topic,
            Subject=f"{talk}: now showing {slide}"[:100],
            Message=json.dumps({"talk": talk, "slide": slide}),
        )
    count("slides.told", tags=[f"talk:{talk}"])
    logger.info("told", message_id=answer["MessageId"])
    return {"message": answer["MessageId"]}
