"""D2-D6: what is sent again, after how long, at whose cost, and what the error says when it is not."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.engine.request import Repeat
from eigenpal.engine.retry import (
    BUDGET_TOKENS,
    FIRST_BACKOFF_SECONDS,
    LONGEST_BACKOFF_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    RETRY_AFTER_JITTER,
    RETRY_COST,
    TIMEOUT_RETRY_COST,
    RetryBudget,
    RetryPolicy,
    backoff,
    may_repeat,
)
from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalConnectionError,
    EigenpalDecodeError,
    EigenpalError,
    EigenpalInputError,
    EigenpalRateLimitError,
    EigenpalServerError,
    EigenpalTimeoutError,
    EigenpalUsageError,
    api_error,
)


def answered(status: int, retry_after: float | None = None) -> EigenpalAPIError:
    return api_error(
        status,
        detail="no",
        method="GET",
        url="https://host/a",
        headers={},
        envelope=None,
        request_id=None,
        retry_after=retry_after,
    )


def unanswered(kind: type[EigenpalError], *, maybe_started: bool = False) -> EigenpalError:
    return kind("no answer.", maybe_started=maybe_started)


@attrs.define
class Time:
    """A clock that only moves when somebody sleeps, and remembers every sleep."""

    now: float = 1000.0
    slept: list[float] = attrs.field(factory=list[float])

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()

    def clock(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def policy(time: Time) -> RetryPolicy:
    return RetryPolicy(sleep=time.sleep, clock=time.clock)


@attrs.define
class Server:
    """What attempts meet: failures in turn, then success; remembers how many tries came before each."""

    outcomes: Iterator[BaseException | str]
    tries: list[int] = attrs.field(factory=list[int])

    async def attempt(self, tries: int) -> str:
        self.tries.append(tries)
        await anyio.lowlevel.checkpoint()
        outcome = next(self.outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def server(*outcomes: BaseException | str) -> Server:
    return Server(iter(outcomes))


async def again(
    policy: RetryPolicy, first: EigenpalError, attempt: Callable[[int], Awaitable[str]], **options: Any
) -> str:
    defaults: dict[str, Any] = {"repeat": Repeat.HARMLESS, "max_retries": 3, "label": "runs.get (GET https://host/a)"}
    return await policy.again(first, attempt, **defaults | options)


# ---------------------------------------------------------------------------------------------------- what is repeated


ALWAYS, SAFE, NEVER = "always", "where it does no harm", "never"

STATUSES: dict[int, str] = {
    **dict.fromkeys([301, 304, 307, 400, 401, 402, 403, 404, 405, 409, 410, 411, 412, 413, 415, 418, 422, 423], NEVER),
    **dict.fromkeys([425, 426, 428, 431, 451, 501, 505, 507, 511, 520, 599], NEVER),
    **dict.fromkeys([408, 500, 502, 503, 504], SAFE),
    429: ALWAYS,
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("repeat", Repeat)
@pytest.mark.parametrize("retry_after", [None, 0, 5])
def test_d2_every_status_is_repeated_by_the_table(status: int, repeat: Repeat, retry_after: float | None) -> None:
    rule = STATUSES[status]
    if status == 503 and retry_after is not None:
        rule = ALWAYS  # the server says when to come back, so it did not begin
    assert may_repeat(answered(status, retry_after), repeat) is (
        rule == ALWAYS or (rule == SAFE and repeat is not Repeat.STARTS)
    )


@pytest.mark.parametrize("kind", [EigenpalConnectionError, EigenpalTimeoutError])
@pytest.mark.parametrize("repeat", Repeat)
@pytest.mark.parametrize("maybe_started", [True, False])
def test_a_start_that_may_have_been_received_is_never_resent(
    kind: type[EigenpalError], repeat: Repeat, maybe_started: bool
) -> None:
    failure = unanswered(kind, maybe_started=maybe_started)
    assert may_repeat(failure, repeat) is (repeat is not Repeat.STARTS or not maybe_started)


@pytest.mark.parametrize("kind", [EigenpalDecodeError, EigenpalInputError, EigenpalUsageError, EigenpalError])
@pytest.mark.parametrize("repeat", Repeat)
def test_what_sending_again_would_not_change_is_never_repeated(kind: type[EigenpalError], repeat: Repeat) -> None:
    assert not may_repeat(kind("no", status=200), repeat)
    assert not may_repeat(kind("no"), repeat)


# ---------------------------------------------------------------------------------------------------- how long


shares = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 10**6), shares)
def test_d2_a_backoff_doubles_up_to_its_longest_with_full_jitter(retries_taken: int, share: float) -> None:
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(retries_taken, 20))
    assert backoff(retries_taken, None, lambda: share) == pytest.approx(longest * share)
    assert 0 <= backoff(retries_taken, None) <= longest


def test_d2_the_backoff_is_half_a_second_doubling_to_eight() -> None:
    assert [backoff(tries, None, lambda: 1.0) for tries in range(7)] == [0.5, 1, 2, 4, 8, 8, 8]


@given(st.floats(0, LONGEST_RETRY_AFTER_SECONDS, exclude_min=True), st.integers(0, 10**6), shares)
def test_d2_retry_after_is_never_shortened_and_little_lengthened(wanted: float, tries: int, share: float) -> None:
    assert wanted <= backoff(tries, wanted, lambda: share) <= wanted * (1 + RETRY_AFTER_JITTER)


def test_d2_a_server_that_asks_for_no_wait_is_not_hammered() -> None:
    assert backoff(2, 0.0, lambda: 1.0) == backoff(2, None, lambda: 1.0) == 2.0


def test_d2_clients_that_were_turned_away_together_do_not_return_together() -> None:
    assert len({backoff(0, 10) for _ in range(50)}) > 40


# ---------------------------------------------------------------------------------------------------- the budget


def test_d3_the_budget_pays_for_a_hundred_retries_and_no_more() -> None:
    budget = RetryBudget()
    paid = [budget.pay(answered(500)) for _ in range(150)]
    assert paid == [True] * 100 + [False] * 50


def test_d3_a_timeout_costs_twice_as_much() -> None:
    budget = RetryBudget()
    assert [budget.pay(unanswered(EigenpalTimeoutError)) for _ in range(51)] == [True] * 50 + [False]
    assert (RETRY_COST, TIMEOUT_RETRY_COST) == (5, 10)


def test_d3_five_successes_pay_for_one_retry() -> None:
    budget = RetryBudget(tokens=0)
    for _ in range(4):
        budget.refund()
        assert not budget.pay(answered(500))
    budget.refund()
    assert budget.pay(answered(500))
    assert not budget.pay(answered(500))


@given(st.lists(st.sampled_from(["pay", "pay for timeout", "refund"])))
def test_d3_the_budget_never_leaves_its_bounds(steps: list[str]) -> None:
    budget = RetryBudget(tokens=12)
    for step in steps:
        if step == "refund":
            budget.refund()
        else:
            budget.pay(answered(500) if step == "pay" else unanswered(EigenpalTimeoutError))
        assert 0 <= budget.tokens <= BUDGET_TOKENS


def test_d3_the_budget_is_never_more_than_full() -> None:
    budget = RetryBudget(tokens=BUDGET_TOKENS - 0.5)
    budget.refund()
    budget.refund()
    assert budget.tokens == BUDGET_TOKENS


# ---------------------------------------------------------------------------------------------------- sending again


@pytest.mark.anyio
async def test_d6_an_attempt_that_succeeds_ends_it_after_one_pause_for_each_failure(
    policy: RetryPolicy, time: Time
) -> None:
    then = server(answered(502), unanswered(EigenpalConnectionError), "done")
    assert await again(policy, answered(500), then.attempt) == "done"
    assert then.tries == [1, 2, 3]
    assert len(time.slept) == 3
    for tries, slept in enumerate(time.slept):
        assert 0 <= slept <= FIRST_BACKOFF_SECONDS * 2**tries
    assert policy.budget.tokens == BUDGET_TOKENS - 3 * RETRY_COST


@pytest.mark.anyio
@pytest.mark.parametrize("max_retries", [0, 1, 3, 10])
async def test_d5_the_last_error_is_raised_and_says_how_often_it_was_sent_again(
    policy: RetryPolicy, time: Time, max_retries: int
) -> None:
    failures = [answered(503) for _ in range(max_retries + 1)]
    then = server(*failures[1:])
    with pytest.raises(EigenpalServerError) as caught:
        await again(policy, failures[0], then.attempt, max_retries=max_retries)
    assert caught.value is failures[-1]
    assert caught.value.retries_taken == max_retries == len(time.slept)
    assert then.tries == list(range(1, max_retries + 1))
    assert "Not sent again" not in str(caught.value)
    assert [failure.retries_taken for failure in failures] == list(range(max_retries + 1))


@pytest.mark.anyio
async def test_an_error_that_may_not_be_repeated_ends_it_at_once(policy: RetryPolicy, time: Time) -> None:
    for first, repeat in ((answered(404), Repeat.HARMLESS), (answered(500), Repeat.STARTS)):
        with pytest.raises(EigenpalAPIError) as caught:
            await again(policy, first, server().attempt, repeat=repeat)
        assert caught.value is first
    then = server(answered(401))
    with pytest.raises(EigenpalAPIError) as caught:
        await again(policy, answered(500), then.attempt)
    assert caught.value.status == 401
    assert caught.value.retries_taken == 1
    assert len(time.slept) == 1


@pytest.mark.anyio
async def test_no_exception_of_the_retry_library_is_seen(policy: RetryPolicy) -> None:
    with pytest.raises(EigenpalServerError) as caught:
        await again(policy, answered(500), server(answered(502)).attempt, max_retries=1)
    seen: list[BaseException | None] = [caught.value]
    while (error := seen[-1]) is not None:
        assert isinstance(error, EigenpalError)
        seen.append(error.__cause__ or error.__context__)


@pytest.mark.anyio
async def test_d2_retry_after_is_waited_for_and_a_bit(policy: RetryPolicy, time: Time) -> None:
    then = server(answered(503, 60), "done")
    assert await again(policy, answered(429, 7), then.attempt, repeat=Repeat.STARTS) == "done"
    assert 7 <= time.slept[0] <= 8.4
    assert 60 <= time.slept[1] <= 72


@pytest.mark.anyio
@pytest.mark.parametrize("status", [429, 503])
async def test_d2_a_retry_after_above_the_cap_is_raised_at_once_with_it(
    policy: RetryPolicy, time: Time, status: int
) -> None:
    with pytest.raises(
        EigenpalAPIError, match=r"wait 60\.5 s\..* Not sent again: that wait is longer than 60 s\.$"
    ) as caught:
        await again(policy, answered(status, 60.5), server().attempt)
    assert caught.value.retry_after == 60.5
    assert caught.value.retries_taken == 0
    assert time.slept == []
    assert policy.budget.tokens == BUDGET_TOKENS
    assert not policy.paused


@pytest.mark.anyio
async def test_d4_a_body_that_can_not_be_made_again_is_not_sent_again(policy: RetryPolicy, time: Time) -> None:
    with pytest.raises(EigenpalServerError, match=r"Not sent again: a file in its body can't be read again from its"):
        await again(policy, answered(500), server().attempt, replayable=False)
    assert time.slept == []
    assert policy.budget.tokens == BUDGET_TOKENS


@pytest.mark.anyio
async def test_d4_the_note_is_only_there_when_it_would_have_been_sent_again(policy: RetryPolicy) -> None:
    for failure, options in ((answered(404), {}), (answered(500), {"max_retries": 0})):
        with pytest.raises(EigenpalAPIError) as caught:
            await again(policy, failure, server().attempt, replayable=False, **options)
        assert "Not sent again" not in str(caught.value)


@pytest.mark.anyio
async def test_d1_a_pause_that_ends_after_the_deadline_is_not_begun(policy: RetryPolicy, time: Time) -> None:
    with anyio.fail_after(5), pytest.raises(EigenpalAPIError, match=r"Not sent again: the deadline comes first\.$"):
        await again(policy, answered(429, 10), server().attempt)
    assert time.slept == []
    assert policy.budget.tokens == BUDGET_TOKENS
    with anyio.fail_after(60):
        assert await again(policy, answered(429, 10), server("done").attempt) == "done"


@pytest.mark.anyio
async def test_d3_an_empty_budget_fails_at_once_and_says_so(policy: RetryPolicy, time: Time) -> None:
    policy.budget.tokens = 9
    with pytest.raises(EigenpalTimeoutError, match=r"Not sent again: too many requests .* retry budget is used up\.$"):
        await again(policy, unanswered(EigenpalTimeoutError), server().attempt)
    assert time.slept == []
    assert await again(policy, answered(500), server("done").attempt) == "done"
    with pytest.raises(EigenpalServerError, match="retry budget is used up"):
        await again(policy, answered(500), server().attempt)


@pytest.mark.anyio
async def test_each_retry_logs_one_line(policy: RetryPolicy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "eigenpal")
    await again(policy, answered(500), server(unanswered(EigenpalTimeoutError), "done").attempt)
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]
    assert caplog.messages[0].startswith("runs.get (GET https://host/a): answered 500, try 2 of 4 in 0.")
    assert caplog.messages[1].startswith("runs.get (GET https://host/a): EigenpalTimeoutError, try 3 of 4 in ")


# ---------------------------------------------------------------------------------------------------- the shared pause


@pytest.mark.anyio
async def test_d3_a_429_with_retry_after_pauses_all_callers(policy: RetryPolicy, time: Time) -> None:
    with pytest.raises(EigenpalRateLimitError):
        await again(policy, answered(429, 30), server().attempt, max_retries=0)
    assert policy.paused
    await policy.pause()
    assert policy.resume_at <= time.now
    assert 1030 <= time.now <= 1036
    await policy.pause()
    assert len(time.slept) == 1


@pytest.mark.anyio
async def test_d3_a_pause_that_grows_meanwhile_is_waited_out(policy: RetryPolicy, time: Time) -> None:
    policy.observe(answered(429, 10))

    async def sleep(seconds: float) -> None:
        if not time.slept:
            policy.observe(answered(429, 50))
        await time.sleep(seconds)

    policy.sleep = sleep
    await policy.pause()
    assert time.now >= 1050
    assert len(time.slept) == 2


@pytest.mark.parametrize(
    "failure",
    [
        answered(429),
        answered(429, 0),
        answered(429, 61),
        answered(503, 30),
        answered(500),
        unanswered(EigenpalConnectionError),
    ],
    ids=["no wait", "no time", "too long", "503", "500", "no answer"],
)
def test_d3_nothing_else_pauses_the_others(policy: RetryPolicy, failure: EigenpalError) -> None:
    policy.observe(failure)
    assert not policy.paused


def test_d3_a_shorter_wait_does_not_shorten_a_longer_one(policy: RetryPolicy, time: Time) -> None:
    policy.observe(answered(429, 30))
    policy.observe(answered(429, 5))
    assert policy.resume_at == time.now + 30


@pytest.mark.anyio
async def test_callers_that_were_paused_together_do_not_go_on_as_one_wave() -> None:
    woken = []
    for _ in range(20):
        time = Time()
        policy = RetryPolicy(sleep=time.sleep, clock=time.clock)
        policy.observe(answered(429, 10))
        await policy.pause()
        woken.append(time.now)
    assert len(set(woken)) > 15
    assert all(1010 <= moment <= 1012 for moment in woken)


# ---------------------------------------------------------------------------------------------------- cancellation


@pytest.mark.anyio
async def test_cancelling_during_the_pause_ends_it_with_no_further_attempt() -> None:
    asleep, then = anyio.Event(), server("never")

    async def sleep(_: float) -> None:
        asleep.set()
        await anyio.sleep_forever()

    policy = RetryPolicy(sleep=sleep)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: again(policy, answered(500), then.attempt))
            await asleep.wait()
            tasks.cancel_scope.cancel()
    assert then.tries == []


@pytest.mark.anyio
async def test_cancelling_during_an_attempt_cancels_it_and_is_no_failure(policy: RetryPolicy, time: Time) -> None:
    sending, seen = anyio.Event(), list[BaseException]()

    async def attempt(_: int) -> str:
        try:
            sending.set()
            await anyio.sleep_forever()
        except BaseException as error:
            seen.append(error)
            raise
        return "never"

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                lambda: policy.again(answered(500), attempt, repeat=Repeat.HARMLESS, max_retries=3, label="")
            )
            await sending.wait()
            tasks.cancel_scope.cancel()
    assert [type(error) for error in seen] == [anyio.get_cancelled_exc_class()]
    assert len(time.slept) == 1


class Unknown(Exception):
    """An error that is none of ours, such as one of a user's transport."""


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, Unknown, MemoryError])
async def test_what_is_no_failure_of_a_request_passes_untouched(
    policy: RetryPolicy, time: Time, kind: type[BaseException]
) -> None:
    error = kind("untouched")
    with pytest.raises(kind) as caught:
        await again(policy, answered(500), server(error).attempt)
    assert caught.value is error
    assert len(time.slept) == 1


@pytest.mark.anyio
async def test_two_calls_at_once_do_not_mix(policy: RetryPolicy) -> None:
    results: dict[str, str] = {}

    async def call(name: str, failures: int) -> None:
        results[name] = await again(policy, answered(500), server(*[answered(502)] * failures, name).attempt)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(call, f"call {number}", number % 3)
    assert results == {name: name for name in results}
    assert len(results) == 10


def test_d6_no_test_sleeps_for_real_and_users_do() -> None:
    assert RetryPolicy().sleep is anyio.sleep
    sleep: Callable[[float], Awaitable[None]] = Time().sleep
    assert RetryPolicy(sleep=sleep).sleep is not anyio.sleep
    assert 0 <= backoff(0, None, random.random) < FIRST_BACKOFF_SECONDS
