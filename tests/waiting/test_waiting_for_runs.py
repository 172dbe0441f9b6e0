"""W1-W4 of runs: when a run is over, how a wait ends, and that an error while waiting never starts anything."""

from __future__ import annotations

import logging
import math
import pickle
from collections.abc import Iterator
from typing import Any, cast

import anyio
import attrs
import pytest
from trio.testing import MockClock

from eigenpal.engine.codec import structure
from eigenpal.engine.session import Session
from eigenpal.errors import (
    EigenpalConnectionError,
    EigenpalError,
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalRunError,
    EigenpalServerError,
    EigenpalTimeoutError,
)
from eigenpal.models.executions import TERMINAL_STATUSES, RunStatus
from eigenpal.models.runs import Run
from eigenpal.resources.running import RUNS
from eigenpal.waiting.runs import succeeded
from eigenpal.waiting.watcher import CANCEL_PATIENCE_SECONDS, Watcher

pytestmark = pytest.mark.anyio

in_virtual_time = pytest.mark.parametrize(
    "anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}), id="virtual time")]
)


def run_in(status: str, *, finished: bool | None = None, error: str | None = None, asked: bool = False) -> Run:
    run: Run = structure(
        Run,
        {
            "id": "exec_1",
            "type": "workflow",
            "finished": status in TERMINAL_STATUSES if finished is None else finished,
            "timing": {
                "createdAt": "2026-06-14T09:30:00Z",
                "cancelRequestedAt": "2026-06-14T09:31:00Z" if asked else None,
            },
            "source": {"id": "wf_1"},
            "trigger": {},
            "execution": {"status": str(status)},
            "error": error,
        },
    )
    return run


@attrs.define
class Service:
    """The two calls that waiting may make; whatever else it would do, it has no way to."""

    looks: Iterator[Run | EigenpalError]
    asked: list[str] = attrs.field(factory=list[str])
    cancelled: list[str] = attrs.field(factory=list[str])
    cancel_fails: EigenpalError | None = None
    cancel_takes: float = 0.0
    last: Run | EigenpalError | None = None

    async def fetch(self, run_id: str) -> Run:
        self.asked.append(run_id)
        await anyio.lowlevel.checkpoint()
        self.last = next(self.looks, self.last)
        if isinstance(self.last, EigenpalError):
            raise self.last
        assert self.last is not None
        return self.last

    async def cancel(self, run_id: str) -> None:
        self.cancelled.append(run_id)
        await anyio.sleep(self.cancel_takes)
        if self.cancel_fails is not None:
            raise self.cancel_fails

    async def wait(self, **changes: Any) -> Run:
        kind = attrs.evolve(
            RUNS, rows=None, fetch=lambda _, run_id: self.fetch(run_id), cancel=lambda _, run_id: self.cancel(run_id)
        )
        options: dict[str, Any] = {"timeout_seconds": None, "poll_interval_seconds": 2.0, **changes}
        watcher, raises = Watcher(kind, options.pop("sleep", no_sleep)), options.pop("raise_on_failure", False)
        run = await watcher.wait(cast("Session", None), "exec_1", **options)
        return succeeded(run) if raises else run


async def no_sleep(_: float) -> None:
    await anyio.lowlevel.checkpoint()


def service(*looks: str | Run | EigenpalError) -> Service:
    return Service(iter([run_in(look) if isinstance(look, str) else look for look in looks]))


# ---------------------------------------------------------------------------------------------------- W1


@pytest.mark.parametrize("status", sorted(TERMINAL_STATUSES))
async def test_w1_every_terminal_status_ends_the_wait(status: str) -> None:
    assert (await service("running", status).wait()).status == status


@pytest.mark.parametrize("status", sorted(TERMINAL_STATUSES))
async def test_w1_a_terminal_status_ends_it_even_if_the_server_does_not_say_finished(status: str) -> None:
    run = run_in(status, finished=False)
    assert await service(run).wait() is run


@pytest.mark.parametrize("status", ["running", "archived"])
async def test_w1_finished_ends_it_whatever_the_status(status: str) -> None:
    run = run_in(status, finished=True)
    assert await service("running", run).wait() is run


