"""A user's own httpx (or httpx2) client or transport, made to fit the port.

What they set up is honoured: proxies, mounts, hooks, default headers, trust. What belongs to the engine stays here:
one request is one request, no redirects, raw bytes, our timeouts.
"""

from __future__ import annotations

import importlib
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from eigenpal.engine.transport.httpx_messages import Exchange, HttpxResponse
from eigenpal.engine.transport.port import Request
from eigenpal.errors import EigenpalInputError, EigenpalUsageError

if TYPE_CHECKING:
    import httpx


HTTPX_DEFAULTS = frozenset({"accept", "accept-encoding", "connection", "user-agent"})


class HttpxClientTransport:
    """Sends through a user's `AsyncClient`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client: Any = client
        self._library = _library_of(client, "AsyncClient", named="http_client")

    async def send(self, request: Request) -> HttpxResponse:
        """Send once through the client, its hooks included."""
        if self._client.is_closed:
            raise EigenpalUsageError("The http_client that was given is closed; keep it open as long as the client.")
        exchange = Exchange(self._library, request, seen_by_user=True)
        self._add_wishes(exchange.message)
        answer = await exchange.over(partial(self._client.send, stream=True, follow_redirects=False))
        return HttpxResponse(answer, exchange.failure)

    def close_now(self) -> None:
        """Leave it open: whoever made it closes it."""

    def abandon(self) -> None:
        """Leave it alone: it is the user's."""

    async def aclose(self) -> None:
        """Leave it open: whoever made it closes it."""

    def _add_wishes(self, message: Any) -> None:
        """Add the default headers and cookies the user gave to the client, but not those httpx gives every client."""
        for name, value in self._client.headers.items():
            if name not in message.headers and name not in HTTPX_DEFAULTS:
                message.headers[name] = value
        if self._client.cookies:
            self._client.cookies.set_cookie_header(message)


class HttpxTransport:
    """Sends through a user's `AsyncBaseTransport`."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport: Any = transport
        self._library = _library_of(transport, "AsyncBaseTransport", named="transport")

    async def send(self, request: Request) -> HttpxResponse:
        """Send once through the transport."""
        exchange = Exchange(self._library, request, seen_by_user=True)
        answer = await exchange.over(self._transport.handle_async_request)
        return HttpxResponse(answer, exchange.failure)

    def close_now(self) -> None:
        """Leave it open: whoever made it closes it."""

    def abandon(self) -> None:
        """Leave it alone: it is the user's."""

    async def aclose(self) -> None:
        """Leave it open: whoever made it closes it."""


def _library_of(thing: Any, kind: str, *, named: str) -> ModuleType:
    """Return httpx or httpx2, whichever the user's object is made with."""
    for base in type(thing).__mro__:
        root = base.__module__.partition(".")[0]
        if base.__name__ == kind and root in {"httpx", "httpx2"}:
            return importlib.import_module(root)
    raise EigenpalInputError(f"{named} is a {type(thing).__name__}; give an {kind} of httpx or httpx2.")
