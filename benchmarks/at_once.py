"""Many calls at once: what one typed `runs.get` costs over bare aiohttp, and how lanes do beside an httpx client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from benchmarks import payloads, transports
from benchmarks.environments import ours
from benchmarks.fast_server import fast_server
from benchmarks.rounds import compare, in_turns
from benchmarks.table import Row, Target, beside

CONNECTIONS = 100
LATENCY_SECONDS = 0.01
LEAST_GAIN = {100: 8, 1_000: 20}  # of the lanes over a plain httpx client, by calls at once


def typed_get() -> Iterator[Row]:
    """Compare processor time for a call; both have a hundred under way."""
    with fast_server(latency_seconds=LATENCY_SECONDS, body=payloads.run()) as base:
        taken = compare({"ours": ours("typed_get", base), "bare": ours("bare_aiohttp", base)}, 9)
    mine, bare = ([figures["cpu"] for figures in taken[name]] for name in ("ours", "bare"))
    yield beside("runs.get, 100 at once, CPU", "µs", mine, "aiohttp + json.loads", bare, Target("<=", 1.6))


def lanes() -> Iterator[Row]:
    """Compare calls a second, and what a call costs with what it costs when few are under way."""
    with fast_server(latency_seconds=LATENCY_SECONDS, body=payloads.run()) as base:

        def figures(name: str, in_flight: int) -> dict[str, float]:
            calls = transports.SLOW_CALLS if name == "stock httpx" else transports.CALLS
            contender = transports.CONTENDERS[name]
            taken = asyncio.run(transports.measure(contender, base, CONNECTIONS, in_flight, calls[in_flight]))
            return {"rate": taken.calls_per_second, "cpu": taken.cpu_microseconds}

        names = [("lanes", 10), *((name, count) for count in LEAST_GAIN for name in ("stock httpx", "lanes"))]
        sides = {f"{name} {count}": (lambda name=name, count=count: figures(name, count)) for name, count in names}
        taken = in_turns(sides, 3)

    def each(what: str, name: str) -> list[float]:
        return [figures[what] for figures in taken[name]]

    for count, least in LEAST_GAIN.items():
        stock = each("rate", f"stock httpx {count}")
        rates = each("rate", f"lanes {count}")
        yield beside(f"lanes, {count:,} at once", "calls/s", rates, "httpx.AsyncClient", stock, Target(">=", least))
        few, many = each("cpu", "lanes 10"), each("cpu", f"lanes {count}")
        yield beside(f"lanes, {count:,} at once, CPU", "µs", many, "lanes, 10 at once", few, Target("<=", 1.3))
