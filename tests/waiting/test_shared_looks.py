"""The watcher: those who wait at the same time share their looks, and nobody pays for the trouble of another."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import anyio
import pytest

from eigenpal.errors import EigenpalDecodeError, EigenpalNotFoundError, EigenpalTimeoutError
from eigenpal.waiting import polling
from eigenpal.waiting.kinds import Glance
from eigenpal.waiting.polling import JITTER, UNSEEN_GRACE_SECONDS
from tests.waiting.platform import Job, Platform, in_virtual_time, names, wait

pytestmark = pytest.mark.anyio


async def all_of(watcher: Any, ids: list[str], **options: Any) -> dict[str, Job]:
    found: dict[str, Job] = {}

    async def one(work_id: str) -> None:
        found[work_id] = await wait(watcher, work_id, **options)

    async with anyio.create_task_group() as tasks:
        for work_id in ids:
            tasks.start_soon(one, work_id)
    return found


# ---------------------------------------------------------------------------------------------------- how many requests


@in_virtual_time
async def test_who_waits_alone_looks_at_that_one_alone(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a")
    assert (await wait(platform.watcher(), "a")).status == "done"
    assert platform.listed == []
    assert len(platform.fetched) < 9


@in_virtual_time
async def test_two_share_a_list_and_what_is_over_is_fetched_once(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", "b")
    assert set(await all_of(platform.watcher(), ["a", "b"])) == {"a", "b"}
    assert all(sorted(ids) == ["a", "b"] for ids, _ in platform.listed)
    assert sorted(work_id for work_id, _ in platform.fetched) == ["a", "b"]


@in_virtual_time
@pytest.mark.parametrize("just_started", [True, False])
async def test_a_thousand_cost_about_ten_requests_a_round_and_one_in_the_end(
    anyio_backend: Any, just_started: bool
) -> None:
    platform = Platform()
    platform.begin(*names(1000))
    await all_of(platform.watcher(), names(1000), just_started=just_started)
    assert len(platform.fetched) == 1000
    assert len(platform.listed) <= 100
    assert platform.most_under_way <= 20


@in_virtual_time
async def test_those_who_come_one_after_the_other_fall_into_step(anyio_backend: Any) -> None:
    platform = Platform()
    watcher = platform.watcher()
    async with anyio.create_task_group() as tasks:
        for work_id in names(50):
            platform.begin(work_id, seconds=60)
            tasks.start_soon(wait, watcher, work_id)
            await anyio.sleep(0.13)
    late = [ids for ids, at in platform.listed if 20 < at - platform.listed[0][1] < 50]
    assert len(late) < 30
    assert sum(map(len, late)) / len(late) > 40


@in_virtual_time
async def test_waiters_for_one_share_its_looks(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", seconds=10)
    watcher = platform.watcher()
    ends: list[Job] = []

    async def one() -> None:
        ends.append(await wait(watcher, "a"))

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(one)
    assert len(ends) == 100
    assert platform.listed == []
    assert len(platform.fetched) < 25


@in_virtual_time
async def test_each_is_looked_at_no_later_than_its_own_interval(anyio_backend: Any) -> None:
    platform = Platform(latency=0.0)
    intervals = {"a": 0.5, "b": 2.0, "c": 7.0}
    platform.begin(*intervals, seconds=60)
    watcher = platform.watcher()
    async with anyio.create_task_group() as tasks:
        for work_id, seconds in intervals.items():

            async def one(work_id: str = work_id, seconds: float = seconds) -> None:
                await wait(watcher, work_id, poll_interval_seconds=seconds)

            tasks.start_soon(one)
    looks = [([work_id], at) for work_id, at in platform.fetched] + platform.listed
    for work_id, seconds in intervals.items():
        times = sorted(at for ids, at in looks if work_id in ids)
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert max(gaps) <= seconds * (1 + JITTER) + 0.01
        assert times[0] - (platform.ends[work_id] - 60) <= 0.05


@in_virtual_time
async def test_ids_that_have_no_place_in_a_list_are_asked_for_by_themselves(anyio_backend: Any) -> None:
    platform = Platform()
    strange = ["a,b", "c d", "é"]
    platform.begin("x", "y", *strange, seconds=1)
    assert len(await all_of(platform.watcher(), ["x", "y", *strange])) == 5
    assert {work_id for ids, _ in platform.listed for work_id in ids} == {"x", "y"}


# ---------------------------------------------------------------------------------------------------- lists that fail


@in_virtual_time
async def test_a_server_that_ignores_ids_is_asked_for_each_and_that_is_noticed_once(
    anyio_backend: Any, caplog: pytest.LogCaptureFixture
) -> None:
    platform = Platform(on_list=lambda ids: {"other": Glance[Job]("running", False, lambda: Job("other", "running"))})
    watcher = platform.watcher()
    with caplog.at_level(logging.INFO, "eigenpal"):
        for _ in range(2):
            platform.begin(*names(20), seconds=3)
            assert len(await all_of(watcher, names(20))) == 20
    assert len(platform.listed) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "each job is looked at by itself from now on: the server answers lists of ids with others too"
    ]


@in_virtual_time
async def test_what_a_list_leaves_out_is_fetched_and_the_others_go_on_sharing(anyio_backend: Any) -> None:
    platform = Platform()
    platform.on_list = lambda ids: platform.rows_of([work_id for work_id in ids if work_id != "job_0000"])
    platform.begin(*names(30), seconds=6)
    assert len(await all_of(platform.watcher(), names(30))) == 30
    asked = [work_id for work_id, _ in platform.fetched]
    assert all(asked.count(work_id) == 1 for work_id in names(30)[1:])
    assert 2 < asked.count("job_0000") < 12
    assert sum("job_0000" in ids for ids, _ in platform.listed) == 2  # a list that lags once is not given up


@in_virtual_time
async def test_what_does_not_exist_is_an_error_of_its_own_waiter_alone(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", "b", seconds=20)
    watcher = platform.watcher()
    failed: list[float] = []

    async def hopeless() -> None:
        with pytest.raises(EigenpalNotFoundError, match="no nothing"):
            await wait(watcher, "nothing")
        failed.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hopeless)
        tasks.start_soon(hopeless)
        await all_of(watcher, ["a", "b"])
        assert len(failed) == 2
    assert UNSEEN_GRACE_SECONDS <= failed[0] - began <= UNSEEN_GRACE_SECONDS + 3


@in_virtual_time
async def test_a_row_that_cannot_be_read_is_as_good_as_none(anyio_backend: Any) -> None:
    def unreadable() -> Job:
        raise EigenpalDecodeError("no job")

    platform = Platform(on_list=lambda ids: {work_id: Glance("odd", False, unreadable) for work_id in ids})
    platform.begin("a", "b", seconds=3)
    updates: list[str] = []
    found = await all_of(platform.watcher(), ["a", "b"], on_update=lambda job: updates.append(job.status))
    assert {job.status for job in found.values()} == {"done"}
    assert updates.count("done") == 2
    assert "odd" not in updates


@in_virtual_time
async def test_the_time_of_a_wait_ends_with_what_the_list_showed_last(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", "b", seconds=100)
    noted: list[tuple[str, Job | None]] = []
    watcher = platform.watcher(note=lambda error, work_id, last: noted.append((work_id, last)))
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, watcher, "b")
        with pytest.raises(EigenpalTimeoutError, match="job a did not end within 30 s: it was last seen as running"):
            await wait(watcher, "a", timeout_seconds=30)
        tasks.cancel_scope.cancel()
    assert anyio.current_time() - began == pytest.approx(30)
    assert noted == [("a", Job("a", "running"))]


# ---------------------------------------------------------------------------------------------------- news


@in_virtual_time
async def test_what_a_list_shows_is_told_once_each_and_only_to_those_it_concerns(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", seconds=3)
    platform.begin("b", seconds=9)
    watcher = platform.watcher()
    told: list[tuple[str, str]] = []

    async def one(work_id: str) -> None:
        await wait(watcher, work_id, on_update=lambda job: told.append((job.id, job.status)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, "a")
        tasks.start_soon(one, "b")
    assert len(platform.listed) > 3
    assert sorted(told[:2]) == [("a", "running"), ("b", "running")]
    assert told[2:] == [("a", "done"), ("b", "done")]


@in_virtual_time
async def test_what_the_callback_of_one_raises_is_not_the_trouble_of_another(anyio_backend: Any) -> None:
    platform = Platform()
    platform.begin("a", "b", seconds=3)
    watcher = platform.watcher()

    def fail(job: Job) -> None:
        raise LookupError(job.id)

    async def failing() -> None:
        with pytest.raises(LookupError, match="a"):
            await wait(watcher, "a", on_update=fail)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(failing)
        assert (await wait(watcher, "b")).status == "done"


@in_virtual_time
async def test_an_unknown_status_is_reported_once_whoever_looks(
    anyio_backend: Any, caplog: pytest.LogCaptureFixture
) -> None:
    platform = Platform()

    def strange(ids: Any) -> dict[str, Glance[Job]]:
        rows = platform.rows_of(ids)
        return {
            work_id: row if row.over else Glance("strange", False, row.read, known=False)
            for work_id, row in rows.items()
        }

    platform.on_list = strange
    platform.begin("a", "b", seconds=8)
    await all_of(platform.watcher(), ["a", "b"])
    assert sorted(record.getMessage()[:36] for record in caplog.records) == [
        "job a has the status 'strange', unkn", "job b has the status 'strange', unkn",
    ]  # fmt: skip


async def test_the_grace_for_what_is_not_seen_yet_is_its_own_for_each_waiter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "UNSEEN_GRACE_SECONDS", 0.15)
    platform = Platform(latency=0.0)
    watcher = platform.watcher()
    failed: list[str] = []

    async def hopeless(name: str) -> None:
        with pytest.raises(EigenpalNotFoundError):
            await wait(watcher, "x", poll_interval_seconds=0.01)
        failed.append(name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hopeless, "first")
        await anyio.sleep(0.1)
        tasks.start_soon(hopeless, "second")
    assert failed == ["first", "second"]
