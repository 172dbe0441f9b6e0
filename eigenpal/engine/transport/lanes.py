"""The default transport: many single connections of httpx's engine, each owned by one request at a time.

Why not a pool: the pool looks at every connection for every request, and a storm of cancelled requests can leave it
with connections that nobody owns and nobody may take. Here a request owns its lane from start to end, and a lane whose
request did not end well is closed on the spot, by closing its socket, which can neither block nor be cancelled.
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import Any

from eigenpal.engine.transport.address import Origin, split_url
from eigenpal.engine.transport.network import Network
from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import Request
from eigenpal.engine.transport.proxies import ProxyMap
from eigenpal.engine.transport.sockets import Resolver
from eigenpal.engine.transport.wire import (
    IDLE_SECONDS,
    RequestContent,
    WireResponse,
    connection_pool,
    engine_request,
    failure_of,
    http_engine,
)


class Lane:
    """One connection to one origin."""

    __slots__ = ("connection", "network", "origin", "parked_at")

    def __init__(self, origin: Origin, network: Network, connection: Any) -> None:
        self.origin = origin
        self.network = network
        self.connection = connection
        self.parked_at = 0.0


class LaneTransport:
    """Sends each request over a lane of its own. Idle lanes are taken latest first, so that few stay warm.

    The caller sees to it that no more than `options.max_concurrency` requests are under way.
    """

    def __init__(self, options: TransportOptions, proxies: ProxyMap) -> None:
        self._options = options
        self._proxies = proxies
        self._engine = http_engine()
        self._resolver = Resolver()
        self._lanes: set[Lane] = set()
        self._parked: dict[Lane, None] = {}  # every idle lane, the longest idle first
        self._parked_at: dict[Origin, deque[Lane]] = {}
        self._closed = False

    async def send(self, request: Request) -> WireResponse:
        origin, target = split_url(request.url)
        content = RequestContent(request.body)
        message = engine_request(self._engine, request, origin, target, content)
        lane = self._take(origin)
        try:
            answer = await lane.connection.handle_async_request(message)
        except BaseException as error:
            self._throw_away(lane)
            if isinstance(error, Exception):
                failure = failure_of(self._engine, error, lane.network, content)
                if failure is not None:
                    raise failure from None
            raise
        return WireResponse(
            answer,
            translated=lambda error: failure_of(self._engine, error, lane.network, None),
            finished=partial(self._give_back, lane),
        )

    def abandon(self) -> None:
        for lane in self._clear():
            lane.network.drop()

    async def aclose(self) -> None:
        for lane in self._clear():
            await lane.network.aclose()

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

    def _take(self, origin: Origin) -> Lane:
        oldest_allowed = time.monotonic() - IDLE_SECONDS
        while self._parked and next(iter(self._parked)).parked_at < oldest_allowed:
            self._drop_longest_idle()
        parked = self._parked_at.get(origin)
        while parked:
            lane = parked.pop()
            del self._parked[lane]
            if not lane.connection.has_expired():
                return lane
            self._throw_away(lane)
        if self._parked and len(self._lanes) >= self._options.max_concurrency:
            self._drop_longest_idle()  # idle lanes to one origin must not add up with busy ones to another
        return self._open(origin)

    def _open(self, origin: Origin) -> Lane:
        proxy = self._proxies.proxy_for(origin)
        network = Network(
            self._resolver, proxy=proxy, secure=origin.scheme == "https", write_error=self._engine.WriteError
        )
        # This pool holds nothing; it is the part of the engine that knows how to go through each kind of proxy.
        maker = connection_pool(self._engine, self._options, origin, proxy, network)
        place = self._engine.Origin(origin.scheme.encode(), origin.host.encode(), origin.port)
        lane = Lane(origin, network, maker.create_connection(place))
        self._lanes.add(lane)
        return lane

    def _give_back(self, lane: Lane) -> None:
        """Keep a lane whose answer was read to its end, throw away any other."""
        if self._closed or not lane.connection.is_idle():
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
        lane.network.drop()
