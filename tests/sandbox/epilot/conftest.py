"""A plain HTTP client for the emulator; every answer is checked against epilot's API description."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from tests.sandbox.epilot.contract import check_answer


def connect(sandbox: Sandbox, token: str | None = None) -> httpx.Client:
    """Return a client that fails the test when an answer isn't what the description promises."""
    return httpx.Client(
        base_url=f"{sandbox.epilot.url}/v1",
        headers={"authorization": f"Bearer {token or sandbox.epilot.token}"},
        event_hooks={"response": [check_answer]},
        timeout=10,
        trust_env=False,
        verify=False,
    )


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(sandbox) as connected:
        yield connected


@pytest.fixture(scope="module")
def shared_client(shared_sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(shared_sandbox) as connected:
        yield connected


def execute(client: httpx.Client, agent_id: str, **body: Any) -> str:
    """Execute an agent and return the id of its execution."""
    answer = client.post(f"/agents/{agent_id}/execute", json=body)
    assert answer.status_code == 200, answer.text
    execution_id: str = answer.json()["execution_id"]
    return execution_id


def until(client: httpx.Client, execution_id: str, *statuses: str) -> Any:
    """Return an execution once it is in one of some states; fail when it ends in another, or takes too long."""
    ends = time.monotonic() + 10
    while True:
        execution = client.get(f"/executions/{execution_id}").json()
        if execution["status"] in statuses:
            return execution
        assert execution["status"] in ("pending", "running", "waiting_approval"), execution
        assert time.monotonic() < ends, execution
        time.sleep(0.002)
