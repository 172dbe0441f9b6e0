"""Batches of sessions and of routine runs: one outcome each, journals, and starts whose answer was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eigenpal.archastro import (
    ArchAstroClient,
    AsyncArchAstroClient,
    RoutineRequest,
    RoutineRunOutcome,
    SessionOutcome,
    SessionRequest,
)
from eigenpal.archastro.batch_inputs import MARK, Start
from eigenpal.archastro.batches import PAGE_SIZE, session_work
from eigenpal.errors import EigenpalInputError, EigenpalNotFoundError, EigenpalRunError
from eigenpal.fanout.work import UNKNOWN
from eigenpal.sandbox import Sandbox
from tests.archastro.scripted import scripted, session
from tests.fanout.conftest import HurriedTime

pytestmark = pytest.mark.anyio

API = "/archastro/api/v1"


@pytest.fixture
def client(client: AsyncArchAstroClient) -> AsyncArchAstroClient:
    """A client whose pauses are over at once."""
    hurry = HurriedTime()
    client._session.policy.sleep = hurry.sleep
    client._session.policy.clock = hurry.clock
    return client


async def all_of(outcomes: Any) -> list[Any]:
    return sorted([outcome async for outcome in outcomes], key=lambda outcome: outcome.index)


def starts(sandbox: Sandbox) -> int:
    return sum(request.method == "POST" for request in sandbox.requests)


async def tasks() -> AsyncIterator[Any]:
    yield "a"
    yield "second", SessionRequest("b", name="n", metadata={"mine": 1}, max_turns=3)
    yield 5


async def test_each_task_has_its_own_outcome(client: AsyncArchAstroClient, sandbox: Sandbox) -> None:
    quick, broken = sandbox.archastro.agent_id("quick"), sandbox.archastro.agent_id("broken")
    async with client:
        first, second, third = await all_of(client.run_many(quick, tasks()))
        assert (first.key, first.ok, first.result().result) == ("0", True, {"text": "did a"})
        assert second.session is not None
        assert (second.key, second.session.name, second.session.max_turns) == ("second", "n", 3)
        assert {name: value for name, value in second.session.metadata.items() if name != MARK} == {"mine": 1}
        assert isinstance(third, SessionOutcome)
        assert isinstance(third.error, EigenpalInputError)
        (failed,) = await all_of(client.run_many(None, {"x": SessionRequest("c", agent=broken)}))
        assert (failed.key, failed.ok, failed.error) == ("x", False, None)
        with pytest.raises(EigenpalRunError, match="no tickets"):
            failed.result()
        (unknown,) = await all_of(client.run_many("agi_none", ["d"]))
        assert isinstance(unknown.error, EigenpalNotFoundError)
        with pytest.raises(EigenpalNotFoundError):
            unknown.result()


async def test_a_session_that_waits_for_a_message_holds_up_no_batch(
    client: AsyncArchAstroClient, sandbox: Sandbox
) -> None:
    async with client:
        (outcome,) = await all_of(client.run_many(sandbox.archastro.agent_id("adder"), ["add"]))
    assert outcome.session is not None
    assert (outcome.session.needs_human, outcome.ok) == (True, False)


async def test_each_message_has_its_own_run(client: AsyncArchAstroClient) -> None:
    inputs: list[Any] = [
        "bills",
        RoutineRequest("broken", metadata={"mine": 2}),
        RoutineRequest("x", routine="nobody", key="k"),
    ]
    async with client:
        good, failed, unknown = await all_of(client.agent_routine_runs.run_many("sorter", inputs))
    assert isinstance(good, RoutineRunOutcome)
    assert good.result().result == {"folder": "bills"}
    assert failed.run is not None
    assert (failed.ok, failed.run.status, failed.run.metadata["mine"]) == (False, "failed", 2)
    with pytest.raises(EigenpalRunError):
        failed.result()
    assert (unknown.key, type(unknown.error)) == ("k", EigenpalNotFoundError)


@pytest.mark.parametrize("kind", ["sessions", "runs"])
async def test_a_journal_gives_what_has_ended_without_a_request(
    client: AsyncArchAstroClient, sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    def batch() -> Any:
        journal = tmp_path / "batch.db"
        if kind == "runs":
            return client.agent_routine_runs.run_many("sorter", ["a", "b"], journal=journal)
        return client.run_many(sandbox.archastro.agent_id("quick"), ["a", "b"], journal=journal)

    async with client:
        first = await all_of(batch())
        sandbox.requests.clear()
        again = await all_of(batch())
    assert len(sandbox.requests) == 0
    assert all(outcome.restored and outcome.ok for outcome in again)
    assert [outcome.value for outcome in again] == [outcome.value for outcome in first]


@pytest.mark.parametrize("drop", ["after_handling", "after_body"])
@pytest.mark.parametrize("kind", ["sessions", "runs"])
async def test_a_start_whose_answer_was_lost_is_found_and_one_that_was_not_received_is_made(
    client: AsyncArchAstroClient, sandbox: Sandbox, kind: str, drop: Any
) -> None:
    routine = sandbox.archastro.preset_routine(f"lost {kind} {drop}", agent="quick")
    async with client:
        before = len(await client.agent_sessions.list(limit=100))
        sandbox.faults.add(f"{API}/agent_*", method="POST", drop=drop, times=1)
        if kind == "sessions":
            found = await all_of(client.run_many(sandbox.archastro.agent_id("quick"), ["a", "b"], concurrency=1))
        else:
            found = await all_of(client.agent_routine_runs.run_many(f"lost {kind} {drop}", ["a", "b"], concurrency=1))
            runs = [run.id async for run in client.agent_routines.iterate_runs(routine)]
            assert {outcome.id for outcome in found} <= set(runs)
        after = len(await client.agent_sessions.list(limit=100))
    assert [outcome.ok for outcome in found] == [True, True]
    assert after - before == min(2, 100 - before)


async def test_what_lies_beyond_the_longest_list_is_not_known_to_be_absent() -> None:
    start = Start(target="agi_1", members={"instructions": "x"})
    now = datetime.now(UTC)
    rows = [session("running", id=f"ase_{n}", created_at=now.isoformat(), metadata=None) for n in range(PAGE_SIZE)]
    for data, expected in (
        (rows, UNKNOWN),
        (rows[:-1], None),
        ([*rows[:-1], session("running", id="ase_x", metadata={MARK: "t"})], "ase_x"),
        ([*rows[:-1], session("running", created_at="2020-01-01T00:00:00Z")], None),
    ):
        client, _ = scripted({"data": data})
        find = session_work(client._session, 1.0, "end").find
        assert await find(start, "t", now, None) == expected  # type: ignore[arg-type]  # it needs not to know


async def test_what_can_not_be_started_is_an_outcome_and_what_makes_no_sense_an_error() -> None:
    client, script = scripted(session("completed"))
    requests: list[Any] = [
        SessionRequest("a", metadata={MARK: "x"}),
        SessionRequest("a", agent=""),
        SessionRequest(5),  # type: ignore[arg-type]  # wrong on purpose
        SessionRequest("a", metadata=[]),  # type: ignore[arg-type]  # wrong on purpose
        RoutineRequest("a"),
        ("", "a"),
    ]
    found = await all_of(client.run_many("agi_1", requests))
    assert [type(outcome.error) for outcome in found] == [EigenpalInputError] * 6
    (nowhere,) = await all_of(client.run_many(None, ["a"]))
    assert "no agent: give each input as SessionRequest(..., agent=...)" in str(nowhere.error)
    with pytest.raises(EigenpalInputError, match="until must be"):
        client.run_many("agi_1", [], until="x")  # type: ignore[arg-type]  # wrong on purpose
    assert script.sent == []


def test_the_blocking_client_runs_many_too(blocking_client: ArchAstroClient, sandbox: Sandbox) -> None:
    quick = sandbox.archastro.agent_id("quick")
    outcomes = list(blocking_client.run_many(quick, {"a": "x", "b": "y"}, ordered=True))
    assert [(outcome.key, outcome.ok) for outcome in outcomes] == [("a", True), ("b", True)]
    (run,) = blocking_client.agent_routine_runs.run_many("sorter", ["bills"])
    assert run.ok
