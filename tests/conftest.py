"""What every test may use: the two event-loop backends, once for all; and what every test id must be."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence

import hypothesis
import pytest

# Without bytecode, each of the many programs that tests start would compile the whole package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says nothing on a machine that others use too; and what fifty examples do not show is found
# by the runs to come, since each draws others.
hypothesis.settings.register_profile("patient", deadline=None, max_examples=50)
hypothesis.settings.load_profile("patient")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both backends."""
    backend: str = request.param
    return backend


def pytest_collection_finish() -> None:
    """Leave what was collected out of every garbage collection to come: thousands of tests that stay to the end."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Refuse test ids with an address in memory: processes that run tests in parallel must agree on the names."""
    if strays := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"give these tests ids that are the same in every process: {', '.join(strays)}")
