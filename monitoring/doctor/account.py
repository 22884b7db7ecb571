"""Read functions, log groups and queues of an AWS account; errors of AWS become messages."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.forwarder.aws import error_code

Clients = Callable[[str], Any]
FORWARDER, SUBSCRIBER = "monitoring.forwarder.handler", "monitoring.forwarder.subscriber.handler"
_EVENTS = 200  # log events that are read from a log group


class AccountFunction(NamedTuple):
    """A Lambda function, as ListFunctions describes it."""

    name: str
    arn: str
    handler: str
    log_group: str
    variables: dict[str, str]
    update: str = ""


class Account:
    """An AWS account in one region.

    Args:
        clients: returns the boto3 client of a service by its name.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def identity(self) -> str:
        """Return the account id.

        Raises:
            InputError: credentials or the region are missing, or the credentials are not valid.
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
        """Return the destination ARNs of the subscription filters of a log group."""
        response = self._clients("logs").describe_subscription_filters(logGroupName=group)
        return [row["destinationArn"] for row in response["subscriptionFilters"]]

    def messages(self, group: str, since: int, pattern: str = "") -> list[str]:
        """Return messages of a log group since a time, the 200 first ones at most.

        Args:
            since: milliseconds since the epoch.
            pattern: a filter pattern.
        """
        response = self._clients("logs").filter_log_events(
            logGroupName=group,
            startTime=since,
            limit=_EVENTS,
            **({"filterPattern": pattern} if pattern else {}),
        )
        return [event["message"] for event in response["events"]]

    def waiting(self, queue: str) -> tuple[int, str]:
        """Return the approximate number of messages in a queue, and its dead-letter queue's ARN or ""."""
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
    """Return the message of an AWS error, with its code if it has one."""
    code = error_code(error)
    return f"{code}: {error}" if code else f"{type(error).__name__}: {error}"
