"""The steps of the shop."""

import json
import os

import boto3


def take(event, context):
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    table.put_item(Item={"id": str(event["id"])})
    return {"id": event["id"], "amount": event["amount"], "stage": os.environ["STAGE"]}


def pay(event, context):
    if event["amount"] > 1000:
        raise ValueError("too much")
    return {**event, "paid": True}


def heard(event, context):
    """Keep what came in."""
    boto3.client("s3").put_object(
        Bucket=os.environ["HEARD"], Key=context.aws_request_id, Body=json.dumps(event).encode()
    )
