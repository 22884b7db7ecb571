"""Ask an AWS account about functions, log groups and queues; refusals become sentences."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.forwarder.aws import error_code

Clients = Callable[[str], Any]
FORWARDER, SUBSCRIBER = "monitoring.forwarder.handler", "monitoring.forwarder.subscriber.handler"
_EVENTS = 200  # log events of a log group that are looked at


class AccountFunction(NamedTuple):
    """A Lambda function, as ListFunctions describes it."""

    name: str
    arn: str
    handler: str
    log_group: str
    variables: dict[str, str]
    update: str = ""


class Account:
    """One account and region.

    Args:
        clients: gives boto3 clients.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def identity(self) -> str:
        """Return the number of the account.

        Raises:
            InputError: there are no credentials, they are not valid, or there is no region.
        """
        try:
            return str(self._clients("sts").get_caller_identity()["Account"])
        except Exception as error:
            raise InputError(
                f"a call to AWS failed: {reason(error)}",
                where="AWS credentials",
                hint="set AWS_PROFILE and AWS_REGION, or run `aws configure`",
            ) from error

    def functions(self) -> Iterator[AccountFunction]:
        """Yield the functions of the region."""
        for page in self._clients("lambda").get_paginator("list_functions").paginate():
            for row in page["Functions"]:
                group = (row.get("LoggingConfig") or {}).get("LogGroup")
                yield AccountFunction(
                    row["FunctionName"],
                    row["FunctionArn"],
                    row.get("Handler", ""),
                    group or f"/aws/lambda/{row['FunctionName']}",
                    (row.get("Environment") or {}).get("Variables") or {},
                    str(row.get("LastUpdateStatusReason") or ""),
                )

    def destinations(self, group: str) -> list[str]:
        """Return the ARNs that a log group is subscribed to."""
        answer = self._clients("logs").describe_subscription_filters(logGroupName=group)
        return [row["destinationArn"] for row in answer["subscriptionFilters"]]

    def messages(self, group: str, since: int, pattern: str = "") -> list[str]:
        """Return the latest messages of a log group, some hundreds of them at most.

        Args:
            since: milliseconds since the epoch.
            pattern: a filter pattern.
        """
        answer = self._clients("logs").filter_log_events(
            logGroupName=group,
            startTime=since,
            limit=_EVENTS,
            **({"filterPattern": pattern} if pattern else {}),
        )
        return [event["message"] for event in answer["events"]]

    def waiting(self, queue: str) -> tuple[int, str]:
        """Return how many messages a queue holds, and the ARN of its dead-letter queue ("" for none)."""
        attributes = self._clients("sqs").get_queue_attributes(
            QueueUrl=queue,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "RedrivePolicy",
            ],
        )["Attributes"]
        count = sum(int(attributes.get(name, 0)) for name in attributes if name.startswith("Approximate"))
        match = re.search(r'"deadLetterTargetArn":\s*"([^"]+)"', attributes.get("RedrivePolicy", ""))
        return count, match[1] if match else ""

    def queue_url(self, arn: str) -> str:
        """Return the URL of a queue."""
        name, account = arn.rpartition(":")[2], arn.split(":")[4]
        return str(
            self._clients("sqs").get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        )


def reason(error: Exception) -> str:
    """Return in a sentence why AWS did not answer; never with a value that was read."""
    code = error_code(error)
    return f"{code}: {error}" if code else f"{type(error).__name__}: {error}"
