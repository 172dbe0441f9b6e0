"""Starting a run of a routine: what must be so before, what a repeated key means, and which work it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eigenpal.sandbox.archastro.context import RoutineContext, SessionFailed
from eigenpal.sandbox.archastro.documents import INVOKED, new_run, new_session
from eigenpal.sandbox.archastro.executor import AgentFunction, ArchAstroExecutor, Result
from eigenpal.sandbox.archastro.flights import new_message
from eigenpal.sandbox.archastro.registry import ArchAstroRegistry
from eigenpal.sandbox.archastro.store import ArchAstroStore, Document
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.problems import Problem

SCOPES: Mapping[str, str | None] = {"per_user": "user", "per_key": "session_key", "per_org": None, "global": None}
"""Scope of a lasting session to the member of the request that it needs."""


def invoke(
    routine: Document,
    wanted: Mapping[str, Any],
    *,
    tenant: str,
    store: ArchAstroStore,
    executor: ArchAstroExecutor,
    registry: ArchAstroRegistry,
    ids: IdSource,
    now: int,
) -> Document:
    """Start a run, or return the one that the key belongs to.

    Raises:
        Problem: 422, the routine can't be invoked like this; 409, the run of the key is completed.
    """
    if routine["status"] != "active":
        raise Problem(422, f"The routine is {routine['status']}; activate it first.")
    if routine["event_type"] != INVOKED:
        raise Problem(422, f"The routine is not fired by {INVOKED}.", field="body.event_type")
    lasting = _lasting(routine, wanted)
    key = wanted.get("idempotency_key")
    if key is not None and (earlier := store.run_of_key(tenant, routine["id"], key)) is not None:
        if earlier["status"] == "completed":
            raise Problem(409, "A completed run has this idempotency_key.", code="conflict")
        if earlier["status"] in ("pending", "running"):
            return earlier
    function, agent = registry.function_of(routine["id"]), registry.agent(routine["agent"] or "")
    if function is None and agent is None:
        raise Problem(422, f"No agent is registered for this routine: {routine['agent']!r}.")
    run = new_run(ids.new("arr"), routine, wanted, now)
    store.add_run(tenant, run, key)
    if function is None and agent is not None:
        session = _session_of(run, routine, lasting, tenant, store, executor, agent, ids, now)
        executor.work(run, lambda: _outcome(store, executor, session))
    elif function is not None:
        context = RoutineContext(run_id=run["id"], routine=routine, payload=run["payload"], metadata=run["metadata"])
        executor.work(run, lambda: executor.called(function, context))
    return run


def _lasting(routine: Document, wanted: Mapping[str, Any]) -> str | None:
    """Return what names the lasting session of a run; None for a session of its own."""
    config: Mapping[str, Any] = routine["preset_config"] or {}
    if config.get("session_mode") != "session":
        return None
    scope = config.get("session_scope") or "per_user"
    needed = SCOPES[scope]
    if needed is not None and not wanted.get(needed):
        raise Problem(422, f"A session with the scope {scope} needs it.", field=f"body.{needed}")
    return f"{routine['id']}/{scope}/{wanted.get(needed or '', '')}"


def _session_of(
    run: Document,
    routine: Document,
    lasting: str | None,
    tenant: str,
    store: ArchAstroStore,
    executor: ArchAstroExecutor,
    agent: tuple[str, AgentFunction],
    ids: IdSource,
    now: int,
) -> str:
    """Return the session that works on a run, after giving it the message."""
    session = None if lasting is None else store.lasting_session(tenant, lasting)
    config: Mapping[str, Any] = routine["preset_config"] or {}
    if session is None:
        members = {
            "agent": routine["agent"],
            "instructions": config.get("instructions") or run["payload"]["message"],
            "start_idle": True,
            "metadata": run["metadata"],
        }
        session = new_session(ids.new("ase"), members, now)
        store.add_session(tenant, session, routine_run=run["id"], lasting=lasting)
    message = new_message(
        ids, now, content=run["payload"]["message"], role="user", metadata=run["metadata"], sender="routine"
    )
    session = executor.deliver(session["id"], message)
    if session["status"] == "waiting" and session["started_at"] is None:
        executor.launch(session, *agent)
    return str(session["id"])


async def _outcome(store: ArchAstroStore, executor: ArchAstroExecutor, session_id: str) -> Result:
    """Return what the turn of a session came to."""
    await executor.turn_over(session_id)
    session = store.session(session_id)
    if session is None:
        raise SessionFailed("The session of this run was deleted.")
    if session["status"] in ("failed", "cancelled"):
        raise SessionFailed(session["error"] or f"The session was {session['status']}.")
    said = [message["content"] for message in session["inbox"] if message["sender_type"] == "agent"]
    result: Result = session["result"] or {"session": session_id, "text": said[-1] if said else ""}
    return result
