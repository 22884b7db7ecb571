"""The APIs of one embedded AWS, each served at its own address."""

import threading
from typing import Any

from monitoring.errors import InputError
from monitoring.local_aws.apis.routes import Api, RouteIntegration
from monitoring.local_aws.apis.server import ApiServer, Backends


class Apis:
    """The deployed APIs.

    Attributes:
        integrations: name -> integration of an HTTP API that is a separate resource.
    """

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._servers: dict[str, ApiServer] = {}
        self._lock = threading.Lock()
        self.integrations: dict[str, RouteIntegration] = {}

    def add(self, api: Api) -> Api:
        """Serve an API, and return it; an existing API with its id gets its routes, at the same address."""
        with self._lock:
            server = self._servers.get(api.id)
            if server is None:
                server = self._servers[api.id] = ApiServer(api, self._backends)
            server.api.routes, server.api.cors = api.routes, api.cors
            return server.api

    def find(self, reference: Any) -> Api:
        """Return an API by its id.

        Raises:
            InputError: the API does not exist.
        """
        server = self._servers.get(str(reference))
        if server is None:
            raise InputError(f"there is no API {reference}")
        return server.api

    def address(self, endpoint: str) -> str:
        """Return the local address of an endpoint (`ID.execute-api.REGION.amazonaws.com`), or ""."""
        identity, separator, _ = endpoint.rpartition("://")[2].partition(".execute-api.")
        server = self._servers.get(identity) if separator else None
        return server.api.url if server else ""

    def remove(self, reference: str) -> None:
        """Stop serving an API, if it exists."""
        with self._lock:
            server = self._servers.pop(reference, None)
        if server is not None:
            server.close()

    def addresses(self) -> dict[str, str]:
        """Return the address of each API by its logical id."""
        return {server.api.name: server.api.address for server in self._servers.values()}

    def close(self) -> None:
        """Stop serving all APIs."""
        for reference in list(self._servers):
            self.remove(reference)
