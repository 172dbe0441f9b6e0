"""Waiting for runs end to end: it returns a run that is over or raises, and never loses or repeats one (W1 to W4)."""

from __future__ import annotations

import gc
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from eigenpal.client import AsyncEigenpalClient
from eigenpal.errors import EigenpalAuthError, EigenpalNotFoundError, EigenpalRunError, EigenpalTimeoutError
from eigenpal.models.runs import Run
from eigenpal.sandbox import RunFailed, Sandbox
from eigenpal.waiting import polling
from tests.client.conftest import KEY, Connect, RetryTime, one_wire, posts, started
from tests.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def gate(sandbox: Sandbox) -> Iterator[threading.Event]:
    """Open the gate and the runs of the workflow `gated` go on to their end."""
    opened = threading.Event()

    @sandbox.workflow("gated")
    def gated(context: Any) -> dict[str, Any]:
        while not opened.is_set():
            context.sleep(0.005)
        return {"passed": True}

    @sandbox.workflow("broken")
    async def broken(context: Any) -> dict[str, Any]:
        raise RunFailed("the invoice has no date")

    @sandbox.workflow("picky", admit=lambda arguments: "no contract")
    async def picky(context: Any) -> dict[str, Any]:
        return {}

    yield opened
    opened.set()


Way = Callable[..., Any]
WAYS: dict[str, Way] = {
    "run_and_wait": lambda client, slug, **options: client.run_and_wait(f"workflows.{slug}", **options),
    "executions": lambda client, slug, **options: client.workflows.executions.run_and_wait(slug, **options),
}


async def start_and_wait(client: AsyncEigenpalClient, slug: str, **options: Any) -> Run:
    return await client.runs.wait((await client.run(f"workflows.{slug}")).id, **options)


WAYS["wait"] = start_and_wait


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_wait_returns_a_run_however_it_ended(
    sandbox: Sandbox, connect: Connect, gate: threading.Event, way: str
) -> None:
    gate.set()
    async with connect(sandbox.url) as client:
        ends = {slug: await WAYS[way](client, slug) for slug in ("gated", "broken", "picky")}
    assert [run.status for run in ends.values()] == ["completed", "failed", "rejected"]
    assert all(run.finished for run in ends.values())
    assert ends["gated"].output == {"passed": True}
    assert ends["broken"].error == "the invoice has no date"
    assert len(posts(sandbox)) == 3


@pytest.mark.parametrize("slug", ["broken", "picky"])
async def test_a_failure_is_raised_where_that_was_asked_for(
    sandbox: Sandbox, connect: Connect, gate: threading.Event, slug: str
) -> None:
    gate.set()
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalRunError, match="no date|no contract") as caught:
            await client.run_and_wait(f"workflows.{slug}", raise_on_failure=True)
        assert (await client.run_and_wait("workflows.gated", raise_on_failure=True)).status == "completed"
    assert caught.value.run_id == caught.value.run.id
    assert caught.value.run.finished


async def test_a_run_that_someone_else_cancels_ends_the_wait(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    seen: list[str] = []
    async with connect(sandbox.url) as client, connect(sandbox.url) as other, anyio.create_task_group() as tasks:

        def update(run: Run) -> None:
            seen.append(str(run.status))
            if run.status == "running" and seen.count("running") == 1:
                tasks.start_soon(other.runs.cancel, run.id)

        run = await client.run_and_wait("workflows.gated", on_update=update)
        with pytest.raises(EigenpalRunError, match="cancelled"):
            await client.runs.wait(run.id, raise_on_failure=True)
        assert run.status == seen[-1] == "cancelled"


async def test_a_wait_that_runs_out_tells_the_run_which_goes_on(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalTimeoutError, match="goes on") as caught:
            await client.run_and_wait("workflows.gated", timeout_seconds=0.2)
        error = caught.value
        assert error.run_id is not None
        assert started(sandbox) == [error.run_id]
        assert error.run.id == error.run_id
        assert error.run.status == "running"
        assert error.run_id in str(error)
        assert not error.maybe_started
        gate.set()
        async with connect(sandbox.url) as another:  # as another process would
            assert (await another.runs.wait(error.run_id)).output == {"passed": True}
    assert len(posts(sandbox)) == 1


async def test_a_wait_that_runs_out_cancels_the_run_if_it_was_told_to(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalTimeoutError, match="asked to cancel") as caught:
            await client.run_and_wait("workflows.gated", timeout_seconds=0.15, cancel_on_timeout=True)
        assert (await client.runs.wait(caught.value.run_id or "")).status == "cancelled"


async def test_a_cancel_that_fails_does_not_hide_that_the_time_is_up(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    sandbox.faults.add("*/cancel", status=404, times=None)
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalTimeoutError, match="goes on"):
            await client.run_and_wait("workflows.gated", timeout_seconds=0.15, cancel_on_timeout=True)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429},
        {"status": 429, "retry_after": 1},
        {"status": 429, "retry_after": 100},
        {"status": 503},
        {"status": 408},
        {"status": 520},
        {"drop": "before_body"},
        {"drop": "mid_response"},
    ],
)
async def test_a_wait_survives_any_passing_trouble(
    sandbox: Sandbox, connect: Connect, gate: threading.Event, fault: dict[str, Any]
) -> None:
    planned = sandbox.faults.add("/api/v1/runs/*", "GET", times=9, **fault)
    gate.set()
    async with connect(sandbox.url) as client:
        run = await client.run_and_wait("workflows.gated", poll_interval_seconds=0.01)
    assert run.status == "completed"
    assert planned.fired == 9
    assert len(posts(sandbox)) == 1


