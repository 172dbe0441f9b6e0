"""A running sandbox and a plain HTTP client for it; every answer is checked against the API description."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from tests.sandbox.contract import check_answer


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Sandbox]:
    """One sandbox for those tests of a module that leave nothing behind in it."""
    with Sandbox() as running:
        yield running


def connect(sandbox: Sandbox, api_key: str | None = None) -> httpx.Client:
    """Return a client that fails the test when an answer isn't what the API description promises."""
    return httpx.Client(
        base_url=f"{sandbox.url}/api/v1",
        headers={"authorization": f"Bearer {api_key or sandbox.api_key}"},
        event_hooks={"response": [check_answer]},
        timeout=10,
        trust_env=False,
        verify=False,  # plain http; loading certificates would take longer than most tests
    )


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(sandbox) as connected:
        yield connected


@pytest.fixture(scope="module")
def shared_client(shared_sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(shared_sandbox) as connected:
        yield connected
