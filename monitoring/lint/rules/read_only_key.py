"""read-only-key: what Datadog sets itself; in a file it is noise that no plan can make true."""

from collections.abc import Iterator

from monitoring.lint.model import REMOVE, Problem, Rule, Subject

RULE = Rule("read-only-key", "warning", "A key that Datadog sets itself, such as id or created_at.")

KEYS = {
    "dashboard": ("id", "url", "author_handle", "author_name", "created_at", "modified_at", "is_read_only"),
    "monitor": (
        *("id", "org_id", "created", "created_at", "modified", "deleted", "creator", "multi", "state"),
        *("overall_state", "overall_state_modified", "matching_downtimes", "restriction_policy"),
        "recommended_monitor_metadata",
    ),
    "slo": ("id", "creator", "created_at", "modified_at"),
}
"""Kind -> the keys that an answer of the API has and a request does not need."""


_GONE = {
    "is_read_only": "Datadog takes it no longer",
    "recommended_monitor_metadata": "the assets of integrations have it, the API does not",
}


def check(subject: Subject) -> Iterator[Problem]:
    """Find read-only keys; `--fix` removes them."""
    for key in KEYS.get(subject.resource.kind, ()):
        if key in subject.body:
            gone = _GONE.get(key, "Datadog sets it itself")
            yield Problem(
                (key,), f"{key} does not belong in a file: {gone}. Remove it", on_key=True, fix=REMOVE
            )
