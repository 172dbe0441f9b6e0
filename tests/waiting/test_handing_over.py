"""The watcher has no task of its own: whoever leaves hands on what it had in hand, and trouble is sat out together."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalAuthError,
    EigenpalConnectionError,
    EigenpalError,
    EigenpalRateLimitError,
    EigenpalServerError,
    EigenpalTimeoutError,
)
from eigenpal.waiting.rounds import LISTS_REST_SECONDS
from tests.waiting.platform import Platform, in_virtual_time, names, wait

pytestmark = pytest.mark.anyio


def desks(watcher: Any) -> object:
    """Return what is left of the watcher when nobody waits; None is right."""
    return watcher._here


# ---------------------------------------------------------------------------------------------------- leaving


@pytest.mark.parametrize("moment", ["before a look", "in a list", "between looks"])
async def test_whoever_is_cancelled_leaves_at_once_and_the_others_go_on(moment: str) -> None:
    platform = Platform(latency=0.0)
    listing, hold = anyio.Event(), anyio.Event()
    first_caller: list[anyio.CancelScope] = []
    scopes: dict[str, anyio.CancelScope] = {}
    watcher = platform.watcher()
    rows = platform.rows

    async def held(session: Any, ids: Sequence[str]) -> Any:
        if moment == "in a list" and not listing.is_set():
            task = anyio.get_current_task().name
            first_caller.append(scopes[str(task)])
            listing.set()
            await hold.wait()
        listing.set()
        return await rows(session, ids)

    watcher = platform.watcher(rows=held)
    platform.begin("a", "b", "c", seconds=0.3)
    ends: list[str] = []

    async def one(work_id: str) -> None:
        with anyio.CancelScope() as scopes[work_id]:
            ends.append((await wait(watcher, work_id, poll_interval_seconds=0.02)).id)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for work_id in ("a", "b", "c"):
                tasks.start_soon(one, work_id, name=work_id)
            if moment == "before a look":
                while "a" not in scopes:
                    await anyio.lowlevel.checkpoint()
                scopes["a"].cancel()
            else:
                await listing.wait()
                (first_caller[0] if first_caller else scopes["a"]).cancel()
    assert len(ends) == 2
    assert desks(watcher) is None


@in_virtual_time
async def test_any_number_may_come_and_go_and_everyone_hears_in_time(anyio_backend: Any) -> None:
    platform = Platform(latency=0.05)
    watcher = platform.watcher()
    late: list[float] = []

    async def one(work_id: str, patience: float) -> None:
        with anyio.move_on_after(patience):
            await wait(watcher, work_id)
            late.append(anyio.current_time() - platform.ends[work_id])

    async with anyio.create_task_group() as tasks:
        for number, work_id in enumerate(names(200)):
            platform.begin(work_id, seconds=number % 17)
            tasks.start_soon(one, work_id, 1.0 + number % 5 if number % 3 else 1e9)
            await anyio.sleep(0.02)
    assert len(late) >= 67
    assert max(late) < 2.0 * 1.1 + 1  # one interval, and the way there and back
    assert platform.under_way == 0
    assert desks(watcher) is None


@in_virtual_time
async def test_a_deadline_of_one_in_the_middle_of_a_list_costs_the_others_one_request(anyio_backend: Any) -> None:
    platform = Platform(latency=3.0)
    platform.begin("a", "b", seconds=1)
    watcher = platform.watcher()
    began = anyio.current_time()

    async def short() -> None:
        with pytest.raises(EigenpalTimeoutError):
            await wait(watcher, "a", timeout_seconds=2)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(short)
        tasks.start_soon(wait, watcher, "b")
    assert anyio.current_time() - began == pytest.approx(6, abs=0.1)  # one list, one look: b carries them out itself


async def test_nobody_waiting_leaves_no_task_and_no_memory_of_a_loop() -> None:
    platform = Platform(latency=0.0)
    platform.begin(*names(30), seconds=0.05)
    watcher = platform.watcher()
    before = len(anyio.get_running_tasks())
    async with anyio.create_task_group() as tasks:
        for work_id in names(30):
            tasks.start_soon(wait, watcher, work_id)
    assert len(anyio.get_running_tasks()) == before
    assert desks(watcher) is None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_next_event_loop_begins_anew_even_after_one_that_was_cut_off(backend: str) -> None:
    platform = Platform(latency=0.0)
    watcher = platform.watcher()

    async def cut_off() -> None:
        platform.begin("a", "b", seconds=1000)
        with anyio.move_on_after(0.05):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait, watcher, "a")
                tasks.start_soon(wait, watcher, "b")

    async def whole() -> str:
        platform.begin("a", "b", seconds=0.05)
        ends: list[str] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, watcher, "a")
            ends.append((await wait(watcher, "b")).status)
        return ends[0]

    anyio.run(cut_off, backend=backend)
    assert anyio.run(whole, backend=backend) == "done"
    assert desks(watcher) is None
    gc.collect()


# ---------------------------------------------------------------------------------------------------- trouble


PASSING = [
    EigenpalRateLimitError("slow down", status=429),
    EigenpalServerError("unavailable", status=503),
    EigenpalConnectionError("refused"),
    EigenpalTimeoutError("no answer"),
    EigenpalAPIError("gave up", status=408),
]


@in_virtual_time
@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__ + str(error.status))
async def test_a_storm_is_sat_out_by_all_with_few_requests(anyio_backend: Any, error: EigenpalError) -> None:
    platform = Platform()
    calm_at = anyio.current_time() + 60

    def storm(_: object) -> None:
        if anyio.current_time() < calm_at:
            raise error

    platform.on_fetch = platform.on_list = storm
    platform.begin(*names(300), seconds=5)
    watcher = platform.watcher()
    async with anyio.create_task_group() as tasks:
        for work_id in names(300):
            tasks.start_soon(wait, watcher, work_id)
    in_the_storm = [at for _, at in platform.listed + platform.fetched if at < calm_at]
    assert len(in_the_storm) < 60
    assert anyio.current_time() - calm_at < 15  # as long as the longest pause, and a round


@in_virtual_time
async def test_nobody_asks_before_the_server_wants_to_hear_from_this_client(anyio_backend: Any) -> None:
    platform = Platform()
    told: list[float] = []

    def busy(_: object) -> None:
        if len(told) < 3:
            told.append(anyio.current_time())
            raise EigenpalRateLimitError("slow down", status=429, retry_after=40)

    platform.on_fetch = platform.on_list = busy
    platform.begin(*names(20), seconds=1)
    watcher = platform.watcher()
    async with anyio.create_task_group() as tasks:
        for work_id in names(20):
            tasks.start_soon(wait, watcher, work_id)
    assert told[1] - told[0] >= 40
    assert told[2] - told[1] >= 40
    assert sum(told[0] < at < told[2] for _, at in platform.listed + platform.fetched) == 2  # those that were told


@in_virtual_time
async def test_each_deadline_holds_in_the_storm(anyio_backend: Any) -> None:
    platform = Platform()

    def storm(_: object) -> None:
        raise EigenpalServerError("broken", status=500)

    platform.on_fetch = platform.on_list = storm
    platform.begin("a", "b")
    watcher = platform.watcher()
    ended: dict[str, float] = {}

    async def one(work_id: str, seconds: float) -> None:
        with pytest.raises(EigenpalTimeoutError, match="never seen.*The last look failed: broken"):
            await wait(watcher, work_id, timeout_seconds=seconds)
        ended[work_id] = anyio.current_time()

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, "a", 11)
        tasks.start_soon(one, "b", 37)
    assert ended == pytest.approx({"a": began + 11, "b": began + 37})


@in_virtual_time
async def test_one_whose_looks_always_fail_hardly_slows_the_others(anyio_backend: Any) -> None:
    platform = Platform()

    def poisoned(work_id: str) -> None:
        if work_id == "a":
            raise EigenpalServerError("broken", status=500)

    platform.on_fetch = poisoned
    platform.on_list = lambda ids: platform.rows_of([work_id for work_id in ids if work_id != "a"])
    platform.begin(*names(50), "a", seconds=5)
    watcher = platform.watcher()
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, watcher, "a")
        async with anyio.create_task_group() as others:
            for work_id in names(50):
                others.start_soon(wait, watcher, work_id)
        assert anyio.current_time() - began < 13
        tasks.cancel_scope.cancel()


@in_virtual_time
async def test_when_only_the_list_is_broken_each_is_looked_at_by_itself_for_a_while(anyio_backend: Any) -> None:
    platform = Platform()

    def broken(_: object) -> None:
        raise EigenpalServerError("broken", status=500)

    platform.on_list = broken
    platform.begin(*names(10), seconds=90)
    watcher = platform.watcher()
    async with anyio.create_task_group() as tasks:
        for work_id in names(10):
            tasks.start_soon(wait, watcher, work_id)
    assert anyio.current_time() - platform.ends["job_0000"] < 10
    lists = [at for _, at in platform.listed]
    assert lists[3] - lists[2] >= LISTS_REST_SECONDS  # tried again after a rest
    assert len(platform.fetched) > 100


@in_virtual_time
async def test_a_list_that_is_refused_is_not_asked_for_again(anyio_backend: Any) -> None:
    platform = Platform()

    def refused(_: object) -> None:
        raise EigenpalAPIError("what are ids?", status=400)

    platform.on_list = refused
    platform.begin(*names(10), seconds=3)
    watcher = platform.watcher()
    async with anyio.create_task_group() as tasks:
        for work_id in names(10):
            tasks.start_soon(wait, watcher, work_id)
    assert len(platform.listed) == 1


@in_virtual_time
async def test_a_key_that_is_refused_is_told_to_all_without_asking_for_each(anyio_backend: Any) -> None:
    platform = Platform()
    refusal = EigenpalAuthError("no such key", status=401)

    def refused(_: object) -> None:
        raise refusal

    platform.on_list = refused
    platform.begin(*names(50))
    watcher = platform.watcher()
    errors: list[BaseException] = []

    async def one(work_id: str) -> None:
        with pytest.raises(EigenpalAuthError) as caught:
            await wait(watcher, work_id)
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for work_id in names(50):
            tasks.start_soon(one, work_id)
    assert platform.requests == 1
    assert len(errors) == 50
    assert {str(error) for error in errors} == {"no such key"}


@in_virtual_time
async def test_what_is_none_of_ours_is_raised_by_those_who_met_it_and_stops_nobody_else(anyio_backend: Any) -> None:
    platform = Platform()

    def bug(work_id: str) -> None:
        if work_id == "a":
            raise LookupError("a bug")

    platform.on_fetch = bug
    platform.begin("a", "b", seconds=1)
    watcher = platform.watcher()

    async def one() -> None:
        with pytest.raises(LookupError, match="a bug"):
            await wait(watcher, "a")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one)
        assert (await wait(watcher, "b")).status == "done"
    assert desks(watcher) is None
