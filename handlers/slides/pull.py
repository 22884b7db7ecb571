"""Step 3: pull the slide's data from DynamoDB."""

from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from handlers.slides.aws import client, logger, setting
from handlers.slides.errors import UnknownSlideError
from monitoring import count, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@monitored
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`talk` and `slide` in; the slide's item out; UnknownSlideError where the table has none."""
    talk, slide, table = event["talk"], event["slide"], setting("SLIDES_TABLE")
    with span("dynamodb.get_item", resource=table):
        answer = client("dynamodb").get_item(
            TableName=table, Key={"talk": {"S": talk}, "slide": {"S": slide}}
        )
    if "Item" not in answer:
        count("slides.unknown", tags=[f"talk:{talk}"])
        raise UnknownSlideError(f"The table {table} has no slide {slide} of the talk {talk}.")
    read = TypeDeserializer()
    item = {name: read.deserialize(value) for name, value in answer["Item"].items()}
    logger.info("pulled", slide=slide, title=item["title"])
    return item