async def test_a_wait_looks_again_no_earlier_than_the_server_asked_for(
    sandbox: Sandbox, connect: Connect, gate: threading.Event, retry_time: RetryTime
) -> None:
    sandbox.faults.add("/api/v1/runs/*", "GET", status=429, retry_after=100, times=2)
    gate.set()
    async with connect(sandbox.url) as client:
        await client.run_and_wait("workflows.gated")
    assert [pause >= 100 for pause in retry_time.slept[:3]] == [False, True, True]


async def test_a_wait_does_not_survive_a_key_that_is_refused(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    sandbox.faults.add("/api/v1/runs/*", "GET", status=401, times=None)
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalAuthError):
            await client.run_and_wait("workflows.gated")


async def test_a_wait_survives_a_restart_of_the_server(connect: Connect, tmp_path: Any) -> None:
    with Sandbox(api_key=KEY, data=tmp_path) as first:
        port = int(first.url.rpartition(":")[2])

        @first.workflow("endless")
        def endless(context: Any) -> dict[str, Any]:
            context.sleep(60)
            return {}

        second = Sandbox(api_key=KEY, data=tmp_path, port=port)
        second.workflow("endless")(endless)
        async with connect(first.url) as client, anyio.create_task_group() as tasks:

            async def restart() -> None:
                await anyio.to_thread.run_sync(first.stop)
                await anyio.to_thread.run_sync(second.start)

            def update(run: Run) -> None:
                if run.status == "running":
                    tasks.start_soon(restart)

            run = await client.run_and_wait("workflows.endless", poll_interval_seconds=0.01, on_update=update)
            assert run.status == "failed"  # the sandbox ends interrupted runs; what matters is that the wait saw it
        await anyio.to_thread.run_sync(second.stop)


async def test_a_run_that_is_not_visible_yet_is_waited_for(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    unseen = sandbox.faults.add("/api/v1/runs/*", "GET", status=404, times=3)
    gate.set()
    async with connect(sandbox.url) as client:
        assert (await client.run_and_wait("workflows.gated", poll_interval_seconds=0.01)).status == "completed"
    assert unseen.fired == 3


async def test_a_run_that_stays_invisible_is_an_error_of_that_run(
    sandbox: Sandbox, connect: Connect, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "UNSEEN_GRACE_SECONDS", 0.1)
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalNotFoundError, match="exec_unknown"):
            await client.runs.wait("exec_unknown", poll_interval_seconds=0.01)


async def test_a_run_that_vanishes_after_it_was_seen_is_an_error_at_once(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    gone = sandbox.faults.add("/api/v1/runs/*", "GET", status=404, times=None, after=1)
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalNotFoundError):
            await client.run_and_wait("workflows.gated", poll_interval_seconds=0.01)
    assert gone.fired == 1


def run_as(status: str, *, finished: bool = False, **members: Any) -> bytes:
    run = {
        "id": "exec_1",
        "type": "workflow",
        "finished": finished,
        "timing": {"createdAt": "2026-01-01T00:00:00Z"},
        "source": {"id": "wf_1"},
        "trigger": {},
        "execution": {"status": status},
    }
    return json.dumps({**run, **members}).encode()


