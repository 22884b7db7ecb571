"""Step 1: use machine learning to figure out which slide a photo shows."""

from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.slides.aws import logger, read_object, setting
from handlers.slides.errors import NoPhotoError, UnreadablePhotoError
from handlers.slides.model import Model, load, read_photo
from monitoring import count, histogram, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def model() -> Model:
    """Read the model, once for each execution environment; it dominates this step's cold start."""
    bucket, key = setting("MODEL_BUCKET"), setting("MODEL_KEY")
    with span("slides.load_model", resource=key):
        return load(read_object(bucket, key))


def fetch(bucket: str, key: str) -> bytes:
    """Return the photo's bytes; NoPhotoError where the object does not exist."""
    try:
        with span("s3.get_object", resource=bucket):
            return read_object(bucket, key)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchBucket", "404"}:
            raise NoPhotoError(f"There is no photo {key} in the bucket {bucket}.") from error
        raise


@monitored
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`photo` in; `slide`, `sure`, `confidence`, `best` and `reason` out."""
    photo, talk = event["photo"], event["talk"]
    data = fetch(photo["bucket"], photo["key"])
    known = model()
    try:
        with span("slides.classify", resource=talk):
            answer = known.classify(read_photo(data))
    except UnreadablePhotoError:
        count("slides.photo.unreadable", tags=[f"talk:{talk}"])
        raise
    sure = answer.slide is not None
    count("slides.identified", tags=[f"talk:{talk}", f"sure:{str(sure).lower()}"])
    histogram("slides.confidence", answer.confidence, tags=[f"talk:{talk}"])
    logger.info(
        "identified", slide=answer.best, sure=sure, confidence=answer.confidence, reason=answer.reason
    )
    return {
        "slide": answer.slide,
        "sure": sure,
        "best": answer.best,
        "confidence": answer.confidence,
        "reason": answer.reason,
    }
