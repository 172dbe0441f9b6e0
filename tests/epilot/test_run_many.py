"""`client.run_many` of epilot: inputs of every form, approvals on the way, journals, starts whose answer was lost."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eigenpal.engine.session import Session
from eigenpal.epilot import (
    ApprovalRequest,
    Approve,
    AsyncEpilotClient,
    Decision,
    EpilotClient,
    ExecutionInput,
    ExecutionOutcome,
    ExecutionRequest,
    Reject,
)
from eigenpal.epilot.batch_inputs import MARK, Start
from eigenpal.epilot.batches import ExecutionSearch
from eigenpal.errors import EigenpalInputError, EigenpalRunError, EigenpalValidationError
from eigenpal.fanout.work import UNKNOWN
from eigenpal.sandbox import Sandbox
from tests.epilot.scripted import DONE, page, scripted
from tests.fanout.conftest import HurriedTime

pytestmark = pytest.mark.anyio

EXECUTE = "/epilot/v1/agents/*/execute"


@pytest.fixture
def client(client: AsyncEpilotClient) -> AsyncEpilotClient:
    """A client whose pauses are over at once."""
    hurry = HurriedTime()
    client._session.policy.sleep = hurry.sleep
    client._session.policy.clock = hurry.clock
    return client


async def all_of(outcomes: Any) -> list[ExecutionOutcome]:
    return [outcome async for outcome in outcomes]


def starts(sandbox: Sandbox) -> int:
    return sum(request.path.endswith("/execute") for request in sandbox.requests)


async def lazily() -> AsyncIterator[Any]:
    yield {"entity_id": "a"}
    yield "b", {"entity_id": "b"}


async def test_each_input_has_its_own_outcome(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    quick = sandbox.epilot.id_of("Quick")
    inputs: list[Any] = [
        {"entity_id": "a"},
        ExecutionInput(entity_id="b"),
        ("third", {"entity_id": "c"}),
        ExecutionRequest({"entity_id": "d"}, key="fourth", timeout_ms=60_000),
        ExecutionRequest(agent_id=sandbox.epilot.id_of("Broken")),
        {"custom_data": {MARK: "mine"}},
        "no input",
        ExecutionRequest(agent_id="unknown"),
    ]
    async with client:
        outcomes = await all_of(client.run_many(quick, inputs, ordered=True, poll_interval_seconds=0.05))
    assert [outcome.key for outcome in outcomes] == ["0", "1", "third", "fourth", "4", "5", "6", "7"]
    assert [outcome.ok for outcome in outcomes] == [True] * 4 + [False] * 4
    assert [outcome.result().result for outcome in outcomes[:4]] == [
        outcome.execution.result for outcome in outcomes[:4] if outcome.execution is not None
    ]
    fourth = outcomes[3].result()
    assert fourth.input is not None
    assert (fourth.input["entity_id"], list(fourth.input["custom_data"])) == ("d", [MARK])
    assert outcomes[3].execution_id == fourth.id
    with pytest.raises(EigenpalRunError, match="no entity"):
        outcomes[4].result()
    assert [type(outcome.error) for outcome in outcomes[4:7]] == [type(None), EigenpalInputError, EigenpalInputError]
    with pytest.raises(Exception, match="No such agent"):
        outcomes[7].result()


@pytest.mark.parametrize("inputs", [lazily, lambda: {"0": {"entity_id": "a"}, "b": {"entity_id": "b"}}])
async def test_inputs_may_come_from_anywhere(sandbox: Sandbox, client: AsyncEpilotClient, inputs: Any) -> None:
    async with client:
        outcomes = await all_of(client.run_many(sandbox.epilot.id_of("Quick"), inputs(), ordered=True))
    assert [(outcome.key, outcome.ok) for outcome in outcomes] == [("0", True), ("b", True)]


async def test_an_input_without_an_agent_is_an_outcome_with_its_error(client: AsyncEpilotClient) -> None:
    async with client:
        (outcome,) = await all_of(client.run_many(None, [{"entity_id": "a"}]))
    assert isinstance(outcome.error, EigenpalInputError)
    assert "no agent" in str(outcome.error)


async def test_a_callback_decides_for_the_whole_batch(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    def decide(request: ApprovalRequest) -> Decision:
        given = request.execution.input or {}
        return Reject("not this one") if given["entity_id"] == "1" else Approve()

    inputs = ({"entity_id": str(number)} for number in range(3))
    async with client:
        agent = sandbox.epilot.id_of("Sorter")
        outcomes = await all_of(client.run_many(agent, inputs, ordered=True, on_approval=decide))
    assert [outcome.ok for outcome in outcomes] == [True, False, True]
    assert [outcome.execution.was_rejected for outcome in outcomes if outcome.execution] == [False, True, False]


def test_a_blocking_batch_reads_its_inputs_where_they_are_made(sandbox: Sandbox, blocking_client: EpilotClient) -> None:
    threads: set[int] = set()

    def inputs() -> Iterator[dict[str, Any]]:
        for number in range(3):
            threads.add(threading.get_ident())
            yield {"entity_id": str(number)}

    outcomes = list(blocking_client.run_many(sandbox.epilot.id_of("Quick"), inputs()))
    assert [outcome.ok for outcome in outcomes] == [True] * 3
    assert threads == {threading.get_ident()}


def test_in_a_blocking_batch_the_callback_decides_on_the_callers_thread(
    sandbox: Sandbox, blocking_client: EpilotClient
) -> None:
    threads: set[int] = set()

    def decide(_: ApprovalRequest) -> Decision:
        threads.add(threading.get_ident())
        return Approve()

    inputs = [{"entity_id": str(number)} for number in range(3)]
    agent = sandbox.epilot.id_of("Sorter")
    outcomes = list(blocking_client.run_many(agent, inputs, on_approval=decide, poll_interval_seconds=0.05))
    assert [outcome.ok for outcome in outcomes] == [True] * 3
    assert threads == {threading.get_ident()}


async def test_a_journal_gives_what_has_ended_without_a_request(
    sandbox: Sandbox, client: AsyncEpilotClient, tmp_path: Path
) -> None:
    quick, journal = sandbox.epilot.id_of("Quick"), tmp_path / "batch.db"
    inputs = [("a", {"entity_id": "a"}), ("b", {"entity_id": "b"})]
    async with client:
        first = await all_of(client.run_many(quick, inputs, journal=journal, ordered=True))
        sandbox.requests.clear()
        again = await all_of(client.run_many(quick, inputs, journal=journal, ordered=True))
        assert len(sandbox.requests) == 0
        with pytest.raises(EigenpalInputError):
            await all_of(client.run_many("skill:other", inputs, journal=journal))
    assert [outcome.execution for outcome in again] == [outcome.execution for outcome in first]
    assert [outcome.restored for outcome in again] == [True, True]


async def test_a_start_whose_answer_was_lost_is_found_again_and_not_repeated(
    sandbox: Sandbox, client: AsyncEpilotClient
) -> None:
    quick = sandbox.epilot.id_of("Quick")
    sandbox.requests.clear()
    fault = sandbox.faults.add(EXECUTE, drop="after_handling", times=2)
    try:
        async with client:
            outcomes = await all_of(client.run_many(quick, ({"entity_id": str(n)} for n in range(4))))
            assert fault.fired == 2
    finally:
        sandbox.faults.clear()
    assert [outcome.ok for outcome in outcomes] == [True] * 4
    assert starts(sandbox) == 4
    assert len({outcome.execution_id for outcome in outcomes}) == 4


async def test_a_start_that_never_arrived_is_made_again(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    sandbox.requests.clear()
    sandbox.faults.add(EXECUTE, status=500)
    try:
        async with client:
            (outcome,) = await all_of(client.run_many(sandbox.epilot.id_of("Quick"), [{"entity_id": "a"}]))
    finally:
        sandbox.faults.clear()
    assert outcome.ok
    assert (starts(sandbox), outcome.attempts) == (2, 2)


async def test_a_refused_input_ends_nothing_but_itself(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    bad = ExecutionRequest({"flow_context": [{"entity_id": "a"}]})
    async with client:
        outcomes = await all_of(client.run_many(sandbox.epilot.id_of("Quick"), [bad, {"entity_id": "a"}], ordered=True))
    assert isinstance(outcomes[0].error, EigenpalValidationError)
    assert outcomes[1].ok


# ------------------------------------------------------------------------------------------------ looking for a mark

NOW = datetime(2026, 1, 10, tzinfo=UTC)
START = Start(agent_id="a", input={}, parameters=None, execution_mode_override=None, timeout_ms=None)


def row(number: int, day: int | None, mark: str | None = None, **members: Any) -> dict[str, Any]:
    began = None if day is None else f"2026-01-{day:02}T00:00:00Z"
    data = {} if mark is None else {"custom_data": {MARK: mark}}
    return {**DONE, "execution_id": str(number), "started_at": began, "input": data, **members}


async def found(session: Session, token: str = "t") -> Any:
    async def known(_ids: Any) -> set[str]:
        return set()

    return await ExecutionSearch(session).find(START, token, NOW, known)


async def test_a_mark_is_found_on_any_page() -> None:
    client, script = scripted(page(row(1, 11), next_cursor="c"), page(row(2, 11, "t")))
    assert await found(client._session) == "2"
    assert script.sent[0].query == {"agent_id": "a", "limit": "100"}


async def test_looking_ends_where_executions_are_surely_older() -> None:
    client, script = scripted(page(row(1, 11), row(2, 5), next_cursor="c"), page(row(3, 4)))
    assert await found(client._session) is None
    assert len(script.sent) == 1


async def test_looking_goes_on_where_the_order_is_not_known() -> None:
    client, _ = scripted(page(row(1, 4), row(2, 11), row(3, 3), next_cursor="c"), page(row(4, 11, "t")))
    assert await found(client._session) is None  # begins with one that is older, and the newest come first
    client, _ = scripted(page(row(1, 10), row(2, 11), row(3, 3), next_cursor="c"), page(row(4, 11, "t")))
    assert await found(client._session) == "4"


async def test_what_can_not_be_seen_may_be_there() -> None:
    stuck = page(row(1, 11), next_cursor="c")
    client, _ = scripted(stuck, stuck)
    assert await found(client._session) is UNKNOWN
    client, _ = scripted(page(row(1, 11, input=None)), row(1, 11, input=None))
    assert await found(client._session) is UNKNOWN


async def test_a_row_without_its_input_is_fetched() -> None:
    client, _ = scripted(page(row(1, None, input=None)), row(1, 11, "t"))
    assert await found(client._session) == "1"
