"""A request that may have started something is never sent again silently; one that surely did not, is (D2, D4)."""

from __future__ import annotations

import contextlib
import io
import json
import socket
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from eigenpal.client import AsyncEigenpalClient
from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalConnectionError,
    EigenpalError,
    EigenpalRateLimitError,
    EigenpalServerError,
    EigenpalTimeoutError,
)
from eigenpal.sandbox import Sandbox
from tests.client.conftest import Connect, RetryTime, all_wires, posts, started, until
from tests.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.anyio

RECEIPT = json.dumps({"id": "exec_1", "type": "workflow", "finished": False}).encode()
LOOK_FIRST = "look before you send it again"
MEGABYTES = 3 * 1024 * 1024


def small_json() -> dict[str, Any]:
    return {"language": "en"}


def large_json() -> dict[str, Any]:
    return {"text": "x" * MEGABYTES}


def multipart() -> dict[str, Any]:
    return {"document": io.BytesIO(b"\x00\xff" * (MEGABYTES // 2))}


BODIES = [small_json, large_json, multipart]


async def failed_start(client: AsyncEigenpalClient, input: dict[str, Any] | None = None) -> EigenpalError:
    with pytest.raises(EigenpalError) as caught:
        await client.run("workflows.echo", input)
    return caught.value


# ------------------------------------------------------------------------------------------- it may have started


@all_wires
@pytest.mark.parametrize("body", [small_json, multipart])
@pytest.mark.parametrize("drop", ["on_accept", "before_body", "after_body", "after_handling", "mid_response"])
async def test_a_start_is_not_resent_wherever_its_connection_is_cut(
    sandbox: Sandbox, connect: Connect, drop: Any, body: Any
) -> None:
    fault = sandbox.faults.add(drop=drop, times=None)
    async with connect(sandbox.url) as client:
        error = await failed_start(client, body())
    assert type(error) is EigenpalConnectionError
    assert error.maybe_started
    assert error.status == error.retries_taken == 0
    assert LOOK_FIRST in str(error)
    assert fault.fired == 1
    sandbox.faults.clear()
    assert len(started(sandbox)) == (1 if drop in ("after_handling", "mid_response") else 0)
    assert {request.headers["x-eigenpal-retry-count"] for request in posts(sandbox)} <= {"0"}


@all_wires
@pytest.mark.parametrize("body", [large_json, multipart])
@pytest.mark.parametrize("polite", [True, False])
async def test_a_start_is_not_resent_when_the_connection_ends_in_the_middle_of_its_body(
    connect: Connect, body: Any, polite: bool
) -> None:
    def hang_up(peer: Peer) -> None:
        peer.read_head()
        peer.read_exactly(100_000)
        if not polite:
            peer.reset()

    with scripted_server(hang_up) as server:
        async with connect(server.url) as client:
            error = await failed_start(client, body())
        assert server.connections == 1
    assert type(error) is EigenpalConnectionError
    assert error.maybe_started
    assert error.retries_taken == 0
    assert LOOK_FIRST in str(error)


@all_wires
async def test_a_start_is_not_resent_when_a_kept_connection_dies_under_it(connect: Connect) -> None:
    def answer_once(peer: Peer) -> None:
        peer.read_request()
        peer.answer(b'{"runs": [], "nextCursor": null}')
        peer.read_request()  # the start arrives and gets no answer

    with scripted_server(answer_once) as server:
        async with connect(server.url) as client:
            await client.runs.list()
            error = await failed_start(client)
        assert [request.connection for request in server.requests] == [0, 0]
    assert type(error) is EigenpalConnectionError
    assert error.maybe_started


@all_wires
async def test_a_connection_that_the_server_closed_while_idle_is_not_used_for_a_start(connect: Connect) -> None:
    def answer_one(peer: Peer) -> None:
        if (request := peer.read_request()) is not None:
            peer.answer(RECEIPT if request.method == "POST" else b'{"runs": [], "nextCursor": null}')

    with scripted_server(answer_one) as server:
        async with connect(server.url) as client:
            await client.runs.list()
            await until(lambda: not server._threads[0].is_alive())
            assert (await client.run("workflows.echo")).id == "exec_1"
        assert [request.headers["x-eigenpal-retry-count"] for request in server.requests] == ["0", "0"]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
async def test_a_start_answered_with_a_server_error_is_not_resent(
    sandbox: Sandbox, connect: Connect, status: int
) -> None:
    sandbox.faults.add(status=status, times=None)
    async with connect(sandbox.url) as client:
        error = await failed_start(client)
    assert type(error) is EigenpalServerError
    assert error.status == status
    assert error.maybe_started
    assert error.retries_taken == 0
    assert LOOK_FIRST in str(error)
    assert len(posts(sandbox)) == 1


async def test_a_start_that_the_server_gave_up_reading_is_not_resent(sandbox: Sandbox, connect: Connect) -> None:
    sandbox.faults.add(status=408, times=None)
    async with connect(sandbox.url) as client:
        error = await failed_start(client)
    assert type(error) is EigenpalAPIError
    assert error.status == 408
    assert "try again" in str(error)
    assert len(posts(sandbox)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "empty"},
        {"kind": "html"},
        {"kind": "bad_json"},
        {"body": [1, 2]},
        {"body": b"not gzip", "headers": {"Content-Encoding": "gzip"}},
        {"body": b"x", "headers": {"Content-Encoding": "br"}},
        {"body": b" " * 70_000},
    ],
)
async def test_a_start_whose_answer_can_not_be_read_says_that_it_may_have_started(
    sandbox: Sandbox, connect: Connect, answer: dict[str, Any]
) -> None:
    sandbox.faults.add(method="POST", times=None, **answer)
    async with connect(sandbox.url, max_response_bytes=65_536) as client:
        error = await failed_start(client)
    assert error.maybe_started
    assert LOOK_FIRST in str(error)
    assert error.retries_taken == 0
    assert len(posts(sandbox)) == 1


async def test_a_server_error_with_an_unreadable_body_still_says_that_the_start_may_have_happened(
    sandbox: Sandbox, connect: Connect
) -> None:
    sandbox.faults.add(status=500, body=b"not gzip", headers={"Content-Encoding": "gzip"}, times=None)
    async with connect(sandbox.url) as client:
        error = await failed_start(client)
    assert error.status == 500
    assert error.maybe_started
    assert len(posts(sandbox)) == 1


@all_wires
@pytest.mark.parametrize("body", BODIES)
async def test_a_start_that_gets_no_answer_in_time_is_not_resent(connect: Connect, body: Any) -> None:
    def never_answer(peer: Peer) -> None:
        peer.read_request()
        peer.wait_for_close()

    with scripted_server(never_answer) as server:
        async with connect(server.url, timeout_seconds=0.6) as client:
            error = await failed_start(client, body())
        assert len(server.requests) == 1
    assert type(error) is EigenpalTimeoutError
    assert isinstance(error, TimeoutError)
    assert error.maybe_started
    assert error.retries_taken == 0
    assert "timeout_seconds" in str(error)
    assert LOOK_FIRST in str(error)


async def test_an_answer_that_trickles_beyond_the_timeout_says_that_the_run_may_have_started(
    sandbox: Sandbox, connect: Connect
) -> None:
    sandbox.faults.add(method="POST", kind="trickle", delay=0.1)
    async with connect(sandbox.url, timeout_seconds=0.6) as client:
        error = await failed_start(client)
    assert type(error) is EigenpalTimeoutError
    assert error.maybe_started
    assert len(posts(sandbox)) == len(started(sandbox)) == 1


@all_wires
@pytest.mark.parametrize("body", [large_json, multipart])
async def test_a_refusal_that_comes_before_the_body_was_read_is_what_the_user_sees(connect: Connect, body: Any) -> None:
    def refuse(peer: Peer) -> None:
        peer.read_head()
        peer.answer(
            b'{"issues": [{"field": "<root>", "message": "Too large."}]}', status=413, headers={"Connection": "close"}
        )
        peer.socket.shutdown(socket.SHUT_WR)
        peer.wait_for_close()

    with scripted_server(refuse) as server:
        async with connect(server.url) as client:
            error = await failed_start(client, body())
        assert server.connections == 1
    assert type(error) is EigenpalAPIError
    assert error.status == 413
    assert "Too large" in str(error)
    assert not error.maybe_started


# ------------------------------------------------------------------------------------------- it surely did not start


@pytest.mark.parametrize(("status", "kind"), [(429, EigenpalRateLimitError), (503, EigenpalServerError)])
async def test_a_start_that_was_turned_away_at_the_door_is_sent_again(
    sandbox: Sandbox, connect: Connect, retry_time: RetryTime, status: int, kind: type[EigenpalError]
) -> None:
    sandbox.faults.add(status=status, retry_after=2, times=2)
    async with connect(sandbox.url) as client:
        run = await client.run("workflows.echo", {"language": "en"})
    assert started(sandbox) == [run.id]
    assert [request.headers["x-eigenpal-retry-count"] for request in posts(sandbox)] == ["0", "1", "2"]
    assert all(2 <= pause <= 2.4 for pause in retry_time.slept)
    assert len({request.body for request in posts(sandbox)}) == 1


@pytest.mark.parametrize(("status", "kind"), [(429, EigenpalRateLimitError), (503, EigenpalServerError)])
async def test_a_start_that_is_always_turned_away_says_how_often_it_was_sent(
    sandbox: Sandbox, connect: Connect, status: int, kind: type[EigenpalError]
) -> None:
    sandbox.faults.add(status=status, retry_after=2, times=None)
    async with connect(sandbox.url, max_retries=2) as client:
        error = await failed_start(client)
    assert type(error) is kind
    assert error.status == status
    assert error.retries_taken == 2
    assert error.retry_after == 2
    assert not error.maybe_started
    assert len(posts(sandbox)) == 3


async def test_a_wait_that_is_too_long_is_left_to_the_caller(
    sandbox: Sandbox, connect: Connect, retry_time: RetryTime
) -> None:
    sandbox.faults.add(status=429, retry_after=3600, times=None)
    async with connect(sandbox.url) as client:
        error = await failed_start(client)
    assert (error.retry_after, error.retries_taken, error.maybe_started) == (3600, 0, False)
    assert "longer than 60 s" in str(error)
    assert retry_time.slept == []
    assert len(posts(sandbox)) == 1


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_a_refused_connection_is_tried_again_and_then_told(connect: Connect, retry_time: RetryTime) -> None:
    async with connect(f"http://127.0.0.1:{free_port()}") as client:
        error = await failed_start(client)
    assert type(error) is EigenpalConnectionError
    assert (error.status, error.retries_taken, error.maybe_started) == (0, 3, False)
    assert "base_url" in str(error)
    assert "server is running" in str(error)
    assert LOOK_FIRST not in str(error)
    assert len(retry_time.slept) == 3
    assert all(pause <= 0.5 * 2**number for number, pause in enumerate(retry_time.slept))


async def test_a_start_refused_at_first_is_started_once_when_the_server_is_there(
    connect: Connect, retry_time: RetryTime
) -> None:
    late = Sandbox(port=free_port(), api_key="late")
    late.workflow("echo")(lambda context: {})
    retry_time.on_sleep = lambda number: late.start() if number == 2 else None
    async with connect(f"http://127.0.0.1:{late._port}", "late") as client:
        run = await client.run("workflows.echo")
        assert [row.id async for row in client.runs.iterate()] == [run.id]
    assert [request.headers["x-eigenpal-retry-count"] for request in posts(late)] == ["2"]
    await anyio.to_thread.run_sync(late.stop)


@contextlib.contextmanager
def full_backlog() -> Iterator[str]:
    """Listen, and have so many connections waiting to be accepted that the kernel answers no further one."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@all_wires
async def test_a_start_that_never_got_a_connection_is_sent_again_and_surely_did_not_start(connect: Connect) -> None:
    with full_backlog() as url:
        async with connect(url, timeout_seconds=0.15, max_retries=1) as client:
            error = await failed_start(client)
    assert type(error) is EigenpalTimeoutError
    assert (error.retries_taken, error.maybe_started) == (1, False)
    assert "0.15 s" in str(error)


def say_nothing(peer: Peer) -> None:
    peer.wait_for_close()


@all_wires
async def test_a_start_that_times_out_while_securing_the_connection_surely_did_not_start(connect: Connect) -> None:
    with scripted_server(say_nothing) as server:
        async with connect(server.url.replace("http", "https"), timeout_seconds=0.5, max_retries=1) as client:
            error = await failed_start(client)
        assert server.connections == 2
    assert type(error) is EigenpalTimeoutError
    assert (error.retries_taken, error.maybe_started) == (1, False)


@pytest.mark.parametrize("body", [small_json, large_json])
async def test_a_start_that_times_out_in_the_queue_surely_did_not_start(connect: Connect, body: Any) -> None:
    def hold(peer: Peer) -> None:
        peer.read_request()
        peer.wait_for_close()

    with scripted_server(hold) as server:
        async with connect(server.url, max_concurrency=1, max_retries=0) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.runs.get, "exec_slow")
            await until(lambda: server.requests)
            error = await failed_start(client.with_options(timeout_seconds=0.15), body())
            assert type(error) is EigenpalTimeoutError
            assert not error.maybe_started
            assert "queue" in str(error)
            tasks.cancel_scope.cancel()
        assert [request.method for request in server.requests] == ["GET"]


async def test_a_stream_that_can_not_be_read_again_is_not_resent_and_the_error_says_so(
    sandbox: Sandbox, connect: Connect
) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self._chunks = [b"a" * 10, b""]

        def read(self, size: int = -1) -> bytes:
            return self._chunks.pop(0) if self._chunks else b""

    sandbox.faults.add(method="POST", status=429, retry_after=0)
    async with connect(sandbox.url) as client:
        error = await failed_start(client, {"document": Pipe()})
    assert type(error) is EigenpalRateLimitError
    assert error.retries_taken == 0
    assert "can't be read again" in str(error)
    assert len(posts(sandbox)) == 1
    assert started(sandbox) == []


async def test_a_file_is_sent_again_whole_after_it_was_turned_away(sandbox: Sandbox, connect: Connect) -> None:
    received: list[bytes] = []

    @sandbox.workflow("read")
    def read(context: Any) -> dict[str, Any]:
        received.append(context.files["document"].read_bytes())
        return {}

    sandbox.faults.add(method="POST", status=429, retry_after=1, times=2)
    content = b"%PDF-" + bytes(range(256)) * 4000
    file = io.BytesIO(b"skipped" + content)
    file.seek(len(b"skipped"))
    async with connect(sandbox.url) as client:
        run = await client.run("workflows.read", {"document": file}, wait_for_completion=5)
    assert run.finished
    assert received == [content]
    assert [request.body_size for request in posts(sandbox)] == [posts(sandbox)[0].body_size] * 3
    assert file.tell() == len(b"skipped")


# ------------------------------------------------------------------------------------------- repeating a run


async def first_run(client: AsyncEigenpalClient, sandbox: Sandbox) -> str:
    run = await client.run("workflows.echo", wait_for_completion=5)
    sandbox.requests.clear()
    return run.id


@pytest.mark.parametrize(
    "fault", [{"drop": "after_handling"}, {"drop": "before_body"}, {"status": 500}, {"status": 503}, {"kind": "empty"}]
)
async def test_a_rerun_that_may_have_started_is_not_resent(
    sandbox: Sandbox, connect: Connect, fault: dict[str, Any]
) -> None:
    async with connect(sandbox.url) as client:
        run_id = await first_run(client, sandbox)
        sandbox.faults.add("*/rerun", times=None, **fault)
        with pytest.raises(EigenpalError) as caught:
            await client.rerun(run_id)
    assert caught.value.maybe_started
    assert LOOK_FIRST in str(caught.value)
    assert len(posts(sandbox)) == 1
    assert len(started(sandbox)) == (2 if fault.get("drop") == "after_handling" else 1)


async def test_a_rerun_that_was_turned_away_is_sent_again(sandbox: Sandbox, connect: Connect) -> None:
    async with connect(sandbox.url) as client:
        run_id = await first_run(client, sandbox)
        sandbox.faults.add("*/rerun", status=429, retry_after=1)
        again = await client.runs.rerun(run_id)
    assert [request.headers["x-eigenpal-retry-count"] for request in posts(sandbox)] == ["0", "1"]
    assert sorted(started(sandbox)) == sorted([run_id, again.id])


# ------------------------------------------------------------------------------------------- what may be repeated


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("get", {"drop": "on_accept"}),
        ("get", {"drop": "before_body"}),
        ("get", {"drop": "after_handling"}),
        ("get", {"drop": "mid_response"}),
        ("get", {"status": 408}),
        ("get", {"status": 429}),
        ("get", {"status": 500}),
        ("get", {"status": 502}),
        ("get", {"status": 503}),
        ("get", {"status": 504}),
        ("cancel", {"drop": "after_handling"}),
        ("cancel", {"status": 500}),
    ],
)
async def test_reads_and_cancels_are_sent_again_after_any_passing_failure(
    sandbox: Sandbox, connect: Connect, retry_time: RetryTime, fault: dict[str, Any], call: str
) -> None:
    async with connect(sandbox.url) as first:
        run_id = await first_run(first, sandbox)
    planned = sandbox.faults.add(times=2, **fault)
    async with connect(sandbox.url) as client:
        answer = await (client.runs.get(run_id) if call == "get" else client.runs.cancel(run_id))
    assert answer.id == run_id
    assert planned.fired == 2
    assert len(retry_time.slept) == 2
    assert sandbox.requests[-1].headers["x-eigenpal-retry-count"] == "2"


@pytest.mark.parametrize("status", [400, 401, 404, 409, 501, 520])
async def test_a_read_is_not_sent_again_after_a_failure_that_will_stay(
    sandbox: Sandbox, connect: Connect, status: int
) -> None:
    fault = sandbox.faults.add(status=status, times=None)
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalError) as caught:
            await client.runs.get("exec_1")
    assert (caught.value.status, caught.value.retries_taken, fault.fired) == (status, 0, 1)
    assert not caught.value.maybe_started
