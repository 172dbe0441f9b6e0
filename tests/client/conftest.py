"""Fixtures of the client's tests: real sockets on three wires, a sandbox, and time that retries do not spend."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import attrs
import httpx
import pytest

from eigenpal.client import AsyncEigenpalClient
from eigenpal.engine.session import Session
from eigenpal.sandbox import Sandbox

KEY = "eig_test_key-that-must-not-show-4711"
LONGEST_REAL_SLEEP = 0.003  # seconds: others get their turn, and no test waits

Connect = Callable[..., AsyncEigenpalClient]


@pytest.fixture(params=["aiohttp", "trio"])
def wire(request: pytest.FixtureRequest) -> str:
    """What carries the requests: aiohttp on asyncio, or lanes on trio; with `all_wires` also lanes on asyncio."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def anyio_backend(wire: str) -> str:
    """The event loop that the wire belongs to."""
    return "trio" if wire == "trio" else "asyncio"


all_wires = pytest.mark.parametrize("wire", ["aiohttp", "lanes", "trio"])  # for what happens at the socket
one_wire = pytest.mark.parametrize("wire", ["trio"])  # for what no transport has a part in


class RetryTime:
    """Time as retries see it: a pause is over at once, and the clock has moved by it.

    Attributes:
        slept: Every pause that was asked for, in seconds.
        on_sleep: Called with the number of each pause, from 1, before it is taken.
    """

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.on_sleep: Callable[[int], object] = lambda _number: None
        self._ahead = 0.0

    def clock(self) -> float:
        return time.monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep(len(self.slept))
        self._ahead += seconds
        await anyio.sleep(min(seconds, LONGEST_REAL_SLEEP))


@pytest.fixture
def retry_time() -> RetryTime:
    return RetryTime()


def session_of(client: AsyncEigenpalClient) -> Session:
    """Return the engine's session of a client, for what has no public switch."""
    return client._session


@pytest.fixture
def connect(wire: str, retry_time: RetryTime) -> Connect:
    """Make clients that use this test's wire and time."""

    def make(
        url: str, api_key: str = KEY, *, max_response_bytes: int | None = None, **options: Any
    ) -> AsyncEigenpalClient:
        client = AsyncEigenpalClient(api_key, base_url=url, **options)
        session = session_of(client)
        session.policy.sleep = retry_time.sleep
        session.policy.clock = retry_time.clock
        if wire == "lanes":
            session.connections._options = attrs.evolve(session.connections._options, aiohttp=False)
        if max_response_bytes is not None:
            session.options = attrs.evolve(session.options, max_response_bytes=max_response_bytes)
        return client

    return make


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox with the workflow `echo`, which returns its input."""
    with Sandbox(api_key=KEY) as server:

        @server.workflow("echo")
        async def echo(context: Any) -> dict[str, Any]:
            return {"input": dict(context.input)}

        yield server


def started(sandbox: Sandbox) -> list[str]:
    """Return the ids of all runs that the server has, however they came about."""
    answer = httpx.get(
        f"{sandbox.url}/api/v1/runs?limit=100",
        headers={"Authorization": f"Bearer {KEY}"},
        trust_env=False,
        verify=False,  # plain http; loading certificates would take longer than most tests
    )
    return [run["id"] for run in answer.raise_for_status().json()["runs"]]


def when_stored(event: threading.Event) -> Callable[[int, int | None], None]:
    """Return a progress callback that tells the server's side once the first bytes have been taken."""

    def report(done: int, _whole: int | None) -> None:
        if done:
            event.set()

    return report


async def until(condition: Callable[[], object]) -> None:
    """Return when something is so that threads bring about, such as those of a server."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - no event of the loop can be set from there
            await anyio.sleep(0.001)


def posts(sandbox: Sandbox) -> list[Any]:
    """Return the recorded requests that would start something."""
    return [request for request in sandbox.requests if request.method == "POST"]
