"""The twelve operations: what each answers, and which path leads to it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from eigenpal.epilot.models.agents import AgentSource, SkillAvailability
from eigenpal.sandbox.call import Tenant, json_answer
from eigenpal.sandbox.epilot.documents import execution_document, trace_document
from eigenpal.sandbox.epilot.executor import EpilotExecutor
from eigenpal.sandbox.epilot.parameters import fitting_parameters
from eigenpal.sandbox.epilot.registry import AgentRegistry, changed_agent, new_agent
from eigenpal.sandbox.epilot.shapes import (
    APPROVAL,
    DEFAULT_TIMEOUT_MS,
    EXECUTION_REQUEST,
    NEW_AGENT,
    REJECTION,
    UPDATED_AGENT,
    Shape,
    word,
)
from eigenpal.sandbox.epilot.states import Status
from eigenpal.sandbox.epilot.store import AgentRow, EpilotStore, ExecutionRow
from eigenpal.sandbox.grammar import decode_cursor, encode_cursor, parse_integer
from eigenpal.sandbox.members import encodable
from eigenpal.sandbox.multipart import parse_json
from eigenpal.sandbox.problems import Problem, invalid, not_found
from eigenpal.sandbox.routing import Route
from eigenpal.sandbox.transitions import InvalidTransition

AGENTS_PAGE = 100  # the service documents no size; large enough that most tests see one page
EXECUTIONS_PAGE = 50
MOST_EXECUTIONS = 1000  # rows of one answer, whatever limit says


@dataclass(frozen=True, slots=True)
class EpilotServices:
    """What the operations of one server share."""

    store: EpilotStore
    executor: EpilotExecutor
    registry: AgentRegistry
    new_id: Callable[[], str]
    now: Callable[[], int]
    hold_seconds: Callable[[], float]


@dataclass(frozen=True, slots=True)
class EpilotCall:
    """One request on its way to an operation."""

    request: Request
    path: Mapping[str, str]
    tenant: Tenant
    services: EpilotServices

    @property
    def org(self) -> str:
        """Organisation of the token."""
        return self.tenant.name

    def query(self, name: str) -> str | None:
        """Return a query parameter, None when it is absent or empty."""
        value = self.request.query_params.get(name)
        return encodable(value, f"query.{name}") if value else None

    async def body(self, shape: Shape, *, required: bool = True) -> dict[str, Any]:
        """Return the members of the body.

        Raises:
            Problem: 400, it is no JSON or does not fit; the service knows no 415.
        """
        text = await self.request.body()
        if not text and not required:
            return {}
        media_type = self.request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise invalid("header.content-type", f"A body of type {media_type} is not understood here.")
        members: dict[str, Any] = shape(parse_json(text, "body"), "body")
        return members

    def agent(self) -> AgentRow:
        """Return the agent that the path names.

        Raises:
            Problem: 404, there is none.
        """
        agent = self.services.store.agent(self.org, encodable(self.path["agent_id"], "path.agent_id"))
        if agent is None:
            raise not_found(f"No such agent: {self.path['agent_id']!r}.")
        return agent

    def custom_agent(self) -> AgentRow:
        """Return the agent that the path names, if it may be changed.

        Raises:
            Problem: 404, there is none; 400, it is a system skill.
        """
        agent = self.agent()
        if agent.source != "custom":
            raise invalid("path.agent_id", "System skills can't be changed.", code="system_skill")
        return agent

    def execution(self) -> ExecutionRow:
        """Return the execution that the path names.

        Raises:
            Problem: 404, there is none.
        """
        execution_id = encodable(self.path["execution_id"], "path.execution_id")
        execution = self.services.store.execution(self.org, execution_id)
        if execution is None:
            raise not_found(f"No such execution: {execution_id!r}.")
        return execution

    def shown(self, execution: ExecutionRow) -> Response:
        """Return the answer that shows an execution."""
        services = self.services
        return json_answer(execution_document(execution, services.store.steps(execution.id), services.now()))


# ------------------------------------------------------------------------------------------------ agents


async def create_agent(call: EpilotCall) -> Response:
    """POST /agents"""
    services = call.services
    members = await call.body(NEW_AGENT)
    agent = new_agent(call.org, services.new_id(), "custom", members, services.now(), call.tenant.user_id)
    services.store.put_agent(agent)
    return json_answer(agent.members, 201)


async def list_agents(call: EpilotCall) -> Response:
    """GET /agents"""
    source = _word(call, "source", AgentSource)
    availability = _word(call, "availability", SkillAvailability)
    entity_schema, behind = call.query("entity_schema"), _behind(call)

    def wanted(agent: Mapping[str, Any]) -> bool:
        places: Sequence[str] = agent.get("availability", ())
        allowed: Sequence[str] | None = agent.get("allowed_entity_schemas")
        return (
            source in (None, agent["source"])
            and (availability is None or availability in places or "all" in places)
            and (entity_schema is None or allowed is None or entity_schema in allowed)
        )

    rows = [row for row in call.services.store.agents(call.org) if wanted(row.members)]
    rows = [row for row in rows if behind is None or row.sequence < behind]
    page = rows[:AGENTS_PAGE]
    cursor = encode_cursor(0, page[-1].sequence) if len(rows) > len(page) else None
    return json_answer({"agents": [row.members for row in page], "next_cursor": cursor})


async def get_agent(call: EpilotCall) -> Response:
    """GET /agents/{agent_id}"""
    return json_answer(call.agent().members)


async def update_agent(call: EpilotCall) -> Response:
    """PUT /agents/{agent_id}"""
    agent = call.custom_agent()
    agent = changed_agent(agent, await call.body(UPDATED_AGENT), call.services.now())
    call.services.store.put_agent(agent)
    return json_answer(agent.members)


async def delete_agent(call: EpilotCall) -> Response:
    """DELETE /agents/{agent_id}"""
    call.services.store.put_agent(replace(call.custom_agent(), deleted=True))
    return Response(status_code=204)


async def execute_agent(call: EpilotCall) -> Response:
    """POST /agents/{agent_id}/execute"""
    services, agent = call.services, call.agent().members
    wanted = await call.body(EXECUTION_REQUEST, required=False)
    parameters = fitting_parameters(agent.get("input_parameters_schema"), wanted.get("parameters", {}))
    execution = ExecutionRow(
        sequence=0,
        id=services.new_id(),
        org=call.org,
        agent_id=agent["agent_id"],
        agent=json.dumps(agent),
        status=Status.PENDING,
        context=wanted.get("execution_context", "api"),
        mode=wanted.get("execution_mode_override", agent["execution_mode"]),
        input=json.dumps(wanted.get("input", {})),
        parameters=json.dumps(parameters),
        timeout_ms=wanted.get("timeout_ms", DEFAULT_TIMEOUT_MS),
        callback_url=wanted.get("callback_url"),
        result=None,
        error=None,
        pending_action=None,
        usage="{}",
        created_at=services.now(),
        started_at=None,
        completed_at=None,
    )
    services.store.add_execution(execution)
    services.executor.launch(execution, services.registry.function_of(agent))
    await services.executor.wait_ended(execution.id, services.hold_seconds())
    return call.shown(services.store.execution(call.org, execution.id) or execution)


# ------------------------------------------------------------------------------------------------ executions


async def list_executions(call: EpilotCall) -> Response:
    """GET /executions"""
    text = call.query("limit")
    limit = EXECUTIONS_PAGE if text is None else min(parse_integer(text, "query.limit", 1), MOST_EXECUTIONS)
    store, now = call.services.store, call.services.now()
    rows = store.executions(
        call.org,
        agent_id=call.query("agent_id"),
        status=_word(call, "status", Status),
        behind=_behind(call),
        limit=limit + 1,
    )
    page = rows[:limit]
    cursor = encode_cursor(page[-1].created_at, page[-1].sequence) if len(rows) > limit else None
    executions = [execution_document(row, store.steps(row.id), now) for row in page]
    return json_answer({"executions": executions, "next_cursor": cursor})


async def get_execution(call: EpilotCall) -> Response:
    """GET /executions/{execution_id}"""
    return call.shown(call.execution())


async def cancel_execution(call: EpilotCall) -> Response:
    """DELETE /executions/{execution_id}"""
    return call.shown(_moved(call, call.services.executor.cancel))


async def trace(call: EpilotCall) -> Response:
    """GET /executions/{execution_id}/trace"""
    execution = call.execution()
    return json_answer(trace_document(execution, call.services.store.steps(execution.id)))


async def approve(call: EpilotCall) -> Response:
    """POST /executions/{execution_id}/approve"""
    call.execution()
    await call.body(APPROVAL, required=False)
    return call.shown(_moved(call, call.services.executor.approve))


async def reject(call: EpilotCall) -> Response:
    """POST /executions/{execution_id}/reject"""
    call.execution()
    reason: str = (await call.body(REJECTION))["reason"]
    return call.shown(_moved(call, lambda execution: call.services.executor.reject(execution, reason)))


def _moved(call: EpilotCall, move: Callable[[ExecutionRow], ExecutionRow]) -> ExecutionRow:
    """Return the execution after an event.

    Raises:
        Problem: 400, its state does not allow it.
    """
    try:
        return move(call.execution())
    except InvalidTransition as refused:
        raise Problem(400, str(refused), code="invalid_state") from None


def _word(call: EpilotCall, name: str, kind: Any) -> str | None:
    text = call.query(name)
    return None if text is None else word(kind)(text, f"query.{name}")


def _behind(call: EpilotCall) -> int | None:
    cursor = call.query("cursor")
    return None if cursor is None else decode_cursor(cursor)[1]


EpilotOperation: TypeAlias = Callable[[EpilotCall], Awaitable[Response]]
_AGENT, _EXECUTION = "/agents/{agent_id}", "/executions/{execution_id}"
ROUTES: Sequence[Route[EpilotOperation]] = (
    Route("POST", "/agents", create_agent, "agents.create"),
    Route("GET", "/agents", list_agents, "agents.list"),
    Route("GET", _AGENT, get_agent, "agents.get"),
    Route("PUT", _AGENT, update_agent, "agents.update"),
    Route("DELETE", _AGENT, delete_agent, "agents.delete"),
    Route("POST", f"{_AGENT}/execute", execute_agent, "agents.execute"),
    Route("GET", "/executions", list_executions, "executions.list"),
    Route("GET", _EXECUTION, get_execution, "executions.get"),
    Route("DELETE", _EXECUTION, cancel_execution, "executions.cancel"),
    Route("GET", f"{_EXECUTION}/trace", trace, "executions.trace"),
    Route("POST", f"{_EXECUTION}/approve", approve, "executions.approve"),
    Route("POST", f"{_EXECUTION}/reject", reject, "executions.reject"),
)
