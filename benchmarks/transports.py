"""Calls a second and processor time a call of each transport, at 10, 100 and 1,000 calls in flight.

    python benchmarks/transports.py [--latency 0.01] [--rounds 3] [--connections 100]

All speak to the same server in a process of its own, and all are allowed the same number of connections. What counts
are the ratios within one run; the figures themselves say more about the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import attrs
import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.fast_server import fast_server
from eigenpal.engine.transport import Connections, Request, TransportOptions

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "benchmark/1",
    "X-API-Key": "k" * 40,
}
PATH = "/api/v1/runs/run_123?expand=usage"
IN_FLIGHT = (10, 100, 1_000)
CALLS = {10: 1_000, 100: 3_000, 1_000: 4_000}
SLOW_CALLS = {10: 500, 100: 500, 1_000: 2_000}  # for those who take seconds for a thousand calls

Call = Callable[[], Awaitable[bytes]]
Contender = Callable[[str, int], AbstractAsyncContextManager[Call]]


@attrs.frozen
class Figure:
    """What one measurement gave."""

    calls_per_second: float
    cpu_microseconds: float


@asynccontextmanager
async def stock_httpx(base: str, connections: int) -> AsyncIterator[Call]:
    """A plain client; only its timeout is off, since waiting in its pool would run into it."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=20)
    async with httpx.AsyncClient(headers=HEADERS, timeout=None, limits=limits) as client:

        async def call() -> bytes:
            return (await client.get(base + PATH)).content

        yield call


@asynccontextmanager
async def bare_aiohttp(base: str, connections: int) -> AsyncIterator[Call]:
    """A session used as its documentation shows."""
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

        async def call() -> bytes:
            async with session.get(base + PATH) as response:
                return await response.read()

        yield call


@asynccontextmanager
async def ours(base: str, connections: int, *, use_aiohttp: bool) -> AsyncIterator[Call]:
    """The connections of a client, as its session uses them."""
    options = TransportOptions(aiohttp=use_aiohttp, max_concurrency=connections)
    mine = Connections(options)

    async def call() -> bytes:
        response = await mine.send(Request("GET", base + PATH, dict(HEADERS), timeout=30.0))
        try:
            return b"".join([chunk async for chunk in response.raw_chunks()])
        finally:
            await response.aclose()

    try:
        yield call
    finally:
        await mine.aclose()


CONTENDERS: dict[str, Contender] = {
    "stock httpx": stock_httpx,
    "lanes": functools.partial(ours, use_aiohttp=False),
    "aiohttp transport": functools.partial(ours, use_aiohttp=True),
    "bare aiohttp": bare_aiohttp,
}


async def measure(contender: Contender, base: str, connections: int, in_flight: int, calls: int) -> Figure:
    """Keep `in_flight` calls under way until `calls` are done; connections are warm before the clock starts."""
    async with contender(base, connections) as call:
        await asyncio.gather(*(call() for _ in range(min(in_flight, connections))))
        left = calls

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await call()

        started, busy = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return Figure(calls / (time.perf_counter() - started), (time.process_time() - busy) / calls * 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.01, help="seconds the server holds back each answer")
    parser.add_argument(
        "--rounds", type=int, default=3, help="measurements of each kind, interleaved; the median counts"
    )
    parser.add_argument("--connections", type=int, default=100, help="connections each may open")
    parser.add_argument("--only", choices=CONTENDERS, action="append", help="leave the others out")
    arguments = parser.parse_args()
    contenders = {name: CONTENDERS[name] for name in arguments.only or CONTENDERS}
    medians: dict[tuple[int, str], Figure] = {}
    with fast_server(latency_seconds=arguments.latency) as base:
        for in_flight in IN_FLIGHT:
            figures: dict[str, list[Figure]] = {name: [] for name in contenders}
            for _ in range(arguments.rounds):
                for name, contender in contenders.items():
                    calls = (SLOW_CALLS if name == "stock httpx" else CALLS)[in_flight]
                    figures[name].append(asyncio.run(measure(contender, base, arguments.connections, in_flight, calls)))
            for name, taken in figures.items():
                medians[in_flight, name] = Figure(
                    statistics.median(figure.calls_per_second for figure in taken),
                    statistics.median(figure.cpu_microseconds for figure in taken),
                )
    report(medians, list(contenders))


def report(medians: dict[tuple[int, str], Figure], names: list[str]) -> None:
    """Print a line for each measurement, with its ratio to stock httpx, to bare aiohttp, and to itself at 10."""
    columns = f"{'calls/s':>9}{'CPU us/call':>13}{'x httpx':>9}{'x aiohttp':>11}{'CPU x own@10':>14}"
    print(f"{'in flight':>9}  {'transport':<18}{columns}")
    for in_flight in IN_FLIGHT:
        for name in names:
            figure = medians[in_flight, name]

            def ratio(other: str, figure: Figure = figure, in_flight: int = in_flight) -> str:
                beside = medians.get((in_flight, other))
                return f"{figure.calls_per_second / beside.calls_per_second:.2f}" if beside else "-"

            growth = figure.cpu_microseconds / medians[IN_FLIGHT[0], name].cpu_microseconds
            print(
                f"{in_flight:>9}  {name:<18}{figure.calls_per_second:>9.0f}{figure.cpu_microseconds:>13.0f}"
                f"{ratio('stock httpx'):>9}{ratio('bare aiohttp'):>11}{growth:>14.2f}"
            )


if __name__ == "__main__":
    main()
