"""The HTTP server: uvicorn in a daemon thread of its own, with an event loop of its own. Knows ASGI and nothing above.

So it works beside callers on asyncio, trio or no loop at all. Starting returns when it answers, stopping is immediate.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast

import uvicorn
from starlette.types import ASGIApp

from eigenpal.sandbox.gathering import GatheringTransport

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as HTTPProtocol
else:
    # The faster httptools where it is installed.
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as HTTPProtocol

GRACE_SECONDS = 0.1  # what an answer in progress gets to end when the server stops
ENDING_SECONDS = 2.0  # what tasks that were cancelled get at most; they take no time but that of a busy machine
KEEP_ALIVE_SECONDS = 75  # longer than the pools of clients keep a connection, so that the client closes it first
DATE_SECONDS = 1.0  # how often the Date header moves on


class Hosted(Protocol):
    """What a server serves; every method is called in its loop."""

    async def open(self) -> ASGIApp:
        """Open what the application needs and return the application."""
        ...

    async def end_work(self) -> None:
        """End background work; requests may still be waiting for it."""

    async def close(self) -> None:
        """Close what `open` opened, even if it failed half-way; no request is left."""


class _Protocol(HTTPProtocol):
    """Puts the transport of the connection where faults can close it, and keeps out of the process's access log."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.access_log = False
        transport = cast("asyncio.Transport", GatheringTransport(transport, self.loop))
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)
        refuse = cast("Callable[[], bool]", self.app_state["refuse"])
        if refuse():
            transport.abort()


class _Uvicorn(uvicorn.Server):
    async def run_until(self, stop: asyncio.Event, listener: socket.socket, refuse: Callable[[], bool]) -> None:
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        self.lifespan.state["refuse"] = refuse
        await self.startup(sockets=[listener])
        while not stop.is_set():
            await self.on_tick(0)
            try:
                await asyncio.wait_for(stop.wait(), DATE_SECONDS)
            except TimeoutError:
                continue
        for server in self.servers:
            server.close()

    async def close_connections(self) -> None:
        connections, tasks = list(self.server_state.connections), list(self.server_state.tasks)
        for connection in connections:
            connection.shutdown()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for connection in connections:
            transport = cast("asyncio.Transport | None", connection.transport)
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)  # lets each request see that its connection is gone
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        await asyncio.sleep(0)  # lets the transports close their sockets


class ServerThread:
    """A running server.

    Args:
        hosted: The application.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        refuse: Asked for every new connection; True closes it at once.

    Raises:
        OSError: The port can't be had.
    """

    def __init__(self, hosted: Hosted, *, host: str, port: int, refuse: Callable[[], bool]) -> None:
        self._hosted = hosted
        self._refuse = refuse
        # asyncio switches Nagle's algorithm off only where a socket says it is TCP; with it, polls would take 40 ms.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((host, port))
            self._listener.listen(2048)
        except BaseException:
            self._listener.close()
            raise
        self.port: int = self._listener.getsockname()[1]
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="eigenpal-sandbox", daemon=True)
        self._thread.start()
        try:
            self._loop, self._stop = self._ready.result()
        except BaseException:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Stop; returns when thread, loop and sockets are gone. Safe to call twice."""
        if self._thread.is_alive():
            with suppress(RuntimeError):  # the loop was closed between the two lines
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._main())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
        finally:
            _finish(loop)
            self._listener.close()

    async def _main(self) -> None:
        try:
            await self._serve(await self._hosted.open())
        finally:
            await self._hosted.close()

    async def _serve(self, application: ASGIApp) -> None:
        config = uvicorn.Config(
            application,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        server, stop = _Uvicorn(config), asyncio.Event()
        self._ready.set_result((asyncio.get_running_loop(), stop))
        try:
            await server.run_until(stop, self._listener, self._refuse)
        finally:
            # Work ends first, so that a request that waits for it still gets its answer.
            await self._hosted.end_work()
            await server.close_connections()


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=ENDING_SECONDS))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close()
