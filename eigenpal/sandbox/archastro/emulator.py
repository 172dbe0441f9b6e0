"""`sandbox.archastro`: what users register agents and routines with and point clients at, and the API that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from eigenpal.engine.model import Model, wire_form
from eigenpal.sandbox.api import Api, Resources, bearer_token
from eigenpal.sandbox.archastro import bodies
from eigenpal.sandbox.archastro.changes import Changes
from eigenpal.sandbox.archastro.documents import INVOKED
from eigenpal.sandbox.archastro.executor import AgentFunction, ArchAstroExecutor, RoutineFunction
from eigenpal.sandbox.archastro.operations import ROUTES, ArchAstroCall, ArchAstroOperation, ArchAstroServices
from eigenpal.sandbox.archastro.registry import ArchAstroRegistry, agent_id, routine_id
from eigenpal.sandbox.archastro.store import ArchAstroStore
from eigenpal.sandbox.archastro.tokens import SECRET, SYSTEM, Gate, UserTokens
from eigenpal.sandbox.call import Tenant, json_answer
from eigenpal.sandbox.members import Members
from eigenpal.sandbox.multipart import parse_json
from eigenpal.sandbox.problems import Problem
from eigenpal.sandbox.routing import Route, Router

Agent = TypeVar("Agent", bound=AgentFunction)
Work = TypeVar("Work", bound=RoutineFunction)

_CODES: Mapping[int, str] = {401: "authentication_error", 402: "plan_not_entitled", 422: "validation_error"}


class ArchAstroEmulator:
    """ArchAstro in the sandbox: `sandbox.archastro`.

    Args:
        url_of_sandbox: Returns the address of the sandbox.
        api_key: Returns the API key of the sandbox, which the keys here are made from.
        tenant_of: Returns whose an API key of the sandbox is, None for an unknown one.

    Attributes:
        keepalive_seconds: How often a stream sends a comment when nothing happens.
        most_stream_seconds: How long a stream may last before the server ends it.
    """

    prefix = "archastro"

    def __init__(
        self, url_of_sandbox: Callable[[], str], api_key: Callable[[], str], tenant_of: Callable[[str], Tenant | None]
    ) -> None:
        self.keepalive_seconds: float = 15.0
        self.most_stream_seconds: float = 600.0
        self._url_of_sandbox = url_of_sandbox
        self._sandbox_key = api_key
        self._gate = Gate(tenant_of)
        self._registry = ArchAstroRegistry()
        self._executor: ArchAstroExecutor | None = None

    @property
    def url(self) -> str:
        """Base URL for clients.

        Raises:
            RuntimeError: The sandbox is not running.
        """
        return f"{self._url_of_sandbox()}/{self.prefix}"

    @property
    def api_key(self) -> str:
        """Secret key of the first app, which opens everything by itself; `sk_` before the key of `sandbox.add_key`
        is one for another app.
        """
        return SECRET + self._sandbox_key()

    @property
    def publishable_key(self) -> str:
        """Publishable key of the first app, to be sent with the token of a user."""
        return self._gate.publishable_key(self._sandbox_key())

    @property
    def system_token(self) -> str:
        """Token of a system user of the first app, which opens everything by itself."""
        return SYSTEM + self._sandbox_key()

    @property
    def refreshes(self) -> int:
        """How often a client asked for new tokens."""
        return self._gate.refreshes

    def log_in(self) -> UserTokens:
        """Return new tokens of a user of the first app; they last until `expire_tokens`."""
        return self._gate.log_in(self._sandbox_key())

    def expire_tokens(self) -> None:
        """Let the access tokens of all users be too old, so that the next request of each is refused with 401."""
        self._gate.expire()

    def agent(self, name: str) -> Callable[[Agent], Agent]:
        """Make a function an agent. It gets a `SessionContext` and returns the result: a mapping, a text or None.

        Args:
            name: Its name; `agent_id` says the id that sessions are created with.
        """

        def register(function: Agent) -> Agent:
            self._registry.add_agent(name, function)
            return function

        return register

    def agent_id(self, name: str) -> str:
        """Return the id of an agent.

        Args:
            name: The name it is registered under.
        """
        return agent_id(name)

    def routine(
        self,
        name: str,
        *,
        agent: str | None = None,
        lookup_key: str | None = None,
        status: str = "active",
        **members: Any,
    ) -> Callable[[Work], Work]:
        """Make a function a routine. It gets a `RoutineContext` and returns the result: a mapping, a text or None.

        Args:
            name: Its name; `routine_id` says its id.
            agent: Name of the agent it belongs to.
            lookup_key: Name in place of the id; the name unless given.
            status: `"active"`, `"draft"` or `"paused"`.
            members: Other members of the routine, as `agent_routines.update` takes them.

        Raises:
            ValueError: A member that the service would refuse.
        """

        def register(function: Work) -> Work:
            script = {
                "handler_type": "script",
                "script": f"{function.__module__}.{getattr(function, '__name__', name)}",
            }
            self._add_routine(name, agent, lookup_key, status, {**script, **members}, function)
            return function

        return register

    def preset_routine(
        self,
        name: str,
        *,
        agent: str,
        preset_name: str = "do_task",
        lookup_key: str | None = None,
        status: str = "active",
        **members: Any,
    ) -> str:
        """Add a routine that gives its message to an agent, in a session; return its id.

        Args:
            name: Its name.
            agent: Name of the agent.
            preset_name: The preset it says it uses.
            lookup_key: Name in place of the id; the name unless given.
            status: `"active"`, `"draft"` or `"paused"`.
            members: Other members of the routine, such as `preset_config={"session_mode": "session"}`.

        Raises:
            ValueError: A member that the service would refuse.
        """
        preset = {"handler_type": "preset", "preset_name": preset_name}
        self._add_routine(name, agent, lookup_key, status, {**preset, **members}, None)
        return routine_id(name)

    def routine_id(self, name: str) -> str:
        """Return the id of a routine.

        Args:
            name: The name it is registered under.
        """
        return routine_id(name)

    def _add_routine(
        self,
        name: str,
        agent: str | None,
        lookup_key: str | None,
        status: str,
        members: Mapping[str, Any],
        function: RoutineFunction | None,
    ) -> None:
        if status not in ("active", "draft", "paused"):
            raise ValueError(f"status={status!r} is not one of active, draft, paused.")
        given = {key: wire_form(value) if isinstance(value, Model) else value for key, value in members.items()}
        try:
            read = bodies.changed_routine(Members(given))
        except Problem as problem:
            raise ValueError(f"{problem.field}: {problem.message}") from None
        routine = {
            "event_type": INVOKED,
            **read,
            "name": name,
            "agent": None if agent is None else agent_id(agent),
            "lookup_key": lookup_key or name,
            "status": status,
        }
        self._registry.add_routine(name, routine, function)

    # For the server

    async def open(self, resources: Resources) -> Api:
        """Take up the state and return the API; called in the server's loop."""
        store, changes = ArchAstroStore(resources.database), Changes()
        store.fail_interrupted(resources.now())
        self._registry.forget_seeding()
        self._executor = ArchAstroExecutor(
            store=store, changes=changes, ids=resources.ids, now=resources.now, latency=resources.latency
        )
        services = ArchAstroServices(
            store=store,
            executor=self._executor,
            registry=self._registry,
            changes=changes,
            ids=resources.ids,
            now=resources.now,
            keepalive_seconds=lambda: self.keepalive_seconds,
            most_stream_seconds=lambda: self.most_stream_seconds,
        )
        return ArchAstroApi(services, self._gate)

    async def end_work(self) -> None:
        """End what is in flight."""
        if self._executor is not None:
            await self._executor.stop()


