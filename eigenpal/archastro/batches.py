"""Sessions and routine runs as work of a batch: how one is started, waited for and found again; and `run_many`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from eigenpal.archastro.batch_inputs import (
    MARK,
    BatchReader,
    RoutineInputs,
    RoutineRequest,
    RoutineRunOutcome,
    SessionInputs,
    SessionOutcome,
    SessionRequest,
    Start,
    marked,
)
from eigenpal.archastro.models.routine_runs import AgentRoutineRun
from eigenpal.archastro.models.sessions import AgentSession
from eigenpal.archastro.operations import (
    CANCEL_SESSION,
    CREATE_SESSION,
    INVOKE_ROUTINE,
    LIST_ROUTINE_RUNS,
    LIST_ROUTINES,
    LIST_SESSIONS,
)
from eigenpal.archastro.waiting import Until, checked_until, wait_for_routine_run, wait_for_session
from eigenpal.engine.model import Model
from eigenpal.engine.paging import PageIterator
from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalNotFoundError
from eigenpal.fanout.fingerprints import fingerprint
from eigenpal.fanout.mixed import Part
from eigenpal.fanout.outcomes import Outcomes, outcomes_of
from eigenpal.fanout.work import UNKNOWN, Found, Known, Work, loader
from eigenpal.waiting.polling import checked_times

M = TypeVar("M", bound=Model)

# A start is noted by the clock of this machine, and the service tells by its own when it was created. What this allows
# for costs a few looks further back; a start that is overlooked would be made twice.
CLOCKS_DIFFER: Final = timedelta(hours=12)
PAGE_SIZE: Final = 100


def run_sessions(
    session: Session,
    agent: str | None,
    inputs: SessionInputs,
    *,
    until: Until,
    timeout_seconds: float | None,
    poll_interval_seconds: float,
    **options: Any,
) -> Outcomes[SessionOutcome]:
    """Return the outcomes of a batch of sessions; arguments as in `client.run_many`."""
    timeout, interval = checked_times(timeout_seconds, poll_interval_seconds)
    reader = _session_reader(session, interval, until, agent)
    return _outcomes(session, inputs, reader, agent, timeout, options)


def run_routine(
    session: Session,
    routine: str | None,
    inputs: RoutineInputs,
    *,
    timeout_seconds: float | None,
    poll_interval_seconds: float,
    **options: Any,
) -> Outcomes[RoutineRunOutcome]:
    """Return the outcomes of a batch of routine runs; arguments as in `agent_routine_runs.run_many`."""
    timeout, interval = checked_times(timeout_seconds, poll_interval_seconds)
    return _outcomes(session, inputs, _routine_reader(session, interval, routine), routine, timeout, options)


def session_part(session: Session, poll_interval_seconds: float, until: Until) -> Part:
    """Return what a client adds to a batch with the work of several services: sessions and routine runs."""
    return Part(
        session,
        {
            SessionRequest: _session_reader(session, poll_interval_seconds, until, None),
            RoutineRequest: _routine_reader(session, poll_interval_seconds, None),
        },
    )


def _session_reader(session: Session, poll_interval_seconds: float, until: Until, agent: str | None) -> BatchReader:
    return BatchReader(
        work=session_work(session, poll_interval_seconds, checked_until(until)),
        request=SessionRequest,
        content="instructions",
        target="agent",
        given=agent,
    )


def _routine_reader(session: Session, poll_interval_seconds: float, routine: str | None) -> BatchReader:
    return BatchReader(
        work=routine_run_work(session, poll_interval_seconds),
        request=RoutineRequest,
        content="message",
        target="routine",
        given=routine,
    )


def session_work(session: Session, poll_interval_seconds: float, until: Until) -> Work[AgentSession]:
    """Return how sessions are done with the calls of a client."""

    async def start(request: Start, token: str) -> str:
        created = await session.call(CREATE_SESSION, body={"agent": request.target, **marked(request, token)})
        return created.id

    async def wait(session_id: str, seconds: float | None, just_started: bool) -> AgentSession:
        return await wait_for_session(
            session,
            session_id,
            until=until,
            just_started=just_started,
            timeout_seconds=seconds,
            poll_interval_seconds=poll_interval_seconds,
        )

    async def find(request: Start, token: str, since: datetime, known: Known) -> Found:
        """Look through the newest sessions of the agent: the service has no cursor to go further back with."""
        page = await session.call(LIST_SESSIONS, query={"agent": request.target, "limit": PAGE_SIZE})
        for row in page:
            if (row.metadata or {}).get(MARK) == token:
                return row.id
        oldest = min((row.created_at for row in page if row.created_at is not None), default=None)
        whole = len(page) < PAGE_SIZE or (oldest is not None and oldest < since - CLOCKS_DIFFER)
        return None if whole else UNKNOWN

    return Work(
        service=f"ArchAstro at {session.options.base_url}",
        noun="session",
        start=start,
        wait=wait,
        cancel=lambda session_id: session.call(CANCEL_SESSION, session_id),
        find=find,
        fingerprint=_fingerprint,
        dump=lambda found: found.to_dict(),
        load=loader(AgentSession, "AgentSession"),
        outcome=SessionOutcome,
    )


def routine_run_work(session: Session, poll_interval_seconds: float) -> Work[AgentRoutineRun]:
    """Return how routine runs are done with the calls of a client."""

    async def start(request: Start, token: str) -> str:
        body = {**marked(request, token), "idempotency_key": token}
        return (await session.call(INVOKE_ROUTINE, request.target, body=body)).id

    async def wait(run_id: str, seconds: float | None, just_started: bool) -> AgentRoutineRun:
        return await wait_for_routine_run(
            session,
            run_id,
            just_started=just_started,
            timeout_seconds=seconds,
            poll_interval_seconds=poll_interval_seconds,
        )

    async def find(request: Start, token: str, since: datetime, known: Known) -> Found:
        routine = await _routine_id(session, request.target)
        runs = PageIterator(lambda query: session.call(LIST_ROUTINE_RUNS, routine, query=query), {"limit": PAGE_SIZE})
        async for run in runs:  # the newest first
            if (run.metadata or {}).get(MARK) == token:
                return run.id
            if run.created_at is not None and run.created_at < since - CLOCKS_DIFFER:
                break
        return None

    return Work(
        service=f"ArchAstro at {session.options.base_url}",
        noun="routine run",
        start=start,
        wait=wait,
        find=find,
        fingerprint=_fingerprint,
        dump=lambda found: found.to_dict(),
        load=loader(AgentRoutineRun, "AgentRoutineRun"),
        outcome=RoutineRunOutcome,
    )


async def _routine_id(session: Session, name: str) -> str:
    """Return the id of a routine: lists of runs are found by it alone, while `invoke` also takes the lookup key.

    Raises:
        EigenpalNotFoundError: There is no such routine any more.
    """
    for routine in await session.call(LIST_ROUTINES):
        if name in (routine.id, routine.lookup_key):
            return routine.id
    raise EigenpalNotFoundError(f"no routine {name!r}, so what was started of it can't be looked for", status=404)


async def _fingerprint(start: Start) -> str:
    return await fingerprint({"target": start.target, "members": start.members}, files_in="members")


def _outcomes(
    session: Session,
    inputs: object,
    reader: BatchReader,
    target: str | None,
    timeout_seconds: float | None,
    given: Mapping[str, Any],
) -> Outcomes[Any]:
    noun = reader.work.noun
    identity = f"{target or f'{noun}s'} at {session.options.base_url}"
    return outcomes_of(
        [session], inputs, reader, noun=noun, identity=identity, timeout_seconds=timeout_seconds, **given
    )
