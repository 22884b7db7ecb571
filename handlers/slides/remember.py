"""Step 7: remember which slide the site shows, once it does."""

import time
from typing import TYPE_CHECKING, Any

from handlers.slides.aws import client, logger, setting
from handlers.slides.compare import last_slide
from monitoring import count, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def remembered(event: dict[str, Any], result: dict[str, Any]) -> bool:
    """Return whether the table now says so."""
    return bool(last_slide(event["talk"]) == result["slide"])


@monitored(verify=remembered)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`talk`, `slide` and the `photo`'s key in; the `slide` out."""
    talk, slide, table = event["talk"], event["slide"], setting("STATE_TABLE")
    item = {"talk": talk, "slide": slide, "photo": event["photo"]["key"]}
    with span("dynamodb.put_item", resource=table):
        client("dynamodb").put_item(
            TableName=table,
            Item={**{name: {"S": value} for name, value in item.items()}, "at": {"N": str(int(time.time()))}},
        )
    count("slides.shown", tags=[f"talk:{talk}", f"slide:{slide}"])
    logger.info("remembered", slide=slide)
    return {"slide": slide}
