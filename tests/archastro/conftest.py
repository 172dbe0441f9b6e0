"""Fixtures of ArchAstro's tests: one sandbox for all of a module, and clients for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from eigenpal.archastro import ArchAstroClient, AsyncArchAstroClient
from eigenpal.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        register(running)
        yield running


def register(sandbox: Sandbox) -> None:
    """Register the agents and routines that the tests use."""
    archastro = sandbox.archastro

    @archastro.agent("adder")
    def add(context: Any) -> dict[str, int]:
        """Add numbers until it is told to stop."""
        total = 0
        while (said := context.receive()["content"]) != "stop":
            total += int(said)
            context.progress("tool_use", tool="adder", total=total)
            context.reply(f"so far {total}")
        return {"total": total}

    @archastro.agent("quick")
    async def quick(context: Any) -> str:
        return f"did {context.instructions}"

    @archastro.agent("broken")
    def broken(context: Any) -> str:
        raise ValueError("no tickets")

    @archastro.agent("endless")
    def endless(context: Any) -> str:
        while True:
            context.sleep(0.005)

    @archastro.routine("sorter", agent="quick")
    def sort(context: Any) -> dict[str, str]:
        if context.message == "broken":
            raise ValueError("no folder")
        return {"folder": context.message}

    archastro.preset_routine("asker", agent="quick")


@pytest.fixture
def client(sandbox: Sandbox) -> AsyncArchAstroClient:
    """A client that a test closes with `async with`."""
    return AsyncArchAstroClient(sandbox.archastro.api_key, base_url=sandbox.archastro.url)


@pytest.fixture
def blocking_client(sandbox: Sandbox) -> Iterator[ArchAstroClient]:
    with ArchAstroClient(sandbox.archastro.api_key, base_url=sandbox.archastro.url) as connected:
        yield connected
