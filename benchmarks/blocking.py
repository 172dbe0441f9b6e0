"""The blocking client: one call after the other, beside the official clients; and its hop to the event loop alone."""

from __future__ import annotations

from collections.abc import Iterator

from anyio.from_thread import start_blocking_portal

from benchmarks import payloads, portal
from benchmarks.environments import CURRENT, SAME_GENERATION, official, ours, ours_plain
from benchmarks.fast_server import fast_server
from benchmarks.rounds import compare, in_turns
from benchmarks.table import Row, Target, beside
from eigenpal_sync._portal import Portal


def blocking() -> Iterator[Row]:
    """Compare time on the clock and of the processor, with the transport of either installation."""
    with fast_server(body=payloads.run()) as base:
        commands = {
            "lanes": ours_plain("blocking", base),
            "aiohttp": ours("blocking", base),
            CURRENT: official(CURRENT, "blocking", base),
            SAME_GENERATION: official(SAME_GENERATION, "blocking", base),
        }
        taken = compare(commands, 9)
    for transport in ("lanes", "aiohttp"):
        for version in (CURRENT, SAME_GENERATION):
            for what, target in (("wall", Target("<=", 1)), ("cpu", None)):
                mine, theirs = ([figures[what] for figures in taken[name]] for name in (transport, version))
                label = f"blocking runs.get, {transport}, {'time' if what == 'wall' else 'CPU'}"
                yield beside(label, "µs", mine, f"official {version}", theirs, target)


def hop() -> Iterator[Row]:
    """Compare the way to the loop thread and back with that of anyio's portal; what is called does nothing."""
    mine = Portal()
    try:
        with start_blocking_portal() as theirs:
            contenders = {
                "ours": lambda: mine.wait(portal.nothing).result(),
                "anyio": lambda: theirs.call(portal.nothing),
            }
            sides = {
                name: (lambda call=call: {"hop": portal.median_microseconds(call, 3_000)})
                for name, call in contenders.items()
            }
            taken = in_turns(sides, 7)
    finally:
        mine.close()
    here, there = ([figures["hop"] for figures in taken[name]] for name in ("ours", "anyio"))
    yield beside("blocking, empty call", "µs", here, "anyio portal.call", there, Target("<=", 0.6))
