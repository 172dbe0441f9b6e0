"""The operations of the ArchAstro API as data: method, path, what comes back, and what sending twice does."""

from __future__ import annotations

from typing import Any, Final

from eigenpal.archastro.models.routine_runs import AgentRoutineRun, AgentRoutineRunsPage
from eigenpal.archastro.models.routines import AgentRoutine, AgentRoutines, RoutinePreset
from eigenpal.archastro.models.sessions import AgentSession, AgentSessionsPage
from eigenpal.engine.request import Operation, Repeat

LIST_SESSIONS: Final[Operation[AgentSessionsPage]] = Operation(
    name="agent_sessions.list",
    method="GET",
    path="/api/v1/agent_sessions",
    returns=AgentSessionsPage,
    query_names={"status": "status[]", "routine_run": "routine_run[]"},
)
CREATE_SESSION: Final[Operation[AgentSession]] = Operation(
    name="agent_sessions.create",
    method="POST",
    path="/api/v1/agent_sessions",
    returns=AgentSession,
    repeat=Repeat.STARTS,
)
GET_SESSION: Final[Operation[AgentSession]] = Operation(
    name="agent_sessions.get", method="GET", path="/api/v1/agent_sessions/{agent_session}", returns=AgentSession
)
UPDATE_SESSION: Final[Operation[AgentSession]] = Operation(
    name="agent_sessions.update", method="PATCH", path="/api/v1/agent_sessions/{agent_session}", returns=AgentSession
)
DELETE_SESSION: Final[Operation[None]] = Operation(
    name="agent_sessions.delete", method="DELETE", path="/api/v1/agent_sessions/{agent_session}", removes=True
)
CANCEL_SESSION: Final[Operation[AgentSession]] = Operation(
    name="agent_sessions.cancel",
    method="POST",
    path="/api/v1/agent_sessions/{agent_session}/cancel",
    returns=AgentSession,
)
SEND_MESSAGE: Final[Operation[AgentSession]] = Operation(
    name="agent_sessions.message",
    method="POST",
    path="/api/v1/agent_sessions/{agent_session}/message",
    returns=AgentSession,
    repeat=Repeat.STARTS,
)
STREAM_SESSION: Final[Operation[bytes]] = Operation(
    name="agent_sessions.stream", method="GET", path="/api/v1/agent_sessions/{agent_session}/stream", returns=bytes
)

LIST_ROUTINES: Final[Operation[AgentRoutines]] = Operation(
    name="agent_routines.list", method="GET", path="/api/v1/agent_routines", returns=AgentRoutines
)
LIST_PRESETS: Final[Operation[list[RoutinePreset]]] = Operation(
    name="agent_routines.presets", method="GET", path="/api/v1/agent_routines/presets", returns=list[RoutinePreset]
)
GET_ROUTINE: Final[Operation[AgentRoutine]] = Operation(
    name="agent_routines.get", method="GET", path="/api/v1/agent_routines/{routine}", returns=AgentRoutine
)
UPDATE_ROUTINE: Final[Operation[AgentRoutine]] = Operation(
    name="agent_routines.update",
    method="PATCH",
    path="/api/v1/agent_routines/{routine}",
    returns=AgentRoutine,
    nullable=frozenset({"user"}),
)
DELETE_ROUTINE: Final[Operation[None]] = Operation(
    name="agent_routines.delete", method="DELETE", path="/api/v1/agent_routines/{routine}", removes=True
)
ACTIVATE_ROUTINE: Final[Operation[AgentRoutine]] = Operation(
    name="agent_routines.activate",
    method="POST",
    path="/api/v1/agent_routines/{routine}/activate",
    returns=AgentRoutine,
)
PAUSE_ROUTINE: Final[Operation[AgentRoutine]] = Operation(
    name="agent_routines.pause", method="POST", path="/api/v1/agent_routines/{routine}/pause", returns=AgentRoutine
)
INVOKE_ROUTINE: Final[Operation[AgentRoutineRun]] = Operation(
    name="agent_routines.invoke",
    method="POST",
    path="/api/v1/agent_routines/{routine}/invoke",
    returns=AgentRoutineRun,
    repeat=Repeat.KEYED,
)
LIST_ROUTINE_RUNS: Final[Operation[AgentRoutineRunsPage]] = Operation(
    name="agent_routines.runs",
    method="GET",
    path="/api/v1/agent_routines/{routine}/runs",
    returns=AgentRoutineRunsPage,
)
GET_ROUTINE_RUN: Final[Operation[AgentRoutineRun]] = Operation(
    name="agent_routine_runs.get", method="GET", path="/api/v1/agent_routines/runs/{run}", returns=AgentRoutineRun
)
REFRESH_TOKEN: Final[Operation[Any]] = Operation(
    name="auth.refresh",
    method="POST",
    path="/api/v1/auth/refresh",
    returns=Any,
    repeat=Repeat.STARTS,  # a refresh token is good for one exchange
    confidential=True,
)
