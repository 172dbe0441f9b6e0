"""A sandbox with a visitor: someone at this machine who opens the page, without any key."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from eigenpal.sandbox import Sandbox


@pytest.fixture
def visitor(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, timeout=10, trust_env=False, verify=False) as client:
        yield client
