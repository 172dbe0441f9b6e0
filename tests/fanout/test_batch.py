"""A batch on a service of no name: one outcome for each input, bounded, lazy, in the order that was asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from eigenpal.errors import EigenpalConnectionError, EigenpalError, EigenpalInputError, EigenpalNotFoundError
from eigenpal.fanout.outcome import Outcome
from tests.fanout.fake_service import FakeService, all_of, batch, no_pause, numbers

pytestmark = pytest.mark.anyio


@pytest.fixture
def service() -> FakeService:
    return FakeService()


def requested(outcome: Outcome[Any]) -> Any:
    """Return what the result says it was made of."""
    assert outcome.value is not None
    return outcome.value.request


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 50])
async def test_each_input_has_exactly_one_outcome(service: FakeService, count: int) -> None:
    outcomes = await all_of(batch(service, range(count)))
    assert sorted(outcome.index for outcome in outcomes) == list(range(count))
    assert all(outcome.ok and requested(outcome) == outcome.index for outcome in outcomes)
    assert {outcome.key for outcome in outcomes} == {str(number) for number in range(count)}
    assert [outcome.attempts for outcome in outcomes] == [1] * count


async def test_inputs_may_come_from_an_async_iterator(service: FakeService) -> None:
    assert len(await all_of(batch(service, numbers(20)))) == 20


async def test_no_more_than_the_concurrency_is_at_work(service: FakeService) -> None:
    async def while_others_may_come(_: Any) -> None:
        for _ in range(20):
            await checkpoint()

    service.on_wait = while_others_may_come
    await all_of(batch(service, range(40), concurrency=7))
    assert service.most_at_work == 7


async def test_inputs_are_taken_only_as_there_is_room(service: FakeService) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    async with batch(service, endless(), concurrency=3) as outcomes:
        await anext(outcomes)
        for _ in range(200):  # as long as the batch likes
            await checkpoint()
        assert taken <= 1 + 2 * 3  # what was read, and twice the concurrency
        before = taken
        await anext(outcomes)
        for _ in range(50):
            await checkpoint()
        assert taken == before + 1


async def test_nothing_begins_before_an_outcome_is_asked_for(service: FakeService) -> None:
    outcomes = batch(service, range(3))
    for _ in range(20):
        await checkpoint()
    assert service.starts == []
    assert len(await all_of(outcomes)) == 3


async def test_outcomes_come_as_they_are_ready(service: FakeService) -> None:
    release = anyio.Event()

    async def the_first_is_slow(request: Any) -> None:
        if request == 0:
            await release.wait()

    service.on_wait = the_first_is_slow
    seen: list[int] = []
    async for outcome in batch(service, range(6)):
        seen.append(outcome.index)
        if len(seen) == 5:
            release.set()
    assert seen[-1] == 0


async def test_ordered_outcomes_come_in_the_order_of_the_inputs(service: FakeService) -> None:
    release = anyio.Event()

    async def the_first_waits_for_the_others(request: Any) -> None:
        if request == 0:
            await release.wait()
        if request == 3:
            release.set()

    service.on_wait = the_first_waits_for_the_others
    assert [outcome.index for outcome in await all_of(batch(service, range(9), ordered=True))] == list(range(9))


async def test_a_bad_input_is_an_outcome_and_stops_no_other(service: FakeService) -> None:
    outcomes = await all_of(batch(service, [0, "none", 2], ordered=True))
    assert [outcome.ok for outcome in outcomes] == [True, False, True]
    assert isinstance(outcomes[1].error, EigenpalInputError)
    assert outcomes[1].attempts == 0


async def test_a_result_that_is_no_success_is_no_error(service: FakeService) -> None:
    (outcome,) = await all_of(batch(service, ["bad"]))
    assert not outcome.ok
    assert outcome.error is None
    assert outcome.value is not None


@pytest.mark.parametrize("problem", [EigenpalNotFoundError("no such target", status=404), KeyError("a bug")])
async def test_what_goes_wrong_with_one_input_is_its_outcome(service: FakeService, problem: Exception) -> None:
    async def refuse(request: Any) -> None:
        if request == 1:
            raise problem

    service.on_start = refuse
    outcomes = await all_of(batch(service, range(3), ordered=True))
    assert [outcome.ok for outcome in outcomes] == [True, False, True]
    assert isinstance(outcomes[1].error, EigenpalError)
    assert problem in {outcomes[1].error, outcomes[1].error.__cause__}
    assert service.starts.count(1) == 1


async def test_an_input_iterator_that_fails_ends_the_batch_after_what_is_under_way(service: FakeService) -> None:
    def failing() -> Iterator[int]:
        yield 0
        yield 1
        raise ZeroDivisionError("of the input")

    seen: list[int] = []
    with pytest.raises(ZeroDivisionError, match="of the input"):
        async for outcome in batch(service, failing()):
            seen.append(outcome.index)  # noqa: PERF401 - what came before the error counts
    assert sorted(seen) == [0, 1]


async def test_the_error_that_ended_a_batch_is_raised_once(service: FakeService) -> None:
    def failing() -> Iterator[int]:
        raise ZeroDivisionError
        yield 0  # type: ignore[unreachable]  # makes it a generator

    outcomes = batch(service, failing())
    with pytest.raises(ZeroDivisionError):
        await anext(outcomes)
    with pytest.raises(StopAsyncIteration):
        await anext(outcomes)


async def test_stop_on_failure_takes_no_more_inputs_and_lets_the_others_end(service: FakeService) -> None:
    outcomes = await all_of(batch(service, [*range(4), "bad", *range(1000)], stop_on_failure=True))
    assert len(outcomes) == len(service.starts)
    assert 5 <= len(outcomes) < 30
    assert sum(not outcome.ok for outcome in outcomes) == 1
    assert service.cancelled == []


async def test_stop_on_failure_may_cancel_what_is_under_way(service: FakeService) -> None:
    stopped = anyio.Event()

    async def the_bad_one_is_quick(request: Any) -> None:
        if request != "bad":
            await stopped.wait()

    async def stop(made: str) -> None:
        if len(service.cancelled) == 3:
            stopped.set()

    service.on_wait = the_bad_one_is_quick
    service.on_cancel = stop
    outcomes = await all_of(batch(service, [0, 1, "bad", 3, 4, 5], stop_on_failure=True, cancel_running=True))
    assert len(outcomes) == 4
    assert set(service.cancelled) == {outcome.id for outcome in outcomes if requested(outcome) != "bad"}


async def test_passing_trouble_is_tried_again_and_counted(service: FakeService) -> None:
    left = 3

    async def trouble(request: Any) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise EigenpalConnectionError("refused")

    service.on_start = trouble
    (outcome,) = await all_of(batch(service, [0]))
    assert outcome.ok
    assert outcome.attempts == 4


async def test_trouble_that_does_not_pass_becomes_the_error(service: FakeService) -> None:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        await checkpoint()

    async def trouble(request: Any) -> None:
        raise EigenpalConnectionError("refused")

    service.on_start = trouble
    (outcome,) = await all_of(batch(service, [0], sleep=sleep, clock=lambda: now))
    assert isinstance(outcome.error, EigenpalConnectionError)
    assert not outcome.error.maybe_started
    assert 20 < outcome.seconds <= 30
    assert outcome.attempts == len(service.starts) > 4


async def test_an_async_generator_of_inputs_is_closed_when_the_batch_is_left(service: FakeService) -> None:
    closed = False

    async def endless() -> AsyncIterator[int]:
        nonlocal closed
        try:
            while True:
                yield 0
        finally:
            await no_pause(0)
            closed = True

    async with batch(service, endless()) as outcomes:
        await anext(outcomes)
    assert closed


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"concurrency": 2.0}, "concurrency"),
        ({"on_unknown": "ignore"}, "raise, rerun, skip"),
        ({"on_progress": 3}, "on_progress"),
        ({"journal": 3}, "path"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
    ],
)
async def test_options_that_can_not_work_are_refused_at_once(
    service: FakeService, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(EigenpalInputError, match=says):
        batch(service, [], **options)


@pytest.mark.parametrize("inputs", [None, 3, "text", b"bytes"])
async def test_inputs_that_are_none_are_refused_at_once(service: FakeService, inputs: object) -> None:
    with pytest.raises(EigenpalInputError, match="iterable"):
        batch(service, inputs)
