"""The live page as one of the server's APIs: who may see it, which page a path is, which headers keep it tight."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from eigenpal.sandbox.call import Call, Services, Tenant
from eigenpal.sandbox.local_only import require_local
from eigenpal.sandbox.operations import artifacts
from eigenpal.sandbox.page import views
from eigenpal.sandbox.page.rendering import render
from eigenpal.sandbox.page.views import Sources, Visit
from eigenpal.sandbox.problems import Problem, not_found
from eigenpal.sandbox.routing import Route, Router

PAGE_PLACES = ("", "page", "favicon.ico")  # first segments of the paths that are answered here

# Nothing may be run or loaded but the page's own files, nobody may frame it, and nothing of it is kept anywhere.
_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
# What workflows and clients wrote is shown as text or downloaded: a browser must not take it for a page of ours.
_FOREIGN = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox"}
_STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


Handler: TypeAlias = Callable[[Request[Any], Mapping[str, str]], Awaitable[Response]]


class PageApi:
    """The live page. It takes no API key: being at this machine is what counts.

    Args:
        sources: What the pages show.
        services: Downloads files.
    """

    def __init__(self, sources: Sources, services: Services) -> None:
        self._sources = sources
        self._services = services
        routes: Mapping[str, Handler] = {
            "/": self._view(views.runs),
            "/page/runs/{id}": self._view(views.run),
            "/page/runs/{id}/whole/{part}": self._view(views.whole, "text/plain", _FOREIGN),
            "/page/runs/{id}/files/{path:path}": self._file,
            "/page/requests": self._view(views.requests),
            "/page/requests/{id}": self._view(views.request),
            "/page/{name}": self._static,
            "/favicon.ico": self._icon,
        }
        self._router: Router[Handler] = Router(
            {"": [Route("GET", path, handler, path) for path, handler in routes.items()]}
        )

    async def answer(self, request: Request[Any]) -> Response:
        """Answer a request."""
        require_local(request)
        route, path = self._router.find_for(request)
        return await route.operation(request, path)

    def refuse(self, problem: Problem, request_id: str) -> Response:
        """Return a page that says why there is none."""
        return Response(
            _encoded(render("problem.html", here="", problem=problem)), problem.status, _HEADERS, "text/html"
        )

    def _view(
        self, make: Callable[[Visit], str], media_type: str = "text/html", headers: Mapping[str, str] | None = None
    ) -> Handler:
        async def handler(request: Request[Any], path: Mapping[str, str]) -> Response:
            visit = Visit(self._sources, path, request.query_params)
            content = _encoded(await asyncio.to_thread(make, visit))
            return _tagged(request, content, media_type, headers or {})

        return handler

    async def _file(self, request: Request[Any], path: Mapping[str, str]) -> Response:
        run = Visit(self._sources, path, {}).run()
        # The run is there, so it is its own tenant who asks.
        response = await artifacts.download(Call(request, path, Tenant(run.tenant, {}), self._services))
        response.headers.update({**_HEADERS, **_FOREIGN})
        return response

    async def _static(self, request: Request[Any], path: Mapping[str, str]) -> Response:
        name = path["name"]
        if name not in _STATIC:
            raise not_found(f"There is no page {name!r}.")
        return _tagged(request, _static_file(name), _STATIC[name], {"cache-control": "no-cache"})

    async def _icon(self, request: Request[Any], path: Mapping[str, str]) -> Response:
        return await self._static(request, {"name": "icon.svg"})


def _tagged(request: Request[Any], content: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """Return content, or 304 to who has it already: the page asks for itself again and again."""
    tag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
    sent = {**_HEADERS, **headers, "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=sent)
    return Response(content, headers=sent, media_type=media_type)


def _encoded(text: str) -> bytes:
    # What clients send may hold lone surrogates, which UTF-8 can't carry.
    return text.encode("utf-8", "backslashreplace")


@cache
def _static_file(name: str) -> bytes:
    return files("eigenpal.sandbox.page").joinpath("static", name).read_bytes()
