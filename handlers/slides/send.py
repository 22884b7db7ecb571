"""Before the steps: take a photo that API Gateway brings, and put it where an object starts the pipeline."""

import base64
import binascii
from typing import TYPE_CHECKING, Any

from handlers.slides.aws import client, logger, setting
from monitoring import count, histogram, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@monitored
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`PUT /photos/TALK/NAME` with a photo as its body in; 202 and the object's key out, 400 without one."""
    path = event.get("pathParameters") or {}
    talk, name = path.get("talk", ""), path.get("name", "")
    photo = _body(event)
    if not photo or not talk or not name:
        count("slides.photos.refused", tags=[f"talk:{talk}"])
        return {"statusCode": 400, "body": "Send a photo as the body of PUT /photos/TALK/NAME.jpg"}
    bucket, key = setting("PHOTO_BUCKET"), f"{talk}/{name}"
    with span("s3.put_object", resource=bucket):
        client("s3").put_object(Bucket=bucket, Key=key, Body=photo, ContentType="image/jpeg")
    histogram("slides.photos.bytes", len(photo), tags=[f"talk:{talk}"])
    logger.info("photo taken", key=key)
    return {"statusCode": 202, "body": key}


def _body(event: dict[str, Any]) -> bytes:
    """Return the request's body as bytes: API Gateway encodes what is not text; b"" where it is malformed."""
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return b""
