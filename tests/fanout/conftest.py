"""Fixtures of the tests of fan-out: a sandbox whose workflow keeps books, and clients on it that wait for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import attrs
import pytest

from eigenpal.client import AsyncEigenpalClient
from eigenpal.sandbox import Sandbox

KEY = "eig_test_fanout-key-4711"
LONGEST_REAL_SLEEP = 0.005  # seconds: others get their turn, and no test waits

Connect = Callable[..., AsyncEigenpalClient]


@attrs.define
class Books:
    """What the workflow `count` was really started with, in the order of its runs."""

    seen: list[Any] = attrs.field(factory=list[Any])

    @property
    def each_once(self) -> bool:
        """Whether no input was run twice."""
        return len(set(self.seen)) == len(self.seen)


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def sandbox(books: Books) -> Iterator[Sandbox]:
    """A running sandbox with the workflow `count`, which notes its `n` and returns it, and fails for `"bad"`."""
    with Sandbox(api_key=KEY) as server:

        @server.workflow("count")
        async def count(context: Any) -> dict[str, Any]:
            books.seen.append(context.input["n"])
            if context.input["n"] == "bad":
                raise ValueError("a bad input")
            return {"n": context.input["n"]}

        yield server


class HurriedTime:
    """Time in which every pause is over at once, and the clock has moved by it."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def clock(self) -> float:
        return time.monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        self._ahead += seconds
        await anyio.sleep(min(seconds, LONGEST_REAL_SLEEP))


def hurried(client: AsyncEigenpalClient) -> AsyncEigenpalClient:
    """Give a client time in which pauses are over at once."""
    hurry = HurriedTime()
    client._session.policy.sleep = hurry.sleep
    client._session.policy.clock = hurry.clock
    return client


@pytest.fixture
def connect(sandbox: Sandbox) -> Connect:
    """Make clients of the sandbox."""

    def make(**options: Any) -> AsyncEigenpalClient:
        return hurried(AsyncEigenpalClient(KEY, base_url=sandbox.url, **options))

    return make
