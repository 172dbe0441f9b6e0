"""Waiting for sessions and routine runs: what a look at one shows, what ends a wait. How to look is up to `waiting`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from enum import Enum
from functools import partial
from typing import Any, Final, Literal, TypeVar

import anyio

from eigenpal.archastro.models.routine_runs import AgentRoutineRun, AgentRoutineRunStatus
from eigenpal.archastro.models.sessions import AgentSession, AgentSessionStatus
from eigenpal.archastro.operations import CANCEL_SESSION, GET_ROUTINE_RUN, GET_SESSION
from eigenpal.engine.calls import unchanged
from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalError, EigenpalInputError, EigenpalRunError, EigenpalTimeoutError
from eigenpal.lifecycle import Lifecycle
from eigenpal.waiting.kinds import Glance, Kind
from eigenpal.waiting.many import Arrivals
from eigenpal.waiting.watcher import Watcher, watcher_of

W = TypeVar("W", bound=Lifecycle)

Until = Literal["human", "end"]
"""What ends a wait: that a message is needed too, or only the end of the session."""

SessionIds = Iterable[str | AgentSession] | AsyncIterable[str | AgentSession]
RoutineRunIds = Iterable[str | AgentRoutineRun] | AsyncIterable[str | AgentRoutineRun]

# A message may reach the server's workers a moment after it is answered: until then a session that was waiting and has
# not changed at all is taken to be on its way.
SETTLING_SECONDS: Final = 5.0


async def wait_for_session(
    session: Session,
    session_id: str,
    *,
    until: Until,
    raise_on_failure: bool = False,
    since: AgentSession | None = None,
    **wait_options: Any,
) -> AgentSession:
    """Wait for a session with the calls of a client; the other arguments are those of `Watcher.wait`.

    `since` is the session as the answer to a message had it: still waiting and the same, it has not begun its turn.
    """
    watcher = _watcher(session, checked_until(until)) if since is None else _apart(session, _begun(since))
    found = await watcher.wait(session, session_id, **wait_options)
    return succeeded("session", found) if raise_on_failure else found


def wait_for_sessions(
    session: Session, ids: SessionIds, *, until: Until, raise_on_failure: bool, **wait_options: Any
) -> AsyncIterator[AgentSession]:
    """Wait for many sessions; the other arguments are those of `Arrivals`."""
    judge: Callable[[AgentSession], AgentSession] = partial(succeeded, "session") if raise_on_failure else unchanged
    return Arrivals(_watcher(session, checked_until(until)), session, ids, judge=judge, **wait_options)


async def wait_for_routine_run(
    session: Session, run_id: str, *, raise_on_failure: bool = False, **wait_options: Any
) -> AgentRoutineRun:
    """Wait for a routine run with the calls of a client; the other arguments are those of `Watcher.wait`."""
    found = await watcher_of(session, ROUTINE_RUNS).wait(session, run_id, **wait_options)
    return succeeded("routine run", found) if raise_on_failure else found


def wait_for_routine_runs(
    session: Session, ids: RoutineRunIds, *, raise_on_failure: bool, **wait_options: Any
) -> AsyncIterator[AgentRoutineRun]:
    """Wait for many routine runs; the other arguments are those of `Arrivals`."""
    judge: Callable[[AgentRoutineRun], AgentRoutineRun] = unchanged
    if raise_on_failure:
        judge = partial(succeeded, "routine run")
    return Arrivals(watcher_of(session, ROUTINE_RUNS), session, ids, judge=judge, **wait_options)


def checked_until(until: Until) -> Until:
    """Return what ends a wait, if it is something that does."""
    if until not in ("human", "end"):  # pyright: ignore[reportUnnecessaryContains] - what a user gave
        raise EigenpalInputError(f'until must be "human" or "end", not {until!r}')
    return until


def succeeded(noun: str, found: W) -> W:
    """Return what ended well, or waits for a message; raise for anything else."""
    if found.succeeded or not found.is_terminal:
        return found
    why = found.error or "the server gave no reason"
    error = EigenpalRunError(f"{noun} {found.id} ended as {found.status}: {why}")
    error.run_id, error.run = found.id, found
    raise error


# ------------------------------------------------------------------------------------------------ the kinds


def _note(error: EigenpalError, work_id: str, last: object) -> None:
    if isinstance(error, EigenpalTimeoutError):
        error.run_id, error.run = work_id, last


def _glance(known: type[Enum], stops: Callable[[W], bool], seen: W) -> Glance[W]:
    return Glance(str(seen.status), stops(seen), lambda: seen, seen.status is None or isinstance(seen.status, known))


def _sessions(stops: Callable[[AgentSession], bool]) -> Kind[AgentSession]:
    """Return what waiting has to know of sessions; the service has no call that looks at several by their ids."""
    return Kind(
        noun="session",
        again="agent_sessions.wait({!r})",
        fetch=lambda session, session_id: session.call(GET_SESSION, session_id),
        glance=partial(_glance, AgentSessionStatus, stops),
        cancel=lambda session, session_id: session.call(CANCEL_SESSION, session_id),
        note=_note,
    )


ROUTINE_RUNS: Final = Kind[AgentRoutineRun](
    noun="routine run",
    again="agent_routine_runs.wait({!r})",
    fetch=lambda session, run_id: session.call(GET_ROUTINE_RUN, run_id),
    glance=partial(_glance, AgentRoutineRunStatus, lambda seen: seen.is_terminal),
    note=_note,
)
SESSIONS: Final = {
    "human": _sessions(lambda seen: seen.is_terminal or seen.needs_human),
    "end": _sessions(lambda seen: seen.is_terminal),
}


def _begun(since: AgentSession) -> Kind[AgentSession]:
    began = anyio.current_time()

    def stops(seen: AgentSession) -> bool:
        settled = seen != since or anyio.current_time() - began > SETTLING_SECONDS
        return seen.is_terminal or (seen.needs_human and settled)

    return _sessions(stops)


def _watcher(session: Session, until: Until) -> Watcher[AgentSession]:
    """Return the watcher that a client and its copies share for one way to wait for sessions."""
    name = f"session until {until}"
    watcher: Watcher[AgentSession] = session.companions.get(name) or _apart(session, SESSIONS[until])
    session.companions.setdefault(name, watcher)
    return watcher


def _apart(session: Session, kind: Kind[AgentSession]) -> Watcher[AgentSession]:
    async def sleep(seconds: float) -> None:
        await session.policy.sleep(seconds)  # looked up each time, since tests replace it

    return Watcher(kind, sleep)
