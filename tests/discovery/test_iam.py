"""What IAM policies allow: the forms that published policies have, with boundaries, Deny and conditions."""

from typing import Any

import pytest

from monitoring.discovery.iam import MANAGED, Request, denial, holders, inline_policies

BUCKET = "arn:aws:s3:::photos"
REGION = {"aws:requestedregion": "eu-west-1", "aws:securetransport": "true"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


ADMINISTRATOR = document(allow("*"))
POWER_USER = document(
    {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
    allow(["iam:CreateServiceLinkedRole", "iam:ListRoles"]),
)
OUTSIDE_OF_THE_REGION = {
    "Effect": "Deny",
    "NotAction": ["iam:*", "cloudfront:*", "sts:*"],
    "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-central-1"]}},
}
WITHOUT_TLS = {
    "Effect": "Deny",
    "Action": "s3:*",
    "Resource": [BUCKET, f"{BUCKET}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
WITHOUT_MFA = {
    "Effect": "Deny",
    "NotAction": ["iam:ListUsers", "sts:GetSessionToken"],
    "Resource": "*",
    "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
}
ALL_BUT_ONE_BUCKET = {"Effect": "Deny", "Action": "s3:*", "NotResource": [BUCKET, f"{BUCKET}/*"]}
SAM_CRUD = document(
    allow(
        ["dynamodb:GetItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Scan", "dynamodb:Query"],
        [
            "arn:aws:dynamodb:eu-west-1:1:table/orders",
            "arn:aws:dynamodb:eu-west-1:1:table/orders/index/*",
        ],
    )
)
DECISIONS: dict[str, tuple[list[Any], Any, str, str, str]] = {
    "an administrator": ([ADMINISTRATOR], None, "iam:CreateRole", BUCKET, ""),
    "all but IAM": ([POWER_USER], None, "s3:GetObject", BUCKET, ""),
    "IAM of all but IAM": ([POWER_USER], None, "iam:CreateRole", BUCKET, "identity-based"),
    "what is allowed of IAM besides": ([POWER_USER], None, "iam:ListRoles", BUCKET, ""),
    "a region that is named": ([ADMINISTRATOR, document(OUTSIDE_OF_THE_REGION)], None, "sqs:X", BUCKET, ""),
    "TLS": ([ADMINISTRATOR, document(WITHOUT_TLS)], None, "s3:GetObject", f"{BUCKET}/a", ""),
    "a key that is not known here": ([ADMINISTRATOR, document(WITHOUT_MFA)], None, "s3:X", BUCKET, ""),
    "the one bucket": (
        [ADMINISTRATOR, document(ALL_BUT_ONE_BUCKET)], None, "s3:GetObject", f"{BUCKET}/a", ""
    ),
    "another bucket": (
        [ADMINISTRATOR, document(ALL_BUT_ONE_BUCKET)], None, "s3:GetObject", f"{BUCKET}-2/a", "explicit deny"
    ),
    "SAM's template, an index": (
        [SAM_CRUD], None, "dynamodb:Query", "arn:aws:dynamodb:eu-west-1:1:table/orders/index/day", ""
    ),
    "SAM's template, another table": (
        [SAM_CRUD], None, "dynamodb:Query", "arn:aws:dynamodb:eu-west-1:1:table/paid", "identity-based"
    ),
    "SAM's template, another action": (
        [SAM_CRUD], None, "dynamodb:CreateTable", "arn:aws:dynamodb:eu-west-1:1:table/orders", "identity-based"
    ),
    "no policy": ([], None, "s3:GetObject", BUCKET, "identity-based"),
    "a policy whose content is not known": ([None], None, "s3:GetObject", BUCKET, ""),
    "that, and a deny": ([None, document(ALL_BUT_ONE_BUCKET)], None, "s3:X", "arn:x", "explicit deny"),
    "within the boundary": ([ADMINISTRATOR], document(allow("s3:*")), "s3:GetObject", BUCKET, ""),
    "outside of the boundary": (
        [ADMINISTRATOR], document(allow("s3:*")), "sqs:SendMessage", "arn:q", "no permissions boundary allows"
    ),
    "denied by the boundary": (
        [ADMINISTRATOR],
        document(allow("*"), ALL_BUT_ONE_BUCKET),
        "s3:GetObject",
        "arn:aws:s3:::other",
        "explicit deny in a permissions boundary",
    ),
    "a boundary allows nothing itself": ([], ADMINISTRATOR, "s3:GetObject", BUCKET, "identity-based"),
    "SQS for a function": ([MANAGED["AWSLambdaSQSQueueExecutionRole"]], None, "sqs:ReceiveMessage", "q", ""),
    "logs for a function": ([MANAGED["AWSLambdaRole"]], None, "logs:PutLogEvents", "g", "identity-based"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("documents", "boundary", "action", "resource", "reason"), DECISIONS.values(), ids=DECISIONS
)
def test_a_role_may_do_what_its_policies_and_its_boundary_allow(
    documents: list[Any], boundary: Any, action: str, resource: str, reason: str
) -> None:
    words = denial(documents, boundary, Request(action, resource, REGION))
    assert bool(words) == bool(reason)
    assert reason in words


def test_a_region_that_is_not_named_is_denied() -> None:
    request = Request("sqs:SendMessage", "arn:q", {"aws:requestedregion": "us-east-1"})
    assert "explicit deny" in denial([ADMINISTRATOR, document(OUTSIDE_OF_THE_REGION)], None, request)
    exempt = Request("sts:AssumeRole", "arn:r", {"aws:requestedregion": "us-east-1"})
    assert denial([ADMINISTRATOR, document(OUTSIDE_OF_THE_REGION)], None, exempt) == ""


@pytest.mark.parametrize("text", [None, "x", 5, [], {}, {"Statement": None}, {"Statement": "x"}])
def test_a_document_that_is_none_allows_nothing(text: Any) -> None:
    wanted = "" if text is None else "because no identity-based policy allows the s3:X action"
    assert denial([text], None, Request("s3:X")) == wanted


def test_policies_of_a_role_are_read_wherever_they_stand() -> None:
    inline = {"Policies": [{"PolicyName": "own", "PolicyDocument": SAM_CRUD}, "x"]}
    assert list(inline_policies(inline)) == [("own", SAM_CRUD), ("", None)]
    assert list(inline_policies({"Policies": "x"})) == [("", None)]
    assert holders({"Roles": ["a", "arn:aws:iam::1:role/path/b", 5]}) == ["a", "b"]
    assert holders({"RoleName": "c"}) == ["c"]
    assert holders({}) == []
