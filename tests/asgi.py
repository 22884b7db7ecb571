"""An application asked without a socket."""

import asyncio

import httpx


class Client:
    """Asks an ASGI application; redirects are followed, and what it raises is raised here."""

    def __init__(self, app, base_url):
        self._app, self._base_url = app, base_url

    def request(self, method, url, **more):
        async def asked():
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url=self._base_url, follow_redirects=True
            ) as client:
                return await client.request(method, url, **more)

        return asyncio.run(asked())

    def get(self, url, **more):
        return self.request("GET", url, **more)

    def post(self, url, **more):
        return self.request("POST", url, **more)

    def delete(self, url, **more):
        return self.request("DELETE", url, **more)
