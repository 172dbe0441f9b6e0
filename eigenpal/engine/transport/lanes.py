"""The default transport: many httpx transports of one connection, each owned by one request at a time.

Why not one with many: its pool looks at every connection for every request, and a storm of cancelled requests can leave
it with connections that nobody owns and nobody may take. Here a request owns its lane from start to end, and a lane
whose request did not end well is closed and thrown away.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import anyio

from eigenpal.engine.transport.address import Origin, split_url
from eigenpal.engine.transport.descriptors import close_stream_now, forget_stream, readability
from eigenpal.engine.transport.framing import IDLE_SECONDS
from eigenpal.engine.transport.httpx_messages import Exchange, HttpxResponse, installed_library
from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import Request
from eigenpal.engine.transport.proxies import Proxy, ProxyMap
from eigenpal.engine.transport.tls import shared_context
from eigenpal.errors import EigenpalUsageError

CLOSING_SECONDS = 2.0  # closing waits for nothing but a turn of the loop


class Lane:
    """One httpx transport with one connection to one origin.

    Attributes:
        streams: The connections it has opened, of which the last may be in use.
    """

    __slots__ = ("_readable", "origin", "parked_at", "proxy", "streams", "transport")

    def __init__(self, origin: Origin, proxy: Proxy | None, transport: Any) -> None:
        self.origin: Origin = origin
        self.proxy: Proxy | None = proxy
        self.transport: Any = transport
        self.parked_at: float = 0.0
        self.streams: list[Any] = []
        self._readable: Callable[[], object] | None = None

    @property
    def is_stale(self) -> bool:
        """Whether its server has closed it. Only for a lane that has been used."""
        if self._readable is None:
            self._readable = readability(self.streams[-1].get_extra_info("socket"))
        return bool(self._readable())

    async def aclose(self) -> None:
        """Close it, whatever state it is in; can't be cancelled, and does not wait for the network."""
        with anyio.move_on_after(CLOSING_SECONDS, shield=True):
            await self.transport.aclose()
            for stream in self.streams:  # a connection that was still being secured is unknown to its transport
                await stream.aclose()


class LaneTransport:
    """Sends each request over a lane of its own. Idle lanes are taken latest first, so that few stay warm.

    The caller sees to it that no more than `options.max_concurrency` requests are under way.
    """

    def __init__(self, options: TransportOptions, proxies: ProxyMap) -> None:
        self._options = options
        self._proxies = proxies
        self._library = installed_library()
        self._lanes: set[Lane] = set()
        self._parked: dict[Lane, None] = {}  # every idle lane, the longest idle first
        self._parked_at: dict[Origin, deque[Lane]] = {}
        self._closed = False

    async def send(self, request: Request) -> HttpxResponse:
        """Send once over an idle lane or a new one."""
        origin, _ = split_url(request.url)
        lane = await self._take(origin)
        try:
            exchange = Exchange(self._library, request, proxy=lane.proxy)
            if not lane.streams:
                lane.streams = exchange.streams
                exchange.watch()
            answer = await exchange.over(lane.transport.handle_async_request)
        except BaseException:
            await self._throw_away(lane)
            raise
        return HttpxResponse(answer, exchange.failure, partial(self._give_back, lane))

    def close_now(self) -> None:
        """Close every connection without awaiting, within the loop."""
        for lane in self._clear():
            for stream in lane.streams:
                close_stream_now(stream)

    def abandon(self) -> None:
        """Drop every connection without awaiting."""
        for lane in self._clear():
            for stream in lane.streams:
                forget_stream(stream)

    async def aclose(self) -> None:
        """Close every connection, those in use too."""
        for lane in self._clear():
            await lane.aclose()

    @property
    def open_lanes(self) -> int:
        """How many lanes there are, busy and idle."""
        return len(self._lanes)

    def _clear(self) -> set[Lane]:
        self._closed = True
        lanes, self._lanes = self._lanes, set()
        self._parked.clear()
        self._parked_at.clear()
        return lanes

    async def _take(self, origin: Origin) -> Lane:
        """Return an idle lane that is fit for use, or a new one; those that idled too long are closed on the way."""
        oldest_allowed = time.monotonic() - IDLE_SECONDS
        while self._parked and next(iter(self._parked)).parked_at < oldest_allowed:
            await self._close_longest_idle()
        parked = self._parked_at.get(origin)
        while parked:
            lane = parked.pop()
            del self._parked[lane]
            if not lane.is_stale:
                return lane
            await self._throw_away(lane)
        if self._parked and len(self._lanes) >= self._options.max_concurrency:
            await self._close_longest_idle()  # idle lanes to one origin must not add up with busy ones to another
        return self._open(origin)

    def _open(self, origin: Origin) -> Lane:
        proxy = self._proxies.proxy_for(origin)
        limits = self._library.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=None
        )  # expiry is looked after here
        transport = httpx_transport(self._library, self._options, origin, proxy, limits=limits)
        lane = Lane(origin, proxy, transport)
        self._lanes.add(lane)
        return lane

    async def _give_back(self, lane: Lane, ended: bool) -> None:
        """Keep a lane whose answer was read to its end, throw away any other."""
        if self._closed or not ended:
            await self._throw_away(lane)
            return
        lane.parked_at = time.monotonic()
        self._parked[lane] = None
        self._parked_at.setdefault(lane.origin, deque()).append(lane)

    async def _close_longest_idle(self) -> None:
        lane = next(iter(self._parked))
        del self._parked[lane]
        self._parked_at[lane.origin].popleft()
        await self._throw_away(lane)

    async def _throw_away(self, lane: Lane) -> None:
        self._lanes.discard(lane)
        await lane.aclose()


def httpx_transport(
    library: ModuleType, options: TransportOptions, origin: Origin, proxy: Proxy | None, *, limits: Any
) -> Any:
    """Return a transport of httpx that reaches an origin, through the proxy if there is one."""
    secure = origin.scheme == "https" or (proxy is not None and proxy.scheme == "https")
    # False makes httpx load nothing; where TLS is spoken it is always a context of ours.
    trust = shared_context(options.verify, trust_env=options.trust_env, http2=options.http2) if secure else False
    try:
        return library.AsyncHTTPTransport(
            verify=trust,
            trust_env=False,
            http2=options.http2,
            limits=limits,
            proxy=None if proxy is None else _in_httpx_words(library, options, proxy),
        )
    except ImportError:
        extra = "socks" if proxy is not None and proxy.is_socks else "http2"
        raise EigenpalUsageError(f'This needs one more package: pip install "{library.__name__}[{extra}]".') from None


def _in_httpx_words(library: ModuleType, options: TransportOptions, proxy: Proxy) -> Any:
    auth = None if proxy.username is None else (proxy.username, proxy.password)
    trust = shared_context(options.verify, trust_env=options.trust_env) if proxy.scheme == "https" else None
    return library.Proxy(proxy.url, auth=auth, ssl_context=trust)
