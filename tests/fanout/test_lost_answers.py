"""A start whose answer was lost: looked for by its token, adopted if it is there, never started twice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from anyio.lowlevel import checkpoint

from eigenpal.errors import EigenpalConnectionError, EigenpalError, EigenpalForbiddenError
from eigenpal.fanout.journal import Journal, State
from eigenpal.fanout.life import LOOKS
from eigenpal.fanout.work import UNKNOWN
from tests.fanout.fake_service import FakeService, all_of, batch, lost

pytestmark = pytest.mark.anyio


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await checkpoint()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def timed(clock: Clock) -> dict[str, Any]:
    return {"sleep": clock.sleep, "clock": lambda: clock.now}


async def test_what_was_started_is_adopted_and_not_started_again(clock: Clock) -> None:
    async def lose(request: Any) -> None:
        raise lost()

    service = FakeService(after_start=lose)
    outcomes = await all_of(batch(service, range(5), **timed(clock)))
    assert [outcome.ok for outcome in outcomes] == [True] * 5
    assert len(service.made) == 5
    assert {outcome.id for outcome in outcomes} == set(service.made.values())


async def test_what_is_there_only_a_moment_later_is_adopted_too(clock: Clock) -> None:
    """The server still works on the request, or the replica that is asked lags behind."""
    service = FakeService()
    looks = 0

    def later(token: str) -> Any:
        nonlocal looks
        looks += 1
        return ... if looks == len(LOOKS) else None

    async def lose(request: Any) -> None:
        raise lost()

    service.after_start, service.on_find = lose, later
    (outcome,) = await all_of(batch(service, [0], **timed(clock)))
    assert outcome.ok
    assert len(service.made) == 1
    assert clock.pauses[: len(LOOKS) - 1] == list(LOOKS[1:])


async def test_what_is_surely_not_there_is_started_again_with_the_same_token(clock: Clock) -> None:
    tries = 0

    async def lose_the_first(request: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise lost()

    service = FakeService(on_start=lose_the_first)
    (outcome,) = await all_of(batch(service, [0], **timed(clock)))
    assert outcome.ok
    assert outcome.attempts == 2
    assert set(service.looks) == set(service.made)
    assert len(service.looks) == len(LOOKS)


async def test_a_search_goes_on_through_passing_trouble(clock: Clock) -> None:
    async def lose(request: Any) -> None:
        raise lost()

    service = FakeService(after_start=lose)
    trouble = [EigenpalConnectionError("refused"), EigenpalConnectionError("refused")]

    def refuse(token: str) -> Any:
        if trouble:
            raise trouble.pop()
        return ...

    service.on_find = refuse
    (outcome,) = await all_of(batch(service, [0], **timed(clock)))
    assert outcome.ok
    assert trouble == []


def in_doubt(answer: Any = UNKNOWN) -> FakeService:
    """Return a service that loses the answer for the request 1, and can't tell what became of it."""

    async def lose(request: Any) -> None:
        if request == 1 and service.starts.count(1) == 1:
            raise lost()

    def search(token: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    service = FakeService(after_start=lose, on_find=search)
    return service


REFUSED = EigenpalForbiddenError("this key may not list", status=403)


@pytest.mark.parametrize("answer", [UNKNOWN, REFUSED], ids=["unknown", "refused"])
async def test_by_default_doubt_ends_the_batch_after_what_is_under_way(clock: Clock, answer: Any) -> None:
    service = in_doubt(answer)
    outcomes = []
    with pytest.raises(EigenpalError, match="can't be told whether the piece for '1' was started") as raised:
        async for outcome in batch(service, range(1000), **timed(clock)):
            outcomes.append(outcome)  # noqa: PERF401 - what came before the error counts
    assert raised.value.maybe_started
    assert len(outcomes) == len(service.starts) - 1 < 30
    assert service.starts.count(1) == 1


async def test_doubt_may_be_skipped(clock: Clock) -> None:
    service = in_doubt()
    outcomes = await all_of(batch(service, range(4), on_unknown="skip", ordered=True, **timed(clock)))
    assert [outcome.ok for outcome in outcomes] == [True, False, True, True]
    error = outcomes[1].error
    assert error is not None
    assert error.maybe_started
    assert service.starts.count(1) == 1


async def test_doubt_may_be_run_again(clock: Clock) -> None:
    service = in_doubt()
    outcomes = await all_of(batch(service, range(4), on_unknown="rerun", **timed(clock)))
    assert all(outcome.ok for outcome in outcomes)
    assert service.starts.count(1) == 2


async def test_what_was_skipped_is_in_doubt_again_the_next_time(clock: Clock, tmp_path: Path) -> None:
    service, journal = in_doubt(), tmp_path / "batch.db"
    await all_of(batch(service, range(2), on_unknown="skip", journal=journal, **timed(clock)))
    service.on_find = lambda _token: ...
    outcomes = await all_of(batch(service, range(2), journal=journal, **timed(clock)))
    assert all(outcome.ok for outcome in outcomes)
    assert service.starts.count(1) == 1


@pytest.mark.parametrize(("age_seconds", "looks"), [(1.0, len(LOOKS)), (3600.0, 1)], ids=["a moment ago", "long ago"])
async def test_a_row_left_in_starting_is_looked_for_as_long_as_it_may_still_come(
    clock: Clock, tmp_path: Path, age_seconds: float, looks: int
) -> None:
    journal = Journal(tmp_path / "batch.db", "a test")
    journal.apply([lambda: journal.plan("0", 0, "fake", "0", "token-0")])
    journal.apply([lambda: journal.starting("0", time.time() - age_seconds, 1)])
    journal.close()
    service = FakeService()
    (outcome,) = await all_of(batch(service, [0], journal=tmp_path / "batch.db", **timed(clock)))
    assert service.looks == ["token-0"] * looks
    assert list(service.made) == ["token-0"]
    assert outcome.attempts == 2


async def test_the_token_is_on_the_disk_before_the_request_is_sent(clock: Clock, tmp_path: Path) -> None:
    service = FakeService()
    seen: list[Any] = []
    real = Journal.starting

    async def look(request: Any) -> None:
        seen.append(states[-1])

    states: list[State] = []

    def noted(journal: Journal, key: str, sent: float, attempts: int) -> None:
        real(journal, key, sent, attempts)
        states.append(State.STARTING)

    service.on_start = look
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "starting", noted)
        await all_of(batch(service, range(3), journal=tmp_path / "batch.db", **timed(clock)))
    assert seen == [State.STARTING] * 3
