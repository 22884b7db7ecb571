"""Parameters, responses and pages of the operations of Step Functions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from monitoring.local_aws.states.errors import ApiError
from monitoring.local_aws.states.service import StatesService

Parameters = dict[str, Any]
Operations = Mapping[str, Callable[[StatesService, Parameters], Any]]
"""Operation -> what makes its response, or a coroutine of it."""


def without_none(values: Parameters) -> Parameters:
    """Return the fields of a response that have a value."""
    return {key: value for key, value in values.items() if value is not None}


def paged(name: str, rows: Iterable[Any], parameters: Parameters, largest: int = 1000) -> Parameters:
    """Return a page of a list: at most `largest` rows, and the token of the next page.

    Raises:
        ApiError: the token is not one of these.
    """
    everything = list(rows)
    try:
        begin = int(parameters.get("nextToken") or 0)
    except ValueError:
        raise ApiError("InvalidToken", "Invalid Token: 'Invalid token'") from None
    size = parameters.get("maxResults") or min(100, largest)
    page = everything[begin : begin + size]
    more = {"nextToken": str(begin + size)} if begin + size < len(everything) else {}
    return {name: page, **more}
