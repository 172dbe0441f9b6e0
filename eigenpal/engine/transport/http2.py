"""HTTP/2: the pool of httpx's engine, since here many requests share one connection and lanes would defeat that.

The pool is given no limit: how many requests are under way is bounded outside, so nobody can wait in it for ever.
"""

from __future__ import annotations

from typing import Any

from eigenpal.engine.transport.address import Origin, split_url
from eigenpal.engine.transport.network import Network, NetworkStream
from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import Request
from eigenpal.engine.transport.proxies import Proxy, ProxyMap
from eigenpal.engine.transport.sockets import Resolver
from eigenpal.engine.transport.wire import (
    RequestContent,
    WireResponse,
    connection_pool,
    engine_request,
    failure_of,
    http_engine,
)
from eigenpal.errors import EigenpalUsageError


class PoolTransport:
    """Sends requests over as few connections as the server allows."""

    def __init__(self, options: TransportOptions, proxies: ProxyMap) -> None:
        try:
            import h2  # noqa: F401  # the engine imports it later, with an error that names another package
        except ImportError:
            raise EigenpalUsageError('http2=True needs one more package: pip install "httpx[http2]".') from None
        self._options = options
        self._proxies = proxies
        self._engine = http_engine()
        self._resolver = Resolver()
        self._pools: dict[tuple[Proxy | None, bool], tuple[Any, _Networks]] = {}

    async def send(self, request: Request) -> WireResponse:
        origin, target = split_url(request.url)
        content = RequestContent(request.body)
        message = engine_request(self._engine, request, origin, target, content)
        try:
            answer = await self._pool(origin).handle_async_request(message)
        except Exception as error:
            if (failure := failure_of(self._engine, error, None, content)) is None:
                raise
            raise failure from None
        return WireResponse(
            answer, translated=lambda error: failure_of(self._engine, error, None, None), finished=lambda: None
        )

    def abandon(self) -> None:
        pools, self._pools = self._pools, {}
        for _, networks in pools.values():
            networks.drop()

    async def aclose(self) -> None:
        pools, self._pools = self._pools, {}
        for pool, networks in pools.values():
            await pool.aclose()
            networks.drop()

    def _pool(self, origin: Origin) -> Any:
        proxy = self._proxies.proxy_for(origin)
        secure = origin.scheme == "https"
        if (proxy, secure) not in self._pools:
            networks = _Networks(self._resolver, proxy, secure, self._engine.WriteError)
            pool = connection_pool(self._engine, self._options, origin, proxy, networks)
            self._pools[proxy, secure] = pool, networks
        return self._pools[proxy, secure][0]


class _Networks:
    """Gives each connection of a pool a network of its own, and remembers all that are open."""

    def __init__(self, resolver: Resolver, proxy: Proxy | None, secure: bool, write_error: type[Exception]) -> None:
        self._resolver = resolver
        self._proxy = proxy
        self._secure = secure
        self._write_error = write_error
        self._open: set[Network] = set()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: Any = None, socket_options: Any = None
    ) -> NetworkStream:
        self._open = {network for network in self._open if network.is_open}
        network = Network(self._resolver, proxy=self._proxy, secure=self._secure, write_error=self._write_error)
        stream = await network.connect_tcp(host, port, timeout)
        self._open.add(network)
        return stream

    async def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        raise NotImplementedError("addresses of this package are http and https")

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError("the engine is never asked to retry")

    def drop(self) -> None:
        for network in self._open:
            network.drop()