@pytest.mark.parametrize("status", sorted(set(RunStatus) - TERMINAL_STATUSES))
async def test_w1_no_other_known_status_ends_it_or_warns(status: str, caplog: pytest.LogCaptureFixture) -> None:
    calls = service(status, status, "completed")
    assert (await calls.wait()).status == "completed"
    assert len(calls.asked) == 3
    assert caplog.records == []


async def test_w1_an_unknown_status_keeps_waiting_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    calls = service("paused", "paused", "hibernating", "running", "completed")
    assert (await calls.wait()).status == "completed"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "run exec_1 has the status 'paused', unknown to this version; still waiting"


@in_virtual_time
async def test_w1_the_deadline_holds_for_an_unknown_status_too(anyio_backend: Any) -> None:
    with pytest.raises(EigenpalTimeoutError, match="it was last seen as paused"):
        await service("paused").wait(timeout_seconds=30, sleep=anyio.sleep)


# ---------------------------------------------------------------------------------------------------- looks


async def test_a_run_that_was_just_started_gets_a_moment_first() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await anyio.lowlevel.checkpoint()

    await service("completed").wait(just_started=True, sleep=sleep)
    assert len(pauses) == 1
    await service("completed").wait(just_started=False, sleep=sleep)
    assert len(pauses) == 1


async def test_updates_come_once_for_each_status_and_when_cancelling_was_asked_for() -> None:
    updates: list[tuple[str, bool]] = []
    calls = service(
        "pending", "running", "running", run_in("running", asked=True), run_in("running", asked=True), "cancelled"
    )
    await calls.wait(on_update=lambda run: updates.append((run.status, run.timing.cancel_requested_at is not None)))
    assert updates == [("pending", False), ("running", False), ("running", True), ("cancelled", False)]


async def test_w2_trouble_in_between_does_not_end_it() -> None:
    trouble = [EigenpalConnectionError("refused"), EigenpalServerError("broken", status=500)]
    assert (
        await service(EigenpalNotFoundError("not yet"), "running", *trouble, "completed").wait()
    ).status == "completed"


# ---------------------------------------------------------------------------------------------------- W3


@in_virtual_time
async def test_w3_a_wait_that_runs_out_carries_the_run_and_what_to_do(anyio_backend: Any) -> None:
    with pytest.raises(EigenpalTimeoutError) as caught:
        await service("pending", "running").wait(timeout_seconds=300, sleep=anyio.sleep)
    error = caught.value
    assert str(error) == (
        "run exec_1 did not end within 300 s: it was last seen as running. "
        "It goes on; wait for it again with runs.wait('exec_1')."
    )
    assert isinstance(error, TimeoutError)
    assert error.run_id == "exec_1"
    assert error.run.status is RunStatus.RUNNING
    assert error.status == 0
    assert pickle.loads(pickle.dumps(error)).run == error.run


@in_virtual_time
async def test_w3_a_run_that_was_never_seen_says_so_with_the_last_trouble(anyio_backend: Any) -> None:
    with pytest.raises(EigenpalTimeoutError) as caught:
        await service(EigenpalConnectionError("no answer (refused).")).wait(timeout_seconds=1.5, sleep=anyio.sleep)
    assert str(caught.value) == (
        "run exec_1 did not end within 1.5 s: it was never seen. "
        "It goes on; wait for it again with runs.wait('exec_1'). The last look failed: no answer (refused)."
    )
    assert caught.value.run_id == "exec_1"
    assert caught.value.run is None


@in_virtual_time
async def test_w3_the_same_run_can_be_waited_for_again(anyio_backend: Any) -> None:
    calls = service(*["running"] * 10, "completed")
    with pytest.raises(EigenpalTimeoutError):
        await calls.wait(timeout_seconds=1, sleep=anyio.sleep)
    assert (await calls.wait(timeout_seconds=100, sleep=anyio.sleep)).status == "completed"


@pytest.mark.parametrize("seconds", [0, -1, math.nan, "5", True])
@pytest.mark.parametrize("name", ["timeout_seconds", "poll_interval_seconds"])
async def test_a_number_that_makes_no_sense_is_refused_before_the_first_look(name: str, seconds: Any) -> None:
    calls = service("completed")
    with pytest.raises(EigenpalInputError, match=f"^{name} must be a number of seconds above 0"):
        await calls.wait(**{name: seconds})
    assert calls.asked == []


