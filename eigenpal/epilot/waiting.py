"""Waiting for an execution: what stops a wait, whom it asks on the way, and what it raises. Looking is up to `waiting`.

The time of a wait is the time that the service takes: while a callback decides, the clock stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import anyio
import attrs

from eigenpal.engine.session import Session
from eigenpal.epilot.approvals import Decider, asked_of, decided_by, identity, settle
from eigenpal.epilot.models.executions import Execution, ExecutionStatus
from eigenpal.epilot.operations import CANCEL_EXECUTION, GET_EXECUTION
from eigenpal.errors import EigenpalError, EigenpalInputError, EigenpalRunError, EigenpalTimeoutError
from eigenpal.waiting.kinds import Glance, Kind
from eigenpal.waiting.polling import checked_times
from eigenpal.waiting.watcher import Watcher

Until = Literal["human", "end"]
"""What ends a wait: that a human is needed too, or only the end of the execution."""

LEAST_SECONDS: Final = 0.001  # what a wait goes on with whose time ran out just when an action was decided on


def watcher_for(session: Session, stops: Callable[[Execution], bool]) -> Watcher[Execution]:
    """Return what looks at executions until they stop; the service has no call that looks at several at once.

    Args:
        session: The client's.
        stops: Called with each look; whether the wait is to end with it.
    """

    def glance(seen: Execution) -> Glance[Execution]:
        known = seen.status is None or isinstance(seen.status, ExecutionStatus)
        return Glance(str(seen.status), stops(seen), lambda: seen, known)

    kind = Kind[Execution](
        noun="execution",
        again="executions.wait({!r})",
        fetch=lambda session, execution_id: session.call(GET_EXECUTION, execution_id),
        glance=glance,
        cancel=lambda session, execution_id: session.call(CANCEL_EXECUTION, execution_id),
        note=_note,
    )
    return Watcher(kind, session.policy.sleep)


def _note(error: EigenpalError, execution_id: str, last: Execution | None) -> None:
    if isinstance(error, EigenpalTimeoutError):
        error.run_id, error.run = execution_id, last


@attrs.define(kw_only=True)
class ExecutionWait:
    """One wait for one execution; the options are the arguments of `executions.wait`.

    Raises:
        EigenpalInputError: An option that can't work. Make the wait before what it waits for is started.
    """

    session: Session
    until: Until
    timeout_seconds: float | None
    poll_interval_seconds: float
    raise_on_failure: bool
    cancel_on_timeout: bool
    on_approval: Decider | None
    on_update: Callable[[Execution], object] | None
    _last: Execution | None = None
    _left_to_others: object = None

    def __attrs_post_init__(self) -> None:
        self.timeout_seconds, _ = checked_times(self.timeout_seconds, self.poll_interval_seconds)
        checked_until(self.until)

    async def result(
        self, execution_id: str, *, started: Execution | None = None, just_started: bool = False
    ) -> Execution:
        """Wait, and return the execution as it is then.

        Args:
            execution_id: What to wait for.
            started: The answer to its start, if it was started a moment ago: it may be over already.
            just_started: Whether it was, where that answer is not at hand: a first look at once would be wasted.
        """
        left, seen = self.timeout_seconds, started
        while True:
            if seen is None or not self._stops(seen):
                began = anyio.current_time()
                seen = await watcher_for(self.session, self._stops).wait(
                    self.session,
                    execution_id,
                    timeout_seconds=left,
                    poll_interval_seconds=self.poll_interval_seconds,
                    just_started=just_started or seen is not None,
                    cancel_on_timeout=self.cancel_on_timeout,
                )
                just_started = False
                left = None if left is None else max(LEAST_SECONDS, left - (anyio.current_time() - began))
            if seen.is_terminal or self.on_approval is None:
                return self._judged(seen)
            request = asked_of(seen)
            if (decision := await decided_by(self.on_approval, request)) is not None:
                seen = await settle(self.session, request, decision)
            elif self.until == "human":
                return self._judged(seen)
            else:
                self._left_to_others, seen = identity(request.action), None

    def _stops(self, seen: Execution) -> bool:
        """Take note of a look, and tell whether the wait stops here: for good, or to ask somebody."""
        before, self._last = self._last, seen
        if self.on_update is not None and (before is None or _news(before) != _news(seen)):
            self.on_update(seen)
        if not seen.needs_human:
            return seen.is_terminal
        if self.until == "end" and self.on_approval is None:
            return False
        return identity(asked_of(seen).action) != self._left_to_others

    def _judged(self, seen: Execution) -> Execution:
        return succeeded(seen) if self.raise_on_failure else seen


def checked_until(until: Until) -> Until:
    """Return what is to end a wait, if it is something that can.

    Raises:
        EigenpalInputError: It is not.
    """
    if until not in ("human", "end"):  # pyright: ignore[reportUnnecessaryContains] - what a user gave
        raise EigenpalInputError(f'until must be "human" or "end", not {until!r}')
    return until


def succeeded(seen: Execution) -> Execution:
    """Return a completed execution; raise `EigenpalRunError` for one that ended otherwise, or waits for a human."""
    if seen.succeeded:
        return seen
    if seen.needs_human:
        tool = seen.pending_action.tool if seen.pending_action is not None else None
        text = f"execution {seen.id} waits for a human to allow {tool or 'its next action'}"
    else:
        why = seen.error.message or seen.error.code if seen.error is not None else None
        text = f"execution {seen.id} ended as {seen.status}: {why or 'the service gave no reason'}"
    error = EigenpalRunError(text)
    error.run_id, error.run = seen.id, seen
    raise error


def _news(seen: Execution) -> object:
    """Return what a caller is told about when it changes."""
    return seen.status, identity(seen.pending_action) if seen.needs_human else None
