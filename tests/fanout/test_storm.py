"""A storm: 429, 503, broken connections, stalls, a restart. All outcomes arrive, and no run is started twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from eigenpal import RunOutcome
from eigenpal.client import AsyncEigenpalClient
from eigenpal.sandbox import Sandbox
from tests.fanout.conftest import KEY

pytestmark = pytest.mark.anyio

COUNT = 40
TIMES_FASTER = 10  # than the pauses of the client: else the storm would take a minute


class FasterTime:
    """Time in which pauses are shorter, and the clock runs as if they were not."""

    def clock(self) -> float:
        return time.monotonic() * TIMES_FASTER

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / TIMES_FASTER)


class Harbour:
    """A sandbox that can be restarted where it is, with what it keeps."""

    def __init__(self, folder: Path) -> None:
        self.ran: Counter[int] = Counter()
        self.port = 0
        self.folder = folder
        self.sandbox = self._made()
        self.sandbox.start()
        self.port = int(self.sandbox.url.rpartition(":")[2])

    def _made(self) -> Sandbox:
        sandbox = Sandbox(api_key=KEY, data=self.folder, port=self.port)

        @sandbox.workflow("sail")
        async def sail(context: Any) -> dict[str, Any]:
            self.ran[context.input["n"]] += 1
            return {"n": context.input["n"]}

        return sandbox

    def restart(self) -> None:
        """Stop, and start again on the same port; the faults are over then."""
        self.sandbox.stop()
        self.sandbox = self._made()
        self.sandbox.start()


@pytest.fixture
def harbour(tmp_path: Path) -> Iterator[Harbour]:
    made = Harbour(tmp_path / "data")
    yield made
    made.sandbox.stop()


def raise_storm(sandbox: Sandbox) -> None:
    """Let requests of all kinds go wrong in all ways, some of them after they were carried out."""
    faults = sandbox.faults
    for after in (2, 9):
        faults.add("/api/v1/runs", "POST", drop="after_handling", times=3, after=after)
        faults.add("/api/v1/runs", "POST", status=429, retry_after=1, times=1, after=after)
        faults.add("/api/v1/runs", "POST", status=503, times=2, after=after)
        faults.add("/api/v1/runs", "POST", drop="mid_response", times=2, after=after)
        faults.add("*", "GET", status=429, retry_after=1, times=1, after=after)
        faults.add("*", "GET", status=503, times=5, after=after)
        faults.add("*", "GET", drop="before_body", times=5, after=after)
        faults.add("*", "GET", kind="html", status=502, times=3, after=after)
        faults.add("*", "GET", delay=1.0, times=2, after=after)


@pytest.mark.parametrize(
    ("anyio_backend", "with_journal"), [("asyncio", True), ("trio", False)], ids=["asyncio, journal", "trio"]
)
async def test_all_outcomes_arrive_and_no_run_is_started_twice(
    harbour: Harbour, tmp_path: Path, with_journal: bool
) -> None:
    raise_storm(harbour.sandbox)
    outcomes: list[RunOutcome] = []
    url = harbour.sandbox.url
    async with AsyncEigenpalClient(KEY, base_url=url, timeout_seconds=0.5) as client:
        faster = FasterTime()
        client._session.policy.sleep, client._session.policy.clock = faster.sleep, faster.clock
        inputs = ({"n": n} for n in range(COUNT))
        journal = tmp_path / "batch.db" if with_journal else None
        with anyio.fail_after(40):
            async with anyio.create_task_group() as group:
                async for outcome in client.run_many("workflows.sail", inputs, concurrency=8, journal=journal):
                    outcomes.append(outcome)
                    if len(outcomes) == COUNT // 2:
                        group.start_soon(to_thread.run_sync, harbour.restart)
    assert sorted(outcome.index for outcome in outcomes) == list(range(COUNT))
    assert [outcome.error for outcome in outcomes if outcome.error is not None] == []
    assert max(harbour.ran.values()) == 1
    # A run that was at work when the server stopped has failed; it is not ours to start it again.
    interrupted = [outcome for outcome in outcomes if not outcome.ok]
    assert all("in flight" in str(outcome.run and outcome.run.error) for outcome in interrupted)
    assert len(interrupted) <= 8
