"""The query routes: v1 query, v2 timeseries and v2 scalar, with Datadog's response formats."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Context, Family, as_object
from monitoring.local_datadog.replies import JSON_API, ApiError, reply
from monitoring.query import Answer, QueryError, Source, body, evaluate
from monitoring.query.scalars import scalar_columns
from monitoring.store.joined import source_of

RETENTION = 15 * 31 * 86_400
"""Retention in seconds; only the scalar route was recorded to reject a window that ends before it."""


class Queries(Family):
    """The routes over one store."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._source = source_of(context.store)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/v1/query", self._query, methods=["GET"]),
            Route("/api/v2/query/timeseries", self._timeseries, methods=["POST"]),
            Route("/api/v2/query/scalar", self._scalar, methods=["POST"]),
        ]

    async def _query(self, request: Request) -> Response:
        parameters = request.query_params
        text = parameters.get("query", "")
        start, end = _seconds(parameters, "from"), _seconds(parameters, "to")
        if not text.strip():
            raise ApiError(400, "The parameter 'query' is required")
        answers = await run_in_threadpool(_evaluated, text, self._source, start, end)
        return reply(body(text, start, end, answers) | {"times": [], "values": []})

    async def _timeseries(self, request: Request) -> Response:
        requested = _attributes(await read_json(request), "timeseries_request")
        answers = await run_in_threadpool(_lines_of, requested, self._source)
        times = (
            np.unique(np.concatenate([answer.times for _, answer in answers]))
            if answers
            else np.empty(0, np.int64)
        )
        attributes = {
            "series": [
                {"group_tags": list(answer.tag_set), "query_index": i, "unit": None} for i, answer in answers
            ],
            "times": (times * 1000).tolist(),
            "values": [_aligned(answer, times) for _, answer in answers],
        }
        return reply(
            {"data": {"id": "0", "type": "timeseries_response", "attributes": attributes}}, 200, JSON_API
        )

    async def _scalar(self, request: Request) -> Response:
        requested = _attributes(await read_json(request), "scalar_request")
        if requested["end"] < self._context.clock() - RETENTION:
            raise ApiError(400, "Queries ending outside the retention date are invalid")
        if any(not query.get("aggregator") for query in requested["queries"]):
            raise ApiError(
                400, "API input validation failed: an aggregator is required for every scalar query."
            )
        try:
            columns = await run_in_threadpool(
                scalar_columns,
                requested["queries"],
                requested["formulas"],
                self._source,
                requested["start"],
                requested["end"],
            )
        except QueryError as error:
            raise _unreadable(error) from error
        return reply({"data": {"type": "scalar_response", "attributes": {"columns": columns}}}, 200, JSON_API)


def _evaluated(text: str, source: Source, start: float, end: float, **more: Any) -> list[Answer]:
    try:
        return evaluate(text, source, start, end, **more)
    except QueryError as error:
        raise _unreadable(error) from error


def _unreadable(error: QueryError) -> ApiError:
    return ApiError(400, f"Error parsing query: {error}")


def _lines_of(requested: Body, source: Source) -> list[tuple[int, Answer]]:
    """Return (index of the formula, or of the query if there is no formula, answer)."""
    named = {query["name"]: query["query"] for query in requested["queries"]}
    texts = [formula["formula"] for formula in requested["formulas"]] or list(named.values())
    return [
        (index, answer)
        for index, text in enumerate(texts)
        for answer in _evaluated(
            text, source, requested["start"], requested["end"], interval=requested["interval"], queries=named
        )
    ]


def _aligned(answer: Answer, times: "np.ndarray[Any, np.dtype[np.int64]]") -> list[float | None]:
    values: list[float | None] = [None] * len(times)
    for place, value in zip(
        np.searchsorted(times, answer.times).tolist(), answer.values.tolist(), strict=True
    ):
        values[place] = value
    return values


def _seconds(parameters: Mapping[str, str], name: str) -> int:
    """Return seconds of the query string; a fraction is truncated, as by Datadog."""
    try:
        return int(float(parameters.get(name, "")))
    except (ValueError, OverflowError) as error:
        raise ApiError(400, f"The parameter '{name}' is required, in seconds since the epoch") from error


def _attributes(sent: object, kind: str) -> Body:
    """Return the request's attributes with times in seconds and a name for every query."""
    data = as_object(sent).get("data")
    if not isinstance(data, dict) or data.get("type") != kind:
        raise ApiError(400, f'API input validation failed: Invalid type. Expected "{kind}".')
    attributes = data.get("attributes")
    if not isinstance(attributes, dict):
        raise ApiError(400, "API input validation failed: attributes is required.")
    queries, formulas = attributes.get("queries"), attributes.get("formulas") or []
    if not isinstance(queries, list) or not queries or not all(_is_query(query) for query in queries):
        raise ApiError(
            400, "API input validation failed: queries is required, each with a query of its metrics."
        )
    if not isinstance(formulas, list) or not all(_has_text(formula, "formula") for formula in formulas):
        raise ApiError(400, "API input validation failed: a formula has no text.")
    start, end, interval = attributes.get("from"), attributes.get("to"), attributes.get("interval")
    if not isinstance(start, (int, float)) or not isinstance(end, (int, float)) or not start < end:
        raise ApiError(400, "API input validation failed: from and to are required, in milliseconds.")
    return {
        "queries": [{"name": f"query{index}"} | query for index, query in enumerate(queries, 1)],
        "formulas": formulas,
        "start": int(start // 1000),
        "end": int(end // 1000),
        "interval": max(1, int(interval) // 1000)
        if isinstance(interval, (int, float)) and interval > 0
        else None,
    }


def _is_query(query: object) -> bool:
    return _has_text(query, "query")


def _has_text(value: object, name: str) -> bool:
    return isinstance(value, dict) and isinstance(value.get(name), str)
