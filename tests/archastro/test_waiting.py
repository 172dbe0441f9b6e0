"""Waits for sessions and routine runs, conversations, and lists read in both directions."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from eigenpal.archastro import (
    AgentSession,
    ArchAstroClient,
    AsyncArchAstroClient,
    AsyncConversation,
    Conversation,
)
from eigenpal.errors import (
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalRunError,
    EigenpalTimeoutError,
    EigenpalValidationError,
    EigenpalWaitError,
)
from eigenpal.sandbox import Sandbox
from tests.archastro.scripted import refusal, scripted, session

pytestmark = pytest.mark.anyio

DONE = session("completed", result={"n": 1})


# ------------------------------------------------------------------------------------------------ waiting


@pytest.mark.parametrize(("until", "status"), [("human", "waiting"), ("end", "completed")])
async def test_a_wait_ends_where_it_was_asked_to(until: Any, status: str) -> None:
    client, _ = scripted(session("pending"), session("running"), session("waiting"), DONE)
    seen: list[str | None] = []
    found = await client.agent_sessions.wait("ase_1", until=until, on_update=lambda now: seen.append(now.status))
    assert found.status == status
    assert seen[-1] == status


async def test_passing_trouble_does_not_end_a_wait_and_lasting_trouble_does() -> None:
    client, _ = scripted(refusal(503), refusal(429), refusal(500), DONE, max_retries=0)
    assert (await client.agent_sessions.wait("ase_1")).succeeded
    client, _ = scripted(session("running"), refusal(404), max_retries=0)
    with pytest.raises(EigenpalNotFoundError):
        await client.agent_sessions.wait("ase_1")


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_a_failure_is_returned_or_raised(status: str) -> None:
    client, _ = scripted(session(status, error="no tickets"))
    assert (await client.agent_sessions.wait("ase_1")).status == status
    with pytest.raises(EigenpalRunError, match=f"session ase_1 ended as {status}: no tickets") as caught:
        await client.agent_sessions.wait("ase_1", raise_on_failure=True)
    assert isinstance(caught.value.run, AgentSession)


async def test_a_session_that_waits_is_no_failure() -> None:
    client, _ = scripted(session("waiting"))
    assert (await client.agent_sessions.wait("ase_1", raise_on_failure=True)).needs_human


async def test_a_wait_that_runs_out_says_what_was_seen_and_can_cancel(
    client: AsyncArchAstroClient, sandbox: Sandbox
) -> None:
    async with client:
        made = await client.agent_sessions.create(agent=sandbox.archastro.agent_id("endless"), instructions="x")
        with pytest.raises(
            EigenpalTimeoutError, match=r"last seen as running. It goes on; .*agent_sessions.wait"
        ) as one:
            await client.agent_sessions.wait(made.id, timeout_seconds=0.2, poll_interval_seconds=0.02)
        assert one.value.run_id == made.id
        with pytest.raises(EigenpalTimeoutError, match="It was asked to cancel"):
            await client.agent_sessions.wait(
                made.id, timeout_seconds=0.1, poll_interval_seconds=0.02, cancel_on_timeout=True
            )
        assert (await client.agent_sessions.get(made.id)).status == "cancelled"


async def test_a_status_that_is_not_known_is_waited_through_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    client, _ = scripted(session("dreaming"), session("dreaming"), DONE)
    with caplog.at_level(logging.WARNING, "eigenpal"):
        assert (await client.agent_sessions.wait("ase_1")).succeeded
    assert [record.getMessage() for record in caplog.records] == [
        "session ase_1 has the status 'dreaming', unknown to this version; still waiting"
    ]


async def test_options_that_can_not_work_are_refused_before_anything_is_sent() -> None:
    client, script = scripted(DONE)
    wrong: list[dict[str, Any]] = [{"until": "message"}, {"timeout_seconds": 0}, {"poll_interval_seconds": None}]
    for options in wrong:
        with pytest.raises(EigenpalInputError):
            await client.agent_sessions.wait("ase_1", **options)
    with pytest.raises(EigenpalInputError):
        await client.agent_routines.invoke_and_wait("arn_1", message="x", timeout_seconds=-1)
    assert script.sent == []


async def test_a_routine_run_is_waited_for(client: AsyncArchAstroClient) -> None:
    async with client:
        run = await client.agent_routines.invoke("sorter", message="bills", metadata={"batch": 7})
        done = await client.agent_routine_runs.wait(run.id, poll_interval_seconds=0.05)
        assert (done.result, done.metadata, done.succeeded) == ({"folder": "bills"}, {"batch": 7}, True)
        with pytest.raises(EigenpalRunError, match=r"routine run arr_\w+ ended as failed") as caught:
            await client.agent_routines.invoke_and_wait("sorter", message="broken", raise_on_failure=True)
    assert caught.value.run.result == {"error": "ValueError: no folder"}


async def test_a_run_finds_its_session(client: AsyncArchAstroClient) -> None:
    async with client:
        run = await client.agent_routines.invoke_and_wait("asker", message="count")
        (made,) = await client.agent_sessions.list(routine_run=run.id)
    assert run.result == made.result == {"text": "did count"}


async def test_waits_for_one_session_share_their_looks_and_those_until_its_end_go_on() -> None:
    client, script = scripted(session("running"), session("waiting"), session("waiting"), DONE)
    found: dict[str, Any] = {}

    async def wait(until: Any, name: str) -> None:
        found[name] = await client.with_options(max_retries=0).agent_sessions.wait("ase_1", until=until)

    async with anyio.create_task_group() as tasks:
        for name in ("a", "b", "c"):
            tasks.start_soon(wait, "human", name)
    assert {one.status for one in found.values()} == {"waiting"}
    assert len(script.sent) == 2
    await wait("end", "d")
    assert found["d"].succeeded


async def test_many_are_waited_for_in_one_loop(client: AsyncArchAstroClient, sandbox: Sandbox) -> None:
    agents = [sandbox.archastro.agent_id(name) for name in ("quick", "adder", "broken")]
    async with client:
        made = [await client.agent_sessions.create(agent=agent, instructions="it") for agent in agents]
        found = {one.id: one async for one in client.agent_sessions.wait_many(made, poll_interval_seconds=0.05)}
        assert [str(found[one.id].status) for one in made] == ["completed", "waiting", "failed"]
        runs = [await client.agent_routines.invoke("sorter", message=message) for message in ("a", "b")]
        over = [run async for run in client.agent_routine_runs.wait_many(runs, poll_interval_seconds=0.05)]
        assert {run.payload["message"] for run in over if run.payload} == {"a", "b"}
        with pytest.raises(EigenpalRunError, match=f"session {made[2].id} ended as failed"):
            async for _ in client.agent_sessions.wait_many([made[2]], raise_on_failure=True):
                pass
        with pytest.raises(EigenpalRunError, match="routine run"):
            broken = await client.agent_routines.invoke("sorter", message="broken")
            async for _ in client.agent_routine_runs.wait_many([broken], raise_on_failure=True):
                pass


async def test_what_can_not_be_waited_for_is_told_after_the_others() -> None:
    client, _ = scripted(refusal(403))
    with pytest.raises(EigenpalWaitError, match="2 of 2 sessions could not be waited for") as caught:
        async for _ in client.agent_sessions.wait_many(["ase_1", "ase_2"]):
            pass
    assert set(caught.value.errors) == {"ase_1", "ase_2"}


# ------------------------------------------------------------------------------------------------ conversations


async def test_a_conversation_goes_back_and_forth_to_its_end(client: AsyncArchAstroClient, sandbox: Sandbox) -> None:
    adder = sandbox.archastro.agent_id("adder")
    async with client, client.agent_sessions.converse(agent=adder, instructions="add", name="sum") as talk:
        assert isinstance(talk, AsyncConversation)
        assert (talk.agent_session.status, talk.agent_session.name) == ("waiting", "sum")
        first = await talk.send("3", metadata={"turn": 1}, poll_interval_seconds=0.05)
        assert (first.text, first.is_last, first.session.needs_human) == ("so far 3", False, True)
        second = await talk.send("4", role="tool", poll_interval_seconds=0.05)
        assert [message.content for message in second.messages] == ["so far 7"]
        last = await talk.send("stop", poll_interval_seconds=0.05)
        assert (last.is_last, last.session.result, last.text) == (True, {"total": 7}, "")
        with pytest.raises(EigenpalValidationError, match="takes no more messages"):
            await talk.send("5")
        inbox = (await client.agent_sessions.get(talk.id)).inbox or []
    assert [message.role for message in inbox] == ["user", "assistant", "tool", "assistant", "user"]


@pytest.mark.parametrize("keep", [True, False])
async def test_the_end_of_the_block_cancels_the_session_unless_it_is_kept(
    client: AsyncArchAstroClient, sandbox: Sandbox, keep: bool
) -> None:
    adder = sandbox.archastro.agent_id("adder")
    async with client:
        begun = ""
        with pytest.raises(KeyError, match="mine"):
            async with client.agent_sessions.converse(agent=adder, instructions="add", keep=keep) as talk:
                begun = talk.id
                raise KeyError("mine")
        after = await client.agent_sessions.get(begun)
        assert after.status == ("waiting" if keep else "cancelled")
        await client.agent_sessions.cancel(begun)


async def test_a_block_that_is_cancelled_cancels_the_session(client: AsyncArchAstroClient, sandbox: Sandbox) -> None:
    adder = sandbox.archastro.agent_id("adder")
    async with client:
        begun = ""
        with anyio.CancelScope() as scope:
            async with client.agent_sessions.converse(agent=adder, instructions="add") as talk:
                begun = talk.id
                scope.cancel()
                await anyio.sleep_forever()
        assert (await client.agent_sessions.get(begun)).status == "cancelled"


async def test_a_message_that_is_still_on_its_way_is_not_taken_for_the_end_of_the_turn() -> None:
    """The server answers to the message with the session as it was, and for a while shows nothing else."""
    said = {"role": "assistant", "content": "a"}
    idle, replied = session("waiting"), session("waiting", inbox=[{"role": "user"}, said])
    taken = session("waiting", inbox=[{"role": "user"}])
    client, script = scripted(idle, taken, taken, taken, session("running"), replied, DONE)
    async with client.agent_sessions.converse(agent="agi_1", instructions="x") as talk:
        reply = await talk.send("hello")
    assert reply.text == "a"
    assert len(script.sent) == 7


def test_the_blocking_client_converses_too(blocking_client: ArchAstroClient, sandbox: Sandbox) -> None:
    adder = sandbox.archastro.agent_id("adder")
    with blocking_client.agent_sessions.converse(agent=adder, instructions="add") as talk:
        assert isinstance(talk, Conversation)
        assert talk.send("3").text == "so far 3"
    assert blocking_client.agent_sessions.get(talk.id).status == "cancelled"


# ------------------------------------------------------------------------------------------------ lists


async def test_runs_are_read_both_ways_to_the_ends_of_the_list(client: AsyncArchAstroClient, sandbox: Sandbox) -> None:
    routine = sandbox.archastro.preset_routine("counted", agent="quick")
    async with client:
        earlier = {run.id async for run in client.agent_routines.iterate_runs(routine)}
        made = [(await client.agent_routines.invoke(routine, message=str(number))).id for number in range(7)]
        down = [run.id async for run in client.agent_routines.iterate_runs(routine, limit=3)]
        assert [run for run in down if run not in earlier] == made[::-1]
        page = await client.agent_routines.runs(routine, limit=5)
        assert (page.has_more, page.after_cursor, len(page)) == (True, None, 5)
        older = await client.agent_routines.runs(routine, limit=2, before_cursor=page.before_cursor)
        up = [
            run.id
            async for run in client.agent_routines.iterate_runs(routine, limit=2, after_cursor=older.after_cursor)
        ]
        assert up == made[2:]
        with pytest.raises(EigenpalValidationError, match="cursor cannot be decoded") as caught:
            await client.agent_routines.runs(routine, before_cursor="nonsense")
    assert caught.value.code == "invalid_cursor"


def test_the_blocking_client_iterates_too(blocking_client: ArchAstroClient, sandbox: Sandbox) -> None:
    routine = sandbox.archastro.routine_id("sorter")
    blocking_client.agent_routines.invoke(routine, message="x")
    runs = list(blocking_client.agent_routines.iterate_runs(routine, limit=1))
    assert runs
    assert {run.routine for run in runs} == {routine}
