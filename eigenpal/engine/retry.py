"""Whether to send again, and when: the decision, the budget, and the pause that all callers share.

The decision is a pure function of a failure; tenacity drives the loop, and only after a first failure. Nothing here
sends anything. The rules are D2-D6 of the engine's contract; each constant carries its reason.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio
import attrs

from eigenpal.engine.request import Repeat
from eigenpal.errors import (
    EigenpalConnectionError,
    EigenpalError,
    EigenpalRateLimitError,
    EigenpalServerError,
    EigenpalTimeoutError,
)

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("eigenpal")

PASSING: Final = (EigenpalConnectionError, EigenpalTimeoutError, EigenpalRateLimitError, EigenpalServerError)
REQUEST_TIMEOUT: Final = 408  # the one passing status without a class of its own

FIRST_BACKOFF_SECONDS: Final = 0.5
LONGEST_BACKOFF_SECONDS: Final = 8.0
LONGEST_RETRY_AFTER_SECONDS: Final = 60.0  # beyond it the caller is told at once: it may have better things to do
# Later only, never earlier: clients that were turned away together must not return together.
RETRY_AFTER_JITTER: Final = 0.2

BUDGET_TOKENS: Final = 500.0  # a hundred retries in a row; then only as fast as successes pay them back
RETRY_COST: Final = 5.0
TIMEOUT_RETRY_COST: Final = 10.0  # a timeout holds the server longer than a refusal does
SUCCESS_REFUND: Final = 1.0

RETRIED_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})


def passes(error: EigenpalError) -> bool:
    """Tell whether a failed look says nothing about what was looked at: the next one may well succeed."""
    return isinstance(error, PASSING) or error.status == REQUEST_TIMEOUT


def may_repeat(failure: EigenpalError, repeat: Repeat) -> bool:
    """Tell whether a request that failed like this may be sent again at all."""
    if isinstance(failure, EigenpalConnectionError | EigenpalTimeoutError):
        return repeat.is_safe or not failure.maybe_started
    if failure.status not in RETRIED_STATUSES:
        return False
    return repeat.is_safe or surely_not_started(failure)


def surely_not_started(failure: EigenpalError) -> bool:
    """Tell whether an error status proves that the server did not begin: it was turned away at the door."""
    return failure.status == 429 or (failure.status == 503 and failure.retry_after is not None)


def backoff(retries_taken: int, retry_after: float | None, jitter: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait before the next try: what the server asked for and a bit, or full jitter."""
    if retry_after:  # a wait of nothing is no reason to hammer
        return retry_after * (1 + RETRY_AFTER_JITTER * jitter())
    doublings = min(retries_taken, 16)  # far past the longest; a float can't be doubled for ever
    return min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0**doublings) * jitter()


@attrs.define
class RetryBudget:
    """A bucket of tokens that one client's retries share, so that a failing server is not hit ever harder."""

    tokens: float = BUDGET_TOKENS

    def pay(self, failure: EigenpalError) -> bool:
        """Take the price of one retry; False when there is not enough left."""
        price = TIMEOUT_RETRY_COST if isinstance(failure, EigenpalTimeoutError) else RETRY_COST
        if self.tokens < price:
            return False
        self.tokens -= price
        return True

    def refund(self) -> None:
        """Give back what a success without a retry earns."""
        if self.tokens < BUDGET_TOKENS:
            self.tokens = min(BUDGET_TOKENS, self.tokens + SUCCESS_REFUND)


@attrs.define
class RetryPolicy:
    """How one client sends again; what its clones share is the budget and the pause.

    Attributes:
        budget: The bucket of tokens.
        sleep: Seam for tests; awaits that many seconds.
        clock: Seam for tests; monotonic seconds.
        resume_at: Until then no request of the client is sent: a 429 told one caller, and all have to listen.
    """

    budget: RetryBudget = attrs.field(factory=RetryBudget)
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    clock: Callable[[], float] = time.monotonic
    resume_at: float = -math.inf

    @property
    def paused(self) -> bool:
        """Whether the server asked this client to wait and the time is not over."""
        return self.resume_at > self.clock()

    async def pause(self) -> None:
        """Wait until the server wants to hear from this client again."""
        while (left := self.resume_at - self.clock()) > 0:
            # Each caller wakes at its own moment, so that the queue does not arrive as one wave.
            await self.sleep(left * (1 + RETRY_AFTER_JITTER * random.random()))

    def observe(self, failure: EigenpalError) -> None:
        """Let all callers of the client wait when one was told to slow down."""
        wanted = failure.retry_after
        if isinstance(failure, EigenpalRateLimitError) and wanted and wanted <= LONGEST_RETRY_AFTER_SECONDS:
            self.resume_at = max(self.resume_at, self.clock() + wanted)

    def goes_on(self, failure: EigenpalError, repeat: Repeat, max_retries: int) -> bool:
        """Take note of a failure, and tell whether the request may be sent again."""
        self.observe(failure)
        return failure.retries_taken < max_retries and may_repeat(failure, repeat)

    async def again(
        self,
        failure: EigenpalError,
        attempt: Callable[[int], Awaitable[T]],
        *,
        repeat: Repeat,
        max_retries: int,
        label: str,
        replayable: bool = True,
    ) -> T:
        """Go on after a first failure, until an attempt succeeds or sending again makes no sense.

        Args:
            failure: What the first attempt raised.
            attempt: Sends once; takes how many tries came before.
            repeat: What sending the request twice does.
            max_retries: How often to send again at most.
            label: What is sent, for the log.
            replayable: Whether the body can be made again from its start.

        Raises:
            EigenpalError: The last failure; its `retries_taken` says how often it was sent again.
        """
        from tenacity import AsyncRetrying, retry_if_exception

        tries, delay = 0, 0.0
        unraised: EigenpalError | None = failure

        async def once() -> T:
            nonlocal tries, unraised
            if (first := unraised) is not None:
                unraised = None
                raise first
            tries += 1
            return await attempt(tries)

        def worth_another_try(error: BaseException) -> bool:
            nonlocal delay
            if not isinstance(error, EigenpalError):
                return False
            error.retries_taken = tries
            if not self.goes_on(error, repeat, max_retries):
                return False
            delay = backoff(tries, error.retry_after)
            if (obstacle := self._obstacle(error, delay, replayable)) is not None:
                error.message += f" Not sent again: {obstacle}."
                return False
            logger.info("%s: %s, try %d of %d in %.2f s", label, _reason(error), tries + 2, max_retries + 1, delay)
            return True

        retrying = AsyncRetrying(
            retry=retry_if_exception(worth_another_try), wait=lambda _: delay, sleep=self.sleep, reraise=True
        )
        result: T = await retrying(once)
        return result

    def _obstacle(self, failure: EigenpalError, delay: float, replayable: bool) -> str | None:
        """Return why a failure that may be repeated is not, None when nothing is in the way."""
        if not replayable:
            return "a file in its body can't be read again from its start"
        if failure.retry_after is not None and failure.retry_after > LONGEST_RETRY_AFTER_SECONDS:
            return f"that wait is longer than {LONGEST_RETRY_AFTER_SECONDS:g} s"
        if anyio.current_time() + delay > anyio.current_effective_deadline():
            return "the deadline comes first"
        if not self.budget.pay(failure):
            return "too many requests of this client failed lately, and its retry budget is used up"
        return None


def _reason(failure: EigenpalError) -> str:
    return f"answered {failure.status}" if failure.status else type(failure).__name__
