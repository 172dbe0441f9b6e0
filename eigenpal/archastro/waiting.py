"""Waiting for sessions and routine runs: what ends a wait, and what it raises. How to look again is up to `waiting`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, Generic, Literal, TypeVar

import anyio
import attrs

from eigenpal.archastro.models.routine_runs import AgentRoutineRun, AgentRoutineRunStatus
from eigenpal.archastro.models.sessions import AgentSession, AgentSessionStatus
from eigenpal.archastro.operations import CANCEL_SESSION, GET_ROUTINE_RUN, GET_SESSION
from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalError, EigenpalInputError, EigenpalRunError, EigenpalTimeoutError
from eigenpal.lifecycle import Lifecycle
from eigenpal.waiting.polling import Poll
from eigenpal.waiting.runs import checked_times as checked_times  # noqa: PLC0414 - for those who start and then wait

logger: logging.Logger = logging.getLogger("eigenpal")

W = TypeVar("W", bound=Lifecycle)

Until = Literal["human", "end"]
"""What ends a wait: that a message is needed too, or only the end of the session."""

CANCEL_PATIENCE_SECONDS: Final = 10.0  # for the cancel request that follows a wait that ran out
# A message may reach the server's workers a moment after it is answered: until then a session that was waiting and has
# not changed at all is taken to be on its way.
SETTLING_SECONDS: Final = 5.0


async def wait_for_session(
    session: Session,
    session_id: str,
    *,
    until: Until,
    just_started: bool,
    timeout_seconds: float | None,
    poll_interval_seconds: float,
    raise_on_failure: bool = False,
    cancel_on_timeout: bool = False,
    on_update: Callable[[AgentSession], object] | None = None,
    since: AgentSession | None = None,
) -> AgentSession:
    """Wait for a session; arguments as in `agent_sessions.wait`.

    `since` is the session as the answer to a message had it: still waiting and the same, it has not begun its turn.
    """
    began = anyio.current_time()

    def stops(seen: AgentSession) -> bool:
        if not seen.needs_human or until == "end":
            return seen.is_terminal
        return seen != since or anyio.current_time() - began > SETTLING_SECONDS

    if until not in ("human", "end"):  # pyright: ignore[reportUnnecessaryContains] - what a user gave
        raise EigenpalInputError(f'until must be "human" or "end", not {until!r}')
    wait = _Wait(
        noun="session",
        again="agent_sessions.wait",
        known=AgentSessionStatus,
        fetch=lambda: session.call(GET_SESSION, session_id),
        cancel=(lambda: session.call(CANCEL_SESSION, session_id)) if cancel_on_timeout else None,
        stops=stops,
    )
    return await wait.result(
        session,
        session_id,
        just_started=just_started,
        timeout_seconds=timeout_seconds,
        poll_interval_seconds=poll_interval_seconds,
        raise_on_failure=raise_on_failure,
        on_update=on_update,
    )


async def wait_for_routine_run(
    session: Session,
    run_id: str,
    *,
    just_started: bool,
    timeout_seconds: float | None,
    poll_interval_seconds: float,
    raise_on_failure: bool = False,
    on_update: Callable[[AgentRoutineRun], object] | None = None,
) -> AgentRoutineRun:
    """Wait for a routine run; arguments as in `agent_routine_runs.wait`."""
    wait = _Wait(
        noun="routine run",
        again="agent_routine_runs.wait",
        known=AgentRoutineRunStatus,
        fetch=lambda: session.call(GET_ROUTINE_RUN, run_id),
        cancel=None,
        stops=lambda seen: seen.is_terminal,
    )
    return await wait.result(
        session,
        run_id,
        just_started=just_started,
        timeout_seconds=timeout_seconds,
        poll_interval_seconds=poll_interval_seconds,
        raise_on_failure=raise_on_failure,
        on_update=on_update,
    )


@attrs.define(kw_only=True)
class _Wait(Generic[W]):
    """One wait for one piece of work.

    Attributes:
        noun: How messages call it.
        again: The method to wait with once more.
        known: The statuses that this version knows.
        fetch: Looks once.
        cancel: Asks it to cancel when the time is up; None leaves it alone.
        stops: Whether what was seen ends the wait.
    """

    noun: str
    again: str
    known: type[Enum]
    fetch: Callable[[], Awaitable[W]]
    cancel: Callable[[], Awaitable[object]] | None
    stops: Callable[[W], bool]
    _warned: bool = attrs.field(default=False, init=False)

    async def result(
        self,
        session: Session,
        work_id: str,
        *,
        just_started: bool,
        timeout_seconds: float | None,
        poll_interval_seconds: float,
        raise_on_failure: bool,
        on_update: Callable[[W], object] | None,
    ) -> W:
        timeout, interval = checked_times(timeout_seconds, poll_interval_seconds)
        poll = Poll(
            fetch=self.fetch,
            is_over=self._ended_by,
            changed=lambda before, now: before.status != now.status,
            on_update=on_update,
            sleep=session.policy.sleep,
        )
        seen = await poll.until_over(timeout_seconds=timeout, poll_interval_seconds=interval, at_once=not just_started)
        if seen is None:
            raise await self._ran_out(work_id, poll, timeout)
        if raise_on_failure and seen.is_terminal and not seen.succeeded:
            error = EigenpalRunError(
                f"{self.noun} {work_id} ended as {seen.status}: {seen.error or 'the server gave no reason'}"
            )
            error.run_id, error.run = work_id, seen
            raise error
        return seen

    def _ended_by(self, seen: W) -> bool:
        if not self._warned and seen.status is not None and not isinstance(seen.status, self.known):
            self._warned = True
            logger.warning(
                "%s %s has the status %r, unknown to this version; still waiting", self.noun, seen.id, seen.status
            )
        return self.stops(seen)

    async def _ran_out(self, work_id: str, poll: Poll[W], timeout: float | None) -> EigenpalTimeoutError:
        seen = f"it was last seen as {poll.last.status}" if poll.last is not None else "it was never seen"
        trouble = f" The last look failed: {poll.trouble}" if poll.trouble is not None else ""
        then = f"It goes on; wait for it again with {self.again}({work_id!r})."
        if await self._cancelled():
            then = "It was asked to cancel."
        error = EigenpalTimeoutError(f"{self.noun} {work_id} took longer than {timeout:g} s: {seen}. {then}{trouble}")
        error.run_id, error.run = work_id, poll.last
        return error

    async def _cancelled(self) -> bool:
        if self.cancel is None:
            return False
        with anyio.move_on_after(CANCEL_PATIENCE_SECONDS):
            try:
                await self.cancel()
            except EigenpalError:
                return False
            return True
        return False
