"""Done, second half: have CloudFront forget the talk's old pages."""

from typing import TYPE_CHECKING, Any

from handlers.slides.aws import client, logger, setting
from monitoring import count, monitored, span

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def accepted(event: dict[str, Any], result: dict[str, Any]) -> bool:
    """Return whether CloudFront knows the invalidation."""
    found = client("cloudfront").get_invalidation(DistributionId=result["distribution"], Id=result["id"])
    return bool(found["Invalidation"]["Id"] == result["id"])


@monitored(verify=accepted)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """`talk` and the `build` id in; the `distribution` and the invalidation's `id` out."""
    talk, distribution = event["talk"], setting("DISTRIBUTION_ID")
    with span("cloudfront.create_invalidation", resource=distribution):
        answer = client("cloudfront").create_invalidation(
            DistributionId=distribution,
            InvalidationBatch={
                "Paths": {"Quantity": 1, "Items": [f"/{talk}/*"]},
                "CallerReference": event["build"],  # a retry of this step asks for the same invalidation
            },
        )
    count("slides.invalidated", tags=[f"talk:{talk}"])
    logger.info("invalidated", invalidation=answer["Invalidation"]["Id"])
    return {"distribution": distribution, "id": answer["Invalidation"]["Id"]}
