"""The approvals inbox: each action once, new ones as they come up, decisions on nothing but what was shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from eigenpal.epilot import AsyncEpilotClient, AsyncPendingApproval, EpilotClient
from eigenpal.errors import EigenpalAuthError, EigenpalConflictError, EigenpalInputError, EigenpalServerError
from eigenpal.sandbox import Sandbox
from tests.epilot.scripted import DONE, EXECUTION, ID, asking, blocking, page, refusal, scripted

pytestmark = pytest.mark.anyio

LIST = "GET /v1/executions"
GET = f"GET /v1/executions/{ID}"
APPROVE = f"POST /v1/executions/{ID}/approve"


async def tools_of(pending: AsyncIterator[AsyncPendingApproval], count: int) -> list[str | None]:
    return [(await anext(pending)).action.tool for _ in range(count)]


async def test_what_waits_is_decided_on_one_after_the_other(sandbox: Sandbox, client: AsyncEpilotClient) -> None:
    agent = sandbox.epilot.id_of("Sorter")
    shown: list[tuple[str, str | None]] = []
    async with client:
        started = [await client.agents.execute(agent) for _ in range(3)]
        async for pending in client.executions.pending(agent_id=agent, poll_interval_seconds=0.01):
            shown.append((pending.execution.id, pending.action.tool))
            if len(shown) == 6:
                assert (await pending.reject("enough")).was_rejected
                break
            await pending.approve("fine")
        ends = [await client.executions.wait(one.id, until="end") for one in started]
    assert sorted(end.status or "" for end in ends) == ["completed", "completed", "failed"]
    assert len(set(shown)) == 6


async def test_those_that_have_waited_longest_come_first() -> None:
    times = {"new": "2026-01-02T00:00:00Z", "old": "2026-01-01T00:00:00Z"}
    found = [{**asking(tool, tool), "started_at": moment} for tool, moment in times.items()]
    client, _ = scripted(page(*found, {**asking("unknown", "unknown"), "started_at": None}))
    assert await tools_of(client.executions.pending(), 3) == ["old", "new", "unknown"]


def test_a_blocking_loop_over_the_inbox_ends_with_its_break(sandbox: Sandbox, blocking_client: EpilotClient) -> None:
    agent = sandbox.epilot.id_of("Sorter")
    started = blocking_client.agents.execute(agent)
    for pending in blocking_client.executions.pending(agent_id=agent, poll_interval_seconds=0.01):
        assert pending.execution.id == started.id
        assert str(pending) == "Look for it (entity.search)\n  · name: Beispiel"
        assert "Beispiel" in (pending._repr_html_() or "")
        assert repr(pending) == f"PendingApproval(execution='{started.id}', tool='entity.search')"
        assert pending.reject("no").was_rejected
        break
    assert list(blocking_client.executions.pending(agent_id=agent, timeout_seconds=0)) == []


async def test_each_action_is_given_once_however_often_it_is_seen() -> None:
    client, _ = scripted(page(asking("a")), page(asking("a")), page(asking("a")), page(asking("b")))
    pending = client.executions.pending(poll_interval_seconds=0.001)
    assert await tools_of(pending, 2) == ["a", "b"]


async def test_an_action_that_comes_up_again_after_it_was_settled_elsewhere_is_given_again() -> None:
    client, script = scripted(page(asking("a")), page(), page(asking("a")))
    pending = client.executions.pending(poll_interval_seconds=0.001)
    assert await tools_of(pending, 2) == ["a", "a"]
    assert len(script.lines) == 3


async def test_the_same_action_after_an_approval_here_is_a_new_one() -> None:
    client, _ = scripted(page(asking("a")), asking("a"), EXECUTION, page(asking("a")))
    pending = client.executions.pending(poll_interval_seconds=0.001)
    await (await anext(pending)).approve()
    assert await tools_of(pending, 1) == ["a"]


async def test_nothing_is_asked_for_before_the_first_step_and_nothing_between_steps() -> None:
    client, script = scripted(page(asking("a", "1"), asking("b", "2")))
    pending = client.executions.pending(poll_interval_seconds=60)
    assert script.lines == []
    assert await tools_of(pending, 2) == ["a", "b"]
    assert script.lines == [LIST]
    assert script.sent[0].query == {"status": "waiting_approval", "limit": "100"}


async def test_what_was_found_a_while_ago_is_looked_at_again_before_it_is_shown() -> None:
    client, _ = scripted(page(asking("a", "1"), asking("b", "2")), page(asking("c", "3")))
    pending = client.executions.pending(poll_interval_seconds=0.01)
    assert await tools_of(pending, 1) == ["a"]
    await anyio.sleep(0.02)
    assert await tools_of(pending, 1) == ["c"]


async def test_an_approval_is_not_sent_once_another_action_is_pending() -> None:
    client, script = scripted(page(asking("a")), asking("b"))
    pending = await anext(aiter(client.executions.pending()))
    with pytest.raises(EigenpalConflictError, match="no longer pending"):
        await pending.approve()
    assert script.lines == [LIST, GET]


async def test_a_decision_that_somebody_else_made_first_is_a_conflict() -> None:
    client, script = scripted(page(asking("a")), asking("a"), refusal(400, "no pending action"), DONE)
    pending = await anext(aiter(client.executions.pending()))
    with pytest.raises(EigenpalConflictError):
        await pending.approve()
    assert script.lines == [LIST, GET, APPROVE, GET]


async def test_a_batch_is_decided_on_by_its_parts() -> None:
    client, script = scripted(page(asking("batch")), asking("batch"), EXECUTION)
    pending = await anext(aiter(client.executions.pending()))
    await pending.approve("most", approved_action_ids=["1", "2"], rejected_action_ids=["3"])
    assert script.sent[-1].body == {
        "reason": "most",
        "approved_action_ids": ["1", "2"],
        "rejected_action_ids": ["3"],
    }


@pytest.mark.parametrize("reason", ["", "  ", None, 7])
async def test_a_rejection_needs_a_reason_before_anything_is_sent(reason: Any) -> None:
    client, script = scripted(page(asking("a")))
    pending = await anext(aiter(client.executions.pending()))
    with pytest.raises(EigenpalInputError, match="no rejection without one"):
        await pending.reject(reason)
    with pytest.raises(EigenpalInputError, match="no rejection without one"):
        await client.executions.reject(ID, reason)
    assert script.lines == [LIST]


async def test_rows_without_their_action_are_fetched_and_those_that_are_gone_left_out() -> None:
    bare = {**EXECUTION, "status": "waiting_approval"}
    gone, decided = {**bare, "execution_id": "gone"}, {**bare, "execution_id": "decided"}
    client, script = scripted(
        page(gone, decided, bare), refusal(404), {**DONE, "execution_id": "decided"}, asking("a"), page()
    )
    pending = client.executions.pending(timeout_seconds=0)
    assert [one.action.tool async for one in pending] == ["a"]
    assert script.lines == [LIST, "GET /v1/executions/gone", "GET /v1/executions/decided", GET]


async def test_a_server_that_takes_no_cursor_does_not_keep_the_inbox_turning() -> None:
    first = page(asking("a", "1"), next_cursor="more")
    client, script = scripted(first, first, page())
    pending = client.executions.pending(timeout_seconds=0)
    assert [one.action.tool async for one in pending] == ["a"]
    assert script.lines == [LIST, LIST]


async def test_all_pages_are_looked_through() -> None:
    client, script = scripted(page(asking("a", "1"), next_cursor="more"), page(asking("b", "2")))
    pending = client.executions.pending(timeout_seconds=0)
    assert [one.action.tool async for one in pending] == ["a", "b"]
    assert script.sent[1].query["cursor"] == "more"


async def test_rows_that_the_server_should_have_left_out_are_left_out() -> None:
    client, _ = scripted(page(DONE, asking("a", "1")))
    pending = client.executions.pending(timeout_seconds=0)
    assert [one.action.tool async for one in pending] == ["a"]


async def test_passing_troubles_are_outlived_and_others_raised() -> None:
    client, _ = scripted(refusal(503), refusal(429), page(asking("a")), refusal(401), max_retries=0)
    pending = client.executions.pending(poll_interval_seconds=0.0001)
    assert await tools_of(pending, 1) == ["a"]
    with pytest.raises(EigenpalAuthError):
        await anext(pending)


async def test_a_last_look_that_failed_is_no_empty_inbox() -> None:
    client, _ = scripted(refusal(503), max_retries=0)
    with pytest.raises(EigenpalServerError):
        await anext(aiter(client.executions.pending(timeout_seconds=0)))


async def test_an_inbox_with_a_time_ends_by_itself() -> None:
    client, _ = scripted(page())
    async for _ in client.executions.pending(poll_interval_seconds=0.01, timeout_seconds=0.03):
        raise AssertionError("nothing waits")


@pytest.mark.parametrize("options", [{"poll_interval_seconds": 0}, {"timeout_seconds": -1}])
async def test_times_that_make_no_sense_are_refused(options: Any) -> None:
    client, _ = scripted(page())
    with pytest.raises(EigenpalInputError, match=next(iter(options))):
        client.executions.pending(**options)


def test_a_blocking_inbox_does_not_look_ahead_of_the_loop() -> None:
    client, script = blocking(page(asking("a", "1"), asking("b", "2"), asking("c", "3")), page())
    with client:
        tools = []
        for pending in client.executions.pending(poll_interval_seconds=60, timeout_seconds=0):
            tools.append(pending.action.tool)
            assert len(script.lines) == 1
    assert tools == ["a", "b", "c"]
