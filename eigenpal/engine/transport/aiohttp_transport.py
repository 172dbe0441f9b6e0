"""The fast transport on asyncio: aiohttp's connector and parser, with everything it would do of its own accord off.

No cookies, no redirects, no decompression, no headers of its own, and nothing is ever sent twice. The connector below
is the one place where a connection is got, and therefore knows what surely was not sent.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_exceptions import ClientConnectorDNSError
from aiohttp.payload import Payload
from yarl import URL

from eigenpal.engine.transport.address import Origin, split_url
from eigenpal.engine.transport.descriptors import forget_transport, readability
from eigenpal.engine.transport.framing import BODY_METHODS, IDLE_SECONDS, counted_chunks, pieces, response_headers
from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import Body, Request, TransportFailure
from eigenpal.engine.transport.proxies import Proxy, ProxyMap
from eigenpal.engine.transport.tls import shared_context, tls_failure

SMALL_BODY_BYTES = 32 * 1024  # goes out in one write with the head, into any socket buffer
MOST_HEADER_BYTES = 100 * 1024  # as much as the lanes take
# What aiohttp adds where it is missing; telling it not to has its price, and nearly all requests have them.
ADDED_HEADERS = frozenset({"Accept", "Accept-Encoding", "User-Agent"})
ADDED_TO_BODIES = ADDED_HEADERS | {"Content-Type"}

_KNOWN = (aiohttp.ClientError, OSError)  # a TimeoutError is an OSError

# Which request a connection is being got for: aiohttp has no place of its own to say it in.
_connecting: ContextVar[Request] = ContextVar("eigenpal_connecting")


class AiohttpTransport:
    """Sends requests through one aiohttp session. Belongs to the event loop it is made in."""

    def __init__(self, options: TransportOptions, proxies: ProxyMap) -> None:
        self._options = options
        self._proxies = proxies
        self._connector = _Connector()
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=MOST_HEADER_BYTES,
            max_field_size=MOST_HEADER_BYTES,
        )
        # Or it would send an idempotent request again by itself when its connection breaks. Its test client knows no
        # other way to tell it either.
        self._session._retry_connection = False  # pyright: ignore[reportPrivateUsage] - as said
        self._timeouts: dict[float | None, aiohttp.ClientTimeout] = {}

    async def send(self, request: Request) -> AiohttpResponse:
        origin, target = split_url(request.url)
        headers: Mapping[str, str] = request.headers
        settings: dict[str, Any] = {}
        if origin.scheme == "https":
            settings["ssl"] = shared_context(self._options.verify, trust_env=self._options.trust_env)
        if (proxy := self._proxies.proxy_for(origin)) is not None:
            headers = self._through(proxy, origin, headers, settings)
        added = ADDED_TO_BODIES if request.method in BODY_METHODS else ADDED_HEADERS
        if not added <= headers.keys():
            settings["skip_auto_headers"] = added
        body = _payload(request)
        request.handed_over = False
        token = _connecting.set(request)
        try:
            response = await self._session.request(
                request.method,
                URL(f"{origin}{target}", encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                timeout=self._timeout(request.timeout),
                **settings,
            )
        except _KNOWN as error:
            if isinstance(body, _StreamedPayload) and body.error is not None:
                raise body.error from None
            raise _failure(error, request.timeout) from None
        except ValueError:  # its text quotes the header value, which may be the key
            detail = "a header, the method or the address holds characters that can't be sent"
            raise TransportFailure("protocol", sent=False, detail=detail) from None
        finally:
            _connecting.reset(token)
        return AiohttpResponse(response, request.timeout)

    def close_now(self) -> None:
        """Close every connection without awaiting, within the loop."""
        self._session.detach()  # the session counts as closed from here on
        self._connector.close_now()

    def abandon(self) -> None:
        """Drop every connection without its loop."""
        self._session.detach()
        self._connector.forget()

    async def aclose(self) -> None:
        await self._session.close()

    @staticmethod
    def _through(
        proxy: Proxy, origin: Origin, headers: Mapping[str, str], settings: dict[str, Any]
    ) -> Mapping[str, str]:
        """Send through a proxy; its credentials go to it alone: with the CONNECT, or with the request it forwards."""
        settings["proxy"] = proxy.url
        authorization = proxy.authorization
        if authorization is None:
            return headers
        if origin.scheme == "https":
            settings["proxy_headers"] = {"Proxy-Authorization": authorization}
            return headers
        return {**headers, "Proxy-Authorization": authorization}

    def _timeout(self, seconds: float | None) -> aiohttp.ClientTimeout:
        if (timeout := self._timeouts.get(seconds)) is None:
            timeout = aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds, sock_read=seconds)
            if len(self._timeouts) < 100:  # callers use a few values, or as many as there are calls
                self._timeouts[seconds] = timeout
        return timeout


class AiohttpResponse:
    """An aiohttp response as a `Response`."""

    __slots__ = ("_response", "_timeout", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, timeout: float | None) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = response_headers(response.raw_headers)
        self._response = response
        self._timeout = timeout

    def raw_chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        content = self._response.content
        if not content.at_eof():
            try:
                if chunk := await content.readany():
                    return chunk
            except _KNOWN as error:
                raise _failure(error, self._timeout) from None
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class _Connector(aiohttp.TCPConnector):
    """A connector that says what surely was not sent, and never hands out a connection its server has closed."""

    def __init__(self) -> None:
        # How many requests are under way is bounded outside.
        super().__init__(limit=0, keepalive_timeout=IDLE_SECONDS)  # pyright: ignore[reportUnknownMemberType] - theirs
        self._readable: WeakKeyDictionary[asyncio.Transport, Callable[[], object]] = WeakKeyDictionary()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        while True:
            try:
                connection = await super().connect(req, traces, timeout)
            except (*_KNOWN, UnicodeError) as error:
                raise _unconnected(error, req, timeout.connect) from None
            transport = connection.transport
            assert transport is not None  # it was just got
            if (readable := self._readable.get(transport)) is None:
                self._readable[transport] = readability(transport.get_extra_info("socket"))
            elif readable():
                connection.close()
                continue
            _connecting.get().handed_over = True
            return connection

    def close_now(self) -> None:
        """Close every connection from within the loop, without waiting for it to be done."""
        for transport in list(self._readable):
            if not transport.is_closing():
                transport.abort()
        self._close()

    def forget(self) -> None:
        """Forget every connection without the loop: it has ended, or it is the parent's."""
        for transport in list(self._readable):
            forget_transport(transport)
        self._conns.clear()
        self._acquired.clear()
        self._closed = True