@pytest.fixture
def story() -> Callable[[list[bytes]], Any]:
    """Serve a run that goes through these states, one with each look; the last one stays."""

    def tell(states: list[bytes]) -> Any:
        def script(peer: Peer) -> None:
            while (request := peer.read_request()) is not None:
                if request.method == "POST":
                    peer.answer(b'{"id": "exec_1", "type": "workflow", "finished": false}', status=201)
                else:
                    peer.answer(states.pop(0) if len(states) > 1 else states[0])

        return scripted_server(script)

    return tell


async def test_updates_come_in_order_and_once_each(connect: Connect, story: Any) -> None:
    states = ["created", "created", "pending", "running", "running", "waiting", "running", "finalizing"]
    seen: list[str] = []
    with story([*map(run_as, states), run_as("completed", finished=True)]) as server:
        async with connect(server.url) as client:
            await client.run_and_wait("workflows.x", on_update=lambda run: seen.append(str(run.status)))
    assert seen == ["created", "pending", "running", "waiting", "running", "finalizing", "completed"]


async def test_an_unknown_status_keeps_the_wait_going_and_warns_once(
    connect: Connect, story: Any, caplog: pytest.LogCaptureFixture
) -> None:
    states = [run_as("pondering")] * 5 + [run_as("transcended", finished=True)]
    with caplog.at_level(logging.WARNING, "eigenpal"), story(states) as server:
        async with connect(server.url) as client:
            run = await client.run_and_wait("workflows.x")
    assert run.status == "transcended"
    assert [record.message for record in caplog.records if "pondering" in record.message] == [caplog.records[0].message]
    assert len(caplog.records) == 1


async def test_an_unknown_status_does_not_hold_beyond_the_deadline(connect: Connect, story: Any) -> None:
    with story([run_as("pondering")]) as server:
        async with connect(server.url) as client:
            with pytest.raises(EigenpalTimeoutError, match="pondering"):
                await client.run_and_wait("workflows.x", timeout_seconds=0.1)


async def test_a_terminal_status_ends_the_wait_whatever_finished_says(connect: Connect, story: Any) -> None:
    with story([run_as("running"), run_as("failed", finished=False, error="x")]) as server:
        async with connect(server.url) as client:
            assert (await client.run_and_wait("workflows.x")).status == "failed"


async def test_an_error_of_the_callback_reaches_the_caller(connect: Connect, story: Any) -> None:
    def fail(run: Run) -> None:
        raise LookupError("mine")

    with story([run_as("running")]) as server:
        async with connect(server.url) as client:
            with pytest.raises(LookupError, match="mine"):
                await client.run_and_wait("workflows.x", on_update=fail)


async def test_a_wait_is_not_held_up_by_a_poll_that_hangs(connect: Connect) -> None:
    def hang(peer: Peer) -> None:
        peer.read_request()
        peer.wait_for_close()

    with scripted_server(hang) as server:
        async with connect(server.url) as client:
            with anyio.fail_after(3), pytest.raises(EigenpalTimeoutError, match="exec_1") as caught:
                await client.runs.wait("exec_1", timeout_seconds=0.15)
    assert (caught.value.run_id, caught.value.run) == ("exec_1", None)


async def test_cancelling_the_waiting_task_leaves_nothing_behind(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    threads = threading.active_count()
    async with connect(sandbox.url) as client:
        running = anyio.Event()
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(lambda: client.run_and_wait("workflows.gated", on_update=lambda _: running.set()))
            await running.wait()
            tasks.cancel_scope.cancel()
        # All of the client's tasks were inside of the group: structured concurrency left none.
        connections = client._session.connections
        assert (connections.in_flight, connections.queued) == (0, 0)
        await client.workflows.list()  # what was on the wire when they were cancelled has arrived by now
        asked = len(sandbox.requests)
        await client.workflows.list()
        assert len(sandbox.requests) == asked + 1
    gate.set()
    gc.collect()  # unclosed sockets and transports would warn, and warnings are errors here
    assert threading.active_count() <= threads + 5  # the gated runs of the sandbox end in its own threads


@one_wire
@pytest.mark.parametrize(
    "options", [{"timeout_seconds": 0}, {"timeout_seconds": -1}, {"poll_interval_seconds": 0}, {"timeout_seconds": "5"}]
)
async def test_a_wait_that_makes_no_sense_is_refused_before_a_run_is_started(
    sandbox: Sandbox, connect: Connect, options: dict[str, Any]
) -> None:
    async with connect(sandbox.url) as client:
        with pytest.raises(ValueError, match=next(iter(options))):
            await client.run_and_wait("workflows.echo", **options)
    assert started(sandbox) == []
