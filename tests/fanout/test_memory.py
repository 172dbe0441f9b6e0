"""Memory stays flat however many inputs there are, with a journal and without."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from eigenpal.fanout.ledger import MOST_REMEMBERED, InMemory
from tests.fanout.fake_service import FakeService, batch

pytestmark = pytest.mark.anyio

KIBIBYTE = 1024


class Forgetful(FakeService):
    """Keeps no books, which would grow."""

    async def start(self, request: Any, token: str) -> str:
        made = f"id-{request}"
        self.requests = {**self.requests, made: request} if len(self.requests) < 20 else {made: request}
        return made

    async def wait(self, made: str, seconds: float | None, just_started: bool) -> Any:
        from tests.fanout.fake_service import Piece

        return Piece(made, None)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(("count", "with_journal"), [(1500, False), (400, True)], ids=["in memory", "journal"])
async def test_ten_times_the_inputs_need_no_more_memory(tmp_path: Path, count: int, with_journal: bool) -> None:
    async def peak_of(name: str, inputs: int) -> int:
        gc.collect()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        journal = tmp_path / name if with_journal else None
        async for outcome in batch(Forgetful(), iter(range(inputs)), journal=journal, concurrency=10):
            assert outcome.ok
        return tracemalloc.get_traced_memory()[1] - before

    async for _ in batch(Forgetful(), range(3)):  # what is loaded once
        pass
    tracemalloc.start()
    try:
        few = await peak_of("few.db", count // 10)
        many = await peak_of("many.db", count)
    finally:
        tracemalloc.stop()
    ids = 120 * (0 if with_journal else count)  # the latest are remembered, in bounds
    assert many < few + ids + 100 * KIBIBYTE


async def test_only_the_latest_ids_are_remembered() -> None:
    ledger = InMemory()
    for number in range(MOST_REMEMBERED + 5):
        await ledger.started("key", f"id-{number}")
    assert await ledger.known(["id-0", "id-4", "id-5", f"id-{MOST_REMEMBERED}"]) == {"id-5", f"id-{MOST_REMEMBERED}"}
