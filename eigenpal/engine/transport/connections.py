"""What a client holds instead of a transport: makes the right one for the event loop it runs in, and keeps the queue.

Nothing here speaks HTTP.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from weakref import WeakSet, finalize

import anyio
from anyio.lowlevel import current_token

from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import Request, Response, Transport
from eigenpal.engine.transport.proxies import ProxyMap, proxy_map
from eigenpal.engine.transport.slots import Slots, SlotsClosed
from eigenpal.engine.transport.tls import check_trust
from eigenpal.errors import EigenpalUsageError

CLOSING_SECONDS = 5.0  # closing waits for nothing but the loop; more than this means that the loop is stuck
OLDEST_AIOHTTP = (3, 12)  # the first with what our transport needs to stop it from sending twice


class Connections:
    """The connections of one client.

    They belong to the event loop they were made in. Used under another loop, the client gets new ones, and the old
    ones are dropped; the same in a forked child, which never touches those of its parent.

    Args:
        options: How to reach the server.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        if _brought_along(options):
            self._proxies = ProxyMap({})
        else:
            check_trust(options.verify)
            self._proxies = proxy_map(options.proxy, trust_env=options.trust_env)
        self._closed = False
        self._moving = threading.Lock()
        self._home: _Home | None = None
        self._users: dict[int, Callable[[], Awaitable[None]]] = {}
        _all.add(self)

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._closed

    @property
    def in_flight(self) -> int:
        """How many requests hold a slot: from leaving the queue until their answer is closed."""
        return self._home.slots.taken if self._home else 0

    @property
    def queued(self) -> int:
        """How many requests wait for a slot."""
        return self._home.slots.waiting if self._home else 0

    def hold(self, user: object, close: Callable[[], Awaitable[None]]) -> None:
        """Note something that goes on by itself over these connections, and what ends it: it is ended before them."""
        self._users[id(user)] = close

    def release(self, user: object) -> None:
        """Forget what was noted: it has ended."""
        self._users.pop(id(user), None)

    async def send(self, request: Request) -> Response:
        """Send a request once; its slot is free again when the response is closed, or when this raises.

        Raises:
            TransportFailure: No answer came.
            EigenpalUsageError: The client is closed, or in use in another event loop at the same time.
        """
        home = self._home
        if home is None or not home.is_here():
            home = self._move_in()
        slots = home.slots
        try:
            await slots.take()
        except SlotsClosed:
            raise _used_after_closing() from None
        try:
            request.handed_over = True
            response = await home.transport.send(request)
        except BaseException:
            slots.give_back()
            raise
        return HeldResponse(response, slots)

    async def aclose(self) -> None:
        """Close all connections; requests under way fail. May be called twice.

        An `http_client` or `transport` the user made stays open.
        """
        while self._users:
            _, close = self._users.popitem()
            await close()
        self._closed = True
        with self._moving:
            home, self._home = self._home, None
        if home is None:
            return
        if not home.is_here():
            home.leave()
            return
        home.slots.close()
        with anyio.move_on_after(CLOSING_SECONDS, shield=True):
            await home.transport.aclose()
        home.leave()

    def _move_in(self) -> _Home:
        """Make connections for the running loop, after dropping those of another one."""
        if self._closed:
            raise _used_after_closing()
        with self._moving:
            loop, old = _running_loop(), self._home
            if old is not None:
                if old.is_here():
                    return old
                if old.busy and old.process == os.getpid() and _call_in(old.loop, _nothing):
                    raise EigenpalUsageError(
                        "This client is in use in another event loop or thread right now. Make one client for each, "
                        "or wait until the other one is done with it."
                    )
                old.leave()
            transport = make_transport(self._options, self._proxies, loop)
            self._home = home = _Home(loop, transport, self._options.max_concurrency)
            home.outlives(self)
            return home

    def forget_parent(self) -> None:
        """In a forked child: let go of everything, and of a lock that a thread of the parent may have held."""
        self._moving = threading.Lock()
        self._users.clear()
        home, self._home = self._home, None
        if home is not None:
            home.leave()


class HeldResponse:
    """A response that frees its slot when it is closed."""

    __slots__ = ("_response", "_slots", "headers", "status")

    def __init__(self, response: Response, slots: Slots) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._slots: Slots | None = slots

    def raw_chunks(self) -> AsyncIterator[bytes]:
        return self._response.raw_chunks()

    async def aclose(self) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            try:
                await self._response.aclose()
            finally:
                slots.give_back()


