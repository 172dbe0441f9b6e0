"""A sandbox with agents and routines, and a plain HTTP client whose every answer is checked against the description."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from tests.archastro.conftest import register
from tests.sandbox.archastro.contract import check_answer


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        register(running)
        yield running


def connect(sandbox: Sandbox, api_key: str | None = None) -> httpx.Client:
    """Return a client that fails the test when an answer isn't what the description promises."""
    return httpx.Client(
        base_url=f"{sandbox.archastro.url}/api/v1",
        headers={"x-archastro-api-key": api_key or sandbox.archastro.api_key},
        event_hooks={"response": [check_answer]},
        timeout=10,
        trust_env=False,
        verify=False,
    )


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(sandbox) as connected:
        yield connected


def create(client: httpx.Client, sandbox: Sandbox, agent: str, **members: Any) -> Any:
    """Create a session of an agent and return it."""
    body = {"agent": sandbox.archastro.agent_id(agent), "instructions": "do it", **members}
    answer = client.post("/agent_sessions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def until(client: httpx.Client, path: str, *statuses: str) -> Any:
    """Return a session or a run once it is in one of some states; fail when it takes too long."""
    ends = time.monotonic() + 10
    while True:
        found = client.get(path).json()
        if found["status"] in statuses:
            return found
        assert time.monotonic() < ends, found
        time.sleep(0.002)
