"""`sandbox.epilot`: what users register agents with and point clients at, and the API that answers them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from eigenpal.engine.model import Model, wire_form
from eigenpal.sandbox.api import Api, Resources, bearer_token
from eigenpal.sandbox.call import Tenant, json_answer
from eigenpal.sandbox.epilot.documents import execution_document
from eigenpal.sandbox.epilot.executor import AgentFunction, EpilotExecutor
from eigenpal.sandbox.epilot.operations import ROUTES, EpilotCall, EpilotOperation, EpilotServices
from eigenpal.sandbox.epilot.registry import AgentRegistry, Registration, stable_id
from eigenpal.sandbox.epilot.shapes import REGISTERED_AGENT
from eigenpal.sandbox.epilot.store import EpilotStore
from eigenpal.sandbox.problems import Problem
from eigenpal.sandbox.routing import Router

Function = TypeVar("Function", bound=AgentFunction)

_NAMES: Mapping[int, str] = {
    400: "BadRequest",
    401: "Unauthorized",
    404: "NotFound",
    405: "MethodNotAllowed",
    413: "PayloadTooLarge",
    429: "TooManyRequests",
}


class EpilotEmulator:
    """epilot's AI agents in the sandbox: `sandbox.epilot`.

    Args:
        url_of_sandbox: Returns the address of the sandbox.
        token: Returns the token of its first organisation.
        tenant_of: Returns whose a token is, None for an unknown one.

    Attributes:
        hold_seconds: How long `agents.execute` waits for the end before it answers; 0 answers at once. The service
            does both, so set it to see how your code takes an answer that is over already.
    """

    prefix = "epilot"

    def __init__(
        self, url_of_sandbox: Callable[[], str], token: Callable[[], str], tenant_of: Callable[[str], Tenant | None]
    ) -> None:
        self.hold_seconds: float = 0.0
        self._url_of_sandbox = url_of_sandbox
        self._token = token
        self._tenant_of = tenant_of
        self._registry = AgentRegistry()
        self._executor: EpilotExecutor | None = None

    @property
    def url(self) -> str:
        """Base URL for clients.

        Raises:
            RuntimeError: The sandbox is not running.
        """
        return f"{self._url_of_sandbox()}/{self.prefix}"

    @property
    def token(self) -> str:
        """Token of the first organisation: the sandbox's API key. `sandbox.add_key` makes one for another."""
        return self._token()

    def agent(
        self,
        name: str,
        *,
        skill: str | None = None,
        description: str | None = None,
        system_prompt: str = "Do your work.",
        execution_pattern: str = "react",
        execution_mode: str = "automatic",
        tools: Sequence[str] = (),
        category: str | None = None,
        max_iterations: int | None = None,
        output_schema: Mapping[str, Any] | None = None,
        input_parameters: Mapping[str, Any] | Model | None = None,
        availability: Sequence[str] | None = None,
        allowed_entity_schemas: Sequence[str] | None = None,
    ) -> Callable[[Function], Function]:
        """Make a function an agent. It gets an `AgentContext` and returns a text, or a mapping as data.

        Agents that are created over the API are executed by the function that is registered under their name.

        Args:
            name: Name for people.
            skill: Slug that makes it a system skill with the id `skill:<slug>`; a custom agent unless given.
            description: What it does; the first line of the docstring unless given.
            system_prompt: What an agent would be told.
            execution_pattern: `"react"`, which may call tools, or `"direct"`, which may return data.
            execution_mode: When a human is asked: `"automatic"`, `"approval"` or `"draft"`.
            tools: Ids of the tools it says it uses.
            category: What it works on.
            max_iterations: Most steps; 10 unless given.
            output_schema: JSON Schema of the output.
            input_parameters: The parameters that it takes: `InputParameters`, or its wire form.
            availability: Where it can be used; everywhere unless given.
            allowed_entity_schemas: Schemas that it may work on; all unless given.

        Raises:
            ValueError: A definition that the service would refuse.
        """

        def register(function: Function) -> Function:
            documentation = (function.__doc__ or "").strip().partition("\n")[0]
            members = {
                "name": name,
                "description": description if description is not None else documentation or None,
                "category": category,
                "system_prompt": system_prompt,
                "tools": list(tools),
                "max_iterations": max_iterations,
                "execution_pattern": execution_pattern,
                "execution_mode": execution_mode,
                "output_schema": output_schema,
                "input_parameters_schema": None if input_parameters is None else wire_form(input_parameters),
                "availability": None if availability is None else list(availability),
                "allowed_entity_schemas": None if allowed_entity_schemas is None else list(allowed_entity_schemas),
            }
            given = {member: value for member, value in members.items() if value is not None}
            try:
                checked: Mapping[str, Any] = REGISTERED_AGENT(given, "agent")
            except Problem as problem:
                raise ValueError(f"{problem.field}: {problem.message}") from None
            agent_id, source = (stable_id(name), "custom") if skill is None else (f"skill:{skill}", "system")
            self._registry.add(Registration(agent_id, source, checked, function))
            return function

        return register

    def id_of(self, name: str) -> str:
        """Return the id that a custom agent registered under this name has.

        Args:
            name: Name of the agent.
        """
        return stable_id(name)

    # For the server

    async def open(self, resources: Resources) -> Api:
        """Take up the state and return the API; called in the server's loop."""
        store = EpilotStore(resources.database)
        store.fail_interrupted(resources.now())
        self._registry.forget_seeding()
        self._executor = EpilotExecutor(
            store=store,
            now=resources.now,
            latency=resources.latency,
            document=lambda row: execution_document(row, store.steps(row.id), resources.now()),
        )
        services = EpilotServices(
            store=store,
            executor=self._executor,
            registry=self._registry,
            new_id=lambda: str(uuid.uuid5(uuid.NAMESPACE_OID, resources.ids.new("epilot"))),
            now=resources.now,
            hold_seconds=lambda: self.hold_seconds,
        )
        return EpilotApi(services, self._tenant_of)

    async def end_work(self) -> None:
        """End what is in flight."""
        if self._executor is not None:
            await self._executor.stop()


class EpilotApi:
    """The API: bearer tokens, its routes, its error envelope.

    Args:
        services: Shared by the operations.
        tenant_of: Returns whose a token is, None for an unknown one.
    """

    def __init__(self, services: EpilotServices, tenant_of: Callable[[str], Tenant | None]) -> None:
        self._services = services
        self._tenant_of = tenant_of
        self._router = _router()

    async def answer(self, request: Request[Any]) -> Response:
        """Answer a request.

        Raises:
            Problem: It can't be served.
        """
        token = bearer_token(request.headers)
        if token is None or (tenant := self._tenant_of(token)) is None:
            raise Problem(401, "The token is missing or not valid.", headers={"www-authenticate": "Bearer"})
        services = self._services
        services.registry.seed(services.store, tenant.name, services.now(), created_by=tenant.user_id)
        route, path = self._router.find_for(request)
        return await route.operation(EpilotCall(request, path, tenant, services))

    def refuse(self, problem: Problem, request_id: str) -> Response:
        """Return the error envelope for a problem."""
        name = _NAMES.get(problem.status) or ("InternalError" if problem.status >= 500 else "BadRequest")
        details = {"field": problem.field, "code": problem.code, "request_id": request_id}
        return json_answer({"error": name, "message": problem.message, "details": details}, problem.status)


@cache
def _router() -> Router[EpilotOperation]:
    return Router({f"/{EpilotEmulator.prefix}/v1": ROUTES})
