"""The routes of hosts: list, tags, mute and unmute."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, mounted, number
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.store.rows import tags_of

TAGS = "host_tags"
MUTED = "host_muted"
_SEEN = """
    SELECT host, max(time) AS last FROM series JOIN (
        SELECT series_id, time FROM points UNION ALL SELECT series_id, time FROM samples) USING (series_id)
    WHERE host <> '' GROUP BY host ORDER BY host"""
_RECENT = 2 * 3600


class Hosts(Family):
    """The routes over one store."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        tags = "/api/v1/tags/hosts"
        table = [
            ("GET", "/api/v1/hosts", self._list),
            ("GET", "/api/v1/hosts/totals", self._totals),
            ("POST", "/api/v1/host/{name}/mute", self._mute),
            ("POST", "/api/v1/host/{name}/unmute", self._unmute),
            ("GET", tags, self._all_tags),
            ("GET", tags + "/{name}", self._tags),
            ("POST", tags + "/{name}", self._add_tags),
            ("PUT", tags + "/{name}", self._replace_tags),
            ("DELETE", tags + "/{name}", self._delete_tags),
        ]
        return mounted("", table)

    async def _list(self, request: Request) -> Response:
        parameters = request.query_params
        text = parameters.get("filter", "").lower().removeprefix("host:")
        hosts = [(name, last) for name, last in self._seen() if text in name.lower()]
        start, count = number(parameters, "start", 0), min(1000, number(parameters, "count", 100))
        page = [self._shown(name, last) for name, last in hosts[start : start + count]]
        return reply({"host_list": page, "total_matching": len(hosts), "total_returned": len(page)})

    async def _totals(self, _request: Request) -> Response:
        since = self._context.clock() - _RECENT
        seen = self._seen()
        return reply({"total_up": len(seen), "total_active": sum(last >= since for _, last in seen)})

    async def _mute(self, request: Request) -> Response:
        name = request.path_params["name"]
        options = as_object(await read_json(request)) if await request.body() else {}
        if self._documents.get(MUTED, name) and not options.get("override"):
            raise ApiError(
                400, f"host:{name} is already muted. To mute this host with a different end, use override."
            )
        muted = {"end": options.get("end"), "message": options.get("message") or ""}
        self._documents.put(MUTED, name, muted)
        return reply({"action": "Muted", "hostname": name} | muted)

    async def _unmute(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not self._documents.delete(MUTED, name):
            raise ApiError(400, f"host:{name} is not muted")
        return reply({"action": "Unmuted", "hostname": name})

    async def _all_tags(self, _request: Request) -> Response:
        hosts: dict[str, list[str]] = {}
        for body in self._documents.all(TAGS):
            for tag in body["tags"]:
                hosts.setdefault(tag, []).append(body["host"])
        return reply({"tags": hosts})

    async def _tags(self, request: Request) -> Response:
        return reply({"tags": self._stored_tags(request.path_params["name"])})

    async def _add_tags(self, request: Request) -> Response:
        tags = tags_of(as_object(await read_json(request)).get("tags"))
        return self._put_tags(request, sorted({*self._stored_tags(request.path_params["name"]), *tags}), 201)

    async def _replace_tags(self, request: Request) -> Response:
        return self._put_tags(request, tags_of(as_object(await read_json(request)).get("tags")), 201)

    async def _delete_tags(self, request: Request) -> Response:
        self._documents.delete(TAGS, request.path_params["name"])
        return Response(status_code=204)

    def _put_tags(self, request: Request, tags: list[str], status: int) -> Response:
        name = request.path_params["name"]
        body: Body = {"host": name, "tags": tags}
        self._documents.put(TAGS, name, body)
        return reply(body, status)

    def _stored_tags(self, name: str) -> list[str]:
        return list((self._documents.get(TAGS, name) or {"tags": []})["tags"])

    def _seen(self) -> list[tuple[str, int]]:
        with self._context.store.reading() as cursor:
            return [(name, last) for name, last in cursor.execute(_SEEN).fetchall()]

    def _shown(self, name: str, last: int) -> Body:
        return {
            "name": name,
            "host_name": name,
            "aliases": [name],
            "apps": [],
            "is_muted": self._documents.get(MUTED, name) is not None,
            "last_reported_time": last,
            "sources": [],
            "tags_by_source": {"Users": self._stored_tags(name)},
            "up": last >= self._context.clock() - _RECENT,
        }
