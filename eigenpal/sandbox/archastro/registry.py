"""The agents and routines of the emulator: Python functions under names, and what each tenant has of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eigenpal.sandbox.archastro.documents import new_routine
from eigenpal.sandbox.archastro.executor import AgentFunction, RoutineFunction
from eigenpal.sandbox.archastro.store import ArchAstroStore
from eigenpal.sandbox.ids import derived_id


@dataclass(frozen=True, slots=True)
class Routine:
    """A registered routine; one without a function works by its preset."""

    id: str
    members: Mapping[str, Any]
    function: RoutineFunction | None


class ArchAstroRegistry:
    """What was registered with one sandbox. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._agents: dict[str, tuple[str, AgentFunction]] = {}
        self._routines: dict[str, Routine] = {}
        self._changes = 0
        self._seeded: dict[str, int] = {}

    def add_agent(self, name: str, function: AgentFunction) -> None:
        """Register an agent; the same name again replaces it."""
        with self._lock:
            self._agents[agent_id(name)] = (name, function)

    def add_routine(self, name: str, members: Mapping[str, Any], function: RoutineFunction | None) -> None:
        """Register a routine; the same name again replaces it."""
        with self._lock:
            identity = routine_id(name)
            self._routines[identity] = Routine(identity, members, function)
            self._changes += 1

    def agent(self, wanted: str) -> tuple[str, AgentFunction] | None:
        """Return name and function of an agent by its id, None when there is none."""
        return self._agents.get(wanted)

    def function_of(self, routine: str) -> RoutineFunction | None:
        """Return the function behind a routine, None when there is none."""
        registered = self._routines.get(routine)
        return None if registered is None else registered.function

    def seed(self, store: ArchAstroStore, tenant: str, now: int) -> None:
        """Give a tenant the registered routines that it does not have, or has as they were registered before."""
        with self._lock:
            if self._seeded.get(tenant) == self._changes:
                return
            self._seeded[tenant] = self._changes
            routines = list(self._routines.values())
        for routine in routines:
            registered = json.dumps(routine.members, sort_keys=True)
            if store.registered(tenant, routine.id) != registered:
                store.put_routine(tenant, new_routine(routine.id, tenant, routine.members, now), registered)

    def forget_seeding(self) -> None:
        """Look again at what each tenant has: the server runs on another database."""
        with self._lock:
            self._seeded.clear()


def agent_id(name: str) -> str:
    """Return the id that an agent registered under this name always has."""
    return derived_id("agi", name)


def routine_id(name: str) -> str:
    """Return the id that a routine registered under this name always has."""
    return derived_id("arn", name)
