"""Query Datadog's API: validate a key, and list and query metrics."""

import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import urlencode


class DatadogResponse(NamedTuple):
    """A response of Datadog; status 0 and the error if there was no response."""

    status: int
    body: Any = None
    error: str = ""


class Datadog:
    """Datadog's API at one address.

    Args:
        base: `https://api.SITE`, or the address of an embedded Datadog.
        api_key: sent as a header, like the application key.
    """

    def __init__(self, base: str, api_key: str, app_key: str = "", timeout: float = 10.0) -> None:
        self.base = base.rstrip("/")
        self._headers = {"DD-API-KEY": api_key, **({"DD-APPLICATION-KEY": app_key} if app_key else {})}
        self._timeout = timeout

    def validate(self) -> DatadogResponse:
        """Request the validation of the API key; status 200 means that it is valid."""
        return self._get("/api/v1/validate")

    def points(self, query: str, start: int, end: int) -> DatadogResponse:
        """Request the points of a metric query; times are seconds since the epoch."""
        return self._get("/api/v1/query?" + urlencode({"query": query, "from": start, "to": end}))

    def metrics(self, since: int, tag: str) -> DatadogResponse:
        """Request the names of the metrics that have a tag and were active since a time in epoch seconds."""
        return self._get("/api/v1/metrics?" + urlencode({"from": since, "tag_filter": tag}))

    def _get(self, path: str) -> DatadogResponse:
        request = urllib.request.Request(self.base + path, headers=self._headers)  # noqa: S310 - http or https
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310 - as above
                return DatadogResponse(response.status, json.loads(response.read() or b"null"))
        except urllib.error.HTTPError as error:
            error.close()
            return DatadogResponse(error.code)
        except (OSError, ValueError) as error:
            return DatadogResponse(0, error=f"{type(error).__name__}: {error}")


def has_points(answer: DatadogResponse) -> bool:
    """Return whether the response to a metric query contains a point."""
    series = answer.body.get("series") if isinstance(answer.body, dict) else None
    return any(entry.get("pointlist") for entry in series or () if isinstance(entry, dict))