# The others say 422 also to what is no JSON and to a wrong query; these keep it for JSON that breaks a rule.
_ANSWERING_400 = frozenset({"agent_routines.invoke", "agent_routines.runs"})


class ArchAstroApi:
    """The API: its keys and tokens, its routes, its error envelope.

    Args:
        services: Shared by the operations.
        gate: Knows who may call.
    """

    def __init__(self, services: ArchAstroServices, gate: Gate) -> None:
        self._services = services
        self._gate = gate
        place = f"/{ArchAstroEmulator.prefix}/api/v1"
        refresh: Route[ArchAstroOperation] = Route("POST", "/auth/refresh", self._refresh, "auth.refresh")
        self._router: Router[ArchAstroOperation] = Router({place: [*ROUTES, refresh]})

    async def answer(self, request: Request[Any]) -> Response:
        """Answer a request.

        Raises:
            Problem: It can't be served.
        """
        services = self._services
        route, path = self._router.find_for(request)
        tenant = ""
        if route.name != "auth.refresh":
            tenant = self._gate.tenant(request.headers, bearer_token(request.headers)).name
            services.registry.seed(services.store, tenant, services.now())
        try:
            return await route.operation(ArchAstroCall(request, path, tenant, services))
        except Problem as problem:
            broken_rule = problem.field.startswith("body.") or route.name not in _ANSWERING_400
            if problem.status == 400 and broken_rule:
                problem.status, problem.code = 422, "validation_error"
            raise

    def refuse(self, problem: Problem, request_id: str) -> Response:
        """Return the error envelope for a problem."""
        error: dict[str, Any] = {"code": _CODES.get(problem.status, problem.code), "message": problem.message}
        place, _, name = problem.field.partition(".")
        if name and place in ("body", "query"):
            error["fields"] = [{"field": name, "message": problem.message}]
        return json_answer({"error": error}, problem.status)

    async def _refresh(self, call: ArchAstroCall) -> Response:
        body = parse_json(await call.request.body(), "body")
        return json_answer(self._gate.refreshed(call.request.headers, body))
