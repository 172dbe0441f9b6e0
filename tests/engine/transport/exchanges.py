"""Shared by the tests of the transports: every way to send, and one whole exchange in one call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import httpx2

from eigenpal.engine.transport import Body, Connections, Request, TransportOptions
from eigenpal.engine.transport.tls import shared_context

# Every way to send; what the port promises holds for each.
KINDS = ("lanes", "aiohttp", "httpx client", "httpx2 client", "httpx transport")
OWN_KINDS = ("lanes", "aiohttp")


def fits(kind: str, anyio_backend: str) -> bool:
    """Whether this kind of transport runs on this event loop."""
    return kind != "aiohttp" or anyio_backend == "asyncio"


@asynccontextmanager
async def connections(kind: str, **options: Any) -> AsyncIterator[Connections]:
    """Open connections of one kind, and close them and what the user would have made."""
    verify = shared_context(options.get("verify", True), trust_env=False)  # making one for each test takes long
    if kind == "httpx client":
        async with httpx.AsyncClient(verify=verify, trust_env=False) as client:
            mine = Connections(TransportOptions(http_client=client, **options))
            yield mine
            await mine.aclose()
    elif kind == "httpx2 client":
        async with httpx2.AsyncClient(verify=verify, trust_env=False) as newer_client:
            mine = Connections(TransportOptions(http_client=newer_client, **options))  # type: ignore[arg-type]
            yield mine
            await mine.aclose()
    elif kind == "httpx transport":
        async with httpx.AsyncHTTPTransport(verify=verify, trust_env=False) as transport:
            mine = Connections(TransportOptions(transport=transport, **options))
            yield mine
            await mine.aclose()
    else:
        mine = Connections(TransportOptions(**{"aiohttp": kind == "aiohttp", "trust_env": False, **options}))
        try:
            yield mine
        finally:
            await mine.aclose()


@attrs.frozen
class Answered:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(
    mine: Connections,
    url: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | Body | None = None,
    timeout: float | None = 5.0,
) -> Answered:
    """Send a request and read the whole answer."""
    request = Request(method, url, headers if headers is not None else {"Accept": "*/*"}, body, timeout)
    response = await mine.send(request)
    try:
        content = b"".join([chunk async for chunk in response.raw_chunks()])
        return Answered(response.status, dict(response.headers), content)
    finally:
        await response.aclose()


@attrs.define
class Streamed:
    """A body from a list of chunks; fails at the end if told to."""

    pieces: list[bytes]
    length: int | None = None
    problem: Exception | None = None
    replayable: bool = True

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.problem is not None:
            raise self.problem
