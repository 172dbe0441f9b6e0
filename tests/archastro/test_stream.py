"""Following a session: typed events to its end, through streams that break, go silent, lie, or are not there at all."""

from __future__ import annotations

import itertools
from contextlib import aclosing
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from eigenpal.archastro import (
    ArchAstroClient,
    AsyncArchAstroClient,
    OtherEvent,
    SessionEvent,
    SessionProgress,
    SessionUpdate,
)
from eigenpal.errors import (
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalPaymentRequiredError,
    EigenpalTimeoutError,
)
from eigenpal.sandbox import Sandbox
from tests.archastro.scripted import events, refusal, scripted, session

pytestmark = pytest.mark.anyio

DONE = session("completed", result={"n": 1})
GET, STREAM = "GET /api/v1/agent_sessions/ase_1", "GET /api/v1/agent_sessions/ase_1/stream"


async def statuses(client: AsyncArchAstroClient, **options: Any) -> list[str | None]:
    """Follow the session to its end and return what its updates said."""
    found = client.agent_sessions.stream("ase_1", **options)
    return [event.session.status for event in [event async for event in found] if isinstance(event, SessionUpdate)]


# ------------------------------------------------------------------------------------------------ against the sandbox


async def test_a_session_is_followed_live_from_its_state_now_to_its_end(
    client: AsyncArchAstroClient, sandbox: Sandbox
) -> None:
    seen: list[SessionEvent] = []
    async with client, anyio.create_task_group() as tasks:
        opened = await client.agent_sessions.create(
            agent=sandbox.archastro.agent_id("adder"), instructions="add", start_idle=True
        )

        async def follow(task_status: anyio.abc.TaskStatus[None]) -> None:
            async for event in client.agent_sessions.stream(opened.id):
                if not seen:
                    task_status.started()
                seen.append(event)

        await tasks.start(follow)
        await client.agent_sessions.message(opened.id, content="3")
        await client.agent_sessions.wait(opened.id, poll_interval_seconds=0.05)
        await client.agent_sessions.message(opened.id, content="stop")
    updates = [event.session for event in seen if isinstance(event, SessionUpdate)]
    assert [update.status for update in updates] == ["waiting", "running", "waiting", "running", "completed"]
    assert updates[-1].result == {"total": 3}
    (progress,) = [event.event for event in seen if isinstance(event, SessionProgress)]
    assert (progress.event, progress.payload) == ("tool_use", {"tool": "adder", "total": 3})


async def test_a_session_that_is_over_is_one_event(client: AsyncArchAstroClient, sandbox: Sandbox) -> None:
    async with client:
        made = await client.agent_sessions.create(agent=sandbox.archastro.agent_id("broken"), instructions="x")
        await client.agent_sessions.wait(made.id, poll_interval_seconds=0.05)
        (event,) = [event async for event in client.agent_sessions.stream(made.id)]
    assert isinstance(event, SessionUpdate)
    assert (event.session.status, event.session.error) == ("failed", "ValueError: no tickets")


async def test_an_unknown_session_is_not_found(client: AsyncArchAstroClient) -> None:
    async with client:
        with pytest.raises(EigenpalNotFoundError, match="ase_none"):
            await anext(client.agent_sessions.stream("ase_none"))


async def test_streams_that_break_and_end_lose_nothing_and_repeat_nothing(
    client: AsyncArchAstroClient, sandbox: Sandbox
) -> None:
    sandbox.archastro.most_stream_seconds = 0.05  # the server ends each with a stream_timeout
    client._session.policy.sleep = lambda _: anyio.sleep(0.01)
    seen: list[str | None] = []
    try:
        async with client:
            made = await client.agent_sessions.create(
                agent=sandbox.archastro.agent_id("adder"), instructions="add", start_idle=True
            )
            sandbox.faults.add(f"/archastro/api/v1/agent_sessions/{made.id}/stream", drop="mid_response")
            async for event in client.agent_sessions.stream(made.id, poll_interval_seconds=0.02):
                if isinstance(event, SessionUpdate):
                    seen.append(event.session.status)
                    if event.session.needs_human:
                        await client.agent_sessions.message(made.id, content="stop" if len(seen) > 2 else "1")
    finally:
        sandbox.archastro.most_stream_seconds = 600.0
    assert (seen[0], seen[-1]) == ("waiting", "completed")
    assert all(one != following for one, following in itertools.pairwise(seen))


async def test_leaving_early_gives_the_connection_back(client: AsyncArchAstroClient, sandbox: Sandbox) -> None:
    connections = client._session.connections
    async with client:
        made = await client.agent_sessions.create(agent=sandbox.archastro.agent_id("endless"), instructions="x")
        async with aclosing(client.agent_sessions.stream(made.id)) as stream:
            await anext(stream)
            assert connections.in_flight == 1
        assert connections.in_flight == 0
        with anyio.move_on_after(0.1) as scope:
            async for _ in client.agent_sessions.stream(made.id):
                pass
        assert scope.cancelled_caught
        assert connections.in_flight == 0
        with pytest.raises(EigenpalTimeoutError, match=r"was followed for 0.1 s and goes on") as caught:
            async for _ in client.agent_sessions.stream(made.id, timeout_seconds=0.1):
                pass
        assert caught.value.run_id == made.id
        assert connections.in_flight == 0
        assert (await client.agent_sessions.cancel(made.id)).status == "cancelled"


