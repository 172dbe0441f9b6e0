"""Many waits end to end, over sockets: few requests, through restarts and storms, and nothing behind afterwards."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpx
import pytest

from eigenpal.client import AsyncEigenpalClient
from eigenpal.errors import EigenpalNotFoundError, EigenpalRunError, EigenpalWaitError
from eigenpal.models.runs import Run
from eigenpal.sandbox import RunFailed, Sandbox
from eigenpal.waiting import polling
from eigenpal_sync import EigenpalClient
from tests.client.conftest import KEY, Connect, one_wire, posts, session_of

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

    yield opened
    opened.set()


async def start(client: AsyncEigenpalClient, count: int, slug: str = "gated") -> list[str]:
    return [(await client.run(f"workflows.{slug}")).id for _ in range(count)]


def asked(sandbox: Sandbox) -> Counter[str]:
    """Return how many lists, and how many single runs, were asked for."""
    gets = [request.path for request in list(sandbox.requests) if request.method == "GET"]
    return Counter("list" if path.endswith("/runs") else "one" for path in gets)


async def test_runs_that_are_waited_for_together_cost_one_list_a_round_and_one_request_each(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    seen: list[str] = []

    def update(run: Run) -> None:
        seen.append(str(run.status))
        if seen.count("running") == 20:
            gate.set()

    async with connect(sandbox.url) as client:
        ids = await start(client, 20)
        ends: list[Run] = []

        async def one(run_id: str) -> None:
            ends.append(await client.with_options(max_retries=1).runs.wait(run_id, on_update=update))

        async with anyio.create_task_group() as tasks:
            for run_id in ids:
                tasks.start_soon(one, run_id)
    assert {run.id for run in ends} == set(ids)
    assert all(run.output == {"passed": True} for run in ends)
    assert asked(sandbox)["one"] == 20
    assert asked(sandbox)["list"] >= 1
    assert seen.count("completed") == 20


async def test_wait_many_returns_each_as_it_ends_and_tells_of_the_others_last(
    sandbox: Sandbox, connect: Connect, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "UNSEEN_GRACE_SECONDS", 0.05)
    gate.set()
    async with connect(sandbox.url) as client:
        ids = [*await start(client, 10), *await start(client, 1, "broken")]
        came: list[Run] = []
        with pytest.raises(EigenpalWaitError, match="1 of 12 runs could not be waited for: exec_unknown") as caught:
            async for run in client.runs.wait_many([*ids, "exec_unknown"], poll_interval_seconds=0.05):
                came.append(run)  # noqa: PERF401 - what came before the error counts
        assert isinstance(caught.value.errors["exec_unknown"], EigenpalNotFoundError)
        assert sorted(run.id for run in came) == sorted(ids)
        with pytest.raises(EigenpalRunError, match="no date"):
            async for _ in client.runs.wait_many(ids, raise_on_failure=True):
                pass


async def test_whatever_lists_runs_can_be_waited_for(sandbox: Sandbox, connect: Connect, gate: threading.Event) -> None:
    async with connect(sandbox.url) as client:
        ids = await start(client, 5)
        gate.set()
        came = [run.id async for run in client.runs.wait_many(client.runs.iterate(limit=2))]
    assert sorted(came) == sorted(ids)


@pytest.mark.parametrize(
    ("wire", "fault"),
    [
        ("trio", {"status": 429, "retry_after": 1}),
        ("aiohttp", {"status": 429, "retry_after": 100}),
        ("trio", {"status": 503}),
        ("aiohttp", {"kind": "html", "status": 502}),
        *((wire, {"drop": place}) for wire in ("aiohttp", "trio") for place in ("before_body", "mid_response")),
    ],
    ids=str,
)
async def test_every_wait_survives_a_storm(
    sandbox: Sandbox, connect: Connect, gate: threading.Event, fault: dict[str, Any]
) -> None:
    gate.set()
    async with connect(sandbox.url) as client:
        ids = await start(client, 10)
        storm = sandbox.faults.add("/api/v1/runs*", "GET", times=25, **fault)
        before = len(list(sandbox.requests))
        came = {run.id async for run in client.runs.wait_many(ids, poll_interval_seconds=0.02)}
    assert came == set(ids)
    assert storm.fired == 25
    assert len(list(sandbox.requests)) - before < 25 + 10 + 60
    assert len(posts(sandbox)) == 10


@one_wire
async def test_every_wait_survives_a_restart_of_the_server(connect: Connect, tmp_path: Any) -> None:
    with Sandbox(api_key=KEY, data=tmp_path) as first:
        second = Sandbox(api_key=KEY, data=tmp_path, port=int(first.url.rpartition(":")[2]))
        for server in (first, second):

            @server.workflow("endless")
            def endless(context: Any) -> dict[str, Any]:
                context.sleep(60)
                return {}

        ends: list[Run] = []
        async with connect(first.url) as client:
            ids = await start(client, 10, "endless")
            restarting: list[Any] = []

            async def restart() -> None:
                await anyio.to_thread.run_sync(first.stop)
                await anyio.to_thread.run_sync(second.start)

            async with anyio.create_task_group() as tasks:

                def update(_: Run) -> None:
                    if not restarting:
                        restarting.append(tasks.start_soon(restart))

                async def one(run_id: str) -> None:
                    ends.append(await client.runs.wait(run_id, poll_interval_seconds=0.02, on_update=update))

                for run_id in ids:
                    tasks.start_soon(one, run_id)
        await anyio.to_thread.run_sync(second.stop)
    assert sorted(run.id for run in ends) == sorted(ids)
    assert {run.status for run in ends} == {
        "failed"
    }  # the sandbox ends interrupted runs; what matters is that it was seen


async def test_leaving_in_the_middle_leaves_no_request_and_a_client_that_works(
    sandbox: Sandbox, connect: Connect, gate: threading.Event
) -> None:
    async with connect(sandbox.url) as client:
        [quick] = await start(client, 1, "echo")
        ids = await start(client, 5)
        async for run in client.runs.wait_many([quick, *ids]):
            assert run.id == quick
            break
        with anyio.move_on_after(0.05):
            async for _ in client.runs.wait_many(ids):
                pass
        connections = session_of(client).connections
        assert (connections.in_flight, connections.queued) == (0, 0)
        gate.set()
        assert len([run async for run in client.runs.wait_many(ids)]) == 5


@one_wire
async def test_a_server_that_ignores_ids_is_asked_for_each(connect: Connect) -> None:
    def run_json(run_id: str) -> dict[str, Any]:
        return {
            "id": run_id, "type": "workflow", "finished": True, "timing": {"createdAt": "2026-01-01T00:00:00Z"},
            "source": {"id": "wf_1"}, "trigger": {}, "execution": {"status": "completed"}, "output": {"id": run_id},
        }  # fmt: skip

    paths: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if request.url.path.endswith("/runs"):
            return httpx.Response(200, json={"runs": [run_json("exec_newest")], "nextCursor": "more"})
        return httpx.Response(200, json=run_json(request.url.path.rpartition("/")[2]))

    async with AsyncEigenpalClient(KEY, base_url="http://127.0.0.1", transport=httpx.MockTransport(answer)) as client:
        for _ in range(2):
            came = {run.id: run.output async for run in client.runs.wait_many(["exec_1", "exec_2", "exec_3"])}
            assert came == {run_id: {"id": run_id} for run_id in ("exec_1", "exec_2", "exec_3")}
    assert Counter(paths)["/api/v1/runs"] == 1
    assert len(paths) == 7


# ---------------------------------------------------------------------------------------------------- blocking


def test_a_blocking_loop_gets_each_as_it_ends(sandbox: Sandbox, gate: threading.Event) -> None:
    with EigenpalClient(KEY, base_url=sandbox.url) as client:
        ids = [client.run("workflows.gated").id for _ in range(10)]
        gate.set()
        came = list(client.runs.wait_many(row.id for row in client.runs.iterate(limit=3)))
        assert sorted(run.id for run in came) == sorted(ids)
        assert client.runs.get(came[0].id).finished
        for run in client.runs.wait_many(ids):
            assert run.finished
            break


def test_threads_that_wait_share_their_looks(sandbox: Sandbox, gate: threading.Event) -> None:
    with EigenpalClient(KEY, base_url=sandbox.url) as client, ThreadPoolExecutor(40) as threads:
        ids = [client.run("workflows.gated").id for _ in range(40)]
        waits = [threads.submit(client.runs.wait, run_id) for run_id in ids]
        threading.Timer(1.0, gate.set).start()
        assert sorted(wait.result(20).id for wait in waits) == sorted(ids)
    assert asked(sandbox)["one"] < 40 + 15
    assert asked(sandbox)["list"] < 30
