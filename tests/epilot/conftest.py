"""Fixtures of epilot's tests: one sandbox for all of a module, and clients for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from eigenpal.epilot import AsyncEpilotClient, EpilotClient
from eigenpal.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        register(running)
        yield running


def register(sandbox: Sandbox) -> None:
    """Register the agents that the tests execute."""

    @sandbox.epilot.agent("Sorter", execution_mode="approval")
    def sort(context: Any) -> str:
        """Ask twice."""
        hits = context.act("entity.search", {"name": "Beispiel"}, lambda: {"hits": 1}, description="Look for it")
        context.act("entity.update", {"phone": "1"}, lambda: None, description="Store the new phone number")
        return f"sorted {hits['hits']}"

    @sandbox.epilot.agent("Quick")
    async def quick(context: Any) -> str:
        context.add_usage(input_tokens=5, output_tokens=2, cost_usd=0.01)
        return f"did {context.input.get('entity_id')}"

    @sandbox.epilot.agent("Broken")
    def broken(context: Any) -> str:
        raise ValueError("no entity")

    @sandbox.epilot.agent("Slow")
    def slow(context: Any) -> str:
        while True:
            context.sleep(0.005)


@pytest.fixture
def client(sandbox: Sandbox) -> AsyncEpilotClient:
    """A client that a test closes with `async with`."""
    return AsyncEpilotClient(sandbox.epilot.token, base_url=sandbox.epilot.url)


@pytest.fixture
def blocking_client(sandbox: Sandbox) -> Iterator[EpilotClient]:
    with EpilotClient(sandbox.epilot.token, base_url=sandbox.epilot.url) as connected:
        yield connected


class Notes(list[Any]):
    """What callbacks were called with, from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def __call__(self, note: Any) -> None:
        self.append(note)
        self.threads.add(threading.get_ident())
