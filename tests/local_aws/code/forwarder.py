"""A subscriber that keeps what it gets in S3, and fails when told to."""

import base64
import gzip
import json
import uuid

import boto3

s3 = boto3.client("s3")


def handler(event, context):
    if "awslogs" in event:
        event = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    s3.put_object(Bucket="got", Key=str(uuid.uuid4()), Body=json.dumps(event))
    text = json.dumps(event)
    if "FAIL ALWAYS" in text or ("FAIL ONCE" in text and seen(text) == 1):
        raise RuntimeError("told to fail")


def seen(text):
    key = str(hash(text))
    counts[key] = counts.get(key, 0) + 1
    return counts[key]


counts = {}