class _Home:
    """Where connections live: an event loop in a process."""

    def __init__(self, loop: object, transport: Transport, max_concurrency: int) -> None:
        self.loop = loop
        self.process = os.getpid()
        self.transport = transport
        self.slots = Slots(max_concurrency)
        self._runs = _asyncio_runs if _is_asyncio(loop) else _runs
        self._finalizer: finalize[Any, Any] | None = None

    @property
    def busy(self) -> bool:
        return self.slots.taken > 0

    def is_here(self) -> bool:
        """Whether its event loop is the one that runs here, in its process."""
        return self._runs(self.loop) and self.process == os.getpid()

    def outlives(self, connections: Connections) -> None:
        """See to it that connections which were forgotten, or never closed, are closed without a word."""
        self._finalizer = finalize(connections, _leave, self.loop, self.process, self.transport)

    def leave(self) -> None:
        """Drop the connections without awaiting."""
        if self._finalizer is not None:
            self._finalizer()


def _leave(loop: Any, process: int, transport: Transport) -> None:
    if process == os.getpid() and _call_in(loop, transport.close_now):
        return
    transport.abandon()


def make_transport(options: TransportOptions, proxies: ProxyMap, loop: object) -> Transport:
    """Choose: the user's own client or transport, HTTP/2, aiohttp on asyncio, lanes."""
    if options.http_client is not None:
        from eigenpal.engine.transport.httpx_transport import HttpxClientTransport

        return HttpxClientTransport(options.http_client)
    if options.transport is not None:
        from eigenpal.engine.transport.httpx_transport import HttpxTransport

        return HttpxTransport(options.transport)
    if options.http2:
        from eigenpal.engine.transport.http2 import PoolTransport

        return PoolTransport(options, proxies)
    if _aiohttp_fits(options, proxies, loop):
        from eigenpal.engine.transport.aiohttp_transport import AiohttpTransport

        return AiohttpTransport(options, proxies)
    from eigenpal.engine.transport.lanes import LaneTransport

    return LaneTransport(options, proxies)


def _aiohttp_fits(options: TransportOptions, proxies: ProxyMap, loop: object) -> bool:
    if options.aiohttp is False:
        return False
    obstacle = _aiohttp_obstacle(proxies, loop)
    if obstacle and options.aiohttp:
        raise EigenpalUsageError(f"aiohttp was asked for, but {obstacle}.")
    return not obstacle


def _aiohttp_obstacle(proxies: ProxyMap, loop: object) -> str | None:
    if proxies.uses_socks:
        return "it can't go through a SOCKS proxy"
    if not _is_asyncio(loop):
        return "the event loop is not asyncio"
    if importlib.util.find_spec("aiohttp") is None:
        return 'it is not installed: pip install "eigenpal[aiohttp]"'
    import aiohttp

    if tuple(int(part) for part in aiohttp.__version__.split(".")[:2]) < OLDEST_AIOHTTP:
        return 'it is too old: pip install -U "eigenpal[aiohttp]"'
    return None


def _is_asyncio(loop: object) -> bool:
    import asyncio

    return isinstance(loop, asyncio.AbstractEventLoop)


def _running_loop() -> object:
    """Return what is the same object as long as the same event loop runs."""
    token = current_token()
    return getattr(token, "native_token", token)  # anyio before 4.11 gave the native one


def _runs(loop: object) -> bool:
    return _running_loop() is loop


def _asyncio_runs(loop: object) -> bool:
    # The same for a loop of asyncio, at a tenth of the price: it is asked before each request.
    import asyncio

    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:  # trio runs here
        return False


def _call_in(loop: Any, action: Callable[[], object]) -> bool:
    """Have something called by an event loop, from whichever thread; False when the loop is gone."""
    try:
        if hasattr(loop, "call_soon_threadsafe"):
            loop.call_soon_threadsafe(action)
        else:
            loop.run_sync_soon(action)
    except RuntimeError:  # asyncio: closed; trio: the run has finished
        return False
    return True


def _brought_along(options: TransportOptions) -> bool:
    return options.http_client is not None or options.transport is not None


def _used_after_closing() -> EigenpalUsageError:
    return EigenpalUsageError("This client is closed; make a new one, or keep it open with `async with`.")


def _nothing() -> None:
    pass


_all: WeakSet[Connections] = WeakSet()


def _in_child() -> None:
    for connections in list(_all):
        connections.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
