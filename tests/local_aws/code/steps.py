"""Handlers for the tests of the embedded AWS: one thing each."""

import logging
import os
import subprocess
import sys
import time


def echo(event, context):
    print(f"echo {event}")
    return event


def several_lines(event, context):
    print("before")
    logging.getLogger().warning("one\ntwo")
    print("after\nand after that")
    sys.stdout.write("no newline at the end")


def environment(event, context):
    return {
        "variables": {name: os.environ.get(name) for name in event},
        "remaining": context.get_remaining_time_in_millis(),
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "log_group": context.log_group_name,
        "log_stream": context.log_stream_name,
        "pid": os.getpid(),
    }


def fails(event, context):
    raise ValueError("row 7 is bad")


def fails_twice(event, context):
    marker = event["marker"]
    with open(marker, "a") as file:
        file.write("x")
    if os.path.getsize(marker) < 3:
        raise RuntimeError("not yet")
    return "at last"


def sleeps(event, context):
    time.sleep(event["seconds"])
    return event["seconds"]


def leaves_children(event, context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if event.get("hang"):
        print(f"child {child.pid}")
        time.sleep(600)
    return child.pid


def exits(event, context):
    print("going")
    sys.exit(3)


def is_killed(event, context):
    print("going down")
    os._exit(0)


def eats_memory(event, context):
    eaten = []
    while True:
        eaten.append(os.urandom(1 << 20))


def uses_aws(event, context):
    import boto3

    boto3.client("s3").put_object(Bucket=event["bucket"], Key="a", Body=b"from the worker")
    return boto3.client("s3").get_object(Bucket=event["bucket"], Key="a")["Body"].read().decode()
