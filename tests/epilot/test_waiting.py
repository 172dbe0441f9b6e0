"""Waiting for executions: it stops where a human is needed, asks who decides, and never decides on another action."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from eigenpal.epilot import (
    ApprovalRequest,
    Approve,
    AsyncEpilotClient,
    Decision,
    EpilotClient,
    Execution,
    Reject,
)
from eigenpal.errors import (
    EigenpalAuthError,
    EigenpalInputError,
    EigenpalRunError,
    EigenpalServerError,
    EigenpalTimeoutError,
    EigenpalValidationError,
)
from eigenpal.sandbox import Sandbox
from tests.epilot.conftest import Notes
from tests.epilot.scripted import DONE, EXECUTION, ID, asking, refusal, scripted

pytestmark = pytest.mark.anyio

GET = f"GET /v1/executions/{ID}"
APPROVE = f"POST /v1/executions/{ID}/approve"


def approve(_: ApprovalRequest) -> Decision:
    return Approve("fine")


# ------------------------------------------------------------------------------------------------ against the sandbox


async def test_an_execution_that_asks_nobody_is_waited_for_to_its_end(
    sandbox: Sandbox, client: AsyncEpilotClient
) -> None:
    seen = Notes()
    async with client:
        execution = await client.agents.execute_and_wait(
            sandbox.epilot.id_of("Quick"), input={"entity_id": "e1"}, on_update=seen
        )
    assert execution.succeeded
    assert execution.result is not None
    assert execution.result.response == "did e1"
    assert execution.usage is not None
    assert execution.usage.total_tokens == 7
    assert [one.status for one in seen][-1] == "completed"


async def test_without_a_callback_the_wait_stops_where_a_human_is_needed(
    sandbox: Sandbox, client: AsyncEpilotClient
) -> None:
    async with client:
        execution = await client.agents.execute_and_wait(sandbox.epilot.id_of("Sorter"))
        assert (execution.needs_human, execution.is_terminal, execution.result) == (True, False, None)
        assert execution.pending_action is not None
        assert execution.pending_action.tool == "entity.search"
        await client.executions.cancel(execution.id)


@pytest.mark.parametrize("colour", ["plain", "async"])
async def test_a_callback_decides_on_each_action_and_the_wait_goes_on(
    sandbox: Sandbox, client: AsyncEpilotClient, colour: str
) -> None:
    asked: list[ApprovalRequest] = []

    def decide(request: ApprovalRequest) -> Decision:
        asked.append(request)
        return Approve()

    async def decide_later(request: ApprovalRequest) -> Decision:
        await anyio.lowlevel.checkpoint()
        return decide(request)

    async with client:
        execution = await client.agents.execute_and_wait(
            sandbox.epilot.id_of("Sorter"), on_approval=decide if colour == "plain" else decide_later
        )
    assert execution.succeeded
    assert execution.result is not None
    assert execution.result.response == "sorted 1"
    assert [request.action.tool for request in asked] == ["entity.search", "entity.update"]
    assert str(asked[1]) == "Store the new phone number (entity.update)\n  · phone: 1"
    assert {request.execution.id for request in asked} == {execution.id}


async def test_a_refusal_ends_the_execution_with_its_reason(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    async with client:
        execution = await client.agents.execute_and_wait(
            sandbox.epilot.id_of("Sorter"), on_approval=lambda _: Reject("not today")
        )
    assert execution.was_rejected
    assert execution.error is not None
    assert execution.error.message == "not today"


def test_in_blocking_code_the_callback_runs_on_the_callers_thread(
    sandbox: Sandbox, blocking_client: EpilotClient
) -> None:
    import threading

    seen = Notes()

    def decide(request: ApprovalRequest) -> Decision:
        seen(request.action.tool)
        return Approve()

    execution = blocking_client.agents.execute_and_wait(sandbox.epilot.id_of("Sorter"), on_approval=decide)
    assert execution.succeeded
    assert seen == ["entity.search", "entity.update"]
    assert seen.threads == {threading.get_ident()}


async def test_a_failed_execution_is_returned_or_raised_as_asked(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    async with client:
        agent = sandbox.epilot.id_of("Broken")
        execution = await client.agents.execute_and_wait(agent)
        with pytest.raises(EigenpalRunError, match="ended as failed: ValueError: no entity") as caught:
            await client.agents.execute_and_wait(agent, raise_on_failure=True)
    assert execution.status == "failed"
    assert caught.value.run.status == "failed"
    assert caught.value.run_id == caught.value.run.id


async def test_a_wait_for_somebody_who_is_not_there_can_be_raised(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    async with client:
        with pytest.raises(EigenpalRunError, match="waits for a human to allow entity.search"):
            await client.agents.execute_and_wait(sandbox.epilot.id_of("Sorter"), raise_on_failure=True)


async def test_a_wait_that_runs_out_cancels_where_that_was_asked_for(
    sandbox: Sandbox, client: AsyncEpilotClient
) -> None:
    async with client:
        with pytest.raises(EigenpalTimeoutError, match=r"did not end within 0\.1 s: it was last seen as") as caught:
            await client.agents.execute_and_wait(
                sandbox.epilot.id_of("Slow"), timeout_seconds=0.1, poll_interval_seconds=0.02, cancel_on_timeout=True
            )
        assert caught.value.run_id is not None
        assert (await client.executions.get(caught.value.run_id)).status == "cancelled"
    assert "It was asked to cancel." in str(caught.value)


async def test_a_cancel_that_fails_is_not_said_to_have_worked(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    fault = sandbox.faults.add("/epilot/v1/executions/*", method="DELETE", status=500, times=None)
    try:
        async with client.with_options(max_retries=0) as impatient:
            with pytest.raises(EigenpalTimeoutError, match="It goes on; wait for it again") as caught:
                await impatient.agents.execute_and_wait(
                    sandbox.epilot.id_of("Slow"), timeout_seconds=0.05, cancel_on_timeout=True
                )
            sandbox.faults.clear()
            assert fault.fired == 1
            assert (await impatient.executions.cancel(caught.value.run_id or "")).status == "cancelled"
    finally:
        sandbox.faults.clear()


async def test_an_answer_that_is_over_already_is_not_asked_for_again(
    sandbox: Sandbox, client: AsyncEpilotClient
) -> None:
    sandbox.epilot.hold_seconds = 5.0
    sandbox.requests.clear()
    try:
        async with client:
            execution = await client.agents.execute_and_wait(sandbox.epilot.id_of("Quick"))
    finally:
        sandbox.epilot.hold_seconds = 0.0
    assert execution.succeeded
    assert [request.method for request in sandbox.requests] == ["POST"]


# ------------------------------------------------------------------------------------------------ step by step


async def test_until_the_end_somebody_else_decides_and_the_wait_goes_on() -> None:
    client, script = scripted(EXECUTION, asking("a"), asking("a"), asking("b"), DONE)
    execution = await client.executions.wait(ID, until="end")
    assert execution.succeeded
    assert script.lines == [GET] * 5


async def test_none_leaves_one_action_to_others_and_asks_about_the_next() -> None:
    client, _ = scripted(asking("a"), asking("a"), asking("b"), asking("b"), asking("b"), DONE)
    asked: list[str | None] = []
    await client.executions.wait(ID, until="end", on_approval=lambda request: asked.append(request.action.tool))
    assert asked == ["a", "b"]


async def test_none_ends_a_wait_that_stops_for_humans() -> None:
    client, script = scripted(asking("a"))
    execution = await client.executions.wait(ID, on_approval=lambda _: None)
    assert execution.needs_human
    assert script.lines == [GET]


async def test_the_action_is_looked_at_again_before_it_is_decided_on() -> None:
    client, script = scripted(asking("a"), asking("a"), {**EXECUTION}, DONE)
    await client.executions.wait(ID, on_approval=approve)
    assert script.lines == [GET, GET, APPROVE, GET]
    assert script.sent[2].body == {"reason": "fine"}


async def test_an_action_that_somebody_else_decided_on_is_not_decided_on_again() -> None:
    client, script = scripted(asking("a"), asking("b"), asking("b"), asking("b"), EXECUTION, DONE)
    asked: list[Any] = []

    def decide(request: ApprovalRequest) -> Decision:
        asked.append(request.action.tool)
        return Approve()

    await client.executions.wait(ID, on_approval=decide)
    assert asked == ["a", "b"]
    assert script.lines.count(APPROVE) == 1


async def test_a_decision_that_came_second_is_no_failure() -> None:
    client, script = scripted(asking("a"), asking("a"), refusal(400, "no pending action"), EXECUTION, DONE)
    execution = await client.executions.wait(ID, on_approval=approve)
    assert execution.succeeded
    assert script.lines.count(APPROVE) == 1


async def test_a_decision_that_is_refused_while_its_action_is_pending_is_raised() -> None:
    client, _ = scripted(asking("a"), asking("a"), refusal(400, "unknown action id"), asking("a"))
    with pytest.raises(EigenpalValidationError, match="unknown action id"):
        await client.executions.wait(ID, on_approval=approve)


async def test_a_decision_whose_answer_was_lost_is_not_sent_again() -> None:
    client, script = scripted(asking("a"), asking("a"), refusal(500), EXECUTION, DONE)
    assert (await client.executions.wait(ID, on_approval=approve)).succeeded
    assert script.lines.count(APPROVE) == 1


async def test_a_lost_decision_on_an_action_that_is_still_pending_is_raised() -> None:
    client, script = scripted(asking("a"), asking("a"), refusal(500), asking("a"))
    with pytest.raises(EigenpalServerError) as caught:
        await client.executions.wait(ID, on_approval=approve)
    assert caught.value.maybe_started
    assert script.lines.count(APPROVE) == 1


async def test_a_preview_that_is_drawn_anew_is_the_same_action() -> None:
    again = asking("a")
    again["pending_action"]["preview"] = {"summary": "two minutes ago"}
    client, script = scripted(asking("a"), again, DONE)
    await client.executions.wait(ID, on_approval=approve)
    assert script.lines == [GET, GET, APPROVE]


async def test_an_execution_that_says_nothing_about_its_action_is_asked_about_all_the_same() -> None:
    bare = {**EXECUTION, "status": "waiting_approval"}
    client, script = scripted(bare, bare, DONE)
    await client.executions.wait(ID, on_approval=approve)
    assert script.lines == [GET, GET, APPROVE]


@pytest.mark.parametrize("answer", [True, "approve", Approve])
async def test_what_is_no_decision_is_refused_before_anything_is_sent(answer: Any) -> None:
    client, script = scripted(asking("a"))
    with pytest.raises(EigenpalInputError, match="must return Approve"):
        await client.executions.wait(ID, on_approval=lambda _: answer)
    assert script.lines == [GET]


async def test_what_a_callback_raises_reaches_the_caller() -> None:
    client, script = scripted(asking("a"))

    def decide(_: ApprovalRequest) -> Decision:
        raise KeyError("nobody is there")

    with pytest.raises(KeyError, match="nobody is there"):
        await client.executions.wait(ID, on_approval=decide)
    assert script.lines == [GET]


async def test_what_an_update_raises_ends_the_wait() -> None:
    client, script = scripted(EXECUTION)

    def note(_: Execution) -> None:
        raise KeyError("full")

    with pytest.raises(KeyError, match="full"):
        await client.executions.wait(ID, on_update=note)
    assert script.lines == [GET]


async def test_a_wait_that_is_cancelled_leaves_at_once() -> None:
    client, _ = scripted(EXECUTION)
    with anyio.move_on_after(0.05) as scope:
        await client.executions.wait(ID, timeout_seconds=None)
    assert scope.cancelled_caught


async def test_passing_troubles_are_waited_out_and_others_raised() -> None:
    client, _ = scripted(EXECUTION, *[refusal(503)] * 9, DONE, max_retries=0)
    assert (await client.executions.wait(ID)).succeeded
    client, _ = scripted(EXECUTION, refusal(401))
    with pytest.raises(EigenpalAuthError):
        await client.executions.wait(ID)


async def test_while_a_callback_decides_the_clock_stands_still() -> None:
    client, _ = scripted(asking("a"), asking("a"), DONE)

    async def decide(_: ApprovalRequest) -> Decision:
        await anyio.sleep(0.2)
        return Approve()

    assert (await client.executions.wait(ID, on_approval=decide, timeout_seconds=0.15)).succeeded


async def test_updates_tell_each_new_status_and_each_new_action_once() -> None:
    client, _ = scripted(EXECUTION, EXECUTION, asking("a"), asking("a"), asking("b"), DONE)
    seen: list[tuple[Any, Any]] = []

    def note(execution: Execution) -> None:
        seen.append((execution.status, execution.pending_action.tool if execution.pending_action else None))

    await client.executions.wait(ID, until="end", on_update=note)
    assert seen == [("running", None), ("waiting_approval", "a"), ("waiting_approval", "b"), ("completed", None)]


async def test_an_unknown_status_is_told_once_and_waited_out(caplog: pytest.LogCaptureFixture) -> None:
    client, _ = scripted({**EXECUTION, "status": "dreaming"}, {**EXECUTION, "status": "dreaming"}, DONE)
    with caplog.at_level(logging.WARNING, logger="eigenpal"):
        assert (await client.executions.wait(ID)).succeeded
    assert [record.getMessage() for record in caplog.records] == [
        f"execution {ID} has the status 'dreaming', unknown to this version; still waiting"
    ]


@pytest.mark.parametrize(
    "options",
    [{"timeout_seconds": 0}, {"poll_interval_seconds": -1}, {"poll_interval_seconds": None}, {"until": "done"}],
)
async def test_options_that_can_not_work_are_refused_before_anything_is_started(options: Any) -> None:
    client, script = scripted(EXECUTION)
    with pytest.raises(EigenpalInputError, match=next(iter(options))):
        await client.agents.execute_and_wait("skill:sorter", **options)
    assert script.lines == []


async def test_a_start_that_may_have_been_received_is_never_sent_again() -> None:
    client, script = scripted(refusal(502))
    with pytest.raises(EigenpalServerError) as caught:
        await client.agents.execute_and_wait("skill:sorter")
    assert caught.value.maybe_started
    assert len(script.lines) == 1


async def test_a_wait_that_runs_out_without_a_look_says_so() -> None:
    client, script = scripted(refusal(503), max_retries=0)
    with pytest.raises(EigenpalTimeoutError, match=r"it was never seen.*wait for it again.*The last look failed"):
        await client.executions.wait(ID, timeout_seconds=0.05)
    assert set(script.lines) == {GET}
