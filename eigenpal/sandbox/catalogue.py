"""What can be run and looked at: registered functions, and what each tenant created, changed or committed over them.

Workflows are functions alone. An agent is a function, or a row of the store, or both under one slug.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eigenpal.sandbox.agent_store import AgentRow, AgentStore
from eigenpal.sandbox.context import RunContext, RunFailed
from eigenpal.sandbox.defining import Definition
from eigenpal.sandbox.grammar import slug_key
from eigenpal.sandbox.json_values import is_object
from eigenpal.sandbox.problems import not_found
from eigenpal.sandbox.registry import (
    Automation,
    Registry,
    Release,
    automation_id_of,
    package_path,
    release_from,
    release_id_of,
)
from eigenpal.sandbox.repository import MAIN
from eigenpal.sandbox.rows import Kind
from eigenpal.sandbox.source_store import Commit, SourceStore

TRIGGERS = ("api", "email", "manual", "cron")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as one tenant sees it.

    Attributes:
        automation: What runs are started from.
        config: Its configuration; the triggers in it are switches.
        archived: Whether lists leave it out.
    """

    automation: Automation
    config: Mapping[str, Any]
    archived: bool

    @property
    def triggers(self) -> dict[str, bool]:
        """Which kinds of trigger are on."""
        on = {"api": self.automation.api_enabled, "email": False, "manual": True, "cron": False}
        return {name: _switch(self.config, name, on[name]) for name in TRIGGERS}


class Catalogue:
    """Everything that can be run, tenant by tenant.

    Args:
        registry: The functions; every tenant has them.
        agents: What the API created and changed.
        source: What was committed.
    """

    def __init__(self, registry: Registry, agents: AgentStore, source: SourceStore) -> None:
        self._registry = registry
        self._agents = agents
        self._source = source

    def get(self, tenant: str, kind: Kind, name: str, *, field: str = "<root>") -> Automation:
        """Return a workflow or agent by id or slug, nested slugs with dots or slashes.

        Raises:
            Problem: 404, there is none that this tenant can see.
        """
        if kind == "workflow":
            return self._registry.get(kind, name, field=field)
        return self.agent(tenant, name, field=field).automation

    def agent(self, tenant: str, name: str, *, field: str = "<root>") -> Agent:
        """Return an agent by id or slug.

        Raises:
            Problem: 404, there is none that this tenant can see.
        """
        registered = self._registry.find("agent", name)
        row = self._agents.get(tenant, slug_key(registered.slug if registered else name))
        if registered is None and row is None:
            row = next((row for row in self._agents.all(tenant) if automation_id_of("agent", row.slug) == name), None)
        if registered is None and (row is None or not row.created_here):
            raise not_found(f"No such agent: {name!r}.", field=field)
        slug = registered.slug if registered else row.slug if row else name
        return self._merged(registered, row, self._source.commits(tenant, package_path("agent", slug)))

    def agents(self, tenant: str) -> list[Agent]:
        """Return all agents that a tenant can see, by slug."""
        registered = {slug_key(one.slug): one for one in self._registry.all("agent")}
        rows = {row.key: row for row in self._agents.all(tenant) if row.created_here or row.key in registered}
        commits = self._source.all(tenant)
        return [
            self._merged(registered.get(key), rows.get(key), commits.get(package_path("agent", key), ()))
            for key in sorted({*registered, *rows})
        ]

    def row(self, tenant: str, agent: Agent, now: int) -> AgentRow:
        """Return what is kept of an agent, ready to be changed; a new row when nothing is yet."""
        automation = agent.automation
        key = slug_key(automation.slug)
        empty = AgentRow(tenant, key, automation.slug, False, None, None, None, False, automation.created_at, now)
        return self._agents.get(tenant, key) or empty

    def _merged(self, registered: Automation | None, row: AgentRow | None, commits: Sequence[Commit]) -> Agent:
        slug = registered.slug if registered else row.slug if row else ""
        model = registered.latest if registered else _without_function(slug)
        automation = registered or _created(slug)
        config: dict[str, Any] = {"triggers": {"api": {"enabled": automation.api_enabled}}}
        if row is not None and row.config is not None:
            config = json.loads(row.config)
        if row is None and not commits:
            return Agent(automation, config, archived=False)
        functions = automation.releases
        committed = [_release(slug, functions.get(commit.version or "", model), commit) for commit in commits]
        released = {release.version: release for release in committed if release.version != MAIN}
        changed_at = max([automation.updated_at, *(release.created_at for release in committed)])
        automation = replace(
            automation,
            releases={**functions, **released},
            unreleased=[release for release in committed if release.version == MAIN],
            head=committed[0] if committed else None,
            api_enabled=_switch(config, "api", automation.api_enabled),
            updated_at=changed_at,
        )
        if row is None:
            return Agent(automation, config, archived=False)
        automation.name = row.name or automation.name
        automation.description = automation.description if row.description is None else row.description
        automation.created_at = row.created_at
        automation.updated_at = max(automation.updated_at, row.updated_at)
        return Agent(automation, config, archived=row.archived)


def _switch(config: Mapping[str, Any], trigger: str, otherwise: bool) -> bool:
    """Return whether a configuration has a trigger on; whatever else it holds there leaves it as it is."""
    triggers = config.get("triggers")
    setting = triggers.get(trigger) if is_object(triggers) else None
    enabled = setting.get("enabled") if is_object(setting) else None
    return enabled if isinstance(enabled, bool) else otherwise


def with_switch(config: Mapping[str, Any], trigger: str, *, enabled: bool) -> dict[str, Any]:
    """Return a configuration with one of its triggers switched, the rest of it as it was."""
    triggers = config.get("triggers")
    triggers = triggers if is_object(triggers) else {}
    setting = triggers.get(trigger)
    setting = setting if is_object(setting) else {}
    return {**config, "triggers": {**triggers, trigger: {**setting, "enabled": enabled}}}


def _release(slug: str, model: Release, commit: Commit) -> Release:
    """Return a commit as a version: source of its own, run by a function of that number or else the latest one."""
    return replace(
        model,
        id=release_id_of("agent", slug, commit.sha),
        version=commit.version or MAIN,
        created_at=commit.created_at,
        commit=commit.sha,
        commit_number=commit.number,
        notes=commit.notes,
        author=commit.author,
    )


def _without_function(slug: str) -> Release:
    def missing(_: RunContext) -> None:
        raise RunFailed(f'No function is registered for the agent {slug!r}: add one with @sandbox.agent("{slug}").')

    return release_from(Definition(kind="agent", slug=slug, function=missing, version="0.0.0"), lambda _: 0)


def _created(slug: str) -> Automation:
    """Return an agent that has no function, before what its row and its commits say of it."""
    return Automation(
        kind="agent",
        id=automation_id_of("agent", slug),
        slug=slug,
        name=slug,
        description=None,
        model=None,
        block=False,
        folder_id=None,
        api_enabled=True,
        created_at=0,
        updated_at=0,
        releases={},
    )
