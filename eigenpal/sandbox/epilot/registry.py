"""Which functions do the work of which agents, and the agents that were registered together with one.

What is registered outlives the server. Each organisation gets the registered agents when it first calls.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.epilot.executor import AgentFunction
from eigenpal.sandbox.epilot.shapes import DEFAULT_MAX_ITERATIONS
from eigenpal.sandbox.epilot.store import AgentRow, EpilotStore

_NAMESPACE = uuid.UUID("6f8a5b0e-6d1c-5f5e-9a57-0d3f0c6b1e42")  # any fixed one: the same name always has the same id


@dataclass(frozen=True, slots=True)
class Registration:
    """An agent that was registered with its function."""

    id: str
    source: str
    members: Mapping[str, Any]
    function: AgentFunction


class AgentRegistry:
    """What was registered. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._registrations: dict[str, Registration] = {}
        self._seeded: dict[str, int] = {}
        self._changes = 0

    def add(self, registration: Registration) -> None:
        """Take a registration; another one with the same id replaces it."""
        with self._lock:
            self._registrations[registration.id] = registration
            self._changes += 1

    def function_of(self, agent: Mapping[str, Any]) -> AgentFunction | None:
        """Return what does the work of an agent: registered for it, or for another one of its name."""
        with self._lock:
            if (registration := self._registrations.get(agent["agent_id"])) is not None:
                return registration.function
            namesakes = [one for one in self._registrations.values() if one.members["name"] == agent["name"]]
        return namesakes[-1].function if namesakes else None

    def seed(self, store: EpilotStore, org: str, now: int, *, created_by: str) -> None:
        """Give an organisation the registered agents that it does not have, or has as they were registered before."""
        with self._lock:
            if self._seeded.get(org) == self._changes:
                return
            self._seeded[org] = self._changes
            registrations = list(self._registrations.values())
        for one in registrations:
            registered = json.dumps(one.members, sort_keys=True)
            known = store.agent(org, one.id, deleted=True)
            if known is None:
                store.put_agent(new_agent(org, one.id, one.source, one.members, now, created_by, registered=registered))
            elif known.registered != registered:
                changed = changed_agent(known, one.members, now)
                store.put_agent(replace(changed, registered=registered, deleted=False))

    def forget_seeding(self) -> None:
        """Look again at what each organisation has: the server runs on another database."""
        with self._lock:
            self._seeded.clear()


def stable_id(name: str) -> str:
    """Return the id that an agent registered under this name always has."""
    return str(uuid.uuid5(_NAMESPACE, name))


def new_agent(
    org: str,
    agent_id: str,
    source: str,
    members: Mapping[str, Any],
    now: int,
    created_by: str,
    *,
    registered: str | None = None,
) -> AgentRow:
    """Return a new agent with what the service adds to it."""
    document = {
        "category": "custom",
        "availability": ["all"],
        "tools": [],
        "max_iterations": DEFAULT_MAX_ITERATIONS,
        "execution_mode": "automatic",
        **members,
        "agent_id": agent_id,
        "org_id": org,
        "source": source,
        "version": 1,
        "created_at": timestamp(now),
        "updated_at": timestamp(now),
        "created_by": created_by,
    }
    return AgentRow(0, org, agent_id, source, json.dumps(document), registered, deleted=False)


def changed_agent(agent: AgentRow, members: Mapping[str, Any], now: int) -> AgentRow:
    """Return an agent with some members changed, as its next version."""
    before = agent.members
    document = {**before, **members, "version": before["version"] + 1, "updated_at": timestamp(now)}
    return replace(agent, document=json.dumps(document))
