"""The correct steps of the drilled pipeline: an order is checked, then stored."""

import os
from typing import Any

from monitoring import count, monitored
from monitoring.drill.world import has_object, put_object


@monitored
def check(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the event's `order`."""
    count("orders.checked")
    return {"order": event["order"]}


def stored(event: dict[str, Any], result: dict[str, Any]) -> bool:
    """Return whether the order is in the bucket, whatever the step returns."""
    return has_object(result["bucket"], result["key"])


def store_order(event: dict[str, Any]) -> dict[str, Any]:
    """Store the order in the bucket; return `bucket` and `key`."""
    bucket, key = os.environ["BUCKET"], f"{event['order']}.json"
    put_object(bucket, key, b"{}")
    count("orders.stored")
    return {"bucket": bucket, "key": key}


@monitored(verify=stored)
def store(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Store the event's `order`; return `bucket` and `key`."""
    return store_order(event)
