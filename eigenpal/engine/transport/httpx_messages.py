"""Our request in the words of httpx (or httpx2, which has the same), and its answers in ours.

Every transport that stands on httpx sends through this; who owns the connections is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any

import anyio

from eigenpal.engine.transport.address import Origin, split_url
from eigenpal.engine.transport.framing import PIECE_BYTES, content_length, counted_chunks, pieces, response_headers
from eigenpal.engine.transport.httpx_failures import failure_of, unsendable
from eigenpal.engine.transport.port import Body, Request, TransportFailure
from eigenpal.engine.transport.proxies import Proxy


def installed_library() -> ModuleType:
    """Return httpx, or its continuation where only that is installed."""
    try:
        return importlib.import_module("httpx")
    except ImportError:
        return importlib.import_module("httpx2")


class Exchange:
    """One request on its way: what it goes out as, and how far it surely has not got.

    Attributes:
        message: The request in the words of the library.
        streams: Connections that were opened for it, closed by whoever gives up on it.
    """

    __slots__ = ("_content", "_library", "_origin", "_proxy", "_request", "message", "streams")

    def __init__(
        self, library: ModuleType, request: Request, *, proxy: Proxy | None = None, seen_by_user: bool = False
    ) -> None:
        origin, target = split_url(request.url)
        self._library = library
        self._request = request
        self._origin = origin
        self._proxy = proxy
        self.streams: list[Any] = []
        self._content: Any = None
        self.message: Any = self._build(target, seen_by_user)

    def watch(self) -> None:
        """Follow what happens underneath. Costs a little, hence only where a connection has to be made."""
        self._request.handed_over = False
        self.message.extensions["trace"] = self._notice

    async def _notice(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(".connect_tcp.complete"):
            self.streams.append(info["return_value"])
        elif event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            self._request.handed_over = True

    async def over(self, send: Callable[[Any], Awaitable[Any]]) -> Any:
        """Send, and return the library's response.

        Raises:
            TransportFailure: No answer came.
        """
        try:
            return await send(self.message)
        except Exception as error:
            if (failure := self.failure(error)) is None:
                raise
            raise failure from None
        finally:
            if self._content is not None:
                with anyio.CancelScope(shield=True):
                    await self._content.close_source()

    def failure(self, error: Exception) -> TransportFailure | None:
        """Translate an error of the library; None for any other, such as one of the body's source."""
        return failure_of(
            self._library,
            error,
            origin=self._origin,
            proxy=self._proxy,
            timeout=self._request.timeout,
            handed_over=self._request.handed_over,
            begun=self._content is not None and self._content.begun,
        )

    def _build(self, target: str, seen_by_user: bool) -> Any:
        library, request = self._library, self._request
        headers = {"Host": self._origin.host_header, **request.headers}
        if (length := content_length(request)) is not None:
            headers["Content-Length"] = str(length)
        elif request.body is not None:
            headers["Transfer-Encoding"] = "chunked"
        try:
            # Parsing a whole URL is worth its cost only where hooks and mocks of a user look at more than its target.
            parsed = library.URL(f"{self._origin}{target}") if seen_by_user else _origin_url(library, self._origin)
            url = _exact_url_class(library)(parsed, target.encode())
            message = library.Request(
                request.method,
                url,
                headers=headers,
                stream=self._stream(),
                extensions={"timeout": step_timeouts(request)},
            )
        except (UnicodeError, library.InvalidURL):
            raise unsendable() from None
        message.url = url  # the constructor made a plain copy
        return message

    def _stream(self) -> Any:
        body = self._request.body
        if body is None or (isinstance(body, bytes) and len(body) <= PIECE_BYTES):
            return _whole_content_class(self._library)(body or b"")
        self._content = _streamed_content_class(self._library)(body)
        return self._content


def step_timeouts(request: Request) -> dict[str, float | None]:
    """Bound each step; waiting for a connection of a pool is none: that is what our own queue is for."""
    step = request.timeout
    return {"connect": step, "read": step, "write": step, "pool": None}


@functools.cache
def _exact_url_class(library: ModuleType) -> Any:
    class ExactURL(library.URL):  # type: ignore[misc, name-defined]
        """A URL whose request target is sent as given, where the library would normalise it."""

        def __init__(self, url: Any, target: bytes) -> None:
            library.URL.__init__(self, url)
            self._target = target

        @property
        def raw_path(self) -> bytes:
            return self._target

    return ExactURL


