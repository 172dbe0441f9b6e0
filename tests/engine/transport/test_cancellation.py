"""T5 and cancellation anywhere: nothing stays taken, no connection is used again, and a storm leaves no damage."""

from __future__ import annotations

import random
import threading
import time

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from eigenpal.engine.transport import Connections, Request
from eigenpal.engine.transport.lanes import LaneTransport
from tests.engine.transport.exchanges import Streamed, connections, exchange
from tests.scripted_server import Peer, scripted_server, silent

pytestmark = pytest.mark.anyio


def open_lanes(mine: Connections) -> int:
    assert mine._home is not None
    transport = mine._home.transport
    return transport.open_lanes if isinstance(transport, LaneTransport) else 0


async def test_a_request_cancelled_while_waiting_for_its_answer_gives_up_its_connection(kind: str) -> None:
    arrived = threading.Event()

    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.target == "/never":
                arrived.set()
                peer.wait_for_close()
                return
            peer.answer()

    with scripted_server(script) as server:
        async with connections(kind, max_concurrency=1) as mine:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(exchange, mine, server.url + "/never")
                await anyio.to_thread.run_sync(arrived.wait, 5)
                tasks.cancel_scope.cancel()
            assert mine.in_flight == 0
            assert open_lanes(mine) == 0
            assert (await exchange(mine, server.url + "/")).status == 200
    assert server.connections == 2


async def test_a_request_cancelled_while_reading_its_answer_gives_up_its_connection(kind: str) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.target == "/slow":
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
                peer.wait_for_close()
                return
            peer.answer()

    with scripted_server(script) as server:
        async with connections(kind, max_concurrency=1) as mine:
            response = await mine.send(Request("GET", server.url + "/slow", {}, timeout=5))
            chunks = response.raw_chunks()
            assert await anext(chunks) == b"some"
            with anyio.move_on_after(0.02) as scope:
                try:
                    await anext(chunks)
                finally:
                    await response.aclose()  # in a scope that is cancelled, as it is in practice
            assert scope.cancelled_caught
            assert mine.in_flight == 0
            assert open_lanes(mine) == 0
            assert (await exchange(mine, server.url + "/")).status == 200
    assert server.connections == 2


async def test_a_request_cancelled_while_its_body_is_sent_gives_up_its_connection(kind: str) -> None:
    done = threading.Event()

    def script(peer: Peer) -> None:
        head = peer.read_head() or b""
        if head.startswith(b"POST"):
            done.wait(10)
        else:
            peer.answer()

    body = Streamed([bytes(1024 * 1024)] * 32)
    with scripted_server(script) as server:
        async with connections(kind, max_concurrency=1) as mine:
            with anyio.move_on_after(0.1) as scope:
                await exchange(mine, server.url + "/", method="POST", body=body)
            assert scope.cancelled_caught
            done.set()
            assert mine.in_flight == 0
            assert (await exchange(mine, server.url + "/")).status == 200


async def test_a_request_cancelled_while_connecting_was_never_handed_over(own_kind: str) -> None:
    with scripted_server(silent) as server:
        async with connections(own_kind) as mine:
            request = Request("POST", server.url.replace("http:", "https:") + "/", {}, b"{}", timeout=5)
            with anyio.move_on_after(0.05) as scope:
                await mine.send(request)
            assert scope.cancelled_caught
            assert not request.handed_over
            assert (mine.in_flight, open_lanes(mine)) == (0, 0)


async def test_t5_after_a_storm_of_500_cancelled_requests_everything_works(own_kind: str) -> None:
    """Each is cancelled somewhere else on its way: in the queue, connecting, sending, waiting, reading."""
    dice = random.Random(1)

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
            time.sleep(0.001)
            peer.send(b"67890")

    async def cancelled_soon(mine: Connections, url: str) -> None:
        with anyio.move_on_after(dice.uniform(0, 0.05)):
            await exchange(mine, url, method="POST", body=b"{}")

    with scripted_server(script) as server:
        async with connections(own_kind, max_concurrency=50) as mine:
            async with anyio.create_task_group() as tasks:
                for _ in range(500):
                    tasks.start_soon(cancelled_soon, mine, server.url + "/")
            assert (mine.in_flight, mine.queued) == (0, 0)

            answers = []

            async def one() -> None:
                answers.append((await exchange(mine, server.url + "/after", method="POST", body=b"{}")).body)

            async with anyio.create_task_group() as tasks:
                for _ in range(100):
                    tasks.start_soon(one)
            assert answers == [b"1234567890"] * 100
            assert (mine.in_flight, mine.queued) == (0, 0)
            assert open_lanes(mine) <= 50
            used = {request.connection for request in server.requests if request.target == "/after"}
            assert len(used) <= 50
