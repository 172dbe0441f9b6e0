"""Leaving a batch, in every way there is: what is left is cancelled, and nothing stays behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from eigenpal.errors import EigenpalUsageError
from tests.fanout.fake_service import Client, FakeService, all_of, batch, for_ever

pytestmark = pytest.mark.anyio


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(30):
        await checkpoint()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client; nothing may go on over its connections, and no task be left, when the test is over."""
    held = Client()
    yield held
    await settle()
    assert held.users == {}
    assert [task.name for task in anyio.get_running_tasks() if task.name and "eigenpal" in task.name] == []


@pytest.fixture
def service() -> FakeService:
    """A service whose work never ends, but for that of the input 0."""
    made = FakeService()

    async def only_the_first_ends(request: Any) -> None:
        await (checkpoint() if request == 0 else anyio.sleep_forever())

    made.on_wait = only_the_first_ends
    return made


async def test_leaving_an_async_with_block_ends_the_batch_before_it_is_left(
    service: FakeService, client: Client
) -> None:
    async with batch(service, range(9), client=client) as outcomes:
        async for _ in outcomes:
            break
        assert service.at_work > 0
    assert service.at_work == 0
    assert client.users == {}


async def test_aclose_ends_the_batch_and_may_be_called_again(service: FakeService, client: Client) -> None:
    outcomes = batch(service, range(9), client=client)
    await anext(outcomes)
    await outcomes.aclose()
    await outcomes.aclose()
    assert service.at_work == 0
    with pytest.raises(StopAsyncIteration):
        await anext(outcomes)


async def test_closed_before_it_began_it_never_begins(service: FakeService, client: Client) -> None:
    outcomes = batch(service, range(9), client=client)
    await outcomes.aclose()
    assert await all_of(outcomes) == []
    assert service.starts == []


async def test_break_ends_the_batch_in_the_background(service: FakeService, client: Client) -> None:
    async for _ in batch(service, range(9), client=client):
        break
    gc.collect()
    await settle()
    assert service.at_work == 0


async def test_an_error_in_the_loop_ends_the_batch(service: FakeService, client: Client) -> None:
    async def work() -> None:
        async for _ in batch(service, range(9), client=client):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    gc.collect()
    await settle()
    assert service.at_work == 0


async def test_a_deadline_around_the_loop_ends_the_batch(service: FakeService, client: Client) -> None:
    with anyio.move_on_after(0.02) as scope:
        async for _ in batch(service, range(9), client=client):
            pass
    assert scope.cancelled_caught
    assert service.at_work == 0
    assert client.users == {}


async def test_a_failure_elsewhere_in_the_task_group_ends_the_batch(service: FakeService, client: Client) -> None:
    begun = anyio.Event()

    async def read() -> None:
        async for _ in batch(service, range(9), client=client):
            begun.set()

    async def fail() -> None:
        await begun.wait()
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as raised:
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            group.start_soon(fail)
    assert raised.group_contains(ZeroDivisionError)
    assert service.at_work == 0
    assert client.users == {}


async def test_closing_the_client_ends_the_batch_first(service: FakeService, client: Client) -> None:
    outcomes = batch(service, range(9), client=client)
    await anext(outcomes)
    (close,) = client.users.values()
    await close()
    assert service.at_work == 0
    with pytest.raises(StopAsyncIteration):
        await anext(outcomes)


async def test_a_batch_that_is_over_is_held_by_nobody(client: Client) -> None:
    outcomes = batch(FakeService(), range(9), client=client)
    assert len(await all_of(outcomes)) == 9
    await settle()
    assert client.users == {}
    gone = weakref.ref(outcomes)
    del outcomes
    gc.collect()
    assert gone() is None


async def test_the_iterator_may_be_closed_by_another_task(service: FakeService, client: Client) -> None:
    outcomes = batch(service, range(9), client=client)

    async def read() -> None:
        await anext(outcomes)

    async with anyio.create_task_group() as group:
        group.start_soon(read)
    async with anyio.create_task_group() as group:
        group.start_soon(outcomes.aclose)
    assert service.at_work == 0


async def test_a_start_under_way_is_let_end_so_that_its_id_is_known(service: FakeService, client: Client) -> None:
    begun, left = anyio.Event(), anyio.Event()

    async def slow(request: Any) -> None:
        begun.set()
        await left.wait()

    service.on_start = slow
    outcomes = batch(service, range(2), client=client, cancel_running=True)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: _read_nothing(outcomes))
        await begun.wait()
        group.start_soon(outcomes.aclose)
        await settle()
        left.set()
    assert sorted(service.cancelled) == sorted(service.made.values())
    assert len(service.made) == 2


async def _read_nothing(outcomes: Any) -> None:
    assert await all_of(outcomes) == []


async def test_a_start_that_hangs_holds_nobody_up_for_long(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eigenpal.fanout.batch.LEAVING_SECONDS", 0.02)
    both = anyio.Event()

    async def hang(request: Any) -> None:
        if len(hanging.starts) == 2:
            both.set()
        await anyio.sleep_forever()

    hanging = FakeService(on_start=hang)
    outcomes = batch(hanging, range(2), client=client)
    async with anyio.create_task_group() as group:
        group.start_soon(_read_nothing, outcomes)
        await both.wait()
        await outcomes.aclose()
    assert hanging.made == {}
    assert client.users == {}


async def test_cancel_running_asks_the_server_to_stop_what_runs(service: FakeService, client: Client) -> None:
    async with batch(service, range(4), client=client, cancel_running=True) as outcomes:
        first = await anext(outcomes)
        await settle()
    assert {*service.cancelled, first.id} == set(service.made.values())


async def test_without_it_what_runs_goes_on(service: FakeService, client: Client) -> None:
    async with batch(service, range(4), client=client) as outcomes:
        await anext(outcomes)
    assert service.cancelled == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_is_cancelled_by_asyncio_itself_ends_the_batch(service: FakeService, client: Client) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await all_of(batch(service, range(9), client=client))
    assert service.at_work == 0
    assert client.users == {}


def test_a_batch_left_behind_by_its_event_loop_ends_with_it(anyio_backend_name: str) -> None:
    """No `async with`, no close: the loop ends while the batch is at work, and nothing complains."""
    service = FakeService(on_wait=for_ever)
    kept: list[Any] = []

    async def main() -> None:
        outcomes = batch(service, range(3))
        kept.append(outcomes)
        with anyio.move_on_after(0.02) as scope:
            scope.shield = False
            while not service.at_work:
                async with anyio.create_task_group() as group:
                    outcomes._begin()
                    await settle()
                    group.cancel_scope.cancel()

    anyio.run(main, backend=anyio_backend_name)
    assert service.at_work == 0

    async def again() -> None:
        with pytest.raises(EigenpalUsageError, match="event loop was ended"):
            await anext(kept[0])

    anyio.run(again, backend=anyio_backend_name)
