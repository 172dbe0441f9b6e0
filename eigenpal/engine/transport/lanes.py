"""The default transport: many single connections, each owned by one request at a time.

Why not httpx's pool: it looks at every connection for every request, and a storm of cancelled requests can leave it
with connections that nobody owns and nobody may take. Here a request owns its lane from start to end, and a lane whose
request did not end well is closed on the spot, by closing its socket, which can neither block nor be cancelled.
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial

from eigenpal.engine.transport.address import Origin, split_url
from eigenpal.engine.transport.dialing import Wire, dial
from eigenpal.engine.transport.http1 import Http1, Http1Response
from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import Request
from eigenpal.engine.transport.proxies import Proxy, ProxyMap
from eigenpal.engine.transport.sockets import Resolver

IDLE_SECONDS = 15.0  # shorter than the keep-alive of usual servers and balancers, so that it is us who close


class Lane:
    """One connection to one origin."""

    __slots__ = ("forwarded", "http", "origin", "parked_at", "proxy", "wire")

    def __init__(self, origin: Origin, proxy: Proxy | None, wire: Wire) -> None:
        self.origin = origin
        self.proxy = proxy
        self.wire = wire
        self.http = Http1(wire)
        self.parked_at = 0.0
        # Through such a proxy, the request itself says where it goes.
        self.forwarded = proxy is not None and not proxy.is_socks and origin.scheme == "http"

    def headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        headers = [(b"Host", self.origin.host_header.encode())]
        headers += [(name.encode(), value.encode()) for name, value in request.headers.items()]
        if self.forwarded and self.proxy is not None and (authorization := self.proxy.authorization) is not None:
            headers.append((b"Proxy-Authorization", authorization.encode()))
        return headers


class LaneTransport:
    """Sends each request over a lane of its own. Idle lanes are taken latest first, so that few stay warm.

    The caller sees to it that no more than `options.max_concurrency` requests are under way.
    """

    def __init__(self, options: TransportOptions, proxies: ProxyMap) -> None:
        self._options = options
        self._proxies = proxies
        self._resolver = Resolver()
        self._lanes: set[Lane] = set()
        self._parked: dict[Lane, None] = {}  # every idle lane, the longest idle first
        self._parked_at: dict[Origin, deque[Lane]] = {}
        self._closed = False

    async def send(self, request: Request) -> Http1Response:
        """Send once over an idle lane or a new one."""
        origin, target = split_url(request.url)
        lane = self._take(origin)
        if lane is None:
            request.handed_over = False
            lane = await self._open(origin, request.timeout)
            request.handed_over = True
        try:
            head = await lane.http.send(
                request, f"{origin}{target}" if lane.forwarded else target, lane.headers(request)
            )
        except BaseException:
            self._throw_away(lane)
            raise
        return Http1Response(lane.http, head, partial(self._give_back, lane))

    def abandon(self) -> None:
        """Drop every connection without awaiting."""
        for lane in self._clear():
            lane.wire.drop()

    async def aclose(self) -> None:
        """Close every connection, those in use too."""
        for lane in self._clear():
            await lane.wire.aclose()

    @property
    def open_lanes(self) -> int:
        """How many connections there are, busy and idle."""
        return len(self._lanes)

    def _clear(self) -> set[Lane]:
        self._closed = True
        lanes, self._lanes = self._lanes, set()
        self._parked.clear()
        self._parked_at.clear()
        return lanes

    def _take(self, origin: Origin) -> Lane | None:
        """Return an idle lane that is fit for use, after dropping those that idled too long."""
        oldest_allowed = time.monotonic() - IDLE_SECONDS
        while self._parked and next(iter(self._parked)).parked_at < oldest_allowed:
            self._drop_longest_idle()
        parked = self._parked_at.get(origin)
        while parked:
            lane = parked.pop()
            del self._parked[lane]
            if not lane.wire.has_input:
                return lane
            self._throw_away(lane)  # its server has closed it
        return None

    async def _open(self, origin: Origin, timeout: float | None) -> Lane:
        if self._parked and len(self._lanes) >= self._options.max_concurrency:
            self._drop_longest_idle()  # idle lanes to one origin must not add up with busy ones to another
        proxy = self._proxies.proxy_for(origin)
        wire = await dial(origin, proxy, self._resolver, self._options, timeout)
        lane = Lane(origin, proxy, wire)
        self._lanes.add(lane)
        return lane

    def _give_back(self, lane: Lane) -> None:
        """Keep a lane whose answer was read to its end, throw away any other."""
        if self._closed or not lane.http.ready_again():
            self._throw_away(lane)
            return
        lane.parked_at = time.monotonic()
        self._parked[lane] = None
        self._parked_at.setdefault(lane.origin, deque()).append(lane)

    def _drop_longest_idle(self) -> None:
        lane = next(iter(self._parked))
        del self._parked[lane]
        self._parked_at[lane.origin].popleft()
        self._throw_away(lane)

    def _throw_away(self, lane: Lane) -> None:
        self._lanes.discard(lane)
        lane.wire.drop()
