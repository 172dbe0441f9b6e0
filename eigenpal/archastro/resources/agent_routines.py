"""The `agent_routines` namespace: routines and their presets, switching them on and off, invoking them, their runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from eigenpal.archastro.models.access import Acl
from eigenpal.archastro.models.routine_runs import (
    AgentRoutineRun,
    AgentRoutineRunsPage,
    AgentRoutineRunStatus,
    InvokeDelivery,
)
from eigenpal.archastro.models.routines import (
    AgentRoutine,
    AgentRoutines,
    EventRule,
    HandlerType,
    MessagePolicy,
    PresetConfig,
    RoutinePreset,
    RoutineStep,
    TriggerContext,
)
from eigenpal.archastro.operations import (
    ACTIVATE_ROUTINE,
    DELETE_ROUTINE,
    GET_ROUTINE,
    INVOKE_ROUTINE,
    LIST_PRESETS,
    LIST_ROUTINE_RUNS,
    LIST_ROUTINES,
    PAUSE_ROUTINE,
    UPDATE_ROUTINE,
)
from eigenpal.archastro.waiting import wait_for_routine_run
from eigenpal.engine.paging import PageIterator, Upward
from eigenpal.engine.resource import Resource
from eigenpal.engine.unset import UNSET, Unset
from eigenpal.errors import EigenpalInputError
from eigenpal.waiting.polling import checked_times

Presets = list[RoutinePreset]
"""The presets that a routine may use."""


class AsyncAgentRoutines(Resource):
    """Reusable handlers of agents, fired by an event, a schedule or `invoke`."""

    async def list(self, *, agent: str | Sequence[str] | None = None, event_type: str | None = None) -> AgentRoutines:
        """Return all routines of the app, or those that match; there are no pages.

        Args:
            agent: Id of an agent; several need a newer server.
            event_type: Event that fires them, such as `"agentroutine.invoked"`.

        Raises:
            EigenpalNotFoundError: No such agent.
        """
        return await self._call(LIST_ROUTINES, query={"agent": agent, "event_type": event_type})

    async def presets(self) -> Presets:
        """Return the presets that a routine may use; they stay the same while the server runs."""
        return await self._call(LIST_PRESETS)

    async def get(self, routine: str) -> AgentRoutine:
        """Return one routine.

        Args:
            routine: Id of the routine (`arn_...`).

        Raises:
            EigenpalNotFoundError: No such routine.
        """
        return await self._call(GET_ROUTINE, routine)

    async def update(
        self,
        routine: str,
        *,
        name: str | None = None,
        description: str | None = None,
        lookup_key: str | None = None,
        handler_type: HandlerType | str | None = None,
        config: str | None = None,
        script: str | None = None,
        preset_name: str | None = None,
        preset_config: PresetConfig | Mapping[str, Any] | None = None,
        steps: Sequence[RoutineStep | Mapping[str, Any]] | None = None,
        event_type: str | None = None,
        event_config: Mapping[str, EventRule | Mapping[str, Any]] | None = None,
        schedule: str | None = None,
        trigger_context: TriggerContext | str | None = None,
        template: str | None = None,
        acl: Acl | Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        message_policy: MessagePolicy | Mapping[str, Any] | None = None,
        user: str | Unset | None = UNSET,
    ) -> AgentRoutine:
        """Change some of a routine; what is not given stays as it is. Its status is changed by `activate` and `pause`.

        Args:
            routine: Id of the routine (`arn_...`).
            name: Name for people.
            description: What it does.
            lookup_key: Name in place of the id, unique in the app.
            handler_type: What it does when it fires; give what belongs to it too.
            config: Id of a workflow, for `"workflow_graph"`.
            script: The script, for `"script"`.
            preset_name: Name of a preset, for `"preset"`.
            preset_config: Settings of the preset.
            steps: The steps, for `"chain"`; they replace all steps.
            event_type: Event that fires it; deprecated by the service in favour of `event_config`.
            event_config: Event types to when they fire it.
            schedule: Cron expression, once an hour at most.
            trigger_context: What it is triggered in.
            template: Id or lookup key of a template to apply first.
            acl: Who may read and invoke it: `grants` replace all, `add` and `remove` change some.
            metadata: Data of yours; it replaces what is stored.
            message_policy: Who sees its messages.
            user: Id of a co-owner; None removes the one there is.

        Raises:
            EigenpalNotFoundError: No such routine.
            EigenpalValidationError: A member that breaks a rule; `fields` says which.
        """
        return await self._call(
            UPDATE_ROUTINE,
            routine,
            body={
                "name": name,
                "description": description,
                "lookup_key": lookup_key,
                "handler_type": handler_type,
                "config": config,
                "script": script,
                "preset_name": preset_name,
                "preset_config": preset_config,
                "steps": steps,
                "event_type": event_type,
                "event_config": event_config,
                "schedule": schedule,
                "trigger_context": trigger_context,
                "template": template,
                "acl": acl,
                "metadata": metadata,
                "message_policy": message_policy,
                "user": user,
            },
        )

    async def delete(self, routine: str) -> None:
        """Delete a routine for good; work that it has started may still finish.

        Args:
            routine: Id of the routine (`arn_...`).

        Raises:
            EigenpalNotFoundError: No such routine.
        """
        await self._call(DELETE_ROUTINE, routine)

    async def activate(self, routine: str) -> AgentRoutine:
        """Let a routine react to events, its schedule and `invoke`. It may be repeated.

        Args:
            routine: Id of the routine (`arn_...`).

        Raises:
            EigenpalNotFoundError: No such routine.
            EigenpalValidationError: It has no handler, or its schedule fires more than once an hour.
        """
        return await self._call(ACTIVATE_ROUTINE, routine)

    async def pause(self, routine: str) -> AgentRoutine:
        """Have a routine ignore events and its schedule until it is activated again. It may be repeated.

        Args:
            routine: Id of the routine (`arn_...`).

        Raises:
            EigenpalNotFoundError: No such routine.
        """
        return await self._call(PAUSE_ROUTINE, routine)

    async def invoke(
        self,
        routine: str,
        *,
        message: str,
        idempotency_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        session_key: str | None = None,
        thread_id: str | None = None,
        user: str | None = None,
        delivery: InvokeDelivery | Mapping[str, Any] | None = None,
        participants: Mapping[str, str] | None = None,
    ) -> AgentRoutineRun:
        """Start a run of an active routine now; it works in the background.

        A request whose answer is lost is sent again with the same key, so that there is one run all the same.

        Args:
            routine: Id of the routine (`arn_...`), or its lookup key.
            message: What the agent is told.
            idempotency_key: Starts one run however often it is sent; a new one for each call unless given.
            metadata: Data of yours that is kept with the run.
            session_key: Names the session to go on in, for presets with `session_scope="per_key"`.
            thread_id: Thread that gets the output (`thr_...`).
            user: Id of the user to act for; from servers and developers only.
            delivery: Where the output goes.
            participants: Symbolic names to agent ids, for work that several agents share.

        Returns:
            The new run, whose `id` can be waited for with `agent_routine_runs.wait`.

        Raises:
            EigenpalPaymentRequiredError: The plan does not include it; nothing was started.
            EigenpalConflictError: The key belongs to a run that is completed: `runs` has it. With a key that was not
                given, an earlier try of this very call has started it (`maybe_started`).
            EigenpalNotFoundError: No such routine.
            EigenpalValidationError: The routine is not active, or lacks something that its session needs.
        """
        body = {
            "message": message,
            "idempotency_key": idempotency_key or f"eigenpal-{uuid4()}",
            "metadata": metadata,
            "session_key": session_key,
            "thread_id": thread_id,
            "user": user,
            "delivery": delivery,
            "participants": participants,
        }
        return await self._call(INVOKE_ROUTINE, routine, body=body)

    async def invoke_and_wait(
        self,
        routine: str,
        *,
        message: str,
        idempotency_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        session_key: str | None = None,
        thread_id: str | None = None,
        user: str | None = None,
        delivery: InvokeDelivery | Mapping[str, Any] | None = None,
        participants: Mapping[str, str] | None = None,
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
        on_update: Callable[[AgentRoutineRun], object] | None = None,
    ) -> AgentRoutineRun:
        """Start a run and wait until it is over: `invoke` and `agent_routine_runs.wait` in one.

        Args:
            routine: Id of the routine (`arn_...`), or its lookup key.
            message: What the agent is told.
            idempotency_key: Starts one run however often it is sent; a new one for each call unless given.
            metadata: Data of yours that is kept with the run.
            session_key: Names the session to go on in, for presets with `session_scope="per_key"`.
            thread_id: Thread that gets the output (`thr_...`).
            user: Id of the user to act for; from servers and developers only.
            delivery: Where the output goes.
            participants: Symbolic names to agent ids, for work that several agents share.
            timeout_seconds: Bound on the wait in seconds, from the moment the run is started; None for no bound.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` when the run failed, was skipped or cancelled.
            on_update: Called with the run each time it is seen in a new status.

        Raises:
            EigenpalPaymentRequiredError: The plan does not include it; nothing was started.
            EigenpalTimeoutError: The time is up; carries `run_id` and the last seen `run`.
            EigenpalRunError: With `raise_on_failure`, the run ended without success; carries `run`.
        """
        checked_times(timeout_seconds, poll_interval_seconds)
        started = await self.invoke(
            routine,
            message=message,
            idempotency_key=idempotency_key,
            metadata=metadata,
            session_key=session_key,
            thread_id=thread_id,
            user=user,
            delivery=delivery,
            participants=participants,
        )
        return await wait_for_routine_run(
            self._session,
            started.id,
            just_started=True,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
            on_update=on_update,
        )

    async def runs(
        self,
        routine: str,
        *,
        status: AgentRoutineRunStatus | str | None = None,
        limit: int | None = None,
        before_cursor: str | None = None,
        after_cursor: str | None = None,
    ) -> AgentRoutineRunsPage:
        """Return one page of the runs of a routine, newest first.

        Args:
            routine: Id of the routine (`arn_...`).
            status: One status.
            limit: Page size, 100 at most; 50 unless given.
            before_cursor: `before_cursor` of a page: the runs older than those.
            after_cursor: `after_cursor` of a page: the runs newer than those.

        Raises:
            EigenpalNotFoundError: No such routine.
            EigenpalValidationError: A cursor that is none.
        """
        return await self._call(
            LIST_ROUTINE_RUNS,
            routine,
            query={"status": status, "limit": limit, "before_cursor": before_cursor, "after_cursor": after_cursor},
        )

    def iterate_runs(
        self,
        routine: str,
        *,
        status: AgentRoutineRunStatus | str | None = None,
        limit: int | None = None,
        before_cursor: str | None = None,
        after_cursor: str | None = None,
    ) -> AsyncIterator[AgentRoutineRun]:
        """Iterate over the runs of all pages: newest first, or with `after_cursor` upwards from there, oldest first.

        Args:
            routine: Id of the routine (`arn_...`).
            status: One status.
            limit: Page size, not the number of runs in all; 100 at most, 50 unless given.
            before_cursor: Begin with the runs older than this cursor.
            after_cursor: Begin with the run just newer than this cursor, and go on to the newest.

        Raises:
            EigenpalNotFoundError: No such routine.
            EigenpalValidationError: A cursor that is none, or both.
        """
        query = {"status": status, "limit": limit, "before_cursor": before_cursor, "after_cursor": after_cursor}
        return _all_runs(lambda query: self._call(LIST_ROUTINE_RUNS, routine, query=query), query)


def _all_runs(
    fetch: Callable[[Mapping[str, Any]], Awaitable[AgentRoutineRunsPage]], query: Mapping[str, Any]
) -> PageIterator[AgentRoutineRun]:
    """Return the runs of all pages, in the direction that the query begins in."""
    if query["after_cursor"] is None:
        return PageIterator(fetch, query)
    if query["before_cursor"] is not None:
        raise EigenpalInputError("before_cursor and after_cursor lead in opposite directions; give one of them")

    async def above(query: Mapping[str, Any]) -> Upward[AgentRoutineRun]:
        return Upward(await fetch(query))

    return PageIterator(above, query)
