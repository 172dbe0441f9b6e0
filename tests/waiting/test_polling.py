"""W1-W4 of polling: early first, then ever less often, through passing trouble, and never starting anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import anyio
import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given
from trio.testing import MockClock

from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalAuthError,
    EigenpalConnectionError,
    EigenpalDecodeError,
    EigenpalError,
    EigenpalForbiddenError,
    EigenpalNotFoundError,
    EigenpalRateLimitError,
    EigenpalServerError,
    EigenpalTimeoutError,
    EigenpalUsageError,
)
from eigenpal.waiting.polling import FIRST_POLL_SECONDS, GROWTH, JITTER, UNSEEN_GRACE_SECONDS, Poll, intervals

pytestmark = pytest.mark.anyio

# Time that jumps to the next thing to happen as soon as nothing else can.
in_virtual_time = pytest.mark.parametrize(
    "anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}), id="virtual time")]
)

Seen = str | EigenpalError


@attrs.define
class Work:
    """A piece of work that is looked at: what each look sees, the last of them for ever; and every pause before."""

    looks: Iterable[Seen]
    seen: list[Seen] = attrs.field(factory=list[Seen])
    slept: list[float] = attrs.field(factory=list[float])
    updates: list[str] = attrs.field(factory=list[str])
    _left: Iterator[Seen] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._left = iter(self.looks)

    async def fetch(self) -> str:
        await anyio.lowlevel.checkpoint()
        self.seen.append(next(self._left, self.seen[-1] if self.seen else "running"))
        if isinstance(look := self.seen[-1], EigenpalError):
            raise look
        return look

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    def poll(self, **changes: Any) -> Poll[str]:
        settings: dict[str, Any] = {
            "fetch": self.fetch,
            "is_over": lambda seen: seen == "done",
            "changed": lambda before, now: before != now,
            "on_update": self.updates.append,
            "sleep": self.sleep,
        }
        return Poll(**settings | changes)


async def until_over(poll: Poll[str], **options: Any) -> str | None:
    return await poll.until_over(**{"timeout_seconds": None, "poll_interval_seconds": 2.0} | options)


# ---------------------------------------------------------------------------------------------------- the schedule


@given(st.floats(0.01, 100))
def test_pauses_grow_from_a_fifth_of_a_second_to_the_interval_give_or_take_the_jitter(interval: float) -> None:
    following = intervals(interval)
    for poll in range(40):
        planned = min(FIRST_POLL_SECONDS * GROWTH**poll, interval)
        assert planned * (1 - JITTER) * (1 - 1e-9) <= following() <= planned * (1 + JITTER) * (1 + 1e-9)


def test_the_default_interval_is_reached_with_the_seventh_poll() -> None:
    following = intervals(2.0)
    pauses = [following() for _ in range(9)]
    assert pauses[5] < 2 * (1 - JITTER) <= pauses[6]
    assert sum(pauses[:2]) < 0.6


def test_waiters_that_start_together_do_not_poll_together() -> None:
    assert len({intervals(2.0)() for _ in range(50)}) > 40


async def test_work_is_looked_at_until_it_is_over_with_one_pause_before_each_look() -> None:
    work = Work(["created", "running", "running", "done", "never"])
    assert await until_over(work.poll()) == "done"
    assert work.seen == ["created", "running", "running", "done"]
    assert len(work.slept) == 4
    assert work.slept[0] <= FIRST_POLL_SECONDS * (1 + JITTER)


async def test_work_that_may_be_over_already_is_looked_at_at_once() -> None:
    work = Work(["done"])
    assert await until_over(work.poll(), at_once=True) == "done"
    assert work.slept == []
    work = Work(["running", "done"])
    assert await until_over(work.poll(), at_once=True) == "done"
    assert len(work.slept) == 1


async def test_a_wait_without_a_bound_goes_on() -> None:
    work = Work(["running"] * 1000 + ["done"])
    assert await until_over(work.poll(), timeout_seconds=None) == "done"


@in_virtual_time
async def test_real_pauses_add_up_to_what_was_planned(anyio_backend: Any) -> None:
    work = Work(["running"] * 6 + ["done"])
    began = anyio.current_time()
    assert await until_over(work.poll(sleep=anyio.sleep)) == "done"
    planned = sum(min(FIRST_POLL_SECONDS * GROWTH**poll, 2.0) for poll in range(7))
    assert anyio.current_time() - began == pytest.approx(planned, rel=JITTER)


# ---------------------------------------------------------------------------------------------------- updates


async def test_each_new_look_is_told_once() -> None:
    work = Work(["created", "created", "running", EigenpalServerError("a"), "running", "created", "done"])
    await until_over(work.poll())
    assert work.updates == ["created", "running", "created", "done"]


async def test_what_a_callback_raises_is_the_callers() -> None:
    def callback(_: str) -> None:
        raise LookupError("a callback")

    with pytest.raises(LookupError, match="a callback"):
        await until_over(Work(["running"]).poll(on_update=callback))


async def test_a_poll_without_a_callback_is_fine() -> None:
    assert await until_over(Work(["running", "done"]).poll(on_update=None)) == "done"


# ---------------------------------------------------------------------------------------------------- trouble


PASSING: list[Callable[[], EigenpalError]] = [
    lambda: EigenpalConnectionError("refused"),
    lambda: EigenpalTimeoutError("no answer"),
    lambda: EigenpalRateLimitError("slow down", status=429, retry_after=120),
    lambda: EigenpalServerError("broken", status=500),
    lambda: EigenpalServerError("unavailable", status=503),
    lambda: EigenpalAPIError("gave up waiting", status=408),
]
FINAL: list[Callable[[], EigenpalError]] = [
    lambda: EigenpalAuthError("no key", status=401),
    lambda: EigenpalForbiddenError("no scope", status=403),
    lambda: EigenpalAPIError("gone", status=410),
    lambda: EigenpalAPIError("moved", status=308),
    lambda: EigenpalDecodeError("HTML", status=200),
    lambda: EigenpalUsageError("closed"),
]


@pytest.mark.parametrize("trouble", PASSING)
async def test_w2_passing_trouble_never_loses_the_work(trouble: Callable[[], EigenpalError]) -> None:
    errors = [trouble() for _ in range(20)]
    work = Work([errors[0], "running", *errors[1:], "done"])
    poll = work.poll()
    assert await until_over(poll) == "done"
    assert len(work.seen) == 22
    assert poll.trouble is None


@pytest.mark.parametrize("trouble", FINAL)
async def test_trouble_that_will_not_pass_is_raised_at_once(trouble: Callable[[], EigenpalError]) -> None:
    error = trouble()
    work = Work(["running", error, "done"])
    with pytest.raises(EigenpalError) as caught:
        await until_over(work.poll())
    assert caught.value is error
    assert len(work.seen) == 2


async def test_what_is_none_of_ours_is_raised_as_it_is() -> None:
    async def fetch() -> str:
        raise LookupError("a bug")

    with pytest.raises(LookupError, match="a bug"):
        await until_over(Work([]).poll(fetch=fetch))


async def test_the_last_trouble_is_kept_until_a_good_look() -> None:
    first, second = EigenpalServerError("first"), EigenpalServerError("second")
    work = Work(["running", first, second, "running", "done"])
    poll = work.poll()
    seen: list[tuple[str | None, EigenpalError | None]] = []

    async def sleep(_: float) -> None:
        seen.append((poll.last, poll.trouble))

    poll.sleep = sleep
    await until_over(poll)
    assert seen == [(None, None), ("running", None), ("running", first), ("running", second), ("running", None)]


async def test_w2_work_that_is_not_there_yet_is_looked_for_again() -> None:
    work = Work([EigenpalNotFoundError("not yet", status=404)] * 3 + ["running", "done"])
    assert await until_over(work.poll()) == "done"
    assert work.updates == ["running", "done"]


@in_virtual_time
async def test_w2_work_that_stays_away_is_an_error_after_the_grace(anyio_backend: Any) -> None:
    missing = EigenpalNotFoundError("no such run", status=404)
    work = Work([missing])
    began = anyio.current_time()
    with pytest.raises(EigenpalNotFoundError) as caught:
        await until_over(work.poll(sleep=anyio.sleep))
    assert caught.value is missing
    assert UNSEEN_GRACE_SECONDS <= anyio.current_time() - began <= UNSEEN_GRACE_SECONDS + 2.0 * (1 + JITTER)


async def test_w2_the_grace_ends_with_the_first_good_look() -> None:
    missing = EigenpalNotFoundError("deleted", status=404)
    work = Work([missing, "running", missing])
    with pytest.raises(EigenpalNotFoundError):
        await until_over(work.poll())
    assert len(work.seen) == 3


# ---------------------------------------------------------------------------------------------------- the deadline


@in_virtual_time
@pytest.mark.parametrize("timeout", [0.05, 1, 30])
async def test_w3_the_time_is_up_when_it_was_said(anyio_backend: Any, timeout: float) -> None:
    work = Work(["running"])
    began = anyio.current_time()
    assert await until_over(work.poll(sleep=anyio.sleep), timeout_seconds=timeout) is None
    assert anyio.current_time() - began == pytest.approx(timeout)


@in_virtual_time
async def test_w3_the_deadline_holds_in_the_middle_of_a_look_and_of_trouble(anyio_backend: Any) -> None:
    began = anyio.current_time()
    assert await until_over(Work([]).poll(fetch=anyio.sleep_forever), timeout_seconds=3, at_once=True) is None
    trouble = Work([EigenpalServerError("broken")])
    poll = trouble.poll(sleep=anyio.sleep)
    assert await until_over(poll, timeout_seconds=30) is None
    assert poll.trouble is trouble.seen[0]
    assert anyio.current_time() - began == pytest.approx(33)


async def test_w3_the_deadline_holds_on_every_backend() -> None:
    with anyio.fail_after(5):
        assert await until_over(Work(["running"]).poll(sleep=anyio.sleep), timeout_seconds=0.02) is None


async def test_w3_what_is_seen_over_is_returned_however_late() -> None:
    async def fetch() -> str:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.02)
        return "done"

    assert await until_over(Work([]).poll(fetch=fetch), timeout_seconds=0.001, at_once=True) == "done"


@in_virtual_time
async def test_an_outer_deadline_is_the_callers_and_no_end_of_the_wait(anyio_backend: Any) -> None:
    with pytest.raises(TimeoutError), anyio.fail_after(1):
        await until_over(Work(["running"]).poll(sleep=anyio.sleep), timeout_seconds=100)


@pytest.mark.parametrize("asleep", [True, False], ids=["in a pause", "in a look"])
async def test_cancelling_the_waiter_ends_the_wait(asleep: bool) -> None:
    waiting = anyio.Event()

    async def forever(_: float = 0) -> str:
        waiting.set()
        await anyio.sleep_forever()
        raise AssertionError

    work = Work(["running"])
    poll = work.poll(sleep=forever) if asleep else work.poll(fetch=forever)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(until_over, poll)
            await waiting.wait()
            tasks.cancel_scope.cancel()
    assert work.seen == []
