"""The HTTP engine under httpx, spoken to directly: our request in its words, its answer and errors in ours.

Directly, because a layer more (httpx's own requests, responses and pool) doubles what a call costs, and normalises URLs.
How connections are owned belongs to `lanes` and `http2`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from types import ModuleType
from typing import Any, cast

import anyio

from eigenpal.engine.transport.address import Origin
from eigenpal.engine.transport.framing import content_length, counted_chunks, response_headers
from eigenpal.engine.transport.network import Network
from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import Body, Request, TransportFailure
from eigenpal.engine.transport.proxies import Proxy
from eigenpal.engine.transport.tls import shared_context
from eigenpal.errors import EigenpalUsageError

IDLE_SECONDS = 15.0  # shorter than the keep-alive of usual servers and balancers, so that it is us who close


def http_engine() -> ModuleType:
    """Return httpcore, or its continuation where only that is installed."""
    try:
        import httpcore
    except ImportError:
        import httpcore2

        return cast(ModuleType, httpcore2)
    return httpcore


def connection_pool(
    engine: ModuleType, options: TransportOptions, origin: Origin, proxy: Proxy | None, network: Any
) -> Any:
    """Return a pool of the engine that reaches an origin, through the proxy if there is one."""
    settings: dict[str, Any] = {
        "ssl_context": _trust(options, http2=options.http2) if origin.scheme == "https" else None,
        "max_connections": None,
        "max_keepalive_connections": None,
        "keepalive_expiry": IDLE_SECONDS,
        "http2": options.http2,
        "network_backend": network,
    }
    if proxy is None:
        return engine.AsyncConnectionPool(**settings)
    settings["proxy_url"] = engine.URL(
        scheme=proxy.scheme.encode(), host=proxy.host.encode(), port=proxy.port, target=b"/"
    )
    if proxy.username is not None:
        settings["proxy_auth"] = (proxy.username.encode(), proxy.password.encode())
    if not proxy.is_socks:
        if proxy.scheme == "https":
            settings["proxy_ssl_context"] = _trust(options, http2=False)
        return engine.AsyncHTTPProxy(**settings)
    try:
        return engine.AsyncSOCKSProxy(**settings)
    except (ImportError, RuntimeError):
        raise EigenpalUsageError('A SOCKS proxy needs one more package: pip install "httpx[socks]".') from None


def _trust(options: TransportOptions, *, http2: bool) -> Any:
    return shared_context(options.verify, trust_env=options.trust_env, http2=http2)


class RequestContent:
    """The body as the engine reads it. `started` says whether it has begun to, which it does once the head is out."""

    __slots__ = ("_body", "started")

    def __init__(self, body: bytes | Body | None) -> None:
        self._body = body
        self.started = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.started = True
        body = self._body
        if body is None:
            return
        if isinstance(body, bytes):
            yield body
            return
        chunks = counted_chunks(body)
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await chunks.aclose()


def engine_request(engine: ModuleType, request: Request, origin: Origin, target: str, content: RequestContent) -> Any:
    """Return the request in the words of the engine."""
    headers = [(b"Host", origin.host_header.encode())]
    headers += [(name.encode(), value.encode()) for name, value in request.headers.items()]
    if (length := content_length(request)) is not None:
        headers.append((b"Content-Length", b"%d" % length))
    elif request.body is not None:
        headers.append((b"Transfer-Encoding", b"chunked"))
    step = request.timeout
    return engine.Request(
        method=request.method.encode(),
        url=engine.URL(
            scheme=origin.scheme.encode(), host=origin.host.encode(), port=origin.port, target=target.encode()
        ),
        headers=headers,
        content=content,
        extensions={"timeout": {"connect": step, "read": step, "write": step}},
    )


def failure_of(
    engine: ModuleType, error: Exception, network: Network | None, content: RequestContent | None
) -> TransportFailure | None:
    """Translate an error of the engine.

    Args:
        engine: Whose errors these are.
        error: What was raised.
        network: That of the connection; None when it is not known which one it was.
        content: The body, when the request was still being sent.

    Returns:
        The failure; None when it is no error of the engine, but for example one of the body's source.
    """
    if isinstance(error, TransportFailure):
        return error
    ready = network is None or network.ready
    if isinstance(error, engine.ProxyError):
        # Its text is the status line of the proxy, or what a SOCKS server replied.
        return TransportFailure("proxy", sent=False, detail=f"the proxy refused: {error}")
    if isinstance(error, engine.LocalProtocolError):
        # Its text quotes the header value, which may be the key.
        started = content is None or content.started
        return TransportFailure("protocol", sent=started, detail="the request can't be sent as HTTP")
    if isinstance(error, engine.RemoteProtocolError):
        text = str(error)
        for beginning, detail in _CUT.items():
            if text.startswith(beginning):
                return TransportFailure("broken" if ready else "proxy", sent=ready, detail=detail)
        return TransportFailure("protocol" if ready else "proxy", sent=ready, detail="the answer is not valid HTTP")
    if isinstance(error, (engine.NetworkError, engine.TimeoutException, engine.ConnectionNotAvailable)):
        return TransportFailure("broken", sent=ready, detail="the connection broke while sending the request")
    return None


_CUT: Mapping[str, str] = {
    "Server disconnected": "the connection was closed before an answer came",
    "peer closed connection": "the connection was closed in the middle of the answer",
    "<ConnectionTerminated": "the server ended the connection",
}


class WireResponse:
    """An answer whose head is there; a `Response`."""

    __slots__ = ("_chunks", "_closed", "_ended", "_finished", "_stream", "_translated", "headers", "status")

    def __init__(
        self,
        answer: Any,
        *,
        translated: Callable[[Exception], TransportFailure | None],
        finished: Callable[[], None],
    ) -> None:
        self.status: int = answer.status
        self.headers: Mapping[str, str] = response_headers(answer.headers)
        self._stream = answer.stream
        self._translated = translated
        self._finished = finished
        self._chunks: Any = None
        self._ended = False
        self._closed = False

    def raw_chunks(self) -> AsyncIterator[bytes]:
        if self._chunks is None:
            self._chunks = self._stream.__aiter__()
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return cast(bytes, await self._chunks.__anext__())
        except StopAsyncIteration:
            self._ended = True
            raise
        except Exception as error:
            if (failure := self._translated(error)) is None:
                raise
            raise failure from None

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            # Nothing in here waits for the network; the shield keeps the bookkeeping of the engine whole.
            with anyio.CancelScope(shield=True):
                if self._chunks is not None and not self._ended:
                    await self._chunks.aclose()
                await self._stream.aclose()
        finally:
            self._finished()
