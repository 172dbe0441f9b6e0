"""How lanes are made, kept and thrown away."""

from __future__ import annotations

import pytest

from eigenpal.engine.transport import Connections, Request, lanes
from eigenpal.engine.transport.lanes import LaneTransport
from tests.engine.transport.exchanges import connections, exchange
from tests.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.anyio


def transport_of(mine: Connections) -> LaneTransport:
    assert mine._home is not None
    assert isinstance(mine._home.transport, LaneTransport)
    return mine._home.transport


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lanes, "time", clock)
    return clock


async def hold(mine: Connections, url: str, count: int) -> None:
    """Have several requests under way at once, so that as many lanes are open."""
    responses = [await mine.send(Request("GET", url, {}, timeout=5)) for _ in range(count)]
    for response in responses:
        async for _ in response.raw_chunks():
            pass
        await response.aclose()


async def test_t1_lanes_are_made_on_demand_and_the_last_one_used_is_used_next() -> None:
    with scripted_server() as server:
        async with connections("lanes") as mine:
            await hold(mine, server.url + "/", 3)
            assert transport_of(mine).open_lanes == 3
            for _ in range(5):
                await exchange(mine, server.url + "/after")
    assert {request.connection for request in server.requests if request.target == "/after"} == {2}


async def test_t1_idle_lanes_expire_after_fifteen_seconds(clock: Clock) -> None:
    with scripted_server() as server:
        async with connections("lanes") as mine:
            await hold(mine, server.url + "/", 3)
            clock.now += 14
            await exchange(mine, server.url + "/")
            assert transport_of(mine).open_lanes == 3
            clock.now += 2
            await exchange(mine, server.url + "/")
            assert transport_of(mine).open_lanes == 1
            clock.now += 16
            await exchange(mine, server.url + "/last")
    assert server.requests[-1].connection == 3


async def test_t1_a_lane_whose_server_wants_no_more_is_not_used_again() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(headers={"Connection": "close"})

    with scripted_server(script) as server:
        async with connections("lanes") as mine:
            for _ in range(3):
                assert (await exchange(mine, server.url + "/", method="POST")).status == 200
    assert server.connections == 3


async def test_idle_lanes_to_one_server_do_not_add_up_with_those_to_another() -> None:
    with scripted_server() as one, scripted_server() as other:
        async with connections("lanes", max_concurrency=4) as mine:
            await hold(mine, one.url + "/", 4)
            await hold(mine, other.url + "/", 3)
            assert transport_of(mine).open_lanes == 4
            assert other.connections == 3
