"""HTTP/2: one httpx transport with a pool, since here many requests share a connection and lanes would defeat that.

The pool is given no limit: how many requests are under way is bounded outside, so nobody can wait in it for ever.
"""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

import anyio

from eigenpal.engine.transport.address import split_url
from eigenpal.engine.transport.descriptors import close_stream_now, forget_stream
from eigenpal.engine.transport.framing import IDLE_SECONDS
from eigenpal.engine.transport.httpx_messages import Exchange, HttpxResponse, installed_library
from eigenpal.engine.transport.lanes import CLOSING_SECONDS, httpx_transport
from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import Request
from eigenpal.engine.transport.proxies import Proxy, ProxyMap
from eigenpal.errors import EigenpalUsageError


def _above_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


class PoolTransport:
    """Sends requests over as few connections as the server allows."""

    def __init__(self, options: TransportOptions, proxies: ProxyMap) -> None:
        if importlib.util.find_spec("h2") is None:
            raise EigenpalUsageError('http2=True needs one more package: pip install "httpx[http2]".')
        for name in ("hpack.hpack", "hpack.table"):
            # The header packer of httpx logs every header with its value at DEBUG: the key would be in the log of
            # whoever switches that on for all loggers.
            logging.getLogger(name).addFilter(_above_debug)
        self._options = options
        self._proxies = proxies
        self._library = installed_library()
        self._pools: dict[tuple[Proxy | None, bool], Any] = {}
        self._streams: list[Any] = []

    async def send(self, request: Request) -> HttpxResponse:
        """Send once over a shared connection."""
        origin, _ = split_url(request.url)
        proxy = self._proxies.proxy_for(origin)
        place = (proxy, origin.scheme == "https")
        if place not in self._pools:
            limits = self._library.Limits(
                max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS
            )
            self._pools[place] = httpx_transport(self._library, self._options, origin, proxy, limits=limits)
        exchange = Exchange(self._library, request, proxy=proxy)
        exchange.watch()
        try:
            answer = await exchange.over(self._pools[place].handle_async_request)
        finally:
            if exchange.streams:
                # Remembered for the day their loop is gone; those that were closed since are let go.
                self._streams = [*(stream for stream in self._streams if _is_open(stream)), *exchange.streams]
        return HttpxResponse(answer, exchange.failure)

    def close_now(self) -> None:
        """Close every connection without awaiting, within the loop."""
        self._pools.clear()
        streams, self._streams = self._streams, []
        for stream in streams:
            close_stream_now(stream)

    def abandon(self) -> None:
        """Drop every connection without awaiting."""
        self._pools.clear()
        streams, self._streams = self._streams, []
        for stream in streams:
            forget_stream(stream)

    async def aclose(self) -> None:
        """Close every connection."""
        pools, self._pools = self._pools, {}
        with anyio.move_on_after(CLOSING_SECONDS, shield=True):
            for pool in pools.values():
                await pool.aclose()


def _is_open(stream: Any) -> bool:
    sock = stream.get_extra_info("socket")
    return sock is not None and sock.fileno() >= 0
