"""Waiting for many executions: each as it stops, nobody held up by another, errors after all others."""

from __future__ import annotations

from typing import Any

import pytest

from eigenpal.epilot import AsyncEpilotClient, EpilotClient
from eigenpal.errors import (
    EigenpalForbiddenError,
    EigenpalInputError,
    EigenpalRunError,
    EigenpalTimeoutError,
    EigenpalWaitError,
)
from eigenpal.sandbox import Sandbox
from tests.epilot.scripted import DONE, EXECUTION, ID, asking, refusal, scripted

pytestmark = pytest.mark.anyio


async def test_executions_are_given_as_they_end_or_need_a_human(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    agents = [sandbox.epilot.id_of(name) for name in ("Quick", "Sorter", "Broken", "Quick")]
    async with client:
        started = [await client.agents.execute(agent) for agent in agents]
        ends = {one.id: one async for one in client.executions.wait_many([*started, started[0].id])}
        await client.executions.cancel(started[1].id)
    assert [ends[one.id].status for one in started] == ["completed", "waiting_approval", "failed", "completed"]


def test_in_blocking_code_they_are_given_alike(sandbox: Sandbox, blocking_client: EpilotClient) -> None:
    quick = sandbox.epilot.id_of("Quick")
    started = {blocking_client.agents.execute(quick).id for _ in range(4)}
    assert {one.id for one in blocking_client.executions.wait_many(started)} == started


async def test_until_the_end_somebody_else_decides() -> None:
    client, script = scripted(asking("a"), asking("a"), DONE)
    assert [one.status async for one in client.executions.wait_many([ID], until="end")] == ["completed"]
    assert len(script.lines) == 3


async def test_one_that_can_not_be_looked_at_is_told_of_after_the_others() -> None:
    client, _ = scripted(refusal(403, "not yours"), DONE)
    found: list[Any] = []
    with pytest.raises(EigenpalWaitError, match="1 of 2 executions could not be waited for") as caught:
        async for one in client.executions.wait_many(["theirs", ID]):
            found.append(one.id)  # noqa: PERF401 - what came before the error counts
    assert found == [ID]
    assert isinstance(caught.value.errors["theirs"], EigenpalForbiddenError)


async def test_a_time_that_is_up_is_told_with_what_was_seen_last() -> None:
    client, _ = scripted(EXECUTION)
    with pytest.raises(EigenpalWaitError) as caught:
        await anext(client.executions.wait_many([ID], timeout_seconds=0.05))
    (error,) = caught.value.errors.values()
    assert isinstance(error, EigenpalTimeoutError)
    assert (error.run_id, error.run.status) == (ID, "running")


async def test_an_end_without_success_is_raised_where_that_was_asked_for() -> None:
    client, _ = scripted(asking("entity.update"))
    with pytest.raises(EigenpalRunError, match="waits for a human to allow entity.update"):
        await anext(client.executions.wait_many([ID], raise_on_failure=True))


@pytest.mark.parametrize(
    "arguments", [{"ids": "abc"}, {"ids": [ID], "until": "done"}, {"ids": [ID], "timeout_seconds": 0}]
)
async def test_what_can_not_be_waited_for_is_refused(arguments: Any) -> None:
    client, script = scripted(DONE)
    with pytest.raises(EigenpalInputError):
        await anext(client.executions.wait_many(**arguments))
    assert script.lines == []