class _StreamedPayload(Payload):
    """A body that is written piece by piece, each within the timeout; keeps the error that ended it."""

    def __init__(self, body: Body | bytes, timeout: float | None) -> None:
        super().__init__(body)
        self._body = body
        self._size = len(body) if isinstance(body, bytes) else body.length
        self._timeout = timeout
        self.error: Exception | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("a streamed body has no text form")

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        chunks = pieces(self._body) if isinstance(self._body, bytes) else counted_chunks(self._body)
        try:
            async for chunk in chunks:
                try:
                    async with asyncio.timeout(self._timeout):
                        await writer.write(chunk)
                except TimeoutError:
                    raise _timed_out("sending the request", self._timeout, sent=True) from None
        except (ConnectionError, aiohttp.ClientError):
            raise  # the connection, not the body
        except Exception as error:
            self.error = error
            raise
        finally:
            await chunks.aclose()


def _payload(request: Request) -> bytes | _StreamedPayload | None:
    body = request.body
    if body is None or (isinstance(body, bytes) and len(body) <= SMALL_BODY_BYTES):
        return body
    return _StreamedPayload(body, request.timeout)


def _unconnected(error: Exception, request: Any, timeout: float | None) -> TransportFailure:
    """Describe why there is no connection; nothing of the request has left."""
    host, proxy = request.url.host, request.proxy
    if isinstance(error, TimeoutError):
        return _timed_out(f"connecting to {proxy or host}", timeout, sent=False)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return TransportFailure("proxy", sent=False, detail=f"the proxy refused: {error.status}")
    cause: BaseException | None = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error.__cause__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
    hung_up = isinstance(cause, ConnectionResetError | ConnectionAbortedError)
    if cause is not None and (isinstance(cause, ssl.SSLError) or (hung_up and request.is_ssl())):
        return tls_failure(cause, host)
    if proxy is not None:
        return TransportFailure("proxy", sent=False, detail=f"could not connect to the proxy {proxy}")
    if isinstance(error, ClientConnectorDNSError | UnicodeError):
        return TransportFailure("dns", sent=False, detail=f"no address found for the host {host}")
    words = os.strerror(cause.errno).lower() if isinstance(cause, OSError) and cause.errno else "unknown reason"
    return TransportFailure("refused", sent=False, detail=f"could not connect to {host}:{request.url.port}: {words}")


def _failure(error: Exception, timeout: float | None) -> TransportFailure:
    """Describe an error after a connection was there: something may have been sent."""
    if isinstance(error, TimeoutError):
        return _timed_out("waiting for the answer", timeout, sent=True)
    if isinstance(error, aiohttp.ClientPayloadError):
        return TransportFailure("broken", sent=True, detail="the connection was closed in the middle of the answer")
    if isinstance(error, aiohttp.ClientResponseError):
        return TransportFailure("protocol", sent=True, detail="the answer is not valid HTTP")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return TransportFailure("broken", sent=True, detail="the connection was closed before an answer came")
    return TransportFailure("broken", sent=True, detail="the connection broke")


def _timed_out(doing: str, timeout: float | None, *, sent: bool) -> TransportFailure:
    return TransportFailure("timeout", sent=sent, detail=f"{doing} took longer than {timeout:g} s")
