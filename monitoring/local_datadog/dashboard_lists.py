"""The routes of manual dashboard lists and of their items."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, mounted
from monitoring.local_datadog.replies import ApiError, reply

KIND = "dashboard_list"
_TYPES = {
    "custom_timeboard",
    "custom_screenboard",
    "integration_timeboard",
    "integration_screenboard",
    "host_timeboard",
}
_AUTHOR = {"handle": "stepscope@localhost", "name": "stepscope", "email": "stepscope@localhost"}


class DashboardLists(Family):
    """The routes over one store; a list is a document with `items`."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        lists, items = "/api/v1/dashboard/lists/manual", "/api/v2/dashboard/lists/manual/{id}/dashboards"
        table = [
            ("GET", lists, self._all),
            ("POST", lists, self._create),
            ("GET", lists + "/{id}", self._get),
            ("PUT", lists + "/{id}", self._rename),
            ("DELETE", lists + "/{id}", self._delete),
            ("GET", items, self._items),
            ("POST", items, self._add),
            ("PUT", items, self._replace),
            ("DELETE", items, self._remove),
        ]
        # datadogpy also uses the older path of items.
        older = [
            (method, path.replace("v2", "v1"), handler) for method, path, handler in table if path == items
        ]
        return mounted("", table + older)

    async def _all(self, _request: Request) -> Response:
        return reply({"dashboard_lists": [_shown(body) for body in self._documents.all(KIND)]})

    async def _create(self, request: Request) -> Response:
        name = _name(await read_json(request))
        moment = self._context.moment()
        body: Body = {"id": self._context.next_id(KIND), "name": name, "is_favorite": False, "items": []}
        body |= {"type": "manual_dashboard_list", "author": _AUTHOR, "created": moment, "modified": moment}
        return self._put(body)

    async def _get(self, request: Request) -> Response:
        return reply(_shown(self._find(request)))

    async def _rename(self, request: Request) -> Response:
        body = self._find(request)
        body["name"] = _name(await read_json(request))
        return self._put(body)

    async def _delete(self, request: Request) -> Response:
        body = self._find(request)
        self._documents.delete(KIND, str(body["id"]))
        return reply({"deleted_dashboard_list_id": body["id"]})

    async def _items(self, request: Request) -> Response:
        items = [self._described(item) for item in self._find(request)["items"]]
        return reply({"dashboards": items, "total": len(items)})

    async def _add(self, request: Request) -> Response:
        dashboards = _dashboards(await read_json(request))
        body = self._find(request)
        added = [item for item in dashboards if item not in body["items"]]
        body["items"] += added
        self._put(body)
        return reply({"added_dashboards_to_list": added})

    async def _replace(self, request: Request) -> Response:
        dashboards = _dashboards(await read_json(request))
        self._put(self._find(request) | {"items": dashboards})
        return reply({"dashboards": dashboards})

    async def _remove(self, request: Request) -> Response:
        dashboards = _dashboards(await read_json(request))
        body = self._find(request)
        gone = [item for item in body["items"] if item in dashboards]
        self._put(body | {"items": [item for item in body["items"] if item not in gone]})
        return reply({"deleted_dashboards_from_list": gone})

    def _find(self, request: Request) -> Body:
        ident = request.path_params["id"]
        return self._context.find(KIND, ident, f"Manual Dashboard List with id {ident} not found")

    def _put(self, body: Body) -> Response:
        body["modified"] = self._context.moment()
        self._documents.put(KIND, str(body["id"]), body)
        return reply(_shown(body))

    def _described(self, item: Body) -> Body:
        dashboard = self._documents.get("dashboard", item["id"]) or {}
        described = {"title": dashboard.get("title", ""), "url": dashboard.get("url", ""), "author": _AUTHOR}
        described |= {"created": dashboard.get("created_at"), "modified": dashboard.get("modified_at")}
        return (
            item | described | {"icon": None, "is_favorite": False, "is_read_only": False, "is_shared": False}
        )


def _shown(body: Body) -> Body:
    shown = {key: value for key, value in body.items() if key != "items"}
    return shown | {"dashboard_count": len(body["items"])}


def _name(body: object) -> str:
    name = as_object(body).get("name")
    if not isinstance(name, str) or not name.strip():
        raise ApiError(400, "'name' parameter can't be empty")
    return name


def _dashboards(body: object) -> list[Body]:
    dashboards = as_object(body).get("dashboards")
    if not isinstance(dashboards, list):
        raise ApiError(400, "Required parameter 'dashboards' is missing")
    items = [
        {"id": str(item.get("id")), "type": item.get("type")} for item in dashboards if isinstance(item, dict)
    ]
    if len(items) < len(dashboards) or any(item["type"] not in _TYPES for item in items):
        raise ApiError(400, f"Value of parameter 'type' should be any of these {sorted(_TYPES)}")
    return items
