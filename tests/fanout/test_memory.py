"""Memory stays flat however many inputs there are, with a journal and without."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from eigenpal.fanout.ledger import MOST_REMEMBERED, InMemory
from tests.fanout.fake_service import FakeService, Piece, batch

pytestmark = pytest.mark.anyio


class Forgetful(FakeService):
    """Keeps no books, which would grow."""

    async def start(self, request: Any, token: str) -> str:
        return f"id-{request}"

    async def wait(self, made: str, seconds: float | None, just_started: bool) -> Piece:
        return Piece(made)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("with_journal", "ordered"), [(False, False), (True, True)], ids=["in memory", "journal, ordered"]
)
async def test_nothing_is_kept_of_what_was_read(tmp_path: Path, with_journal: bool, ordered: bool) -> None:
    """However far the batch is, there are as many objects as near its beginning."""
    journal = tmp_path / "batch.db" if with_journal else None
    objects: dict[int, int] = {}
    read = 0
    inputs = iter(range(1000))
    async for outcome in batch(Forgetful(), inputs, journal=journal, ordered=ordered, concurrency=10):
        assert outcome.ok
        read += 1
        if read in {100, 900}:
            gc.collect()
            objects[read] = len(gc.get_objects())
    assert read == 1000
    assert objects[900] < objects[100] + 300  # one for each would be 800


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_only_the_latest_ids_are_remembered() -> None:
    ledger = InMemory()
    for number in range(MOST_REMEMBERED + 5):
        await ledger.started("key", f"id-{number}")
    assert await ledger.known(["id-0", "id-4", "id-5", f"id-{MOST_REMEMBERED}"]) == {"id-5", f"id-{MOST_REMEMBERED}"}
