"""The queue in front of the wire, closing, and moving between event loops."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings

import anyio
import anyio.to_thread
import httpx
import pytest

from eigenpal.engine.transport import Connections, Request, TransportFailure, TransportOptions
from eigenpal.errors import EigenpalInputError, EigenpalUsageError
from tests.engine.transport.exchanges import connections, exchange, fits
from tests.scripted_server import Peer, scripted_server


async def until(condition: object) -> None:
    """Give others their turn until something holds."""
    assert callable(condition)
    with anyio.fail_after(5):
        while not condition():
            await anyio.lowlevel.checkpoint()


@pytest.mark.anyio
async def test_t1_no_more_requests_than_slots_are_on_the_wire(own_kind: str) -> None:
    at_once, most = 0, 0
    lock = threading.Lock()

    def script(peer: Peer) -> None:
        nonlocal at_once, most
        while peer.read_request() is not None:
            with lock:
                at_once += 1
                most = max(most, at_once)
            threading.Event().wait(0.002)
            with lock:
                at_once -= 1
            peer.answer()

    with scripted_server(script) as server:
        async with connections(own_kind, max_concurrency=3) as mine, anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(exchange, mine, server.url + "/")
    assert most <= 3
    assert server.connections <= 3
    assert len(server.requests) == 30


@pytest.mark.anyio
async def test_t1_those_beyond_the_slots_are_sent_in_the_order_they_came(own_kind: str) -> None:
    with scripted_server() as server:
        async with connections(own_kind, max_concurrency=1) as mine:
            first = await mine.send(Request("GET", server.url + "/0", {}, timeout=5))
            async with anyio.create_task_group() as tasks:
                for number in range(1, 10):
                    tasks.start_soon(exchange, mine, f"{server.url}/{number}")
                    await until(lambda number=number: mine.queued == number)
                await first.aclose()
    assert [request.target for request in server.requests] == [f"/{number}" for number in range(10)]


@pytest.mark.anyio
async def test_a_slot_is_held_until_the_answer_is_closed(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind, max_concurrency=1) as mine:
            first = await mine.send(Request("GET", server.url + "/1", {}, timeout=5))
            second = Request("GET", server.url + "/2", {}, timeout=5)

            async with anyio.create_task_group() as tasks:

                async def send_second() -> None:
                    response = await mine.send(second)
                    await response.aclose()

                tasks.start_soon(send_second)
                await until(lambda: mine.queued == 1)
                assert not second.handed_over
                await first.aclose()
            assert second.handed_over
            assert (mine.in_flight, mine.queued) == (0, 0)


@pytest.mark.anyio
async def test_a_request_cancelled_in_the_queue_leaves_no_trace() -> None:
    with scripted_server() as server:
        async with connections("lanes", max_concurrency=1) as mine:
            first = await mine.send(Request("GET", server.url + "/1", {}, timeout=5))
            waiting = Request("GET", server.url + "/2", {}, timeout=5)
            with anyio.move_on_after(0.01):
                await mine.send(waiting)
            assert not waiting.handed_over
            assert (mine.in_flight, mine.queued) == (1, 0)
            await first.aclose()
            await exchange(mine, server.url + "/3")
    assert [request.target for request in server.requests] == ["/1", "/3"]


@pytest.mark.anyio
async def test_a_slot_given_to_a_request_that_is_cancelled_at_that_moment_goes_on_to_the_next() -> None:
    with scripted_server() as server:
        async with connections("lanes", max_concurrency=1) as mine:
            first = await mine.send(Request("GET", server.url + "/1", {}, timeout=5))
            async with anyio.create_task_group() as tasks:
                scope = anyio.CancelScope()

                async def cancelled() -> None:
                    with scope:
                        await mine.send(Request("GET", server.url + "/2", {}, timeout=5))

                tasks.start_soon(cancelled)
                await until(lambda: mine.queued == 1)
                tasks.start_soon(exchange, mine, server.url + "/3")
                await until(lambda: mine.queued == 2)
                await first.aclose()
                scope.cancel()
            assert (mine.in_flight, mine.queued) == (0, 0)
    assert server.requests[-1].target == "/3"


@pytest.mark.anyio
async def test_closing_twice_is_closing_once(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/")
            assert not mine.closed
            await mine.aclose()
            await mine.aclose()
            assert mine.closed


@pytest.mark.anyio
async def test_sending_after_closing_is_refused(kind: str) -> None:
    async with connections(kind) as mine:
        await mine.aclose()
        with pytest.raises(EigenpalUsageError, match="closed"):
            await mine.send(Request("GET", "http://127.0.0.1:1/", {}))


@pytest.mark.anyio
async def test_closing_sends_those_in_the_queue_away_and_ends_those_under_way(own_kind: str) -> None:
    arrived = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        arrived.set()
        peer.wait_for_close()

    problems: list[BaseException] = []

    async def send(mine: Connections, url: str) -> None:
        try:
            await mine.send(Request("GET", url, {}, timeout=5))
        except (TransportFailure, EigenpalUsageError) as problem:
            problems.append(problem)

    with scripted_server(script) as server:
        async with connections(own_kind, max_concurrency=1) as mine, anyio.create_task_group() as tasks:
            tasks.start_soon(send, mine, server.url + "/1")
            await until(lambda: mine.in_flight == 1)
            tasks.start_soon(send, mine, server.url + "/2")
            await until(lambda: mine.queued == 1)
            await anyio.to_thread.run_sync(arrived.wait, 5)
            await mine.aclose()
    assert sorted(type(problem).__name__ for problem in problems) == ["EigenpalUsageError", "TransportFailure"]


@pytest.mark.anyio
async def test_a_users_own_client_stays_open() -> None:
    with scripted_server() as server:
        async with httpx.AsyncClient(trust_env=False) as client:
            mine = Connections(TransportOptions(http_client=client))
            await exchange(mine, server.url + "/")
            await mine.aclose()
            assert not client.is_closed
            assert (await client.get(server.url + "/")).status_code == 200


@pytest.mark.anyio
async def test_a_users_own_client_that_is_closed_is_named() -> None:
    client = httpx.AsyncClient(trust_env=False)
    await client.aclose()
    mine = Connections(TransportOptions(http_client=client))
    with pytest.raises(EigenpalUsageError, match="http_client"):
        await mine.send(Request("GET", "http://127.0.0.1:1/", {}))


def test_t3_the_same_client_works_in_one_event_loop_after_another(own_kind: str, anyio_backend: str) -> None:
    async def use(mine: Connections, url: str) -> None:
        for _ in range(2):
            await exchange(mine, url)

    mine = Connections(TransportOptions(aiohttp=own_kind == "aiohttp", trust_env=False))
    with scripted_server() as server:
        for _ in range(3):
            anyio.run(use, mine, server.url + "/", backend=anyio_backend)
            assert mine.in_flight == 0
        assert server.connections == 3
        anyio.run(mine.aclose, backend=anyio_backend)
    gc.collect()


def test_t3_a_client_moves_between_asyncio_and_trio() -> None:
    mine = Connections(TransportOptions(trust_env=False))
    with scripted_server() as server:
        for backend in ("asyncio", "trio", "asyncio"):
            answer = anyio.run(lambda: exchange(mine, server.url + "/"), backend=backend)
            assert answer.status == 200
        anyio.run(mine.aclose, backend="trio")
    gc.collect()


# aiohttp rightly remarks on an answer that was never closed.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <function Connection:pytest.PytestUnraisableExceptionWarning")
def test_t3_requests_that_died_with_their_loop_do_not_bar_the_next(own_kind: str, anyio_backend: str) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.target == "/first":
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
            else:
                peer.answer()

    mine = Connections(TransportOptions(aiohttp=own_kind == "aiohttp", trust_env=False))

    async def leave_open(url: str) -> None:
        await mine.send(Request("GET", url, {}, timeout=5))

    with scripted_server(script) as server:
        anyio.run(leave_open, server.url + "/first", backend=anyio_backend)
        assert anyio.run(lambda: exchange(mine, server.url + "/"), backend=anyio_backend).status == 200
        anyio.run(mine.aclose, backend=anyio_backend)
    gc.collect()


def test_t5_use_from_two_loops_at_once_is_refused_and_fine_one_after_the_other(
    own_kind: str, anyio_backend: str
) -> None:
    mine = Connections(TransportOptions(aiohttp=own_kind == "aiohttp", trust_env=False))
    under_way, refused = threading.Event(), threading.Event()

    async def hold(url: str) -> None:
        response = await mine.send(Request("GET", url, {}, timeout=5))
        under_way.set()
        await anyio.to_thread.run_sync(refused.wait, 5)
        await response.aclose()

    with scripted_server() as server:
        thread = threading.Thread(target=lambda: anyio.run(hold, server.url + "/", backend=anyio_backend))
        thread.start()
        assert under_way.wait(5)
        with pytest.raises(EigenpalUsageError, match="another event loop"):
            anyio.run(lambda: exchange(mine, server.url + "/"), backend=anyio_backend)
        refused.set()
        thread.join(5)
        assert anyio.run(lambda: exchange(mine, server.url + "/"), backend=anyio_backend).status == 200
        anyio.run(mine.aclose, backend=anyio_backend)
    gc.collect()


def test_t3_a_client_may_go_to_and_fro_between_two_living_loops(own_kind: str) -> None:
    mine = Connections(TransportOptions(aiohttp=own_kind == "aiohttp", trust_env=False))
    loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
    try:
        with scripted_server() as server:
            for _ in range(3):
                for loop in loops:
                    assert loop.run_until_complete(exchange(mine, server.url + "/")).status == 200
            loops[0].run_until_complete(mine.aclose())
    finally:
        for loop in loops:
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
    gc.collect()


def test_t3_a_forgotten_client_goes_without_a_word(own_kind: str, anyio_backend: str) -> None:
    if not fits(own_kind, anyio_backend):
        pytest.skip("aiohttp runs on asyncio only")

    async def use_and_forget(url: str) -> None:
        mine = Connections(TransportOptions(aiohttp=own_kind == "aiohttp", trust_env=False))
        await exchange(mine, url)

    with scripted_server() as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        anyio.run(use_and_forget, server.url + "/", backend=anyio_backend)
        gc.collect()


def test_t3_a_client_that_outlives_its_loop_goes_without_a_word(own_kind: str, anyio_backend: str) -> None:
    held = [Connections(TransportOptions(aiohttp=own_kind == "aiohttp", trust_env=False))]
    with scripted_server() as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        anyio.run(lambda: exchange(held[0], server.url + "/"), backend=anyio_backend)
        held.clear()
        gc.collect()


@pytest.mark.anyio
async def test_aiohttp_is_chosen_on_asyncio_and_lanes_elsewhere(anyio_backend_name: str) -> None:
    with scripted_server() as server:
        mine = Connections(TransportOptions(trust_env=False))
        await exchange(mine, server.url + "/")
        assert mine._home is not None
        expected = "AiohttpTransport" if anyio_backend_name == "asyncio" else "LaneTransport"
        assert type(mine._home.transport).__name__ == expected
        await mine.aclose()


def test_asking_for_aiohttp_on_trio_is_refused() -> None:
    mine = Connections(TransportOptions(aiohttp=True, trust_env=False))
    with pytest.raises(EigenpalUsageError, match="asyncio"):
        anyio.run(lambda: mine.send(Request("GET", "http://127.0.0.1:1/", {})), backend="trio")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_without_aiohttp_there_are_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eigenpal.engine.transport.connections.importlib.util.find_spec", lambda name: None)
    with scripted_server() as server:
        async with connections("lanes", aiohttp=None) as mine:
            await exchange(mine, server.url + "/")
            assert mine._home is not None
            assert type(mine._home.transport).__name__ == "LaneTransport"
        with pytest.raises(EigenpalUsageError, match=r"eigenpal\[aiohttp\]"):
            await Connections(TransportOptions(aiohttp=True)).send(Request("GET", server.url + "/", {}))


def test_options_that_can_not_work_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="max_concurrency"):
        TransportOptions(max_concurrency=0)
    with pytest.raises(EigenpalInputError, match="verify"):
        Connections(TransportOptions(verify="/no/such/file.pem"))
    with pytest.raises(EigenpalInputError, match="proxy"):
        Connections(TransportOptions(proxy="gopher://proxy.example"))
    with pytest.raises(EigenpalInputError, match="http_client"):
        anyio.run(Connections(TransportOptions(http_client=object())).send, Request("GET", "http://a/", {}))  # type: ignore[arg-type]
