"""Ask Datadog whether a key is valid, and whether points of a metric are there."""

import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import urlencode


class Answer(NamedTuple):
    """Hold what Datadog answered; status 0 with the error where nobody did."""

    status: int
    body: Any = None
    error: str = ""


class Datadog:
    """Datadog's API at one address.

    Args:
        base: `https://api.SITE`, or the address of an embedded Datadog.
        api_key: goes into a header, as does the application key.
    """

    def __init__(self, base: str, api_key: str, app_key: str = "", timeout: float = 10.0) -> None:
        self.base = base.rstrip("/")
        self._headers = {"DD-API-KEY": api_key, **({"DD-APPLICATION-KEY": app_key} if app_key else {})}
        self._timeout = timeout

    def validate(self) -> Answer:
        """Ask whether the API key is valid."""
        return self._get("/api/v1/validate")

    def points(self, query: str, start: int, end: int) -> Answer:
        """Ask for the points of a metric query; times are seconds since the epoch."""
        return self._get("/api/v1/query?" + urlencode({"query": query, "from": start, "to": end}))

    def metrics(self, since: int, tag: str) -> Answer:
        """Ask for the metrics that were sent with a tag since a time in seconds."""
        return self._get("/api/v1/metrics?" + urlencode({"from": since, "tag_filter": tag}))

    def _get(self, path: str) -> Answer:
        request = urllib.request.Request(self.base + path, headers=self._headers)  # noqa: S310 - http or https
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310 - as above
                return Answer(response.status, json.loads(response.read() or b"null"))
        except urllib.error.HTTPError as error:
            error.close()
            return Answer(error.code)
        except (OSError, ValueError) as error:
            return Answer(0, error=f"{type(error).__name__}: {error}")


def has_points(answer: Answer) -> bool:
    """Return whether the answer to a metric query holds a point."""
    series = answer.body.get("series") if isinstance(answer.body, dict) else None
    return any(entry.get("pointlist") for entry in series or () if isinstance(entry, dict))
