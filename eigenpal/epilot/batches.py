"""Executions as work of a batch: how one is started, waited for and found again; and `run_many`, wired up."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

import anyio

from eigenpal.anyjson import object_of
from eigenpal.engine.paging import PageIterator
from eigenpal.engine.session import Session
from eigenpal.epilot.approvals import Decider
from eigenpal.epilot.batch_inputs import (
    MARK,
    ExecutionInputs,
    ExecutionOutcome,
    ExecutionReader,
    ExecutionRequest,
    Start,
)
from eigenpal.epilot.executing import execute_agent
from eigenpal.epilot.listing import NewPages
from eigenpal.epilot.models.executions import Execution
from eigenpal.epilot.operations import GET_EXECUTION, LIST_EXECUTIONS
from eigenpal.epilot.refusals import cancel_execution
from eigenpal.epilot.waiting import ExecutionWait
from eigenpal.errors import EigenpalDecodeError
from eigenpal.fanout.fingerprints import fingerprint
from eigenpal.fanout.mixed import Part
from eigenpal.fanout.outcomes import Outcomes, outcomes_of
from eigenpal.fanout.work import UNKNOWN, Found, Known, Work, loader
from eigenpal.waiting.polling import checked_times

# A start is noted by the clock of this machine, and executions tell when they began by that of the service.
CLOCKS_DIFFER: Final = timedelta(hours=12)
PAGE_SIZE: Final = 100


def run_batch(
    session: Session,
    agent_id: str | None,
    inputs: ExecutionInputs,
    *,
    timeout_seconds: float | None,
    poll_interval_seconds: float,
    on_approval: Decider | None,
    **options: Any,
) -> Outcomes[ExecutionOutcome]:
    """Return the outcomes of a batch of executions; arguments as in `client.run_many`."""
    timeout, interval = checked_times(timeout_seconds, poll_interval_seconds)
    return outcomes_of(
        [session],
        inputs,
        ExecutionReader(work=execution_work(session, interval, on_approval), agent_id=agent_id),
        noun="execution",
        identity=f"{agent_id or 'executions'} at {session.options.base_url}",
        timeout_seconds=timeout,
        **options,
    )


def execution_part(session: Session, poll_interval_seconds: float, on_approval: Decider | None) -> Part:
    """Return what a client adds to a batch with the work of several services."""
    work = execution_work(session, poll_interval_seconds, on_approval)
    return Part(session, {ExecutionRequest: ExecutionReader(work=work, agent_id=None)})


def execution_work(session: Session, poll_interval_seconds: float, on_approval: Decider | None) -> Work[Execution]:
    """Return how executions are done with the calls of a session."""

    async def start(request: Start, token: str) -> str:
        data = {**object_of(request.input.get("custom_data")), MARK: token}
        started = await execute_agent(
            session,
            request.agent_id,
            input={**request.input, "custom_data": data},
            parameters=request.parameters,
            callback_url=None,
            timeout_ms=request.timeout_ms,
            execution_mode_override=request.execution_mode_override,
        )
        return started.id

    async def wait(execution_id: str, seconds: float | None, just_started: bool) -> Execution:
        return await ExecutionWait(
            session=session,
            until="end",
            timeout_seconds=seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=False,
            cancel_on_timeout=False,
            on_approval=on_approval,
            on_update=None,
        ).result(execution_id, just_started=just_started)

    return Work(
        service=f"epilot at {session.options.base_url}",
        noun="execution",
        start=start,
        wait=wait,
        cancel=lambda execution_id: cancel_execution(session, execution_id),
        find=ExecutionSearch(session).find,
        fingerprint=_fingerprint,
        dump=lambda execution: execution.to_dict(),
        load=loader(Execution, "execution"),
        outcome=ExecutionOutcome,
    )


async def _fingerprint(start: Start) -> str:
    members = {
        "agent_id": start.agent_id,
        "input": start.input,
        "parameters": start.parameters,
        "execution_mode_override": start.execution_mode_override,
    }
    return await fingerprint(members, files_in="input")


class ExecutionSearch:
    """Finds again what a batch started when the answer was lost: by the mark in the input that executions echo.

    One listing answers all who asked before it began.

    Args:
        session: How to call the service.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = anyio.Lock()
        self._moments = count()
        self._listed: dict[str, int] = {}  # by agent, when its latest listing began
        self._wanted: dict[str, list[datetime]] = {}
        self._marks: dict[str, str] = {}
        self._unsure: set[str] = set()  # agents whose executions could not all be looked at

    async def find(self, start: Start, token: str, since: datetime, known: Known) -> Found:
        """Return the id of the execution with a mark, None if there is none; see `Work.find`."""
        agent_id, asked = start.agent_id, next(self._moments)
        wanted = self._wanted.setdefault(agent_id, [])
        wanted.append(since)
        try:
            async with self._lock:
                if self._listed.get(agent_id, -1) < asked:
                    self._listed[agent_id] = next(self._moments)
                    await self._look(agent_id, min(wanted) - CLOCKS_DIFFER, known)
        finally:
            wanted.remove(since)
        return self._marks.get(token) or (UNKNOWN if agent_id in self._unsure else None)

    async def _look(self, agent_id: str, since: datetime, known: Known) -> None:
        """Look through the executions of an agent that may have begun since then.

        No order is documented. The newest are taken to come first as long as what is seen says so.
        """
        pages = NewPages[Execution](lambda query: self._session.call(LIST_EXECUTIONS, query=query))
        sorted_so_far, before = True, None
        self._unsure.discard(agent_id)
        try:
            async for execution in PageIterator(pages, {"agent_id": agent_id, "limit": PAGE_SIZE}):
                await self._look_into(agent_id, execution, known)
                if (began := execution.started_at) is not None:
                    sorted_so_far = sorted_so_far and (before is None or began <= before)
                    before = began
                    if sorted_so_far and began < since:
                        return
        except EigenpalDecodeError:  # the service takes no cursor: what is behind the first page can't be seen
            self._unsure.add(agent_id)

    async def _look_into(self, agent_id: str, execution: Execution, known: Known) -> None:
        if execution.input is None and not await known([execution.id]):
            execution = await self._session.call(GET_EXECUTION, execution.id)
        if execution.input is None:
            self._unsure.add(agent_id)
        elif mark := object_of(execution.input.get("custom_data")).get(MARK):
            self._marks[str(mark)] = execution.id