def test_the_blocking_client_follows_too(blocking_client: ArchAstroClient, sandbox: Sandbox) -> None:
    made = blocking_client.agent_sessions.create(agent=sandbox.archastro.agent_id("quick"), instructions="it")
    *_, last = blocking_client.agent_sessions.stream(made.id)
    assert isinstance(last, SessionUpdate)
    assert last.session.result == {"text": "did it"}
    endless = blocking_client.agent_sessions.create(agent=sandbox.archastro.agent_id("endless"), instructions="x")
    with blocking_client.agent_sessions.stream(endless.id) as stream:
        assert isinstance(next(stream), SessionUpdate)
    blocking_client.agent_sessions.cancel(endless.id)


# ------------------------------------------------------------------------------------------------ scripted


async def test_a_broken_stream_is_opened_again_and_its_replay_is_no_news() -> None:
    running = session("running")
    client, script = scripted(
        events(session("pending"), running), events(running), events(running, session("waiting")), events(DONE)
    )
    assert await statuses(client) == ["pending", "running", "waiting", "completed"]
    assert script.lines == [STREAM] * 4


async def test_streams_that_die_time_after_time_give_way_to_looks() -> None:
    client, script = scripted(
        *[events(session("running"))] * 4, session("running"), refusal(503), session("waiting"), DONE
    )
    assert await statuses(client) == ["running", "waiting", "completed"]
    assert script.lines[:4] == [STREAM] * 4
    assert set(script.lines[4:]) == {GET}


@pytest.mark.parametrize(
    "dead",
    [refusal(500), refusal(503, **{"retry-after": "1"}), refusal(429), httpx.Response(200, text="<html>")],
    ids=["500", "503", "429", "html"],
)
async def test_what_passes_is_tried_again(dead: httpx.Response) -> None:
    client, script = scripted(dead, dead, events(DONE))
    assert await statuses(client) == ["completed"]
    assert script.lines == [STREAM] * 3


@pytest.mark.parametrize("status", [404, 405, 406])
async def test_a_server_without_streams_is_looked_at(status: int) -> None:
    client, script = scripted(refusal(status), session("running"), DONE)
    assert await statuses(client) == ["running", "completed"]
    assert script.lines == [STREAM, GET, GET]


async def test_a_plan_without_it_is_an_error_at_once() -> None:
    client, script = scripted(refusal(402))
    with pytest.raises(EigenpalPaymentRequiredError):
        await statuses(client)
    assert script.lines == [STREAM]


async def test_events_that_are_not_known_come_through_and_those_that_lie_are_errors() -> None:
    odd = 'event: tick\ndata: {"n": 1}\n\ndata: plain\n\nevent: error\ndata: {"code": "stream_timeout"}\n\n'
    client, _ = scripted(events(odd), events(DONE))
    found = [event async for event in client.agent_sessions.stream("ase_1")]
    assert found[:2] == [OtherEvent("tick", {"n": 1}), OtherEvent("message", "plain")]
    lying = events('event: session_update\ndata: {"id": 5}\n\n')
    client, script = scripted(lying, lying, lying, lying, DONE)
    assert await statuses(client) == ["completed"]  # it is looked at instead
    assert script.lines == [STREAM] * 4 + [GET]


async def test_a_stream_that_is_silent_is_taken_for_dead() -> None:
    opened = 0

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal opened
        if request.url.path.endswith("/stream"):
            opened += 1
            headers = {"content-type": "text/event-stream"}
            return httpx.Response(200, headers=headers, stream=Silence())
        return httpx.Response(200, json=DONE)

    client = AsyncArchAstroClient("sk_1", transport=httpx.MockTransport(handle))
    client._session.policy.sleep = lambda _: anyio.lowlevel.checkpoint()
    assert await statuses(client, idle_timeout_seconds=0.02) == ["completed"]
    assert opened == 4


class Silence(httpx.AsyncByteStream):
    """A body of which nothing ever comes."""

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> bytes:
        await anyio.sleep_forever()
        raise AssertionError("cancelled")


@pytest.mark.parametrize(
    "options",
    [
        {"timeout_seconds": 0},
        {"idle_timeout_seconds": -1},
        {"connect_timeout_seconds": "1"},
        {"poll_interval_seconds": 0},
    ],
)
async def test_times_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    client, script = scripted(DONE)
    with pytest.raises(EigenpalInputError, match=next(iter(options))):
        client.agent_sessions.stream("ase_1", **options)
    assert script.sent == []
