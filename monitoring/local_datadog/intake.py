"""The intake routes: metrics, distributions, logs, traces, checks. A 2xx means that the data are durable."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog import body, traces
from monitoring.local_datadog.log_status import status_of
from monitoring.local_datadog.normal import Sources
from monitoring.local_datadog.payloads import Dropped, Reader
from monitoring.local_datadog.replies import TEXT_JSON, ApiError, reply
from monitoring.store import Batch, Store

INLINE = 1 << 18
"""A larger body is decoded in a thread, so that other requests do not wait."""
_MOST_LOGS = 1000
_LONGEST_LOG = 1_000_000
_ReadBody = Callable[[bytes, float], tuple[Batch, Dropped]]


class Intake:
    """The routes over one store."""

    def __init__(
        self, store: Store, *, historical: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._clock = clock
        self._reader = Reader(Sources(), historical)

    def routes(self) -> list[Route]:
        """Return the routes."""
        post = {
            "/api/v1/series": self._series_v1,
            "/api/v2/series": self._series_v2,
            "/api/v1/distribution_points": self._distribution_points,
            "/api/v2/logs": self._logs,
            "/v1/input": self._logs_v1,
            "/v1/input/{key}": self._logs_v1,
            "/api/v0.2/traces": self._traces,
            "/api/v0.2/stats": self._stats,
            "/api/v1/check_run": self._check_run,
        }
        return [Route(path, handler, methods=["POST"]) for path, handler in post.items()]

    async def _series_v1(self, request: Request) -> Response:
        await self._take(request, body.SERIES_V1, self._reader.v1)
        return reply({"status": "ok"}, 202, TEXT_JSON)

    async def _series_v2(self, request: Request) -> Response:
        await self._take(request, body.SERIES_V2, self._reader.v2)
        return reply({"errors": []}, 202)

    async def _distribution_points(self, request: Request) -> Response:
        await self._take(request, body.DISTRIBUTIONS, self._reader.distributions, samples=True)
        return reply({"status": "ok"}, 202, TEXT_JSON)

    async def _take(
        self, request: Request, limit: body.Limit, read: _ReadBody, *, samples: bool = False
    ) -> None:
        data = await body.read(request, limit)

        def take() -> None:
            batch, dropped = read(data, self._clock())
            self._store.append(batch, samples=samples)
            for reason, count in dropped.items():
                if count:
                    self._store.counters[f"dropped_{reason}"] += count

        await _run(take, len(data))

    async def _logs(self, request: Request) -> Response:
        await self._take_logs(request)
        return reply({}, 202)

    async def _logs_v1(self, request: Request) -> Response:
        await self._take_logs(request)
        return reply({}, 200)

    async def _take_logs(self, request: Request) -> None:
        data = await body.read(request, body.LOGS)
        parameters = dict(request.query_params)

        def take() -> None:
            logs = _logs_of(data, request.headers.get("content-type", ""))
            common = {
                name: parameters[name]
                for name in ("ddsource", "ddtags", "hostname", "service")
                if name in parameters
            }
            now = int(self._clock() * 1000)
            self._store.add_logs(
                _clean_log(common | {"timestamp": now} | log | {"status": status_of(log)}) for log in logs
            )

        await _run(take, len(data))

    async def _traces(self, request: Request) -> Response:
        data = await body.read(request, body.TRACES)
        content_type = request.headers.get("content-type", "")
        await _run(lambda: self._store.add_spans(traces.read(data, content_type)), len(data))
        return reply({}, 202)

    async def _stats(self, request: Request) -> Response:
        await body.read(request, body.TRACES)
        return reply({}, 202)

    async def _check_run(self, request: Request) -> Response:
        content = await body.read_json(request)
        checks = content if isinstance(content, list) else [content]
        for check in checks:
            _validate_check(check)
        self._store.add_checks(checks)
        return reply({"status": "ok"}, 202, TEXT_JSON)


async def _run(job: Callable[[], None], size: int) -> None:
    if size > INLINE:
        await run_in_threadpool(job)
    else:
        job()


def _validate_check(check: object) -> None:
    if not isinstance(check, dict) or not check.get("check"):
        raise ApiError(400, "Run missing fields: check")
    if check.get("status") not in (0, 1, 2, 3):
        raise ApiError(400, "Run has an invalid status: 0 OK, 1 Warning, 2 Critical, 3 Unknown")


def _logs_of(data: bytes, content_type: str) -> Iterable[dict[str, Any]]:
    if content_type.startswith("text/plain"):
        return [{"message": line} for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    document = body.parse_json(data, json_api=True)
    logs = document if isinstance(document, list) else [document]
    if len(logs) > _MOST_LOGS:
        raise ApiError(413, f"Too many logs in one payload: the limit is {_MOST_LOGS}", json_api=True)
    if not all(isinstance(log, dict) for log in logs):
        raise ApiError(400, "A log is not a JSON object", json_api=True)
    return logs


def _clean_log(log: dict[str, Any]) -> dict[str, Any]:
    """Return a log in the stored format, truncated to 1 MB, as by Datadog."""
    message = log.get("message")
    if isinstance(message, str) and len(message) > _LONGEST_LOG // 4:
        encoded = message.encode("utf-8", "surrogatepass")
        return log | {"message": encoded[:_LONGEST_LOG].decode("utf-8", "ignore")}
    return log
