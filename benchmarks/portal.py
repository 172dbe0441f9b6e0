"""What a blocking call costs beyond its work: the hop to the event loop and back, ours beside those of others.

    python benchmarks/portal.py [--calls 3000] [--rounds 5]

Every contender awaits the same empty coroutine. Rounds are interleaved, and what counts is the ratio within one run:
the figures themselves say more about the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from anyio.from_thread import start_blocking_portal

sys.path.insert(0, str(Path(__file__).parent.parent))

from eigenpal_sync._portal import Portal

WARM_UP_CALLS = 200


async def nothing() -> None:
    """What is called: it awaits nothing, so all that is measured is the way there and back."""


async def items(count: int) -> AsyncIterator[int]:
    """What is iterated over: items that are ready at once."""
    for number in range(count):
        yield number


def median_microseconds(call: Callable[[], object], calls: int) -> float:
    """Return the median of one call, in microseconds."""
    for _ in range(WARM_UP_CALLS):
        call()
    times: list[float] = []
    for _ in range(calls):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=3_000, help="calls in a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the median of them is shown")
    options = parser.parse_args()

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    portal = Portal()
    with start_blocking_portal() as theirs:
        contenders: dict[str, Callable[[], object]] = {
            "anyio BlockingPortal.call": lambda: theirs.call(nothing),
            "asyncio.run_coroutine_threadsafe": lambda: asyncio.run_coroutine_threadsafe(nothing(), loop).result(),
            "eigenpal_sync portal": lambda: portal.wait(nothing).result(),
        }
        rounds = [
            {name: median_microseconds(call, options.calls) for name, call in contenders.items()}
            for _ in range(options.rounds)
        ]
    first = next(iter(contenders))
    print(f"{'one empty call':34} {'p50':>9} {'ratio':>7}")
    for name in contenders:
        hop = statistics.median(measured[name] for measured in rounds)
        ratio = statistics.median(measured[name] / measured[first] for measured in rounds)
        print(f"{name:34} {hop:6.1f} us {ratio:6.2f}x")

    count = 100_000
    began = time.perf_counter()
    assert sum(1 for _ in portal.iterate(items, count)) == count
    print(f"{'one item of an iterator':34} {(time.perf_counter() - began) / count * 1e6:6.1f} us")
    portal.close()
    loop.call_soon_threadsafe(loop.stop)


if __name__ == "__main__":
    main()
