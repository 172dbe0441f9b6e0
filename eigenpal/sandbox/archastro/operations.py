"""The eighteen operations: what each answers, and which path leads to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from eigenpal.sandbox.archastro import bodies
from eigenpal.sandbox.archastro.changes import Changes
from eigenpal.sandbox.archastro.documents import PRESETS, new_session
from eigenpal.sandbox.archastro.executor import ArchAstroExecutor
from eigenpal.sandbox.archastro.flights import new_message
from eigenpal.sandbox.archastro.invoking import invoke
from eigenpal.sandbox.archastro.registry import ArchAstroRegistry
from eigenpal.sandbox.archastro.states import ROUTINES, RUNS, SESSIONS
from eigenpal.sandbox.archastro.store import ArchAstroStore, Document, SessionFilter
from eigenpal.sandbox.archastro.stream import MEDIA_TYPE, session_events
from eigenpal.sandbox.call import json_answer
from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.grammar import decode_cursor, encode_cursor, parse_flag, parse_integer
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.members import Members, encodable
from eigenpal.sandbox.multipart import parse_json
from eigenpal.sandbox.problems import Problem, invalid, not_found
from eigenpal.sandbox.routing import Route
from eigenpal.sandbox.transitions import InvalidTransition

MOST_RUN_IDS: Final = 100
SESSION_STATUSES: Final = frozenset(SESSIONS) | {"completed", "failed", "cancelled"}
LISTED_RUN_STATUSES: Final = frozenset(RUNS) | {"completed", "failed", "skipped", "cancelled"}


@dataclass(frozen=True, slots=True)
class ArchAstroServices:
    """What the operations of one server share."""

    store: ArchAstroStore
    executor: ArchAstroExecutor
    registry: ArchAstroRegistry
    changes: Changes
    ids: IdSource
    now: Callable[[], int]
    keepalive_seconds: Callable[[], float]
    most_stream_seconds: Callable[[], float]


@dataclass(frozen=True, slots=True)
class ArchAstroCall:
    """One request on its way to an operation."""

    request: Request[Any]
    path: Mapping[str, str]
    tenant: str
    services: ArchAstroServices

    def query(self, name: str) -> str | None:
        """Return a query parameter, the last one of several; None when it is absent or empty."""
        values = self.request.query_params.getlist(name)
        return encodable(values[-1], f"query.{name}") if values and values[-1] else None

    def query_list(self, name: str) -> Sequence[str]:
        """Return the values of `name[]`; a bare `name` is split at commas, and of several the last one counts."""
        if values := self.request.query_params.getlist(f"{name}[]"):
            return [encodable(value, f"query.{name}") for value in values if value]
        bare = self.query(name)
        return [] if bare is None else [value for value in bare.split(",") if value]

    def limit(self, default: int) -> int:
        """Return how many rows to show."""
        text = self.query("limit")
        return default if text is None else parse_integer(text, "query.limit", 1, 100)

    async def body(self) -> Members:
        """Return the members of the body.

        Raises:
            Problem: 400, it is no JSON.
        """
        return Members(parse_json(await self.request.body() or b"{}", "body"))

    def session(self) -> Document:
        """Return the session that the path names.

        Raises:
            Problem: 404, there is none.
        """
        session = self.services.store.session(encodable(self.path["agent_session"], "path"), self.tenant)
        if session is None:
            raise not_found(f"No such session: {self.path['agent_session']!r}.")
        return session

    def routine(self, *, by_key: bool = False) -> Document:
        """Return the routine that the path names.

        Raises:
            Problem: 404, there is none.
        """
        routine = self.services.store.routine(self.tenant, encodable(self.path["routine"], "path"), by_key=by_key)
        if routine is None:
            raise not_found(f"No such routine: {self.path['routine']!r}.")
        return routine


# ------------------------------------------------------------------------------------------------ sessions


async def list_sessions(call: ArchAstroCall) -> Response:
    """GET /agent_sessions"""
    statuses, runs = call.query_list("status"), call.query_list("routine_run")
    if wrong := sorted(set(statuses) - SESSION_STATUSES):
        raise Problem(422, f"{wrong[0]!r} is no status of a session.", field="query.status")
    if len(runs) > MOST_RUN_IDS:
        raise Problem(422, f"At most {MOST_RUN_IDS} runs.", field="query.routine_run")
    text = call.query("exclude_system")
    exclude = False if text is None else parse_flag(text, "query.exclude_system")
    wanted = SessionFilter(call.query_list("agent"), statuses, runs, exclude)
    return json_answer({"data": call.services.store.sessions(call.tenant, wanted, call.limit(25))})


async def create_session(call: ArchAstroCall) -> Response:
    """POST /agent_sessions"""
    services = call.services
    members = bodies.new_session(await call.body())
    if (agent := services.registry.agent(members["agent"])) is None:
        raise not_found(f"No such agent: {members['agent']!r}.")
    session = new_session(services.ids.new("ase"), members, services.now())
    services.store.add_session(call.tenant, session)
    if session["status"] == "pending":
        services.executor.launch(session, *agent)
    return json_answer(session, 201)


async def get_session(call: ArchAstroCall) -> Response:
    """GET /agent_sessions/{agent_session}"""
    return json_answer(call.session())


async def update_session(call: ArchAstroCall) -> Response:
    """PATCH /agent_sessions/{agent_session}"""
    session = call.session()
    metadata = (await call.body()).free_object("metadata")
    if metadata is not None:
        session = call.services.store.change_session(session["id"], metadata=metadata)
    return json_answer(session)


async def delete_session(call: ArchAstroCall) -> Response:
    """DELETE /agent_sessions/{agent_session}"""
    session = call.session()
    if session["status"] in SESSIONS:
        raise Problem(422, f"The session is {session['status']}; only one that is over can be deleted.")
    call.services.store.delete_session(session["id"])
    return Response(status_code=204)


async def cancel_session(call: ArchAstroCall) -> Response:
    """POST /agent_sessions/{agent_session}/cancel"""
    session = call.session()
    try:
        return json_answer(call.services.executor.cancel(session))
    except InvalidTransition:
        return json_answer(call.session())


async def send_message(call: ArchAstroCall) -> Response:
    """POST /agent_sessions/{agent_session}/message"""
    services, session = call.services, call.session()
    sent = bodies.message(await call.body())
    if session["status"] not in SESSIONS:
        raise Problem(422, f"The session is {session['status']}; it takes no more messages.")
    message = new_message(services.ids, services.now(), **sent, sender="user")
    session = services.executor.deliver(session["id"], message)
    if session["status"] == "waiting" and session["started_at"] is None:
        agent = services.registry.agent(session["agent"])
        if agent is None:
            raise not_found(f"The agent of the session is not registered any more: {session['agent']!r}.")
        services.executor.launch(session, *agent)
    return json_answer(call.session())


async def stream_session(call: ArchAstroCall) -> Response:
    """GET /agent_sessions/{agent_session}/stream"""
    services, session = call.services, call.session()
    events = session_events(
        services.store,
        services.changes,
        session["id"],
        keepalive_seconds=services.keepalive_seconds(),
        most_seconds=services.most_stream_seconds(),
    )
    return StreamingResponse(events, media_type=MEDIA_TYPE, headers={"cache-control": "no-store"})


# ------------------------------------------------------------------------------------------------ routines


async def list_routines(call: ArchAstroCall) -> Response:
    """GET /agent_routines"""
    agents = call.query_list("agent")
    for agent in agents:
        if call.services.registry.agent(agent) is None:
            raise not_found(f"No such agent: {agent!r}.")
    return json_answer({"data": call.services.store.routines(call.tenant, agents, call.query("event_type"))})


async def list_presets(call: ArchAstroCall) -> Response:
    """GET /agent_routines/presets"""
    return json_answer(PRESETS)


async def get_routine(call: ArchAstroCall) -> Response:
    """GET /agent_routines/{routine}"""
    return json_answer(call.routine())


async def update_routine(call: ArchAstroCall) -> Response:
    """PATCH /agent_routines/{routine}"""
    services, routine = call.services, call.routine()
    wanted = bodies.changed_routine(await call.body())
    if (template := wanted.pop("template", None)) is not None:
        raise Problem(422, f"The sandbox has no template {template!r}.", field="body.template")
    if "acl" in wanted:
        wanted["acl"] = bodies.changed_access(routine["acl"], wanted["acl"])
    changed = {**routine, **wanted, "updated_at": timestamp(services.now())}
    if "handler_type" in wanted:
        bodies.check_handler(wanted, "change")
    key = changed["lookup_key"]
    other = None if key is None else services.store.routine(call.tenant, key, by_key=True)
    if other is not None and other["id"] != changed["id"]:
        raise Problem(422, f"Another routine has the lookup key {key!r}.", field="body.lookup_key")
    services.store.put_routine(call.tenant, changed)
    return json_answer(changed)


async def delete_routine(call: ArchAstroCall) -> Response:
    """DELETE /agent_routines/{routine}"""
    call.services.store.delete_routine(call.tenant, call.routine()["id"])
    return Response(status_code=204)


async def switch_routine(call: ArchAstroCall, *, to: str) -> Response:
    """POST /agent_routines/{routine}/activate, and /pause"""
    services, routine = call.services, call.routine()
    if to == "activate":
        bodies.check_handler(routine)
    status = ROUTINES[to][routine["status"]]
    if status != routine["status"]:
        routine = {**routine, "status": status, "updated_at": timestamp(services.now())}
        services.store.put_routine(call.tenant, routine)
    return json_answer(routine)


async def invoke_routine(call: ArchAstroCall) -> Response:
    """POST /agent_routines/{routine}/invoke"""
    services, routine = call.services, call.routine(by_key=True)
    wanted = bodies.invocation(await call.body())
    return json_answer(
        invoke(
            routine,
            wanted,
            tenant=call.tenant,
            store=services.store,
            executor=services.executor,
            registry=services.registry,
            ids=services.ids,
            now=services.now(),
        )
    )


async def list_runs(call: ArchAstroCall) -> Response:
    """GET /agent_routines/{routine}/runs"""
    routine, limit, status = call.routine(), call.limit(50), call.query("status")
    if status is not None and status not in LISTED_RUN_STATUSES:
        raise invalid("query.status", f"{status!r} is no status of a run.")
    before, behind = _place(call, "before_cursor"), _place(call, "after_cursor")
    if before is not None and behind is not None:
        raise invalid("query.after_cursor", "before_cursor and after_cursor lead in opposite directions.")
    store = call.services.store
    rows = store.runs(call.tenant, routine["id"], status=status, limit=limit, before=before, behind=behind)
    more = partial(store.runs, call.tenant, routine["id"], status=status, limit=1)
    older = newer = None
    if rows:
        older = encode_cursor(0, rows[-1][0]) if more(before=rows[-1][0]) else None
        newer = encode_cursor(0, rows[0][0]) if more(behind=rows[0][0]) else None
    return json_answer({"data": [run for _, run in rows], "before_cursor": older, "after_cursor": newer})


async def get_run(call: ArchAstroCall) -> Response:
    """GET /agent_routines/runs/{run}"""
    found = call.services.store.run(encodable(call.path["run"], "path"))
    if found is None:
        raise not_found(f"No such run: {call.path['run']!r}.")
    tenant, run = found
    if tenant != call.tenant:
        raise Problem(403, "The run belongs to another app than the key.")
    return json_answer(run)


def _place(call: ArchAstroCall, name: str) -> int | None:
    cursor = call.query(name)
    if cursor is None:
        return None
    try:
        return decode_cursor(cursor)[1]
    except Problem:
        raise Problem(400, "cursor cannot be decoded", field=f"query.{name}", code="invalid_cursor") from None


ArchAstroOperation: TypeAlias = Callable[[ArchAstroCall], Awaitable[Response]]
_SESSION, _ROUTINE = "/agent_sessions/{agent_session}", "/agent_routines/{routine}"
ROUTES: Sequence[Route[ArchAstroOperation]] = (
    Route("GET", "/agent_sessions", list_sessions, "agent_sessions.list"),
    Route("POST", "/agent_sessions", create_session, "agent_sessions.create"),
    Route("GET", _SESSION, get_session, "agent_sessions.get"),
    Route("PATCH", _SESSION, update_session, "agent_sessions.update"),
    Route("DELETE", _SESSION, delete_session, "agent_sessions.delete"),
    Route("POST", f"{_SESSION}/cancel", cancel_session, "agent_sessions.cancel"),
    Route("POST", f"{_SESSION}/message", send_message, "agent_sessions.message"),
    Route("GET", f"{_SESSION}/stream", stream_session, "agent_sessions.stream"),
    Route("GET", "/agent_routines", list_routines, "agent_routines.list"),
    Route("GET", "/agent_routines/presets", list_presets, "agent_routines.presets"),
    Route("GET", "/agent_routines/runs/{run}", get_run, "agent_routine_runs.get"),
    Route("GET", _ROUTINE, get_routine, "agent_routines.get"),
    Route("PATCH", _ROUTINE, update_routine, "agent_routines.update"),
    Route("DELETE", _ROUTINE, delete_routine, "agent_routines.delete"),
    Route("POST", f"{_ROUTINE}/activate", partial(switch_routine, to="activate"), "agent_routines.activate"),
    Route("POST", f"{_ROUTINE}/pause", partial(switch_routine, to="pause"), "agent_routines.pause"),
    Route("POST", f"{_ROUTINE}/invoke", invoke_routine, "agent_routines.invoke"),
    Route("GET", f"{_ROUTINE}/runs", list_runs, "agent_routines.runs"),
)
