"""`wait_many`: each as it ends, whatever happens to the others, and nothing behind when the loop is left."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import attrs
import pytest

from eigenpal.errors import (
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalServerError,
    EigenpalTimeoutError,
    EigenpalUsageError,
    EigenpalWaitError,
)
from eigenpal.waiting.many import LAST_LOOKS_SECONDS
from tests.waiting.platform import Job, Platform, in_virtual_time, names, wait, wait_many

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------------------------------------------- as they end


@in_virtual_time
async def test_each_is_returned_soon_after_it_ended_whatever_the_order_of_the_ids(anyio_backend: Any) -> None:
    platform = Platform()
    for number, work_id in enumerate(reversed(names(20))):
        platform.begin(work_id, seconds=3.0 * number)
    came: list[str] = []
    async for job in wait_many(platform.watcher(), names(20)):
        came.append(job.id)
        assert 0 <= anyio.current_time() - platform.ends[job.id] < 2.5
    assert came == list(reversed(names(20)))


@in_virtual_time
async def test_a_thousand_in_one_task_cost_as_little_as_in_a_thousand(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin(*names(1000))
    came = {job.id async for job in wait_many(platform.watcher(), names(1000))}
    assert came == set(names(1000))
    assert len(platform.fetched) < 1020
    assert len(platform.listed) <= 100


async def test_one_that_is_there_twice_is_returned_once_and_none_is_fine() -> None:
    platform = Platform(latency=0.0)
    platform.begin("a", "b", seconds=0.01)
    watcher = platform.watcher()
    came = [job.id async for job in wait_many(watcher, ["a", Job("b", "running"), "a", "b"])]
    assert sorted(came) == ["a", "b"]
    assert [job async for job in wait_many(watcher, [])] == []


async def test_what_is_ready_is_handed_out_without_a_request() -> None:
    platform = Platform(latency=0.0)
    platform.begin(*names(10), seconds=-1)
    arrivals = wait_many(platform.watcher(), names(10))
    first = await anext(arrivals)
    asked = platform.requests
    rest = arrivals.take_ready()
    assert {first.id, *(job.id for job in rest)} == set(names(10))
    assert platform.requests == asked
    assert [job async for job in arrivals] == []


# ---------------------------------------------------------------------------------------------------- those that fail


@in_virtual_time
async def test_those_that_cannot_be_waited_for_are_told_after_all_others(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", "b", seconds=10)
    platform.begin("slow", seconds=1000)
    came: list[str] = []
    with pytest.raises(
        EigenpalWaitError, match="^2 of 4 jobs could not be waited for: nothing and 1 more. no nothing"
    ) as caught:
        async for job in wait_many(platform.watcher(), ["a", "slow", "nothing", "b"], timeout_seconds=60):
            came.append(job.id)  # noqa: PERF401 - what came before the error counts
    assert sorted(came) == ["a", "b"]
    errors = caught.value.errors
    assert list(errors) == ["nothing", "slow"]
    assert isinstance(errors["nothing"], EigenpalNotFoundError)
    assert isinstance(errors["slow"], EigenpalTimeoutError)
    assert "did not end within 60 s: it was last seen as running" in str(errors["slow"])
    assert caught.value.__cause__ is errors["nothing"]
    assert caught.value.status == 0


@in_virtual_time
async def test_each_has_its_time_from_when_its_id_is_taken(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", "b", "c", seconds=1000)
    began = anyio.current_time()
    with pytest.raises(EigenpalWaitError) as caught:
        async for _ in wait_many(platform.watcher(), ["a", "b", "c"], timeout_seconds=5):
            pass
    assert list(caught.value.errors) == ["a", "b", "c"]
    assert anyio.current_time() - began == pytest.approx(5)


@in_virtual_time
async def test_the_time_that_the_loop_takes_for_itself_counts_against_nobody(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", seconds=1)
    platform.begin("b", seconds=20)
    came: list[str] = []
    async for job in wait_many(platform.watcher(), ["a", "b"], timeout_seconds=10):
        came.append(job.id)
        asked = platform.requests
        await anyio.sleep(60)
        assert platform.requests == asked
    assert came == ["a", "b"]


@in_virtual_time
async def test_a_judge_ends_the_loop_at_once_and_the_others_can_still_be_had(anyio_backend: Any) -> None:
    def judge(job: Job) -> Job:
        if job.id == "b":
            raise EigenpalServerError("b is bad")
        return job

    platform = Platform()
    for number, work_id in enumerate("abc"):
        platform.begin(work_id, seconds=5 * number)
    arrivals = wait_many(platform.watcher(), "a b c".split(), judge=judge)
    came: list[str] = []
    with pytest.raises(EigenpalServerError, match="b is bad"):
        async for job in arrivals:
            came.append(job.id)  # noqa: PERF401 - what came before the error counts
    assert came == ["a"]
    assert [job.id async for job in arrivals] == ["c"]


async def test_ready_ones_are_taken_up_to_the_first_that_is_judged_bad() -> None:
    def judge(job: Job) -> Job:
        if job.id == "job_0003":
            raise EigenpalServerError("bad")
        return job

    platform = Platform(latency=0.0)
    platform.begin(*names(6), seconds=-1)
    arrivals = wait_many(platform.watcher(), names(6), judge=judge)
    came: list[str] = []
    refused = 0
    while len(came) + refused < 6:
        try:
            came.append((await anext(arrivals)).id)
        except EigenpalServerError:
            refused += 1
        came += [job.id for job in arrivals.take_ready()]
    assert refused == 1
    assert sorted(came) == [work_id for work_id in names(6) if work_id != "job_0003"]


# ---------------------------------------------------------------------------------------------------- ids


@in_virtual_time
async def test_ids_may_come_while_others_end(anyio_backend: Any) -> None:
    platform = Platform()
    pulled: list[str] = []

    async def slowly() -> AsyncIterator[str]:
        for work_id in names(10):
            await anyio.sleep(4)
            platform.begin(work_id, seconds=5)
            pulled.append(work_id)
            yield work_id

    came: list[tuple[str, int]] = []
    async for job in wait_many(platform.watcher(), slowly()):
        came.append((job.id, len(pulled)))  # noqa: PERF401 - as the loop goes
    assert [work_id for work_id, _ in came] == names(10)
    assert came[0][1] < 5  # it did not wait for all of them
    assert all(anyio.current_time() - platform.ends[work_id] < 40 for work_id in names(10))


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_what_the_ids_raise_is_raised_and_the_others_can_still_be_had(asynchronous: bool) -> None:
    platform = Platform(latency=0.0)
    platform.begin("a", "b", seconds=0.05)

    def plainly() -> Iterator[str]:
        yield "a"
        yield "b"
        raise LookupError("no more")

    async def slowly() -> AsyncIterator[str]:
        for work_id in plainly():
            yield work_id

    arrivals = wait_many(platform.watcher(), slowly() if asynchronous else plainly(), poll_interval_seconds=0.02)
    with pytest.raises(LookupError, match="no more"):
        await anext(arrivals)
    assert sorted([job.id async for job in arrivals]) == ["a", "b"]


@pytest.mark.parametrize("ids", ["exec_1", b"exec_1", None, 7])
async def test_what_is_no_iterable_of_ids_is_refused_at_once(ids: Any) -> None:
    with pytest.raises(EigenpalInputError, match="ids must be an iterable of job ids"):
        wait_many(Platform().watcher(), ids)


@pytest.mark.parametrize(
    "wrong", [7, None, "", attrs.make_class("Nameless", [])()], ids=["number", "none", "empty", "object"]
)
async def test_what_is_no_id_is_refused_before_anything_is_sent(wrong: Any) -> None:
    platform = Platform()
    with pytest.raises(EigenpalInputError, match="is no job to wait for"):
        await anext(wait_many(platform.watcher(), [wrong]))
    assert platform.requests == 0


@pytest.mark.parametrize("option", ["timeout_seconds", "poll_interval_seconds"])
async def test_times_that_make_no_sense_are_refused_at_once(option: str) -> None:
    with pytest.raises(EigenpalInputError, match=option):
        wait_many(Platform().watcher(), ["a"], **{option: 0})


# ---------------------------------------------------------------------------------------------------- leaving


async def test_leaving_the_loop_leaves_no_task_and_no_request() -> None:
    platform = Platform(latency=0.0)
    platform.begin(*names(5), seconds=-1)
    platform.begin("slow", seconds=1000)
    before = len(anyio.get_running_tasks())
    async for _ in wait_many(platform.watcher(), [*names(5), "slow"]):
        assert len(anyio.get_running_tasks()) == before
        break
    assert platform.under_way == 0
    asked = platform.requests
    gc.collect()
    await anyio.sleep(0.3)
    assert platform.requests == asked


@in_virtual_time
async def test_a_look_that_hangs_holds_up_nobody_who_is_ready(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", "b", seconds=1)
    fetch = platform.fetch

    async def hanging(session: Any, work_id: str) -> Job:
        if work_id == "b" and not came:
            await anyio.sleep(50)
        return await fetch(session, work_id)

    came: list[str] = []
    began = anyio.current_time()
    async for job in wait_many(platform.watcher(fetch=hanging), ["a", "b"]):
        came.append(job.id)
        if job.id == "a":
            assert anyio.current_time() - began < 4 + LAST_LOOKS_SECONDS
    assert came == ["a", "b"]
    assert anyio.current_time() - began < 10


async def test_what_was_returned_is_not_kept_while_others_are_waited_for() -> None:
    platform = Platform(latency=0.0)
    platform.begin("slow", seconds=0.4)
    platform.begin(*names(5), seconds=0.05)
    arrivals = wait_many(platform.watcher(), ["slow", *names(5)], timeout_seconds=60, poll_interval_seconds=0.02)
    returned = [weakref.ref(await anext(arrivals)) for _ in range(5)]
    assert (await anext(arrivals)).id == "slow"
    gc.collect()
    assert [job() for job in returned] == [None] * 5


async def test_cancelling_a_step_ends_it_and_the_next_one_goes_on() -> None:
    platform = Platform(latency=0.0)
    platform.begin("a", "b", seconds=0.2)
    arrivals = wait_many(platform.watcher(), ["a", "b"], poll_interval_seconds=0.02)
    with anyio.move_on_after(0.05) as scope:
        await anext(arrivals)
    assert scope.cancelled_caught
    assert sorted([job.id async for job in arrivals]) == ["a", "b"]


async def test_two_tasks_do_not_iterate_over_one_at_once() -> None:
    platform = Platform(latency=0.0)
    platform.begin("a", seconds=1000)
    arrivals = wait_many(platform.watcher(), ["a"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(arrivals.__anext__)
        await anyio.sleep(0.02)
        with pytest.raises(EigenpalUsageError, match="two tasks"):
            await anext(arrivals)
        tasks.cancel_scope.cancel()


@in_virtual_time
async def test_what_was_learned_of_lists_holds_for_every_way_to_wait(anyio_backend: Any) -> None:
    platform = Platform(on_list=lambda ids: platform.rows_of(["other"]))
    platform.begin("other", *names(5), seconds=3)
    watcher = platform.watcher()
    assert len([job async for job in wait_many(watcher, names(5))]) == 5
    async with anyio.create_task_group() as tasks:
        for work_id in names(5):
            tasks.start_soon(wait, watcher, work_id)
    assert len(platform.listed) == 1
