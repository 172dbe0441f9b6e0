"""A user's own httpx (or httpx2) client or transport, made to fit the port.

What they set up is honoured: proxies, mounts, hooks, default headers, trust. What belongs to the engine stays here:
one request is one request, no redirects, raw bytes, our timeouts.
"""

from __future__ import annotations

import functools
import importlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import anyio

from eigenpal.engine.transport.address import split_url
from eigenpal.engine.transport.framing import content_length, response_headers
from eigenpal.engine.transport.port import Request, TransportFailure
from eigenpal.engine.transport.wire import RequestContent
from eigenpal.errors import EigenpalInputError, EigenpalUsageError

if TYPE_CHECKING:
    import httpx


class HttpxClientTransport:
    """Sends through a user's `AsyncClient`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client: Any = client
        self._library = _library_of(client, "AsyncClient", named="http_client")

    async def send(self, request: Request) -> HttpxResponse:
        if self._client.is_closed:
            raise EigenpalUsageError("The http_client that was given is closed; keep it open as long as the client.")
        content = RequestContent(request.body)
        with _translated(self._library, content):
            message = _message(self._library, self._client.build_request, request, content)
            for name in ("accept", "accept-encoding"):  # httpx's own defaults are no wish of the user
                if name not in {given.lower() for given in request.headers}:
                    message.headers.pop(name, None)
            response = await self._client.send(message, stream=True, follow_redirects=False)
        return HttpxResponse(self._library, response)

    def abandon(self) -> None:
        """Leave it alone: it is the user's."""

    async def aclose(self) -> None:
        """Leave it open: whoever made it closes it."""


class HttpxTransport:
    """Sends through a user's `AsyncBaseTransport`."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport: Any = transport
        self._library = _library_of(transport, "AsyncBaseTransport", named="transport")

    async def send(self, request: Request) -> HttpxResponse:
        content = RequestContent(request.body)
        with _translated(self._library, content):
            message = _message(self._library, self._library.Request, request, content)
            response = await self._transport.handle_async_request(message)
        response.request = message
        return HttpxResponse(self._library, response)

    def abandon(self) -> None:
        """Leave it alone: it is the user's."""

    async def aclose(self) -> None:
        """Leave it open: whoever made it closes it."""


class HttpxResponse:
    """An httpx response as a `Response`."""

    __slots__ = ("_chunks", "_library", "_response", "headers", "status")

    def __init__(self, library: ModuleType, response: Any) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response_headers(response.headers.raw)
        self._library = library
        self._response = response
        self._chunks: Any = None
        if _was_read(response):
            # A hook has read it: what is left is the decoded body, so it must not be decoded again.
            self.headers.pop("content-encoding", None)

    def raw_chunks(self) -> AsyncIterator[bytes]:
        if self._chunks is None:
            read = _was_read(self._response)
            self._chunks = _once(self._response.content) if read else self._response.aiter_raw()
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        with _translated(self._library, None):
            chunk: bytes = await self._chunks.__anext__()
            return chunk

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            if self._chunks is not None:
                await self._chunks.aclose()
            await self._response.aclose()


def _was_read(response: Any) -> bool:
    return bool(response.is_stream_consumed or response.is_closed) and hasattr(response, "_content")


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _message(library: ModuleType, build: Callable[..., Any], request: Request, content: RequestContent) -> Any:
    """Build the library's request; `build` is its class, or a client's `build_request` that adds defaults."""
    origin, target = split_url(request.url)
    step = request.timeout
    headers = dict(request.headers)
    if (length := content_length(request)) is not None:
        headers["Content-Length"] = str(length)
    message = build(
        request.method,
        f"{origin}{target}",
        headers=headers,
        content=None if request.body is None else content,
        extensions={"timeout": {"connect": step, "read": step, "write": step, "pool": None}},
    )
    if message.url.raw_path != target.encode():
        message.url = _exact_url(library)(message.url, target.encode())
    return message


@functools.cache
def _exact_url(library: ModuleType) -> Any:
    class ExactURL(library.URL):  # type: ignore[misc, name-defined]
        """A URL whose request target is sent as it was given, where httpx would have normalised it."""

        def __init__(self, url: Any, target: bytes) -> None:
            super().__init__(url)
            self._target = target

        @property
        def raw_path(self) -> bytes:
            return self._target

    return ExactURL


def _library_of(thing: Any, kind: str, *, named: str) -> ModuleType:
    """Return httpx or httpx2, whichever the user's object is made with."""
    for base in type(thing).__mro__:
        root = base.__module__.partition(".")[0]
        if base.__name__ == kind and root in ("httpx", "httpx2"):
            return importlib.import_module(root)
    raise EigenpalInputError(f"{named} is a {type(thing).__name__}; give an {kind} of httpx or httpx2.")


class _translated:
    """Turns the errors of httpx into ours; anything else, such as an error of a user's hook, passes."""

    __slots__ = ("_content", "_library")

    def __init__(self, library: ModuleType, content: RequestContent | None) -> None:
        self._library = library
        self._content = content

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, self._library.RequestError) or isinstance(error, self._library.InvalidURL):
            raise _failure(self._library, error, self._content) from None


def _failure(library: ModuleType, error: BaseException, content: RequestContent | None) -> TransportFailure:
    begun = content is None or content.started
    if isinstance(error, (library.ConnectTimeout, library.PoolTimeout)):
        return TransportFailure("timeout", sent=False, detail="connecting took longer than the timeout")
    if isinstance(error, library.TimeoutException):
        return TransportFailure("timeout", sent=True, detail="the server took longer than the timeout")
    if isinstance(error, library.ConnectError):
        return _unconnected(error)
    if isinstance(error, library.ProxyError):
        return TransportFailure("proxy", sent=False, detail="the proxy refused to connect")
    if isinstance(error, (library.UnsupportedProtocol, library.InvalidURL)):
        return TransportFailure("protocol", sent=False, detail="the address can't be sent to")
    if isinstance(error, library.LocalProtocolError):
        return TransportFailure("protocol", sent=begun, detail="the request can't be sent as HTTP")
    if isinstance(error, library.RemoteProtocolError):
        if "disconnected" in str(error) or "peer closed" in str(error):
            return TransportFailure("broken", sent=True, detail="the connection was closed before the answer was whole")
        return TransportFailure("protocol", sent=True, detail="the answer is not valid HTTP")
    if isinstance(error, library.DecodingError):
        return TransportFailure("protocol", sent=True, detail="the answer is not compressed as it says")
    return TransportFailure("broken", sent=True, detail="the connection broke")


def _unconnected(error: BaseException) -> TransportFailure:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            detail = f"the certificate is not trusted: {cause.verify_message}"
            return TransportFailure("tls", sent=False, detail=detail)
        if isinstance(cause, ssl.SSLError):
            return TransportFailure("tls", sent=False, detail="no secure connection could be made")
        if isinstance(cause, socket.gaierror):
            return TransportFailure("dns", sent=False, detail="no address found for the host")
    return TransportFailure("refused", sent=False, detail="could not connect")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything it was made from."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
