"""A client's life: made once, shared, closed; its connections, its options, and clients brought along."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from eigenpal.client import AsyncEigenpalClient
from eigenpal.errors import (
    EigenpalConnectionError,
    EigenpalError,
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalTimeoutError,
    EigenpalUsageError,
)
from eigenpal.models.workflows import Workflow
from eigenpal.sandbox import Sandbox
from tests.client.conftest import KEY, Connect, RetryTime, all_wires, posts, session_of, until
from tests.scripted_server import Peer, answer_all, scripted_server

pytestmark = pytest.mark.anyio


@all_wires
async def test_a_closed_client_says_so_and_may_be_closed_again(
    sandbox: Sandbox, connect: Connect, tmp_path: Any
) -> None:
    client = connect(sandbox.url)
    await client.runs.list()
    copy_of_it = client.with_options(max_retries=1)
    await client.aclose()
    await client.aclose()
    asked = len(sandbox.requests)
    for call in (
        client.runs.list,
        lambda: client.run_and_wait("workflows.echo"),
        lambda: client.runs.artifacts.download("exec_1", "output/a"),
        lambda: client.runs.artifacts.save("exec_1", "output/a", to=tmp_path),
        lambda: copy_of_it.runs.get("exec_1"),
        lambda: anext(aiter(client.runs.iterate())),
    ):
        with pytest.raises(EigenpalUsageError, match="closed"):
            await call()
    with pytest.raises(EigenpalUsageError, match="closed"):
        async with client:
            await client.runs.list()
    assert len(sandbox.requests) == asked
    assert list(tmp_path.iterdir()) == []


async def test_a_client_that_never_sent_anything_closes_without_ado(connect: Connect) -> None:
    async with connect("https://unused.invalid"):
        pass


@pytest.mark.parametrize("aiohttp", [None, False])
def test_one_client_serves_one_event_loop_after_the_other(aiohttp: bool | None, sandbox: Sandbox) -> None:
    client = AsyncEigenpalClient(KEY, base_url=sandbox.url)
    connections = session_of(client).connections
    object.__setattr__(connections._options, "aiohttp", aiohttp)

    async def use() -> str:
        run = await client.run("workflows.echo", wait_for_completion=5)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(client.runs.get, run.id)
        return run.id

    ids = [asyncio.run(use()), asyncio.run(use()), anyio.run(use, backend="trio")]
    assert len(set(ids)) == 3
    asyncio.run(client.aclose())


async def test_clients_of_a_client_share_connections_and_pauses(sandbox: Sandbox, connect: Connect) -> None:
    with scripted_server(answer_all) as server:
        async with connect(server.url) as client:
            patient = client.with_options(timeout_seconds=None, max_retries=0)
            for one in (client, patient, patient.with_options(default_headers={"X-A": "1"}), client):
                await one.request("GET", "/x")
            assert session_of(patient).policy is session_of(client).policy
            assert "timeout_seconds=None, max_retries=0" in repr(patient)
            assert "timeout_seconds=60.0, max_retries=3" in repr(client)
        assert server.connections == 1


async def test_a_client_shows_its_options_and_never_its_key(connect: Connect) -> None:
    client = connect("https://host.example/prefix/", timeout_seconds=5)
    assert repr(client) == (
        "AsyncEigenpalClient(base_url='https://host.example/prefix', timeout_seconds=5.0, max_retries=3, "
        "api_generation='0.7')"
    )
    for refuse in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError, match="pickle"):
            refuse(client)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": "60"}, "timeout_seconds"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"base_url": "host.example"}, "base_url"),
        ({"base_url": "https://user:pw@host.example"}, "base_url"),
        ({"base_url": "https://host.example?x=1"}, "base_url"),
        ({"default_headers": {"bad name": "x"}}, "bad name"),
        ({"default_headers": {"X-A": 3}}, "X-A"),
        ({"api_generation": "9"}, "api_generation"),
        ({"trigger": "a\nb"}, "trigger"),
        ({"api_key": " "}, "EIGENPAL_API_KEY"),
        ({"proxy": "gopher://host:1"}, "proxy"),
        ({"verify_ssl": "/does/not/exist.pem"}, "verify"),
    ],
)
def test_an_option_that_can_not_work_is_refused_at_once(options: dict[str, Any], says: str) -> None:
    with pytest.raises(EigenpalInputError, match=says):
        AsyncEigenpalClient(**{"api_key": KEY, **options})


def test_the_environment_fills_in_what_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EIGENPAL_API_KEY", raising=False)
    with pytest.raises(EigenpalInputError, match="api_key=.*EIGENPAL_API_KEY"):
        AsyncEigenpalClient()
    monkeypatch.setenv("EIGENPAL_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("EIGENPAL_BASE_URL", "https://env.example/")
    assert "https://env.example'" in repr(AsyncEigenpalClient())
    assert session_of(AsyncEigenpalClient()).options.credentials.revealed() == {"Authorization": f"Bearer {KEY}"}
    assert "https://given.example'" in repr(AsyncEigenpalClient("other", base_url="https://given.example"))


async def test_a_client_of_the_users_own_is_used_and_left_open(sandbox: Sandbox, connect: Connect) -> None:
    seen: list[str] = []

    async def hook(request: httpx.Request) -> None:
        seen.append(f"{request.method} {request.url.path}")

    async with httpx.AsyncClient(event_hooks={"request": [hook]}, trust_env=False) as mine:
        async with connect(sandbox.url, http_client=mine) as client:
            run = await client.run_and_wait("workflows.echo", {"a": 1})
        assert seen[:2] == ["POST /api/v1/runs", f"GET /api/v1/runs/{run.id}"]
        assert not mine.is_closed
        assert (await mine.get(f"{sandbox.url}/api/v1/runs")).status_code == 401  # the key stayed ours
    async with connect(sandbox.url, http_client=mine) as client:
        with pytest.raises(EigenpalUsageError, match="closed"):
            await client.runs.list()


async def test_a_transport_of_the_users_own_sees_requests_as_they_are(connect: Connect, retry_time: RetryTime) -> None:
    seen: list[tuple[str, str, bytes]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, str(request.url), request.content))
        if len(seen) == 1:
            raise httpx.ConnectError("refused", request=request)
        if len(seen) == 2:
            return httpx.Response(429, headers={"Retry-After": "1"})
        return httpx.Response(201, json={"id": "exec_1", "type": "workflow", "finished": False})

    async with connect("https://api.example", transport=httpx.MockTransport(handle)) as client:
        await client.run("workflows.x", wait_for_completion=1)
    body = b'{"target":"workflows.x","input":{}}'
    assert seen == [("POST", "https://api.example/api/v1/runs?wait_for_completion=1", body)] * 3


@pytest.mark.parametrize(
    ("raised", "kind", "maybe_started"),
    [
        (httpx.ConnectError("x"), EigenpalConnectionError, False),
        (httpx.ConnectTimeout("x"), EigenpalTimeoutError, False),
        (httpx.PoolTimeout("x"), EigenpalTimeoutError, False),
        (httpx.ReadTimeout("x"), EigenpalTimeoutError, True),
        (httpx.WriteError("x"), EigenpalConnectionError, True),
        (httpx.ReadError("x"), EigenpalConnectionError, True),
        (httpx.RemoteProtocolError("x"), EigenpalConnectionError, True),
        (httpx.UnsupportedProtocol("x"), EigenpalConnectionError, False),
        (httpx.ProxyError("x"), EigenpalConnectionError, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_errors_of_a_users_own_transport_are_ours_too(
    connect: Connect, raised: Exception, kind: type[EigenpalError], maybe_started: bool
) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise raised

    async with connect("https://api.example", transport=httpx.MockTransport(handle), max_retries=0) as client:
        with pytest.raises(EigenpalError) as caught:
            await client.run("workflows.x")
    assert type(caught.value) is kind
    assert caught.value.maybe_started is maybe_started


async def test_the_hatch_has_the_same_key_retries_and_errors(sandbox: Sandbox, connect: Connect) -> None:
    async with connect(sandbox.url) as client:
        sandbox.faults.add(status=503, times=2)
        workflow = await client.request("GET", "/api/v1/workflows/echo", cast_to=Workflow)
        assert isinstance(workflow, Workflow)
        assert (await client.request("GET", "/api/v1/workflows", query={"limit": 1}))["limit"] == 1
        with pytest.raises(EigenpalNotFoundError):
            await client.request("GET", "/api/v1/nothing")
        fault = sandbox.faults.add(status=503, times=None)
        with pytest.raises(EigenpalError) as caught:
            await client.request("POST", "/api/v1/runs", json={"target": "workflows.echo"})
        assert (fault.fired, caught.value.maybe_started) == (1, True)
        for path in ("no-slash", "/a/../b", "/a?b=c", "/a\r\nX: 1"):
            with pytest.raises(EigenpalInputError):
                await client.request("GET", path)


async def test_a_raw_response_tells_what_http_said(sandbox: Sandbox, connect: Connect) -> None:
    async with connect(sandbox.url) as client:
        sandbox.faults.add(status=500, times=2)
        raw = await client.with_raw_response.runs.list(limit=1)
        page = await client.runs.list(limit=1)
    assert raw.status == 200
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.request_id == sandbox.requests[-2].request_id
    assert raw.retries_taken == 2
    assert raw.elapsed_seconds > 0
    assert raw.parse() == page
    assert page.to_dict() == {"runs": [], "nextCursor": None}


@all_wires
async def test_no_more_requests_are_under_way_than_allowed(connect: Connect) -> None:
    most, now, lock = [0], [0], threading.Lock()
    full = threading.Event()

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
                if now[0] == 4:
                    full.set()
            full.wait(5)  # holds the first four until all of them are here
            with lock:
                now[0] -= 1
            peer.answer()

    with scripted_server(script) as server:
        async with connect(server.url, max_concurrency=4) as client, anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(client.request, "GET", "/x")
        assert len(server.requests) == 40
        assert server.connections <= 4
    assert most[0] == 4


@all_wires
async def test_a_storm_of_cancelled_requests_leaves_a_client_at_full_speed(connect: Connect) -> None:
    calm = threading.Event()

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            if not calm.is_set():
                peer.wait_for_close()
                return
            peer.answer()

    with scripted_server(script) as server:
        async with connect(server.url, max_concurrency=50) as client:
            async with anyio.create_task_group() as tasks:
                for _ in range(200):
                    tasks.start_soon(client.request, "GET", "/x")
                await until(lambda: len(server.requests) == 50)
                tasks.cancel_scope.cancel()
            connections = session_of(client).connections
            assert (connections.in_flight, connections.queued) == (0, 0)
            calm.set()
            with anyio.fail_after(5):
                async with anyio.create_task_group() as tasks:
                    for _ in range(100):
                        tasks.start_soon(client.request, "GET", "/x")
        assert len(server.requests) == 150


@all_wires
async def test_cancelling_a_request_hangs_up(connect: Connect) -> None:
    gone = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.wait_for_close()
        gone.set()

    with scripted_server(script) as server:
        async with connect(server.url) as client:
            with anyio.move_on_after(0.1) as scope:
                await client.run("workflows.echo")
            assert scope.cancelled_caught
            assert await anyio.to_thread.run_sync(gone.wait, 5)
        assert len(server.requests) == 1


async def test_one_429_pauses_all_callers_of_a_client(
    sandbox: Sandbox, connect: Connect, retry_time: RetryTime
) -> None:
    async with connect(sandbox.url, max_retries=0) as client:
        sandbox.faults.add(status=429, retry_after=7)
        with pytest.raises(EigenpalError):
            await client.runs.list()
        assert retry_time.slept == []
        await client.with_options(timeout_seconds=30).runs.list()
        assert sum(retry_time.slept) >= 6.9
        before = len(retry_time.slept)
        await client.runs.list()
        assert len(retry_time.slept) == before


async def test_a_budget_stops_storms_of_retries(sandbox: Sandbox, connect: Connect) -> None:
    fault = sandbox.faults.add(status=503, times=None)
    async with connect(sandbox.url) as client:
        messages = []
        for _ in range(40):
            with pytest.raises(EigenpalError) as caught:
                await client.runs.list()
            messages.append(str(caught.value))
    assert fault.fired == 40 + 100  # 500 tokens, five for a retry
    assert "retry budget is used up" in messages[-1]
    assert "retry budget" not in messages[0]


async def test_a_deadline_of_the_caller_holds_through_retries(
    sandbox: Sandbox, connect: Connect, retry_time: RetryTime
) -> None:
    sandbox.faults.add(status=429, retry_after=50, times=None)
    async with connect(sandbox.url) as client:
        with anyio.move_on_after(20), pytest.raises(EigenpalError, match="deadline comes first") as caught:
            await client.runs.list()
    assert caught.value.retries_taken == 0
    assert retry_time.slept == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("wire", ["aiohttp", "lanes"])
async def test_closing_leaves_no_descriptor_behind(connect: Connect) -> None:
    def descriptors() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    with scripted_server(answer_all) as server:
        async with connect(server.url) as client:
            await client.request("GET", "/x")
        before = descriptors()
        for _ in range(3):
            async with connect(server.url) as client, anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(client.request, "GET", "/x")
        await until(lambda: descriptors() <= before)


async def test_the_same_client_in_two_loops_at_once_is_refused_with_advice(connect: Connect) -> None:
    release = threading.Event()

    def hold(peer: Peer) -> None:
        while peer.read_request() is not None:
            release.wait(5)
            peer.answer()

    with scripted_server(hold) as server:
        client = connect(server.url)

        async def elsewhere() -> str:
            with pytest.raises(EigenpalUsageError) as caught:
                await client.request("GET", "/x")
            return str(caught.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.request, "GET", "/x")
            await until(lambda: server.requests)
            assert "one client for each" in await anyio.to_thread.run_sync(lambda: anyio.run(elsewhere))
            release.set()
        await client.aclose()


async def test_starting_many_runs_at_once_starts_each_of_them_once(sandbox: Sandbox, connect: Connect) -> None:
    sandbox.faults.add("/api/v1/runs", "POST", status=429, retry_after=0, times=30)
    ids: list[str] = []
    async with connect(sandbox.url, max_concurrency=20) as client:

        async def start(number: int) -> None:
            run = await client.run("workflows.echo", {"number": number}, wait_for_completion=10)
            assert run.output == {"input": {"number": number}}
            ids.append(run.id)

        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(start, number)
    assert len(set(ids)) == 60
    assert len(posts(sandbox)) == 90