@functools.lru_cache(maxsize=256)
def _origin_url(library: ModuleType, origin: Origin) -> Any:
    return library.URL(str(origin))


@functools.cache
def _streamed_content_class(library: ModuleType) -> Any:
    class StreamedContent(library.AsyncByteStream):  # type: ignore[misc, name-defined]
        """A body as the library reads it, which it does not always do to the end."""

        def __init__(self, body: bytes | Body) -> None:
            self._body = body
            self._chunks: AsyncGenerator[bytes, None] | None = None

        @property
        def begun(self) -> bool:
            return self._chunks is not None

        def __aiter__(self) -> AsyncIterator[bytes]:
            body = self._body
            self._chunks = pieces(body) if isinstance(body, bytes) else counted_chunks(body)
            return self._chunks

        async def close_source(self) -> None:
            if self._chunks is not None:
                await self._chunks.aclose()

    return StreamedContent


@functools.cache
def _whole_content_class(library: ModuleType) -> Any:
    class WholeContent(library.AsyncByteStream):  # type: ignore[misc, name-defined]
        """A small body; the library's own is a generator, which is left open when the connection breaks under it."""

        def __init__(self, content: bytes) -> None:
            self._content = content

        def __aiter__(self) -> AsyncIterator[bytes]:
            return _OnePiece(self._content)

    return WholeContent


class _OnePiece:
    """An iterator over one piece; unlike a generator it needs no closing."""

    __slots__ = ("_pieces",)

    def __init__(self, content: bytes) -> None:
        self._pieces = [content]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


class HttpxResponse:
    """An answer of httpx whose head is there; a `Response`.

    Args:
        answer: The library's response.
        failure: Translates its errors.
        finished: Called once after closing, with whether the body was read to its end.
    """

    __slots__ = ("_answer", "_chunks", "_closed", "_ended", "_failure", "_finished", "headers", "status")

    def __init__(
        self,
        answer: Any,
        failure: Callable[[Exception], TransportFailure | None],
        finished: Callable[[bool], Any] | None = None,
    ) -> None:
        self.status: int = answer.status_code
        self.headers: Mapping[str, str] = response_headers(answer.headers.raw)
        self._answer = answer
        self._failure = failure
        self._finished = finished
        self._chunks: Any = None
        self._ended = False
        self._closed = False
        if self._was_read:
            # A hook has read it: what is left is the decoded body, so it must not be decoded again.
            self.headers.pop("content-encoding", None)

    @property
    def _was_read(self) -> bool:
        return hasattr(self._answer, "_content")

    def raw_chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes from the wire."""
        if self._chunks is None:
            content = _OnePiece(self._answer.content) if self._was_read else self._answer.stream
            self._chunks = aiter(content)
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk: bytes = await anext(self._chunks)
        except StopAsyncIteration:
            self._ended = True
            raise
        except Exception as error:
            if (failure := self._failure(error)) is None:
                raise
            raise failure from None
        return chunk

    async def aclose(self) -> None:
        """Give the connection back, or close it."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._ended:
                await self._answer.aclose()
                return
            # Nothing in here waits for the network; the shield keeps the bookkeeping of httpx whole.
            with anyio.CancelScope(shield=True):
                if self._chunks is not None:
                    await self._break_off()
                # Where the answer lay here whole, its connection counts as idle, and httpx asks the socket that was
                # just closed whether there is more; trio does not take that question.
                with contextlib.suppress(ValueError):
                    await self._answer.aclose()
        finally:
            if self._finished is not None:
                await self._finished(self._ended)

    async def _break_off(self) -> None:
        """End an iteration in the middle.

        It goes through several generators of the library, of which only the outermost can be closed; the others would
        wait for the garbage collector. So their source is closed instead, which makes all of them end.
        """
        extensions = self._answer.extensions
        source = extensions.get("network_stream")
        if source is None or extensions.get("http_version") not in {b"HTTP/1.1", b"HTTP/1.0"}:
            # With HTTP/2, others use the connection too. Iterators that are no generators need not have it.
            if (close := getattr(self._chunks, "aclose", None)) is not None:
                await close()
            return
        await source.aclose()
        with contextlib.suppress(Exception):
            while True:
                await anext(self._chunks)
