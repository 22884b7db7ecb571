"""Step 4: create the slide's document in S3."""

import json
import urllib.request
from typing import TYPE_CHECKING, Any

from handlers.slides.aws import client, logger, object_size, setting
from monitoring import count, histogram, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

FIGURE = 200
"""Bytes of a live figure that are read."""


def live_figure(url: str) -> str:
    """Return the current figure that a slide shows, from an address on the web.

    The time-out is that of each read: a server that sends a byte now and then is never too slow for it. Only
    the function's own time-out ends such a call, and that is what it is for.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"A figure comes from the web, not from {url!r}.")
    with (
        span("http.request", resource=url),
        urllib.request.urlopen(url, timeout=2) as answer,  # noqa: S310 - the scheme was checked
    ):
        text: str = answer.read(FIGURE).decode("utf-8", "replace").strip()
    return text


def written(event: dict[str, Any], result: dict[str, Any]) -> bool:
    """Return whether the document is in the bucket and has bytes in it, whatever the step says."""
    return object_size(result["bucket"], result["key"]) > 0


@monitored(verify=written)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`talk` and the `item` of the slide in; `bucket`, `key` and `bytes` of the document out."""
    talk, item, bucket = event["talk"], dict(event["item"]), setting("DOCUMENTS_BUCKET")
    if url := item.pop("figure_url", ""):
        item["figure"] = live_figure(url)
    body = json.dumps(item, ensure_ascii=False, indent=1).encode()
    key = f"{talk}/{item['slide']}.json"
    with span("s3.put_object", resource=bucket):
        client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    count("slides.documents", tags=[f"talk:{talk}"])
    histogram("slides.document.bytes", len(body), tags=[f"talk:{talk}"])
    logger.info("document written", bucket=bucket, document=key, bytes=len(body))
    return {"bucket": bucket, "key": key, "bytes": len(body)}