@pytest.mark.parametrize("seconds", [None, math.inf])
async def test_a_wait_may_have_no_bound_and_an_interval_must_have_one(seconds: Any) -> None:
    assert (await service("completed").wait(timeout_seconds=seconds)).finished
    with pytest.raises(EigenpalInputError, match="^poll_interval_seconds must be a number of seconds above 0$"):
        await service("completed").wait(poll_interval_seconds=seconds)


# ---------------------------------------------------------------------------------------------------- cancelling


@in_virtual_time
async def test_a_run_is_asked_to_cancel_when_its_time_is_up_and_that_was_wanted(anyio_backend: Any) -> None:
    calls = service("running")
    with pytest.raises(EigenpalTimeoutError, match=r"last seen as running\. It was asked to cancel\.$"):
        await calls.wait(timeout_seconds=5, cancel_on_timeout=True, sleep=anyio.sleep)
    assert calls.cancelled == ["exec_1"]


@in_virtual_time
async def test_a_run_is_never_cancelled_otherwise(anyio_backend: Any) -> None:
    calls = service("running")
    with pytest.raises(EigenpalTimeoutError):
        await calls.wait(timeout_seconds=5, sleep=anyio.sleep)
    await service("completed").wait(timeout_seconds=5, cancel_on_timeout=True)
    with anyio.move_on_after(1):
        await calls.wait(timeout_seconds=5, cancel_on_timeout=True, sleep=anyio.sleep)
    assert calls.cancelled == []


@in_virtual_time
async def test_a_cancel_request_that_fails_does_not_hide_the_timeout(anyio_backend: Any) -> None:
    calls = service("running")
    calls.cancel_fails = EigenpalConnectionError("refused")
    with pytest.raises(EigenpalTimeoutError, match=r"It goes on; wait for it again"):
        await calls.wait(timeout_seconds=5, cancel_on_timeout=True, sleep=anyio.sleep)
    assert calls.cancelled == ["exec_1"]


@in_virtual_time
async def test_a_cancel_request_that_hangs_holds_nobody_up_for_long(anyio_backend: Any) -> None:
    calls = service("running")
    calls.cancel_takes = 1000
    began = anyio.current_time()
    with pytest.raises(EigenpalTimeoutError, match=r"It goes on; wait for it again"):
        await calls.wait(timeout_seconds=5, cancel_on_timeout=True, sleep=anyio.sleep)
    assert anyio.current_time() - began == pytest.approx(5 + CANCEL_PATIENCE_SECONDS)


# ---------------------------------------------------------------------------------------------------- failure


@pytest.mark.parametrize("status", sorted(TERMINAL_STATUSES - {RunStatus.COMPLETED}))
async def test_a_run_without_success_is_returned_or_raised_as_wanted(status: str) -> None:
    run = run_in(status, error="no such file")
    assert await service(run).wait() is run
    with pytest.raises(EigenpalRunError, match=f"^run exec_1 ended as {status}: no such file$") as caught:
        await service(run).wait(raise_on_failure=True)
    assert caught.value.run is run
    assert caught.value.run_id == "exec_1"
    assert pickle.loads(pickle.dumps(caught.value)).run == run


async def test_a_completed_run_is_returned_either_way() -> None:
    run = run_in("completed")
    assert await service(run).wait(raise_on_failure=True) is run


def test_a_run_that_ended_in_a_status_unknown_to_this_version_did_not_surely_succeed() -> None:
    with pytest.raises(EigenpalRunError, match="ended as archived: the server gave no reason"):
        succeeded(run_in("archived", finished=True))


# ---------------------------------------------------------------------------------------------------- W4


async def test_w4_an_error_while_waiting_is_raised_and_nothing_but_looking_was_done() -> None:
    calls = service("running", EigenpalNotFoundError("deleted", status=404))
    with pytest.raises(EigenpalNotFoundError):
        await calls.wait(cancel_on_timeout=True, just_started=True)
    assert calls.asked == ["exec_1"] * 2
    assert calls.cancelled == []
