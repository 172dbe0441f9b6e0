# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `agents` namespace: list, read, create and change agents, their source files and releases."""

from __future__ import annotations

# pyright: reportDeprecated=false
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from eigenpal.models.agents import Agent, AgentEnvelope, AgentFiles, AgentsPage, AgentVersions, CreatedAgent
from eigenpal.resources.agents import AsyncAgents
from eigenpal.resources.deprecation import deprecated
from eigenpal_sync._portal import BlockingIterator
from eigenpal_sync._twin import Twin, twin_of, undecorated
from eigenpal_sync.resources.email_triggers import EmailTriggers


class Agents(Twin[AsyncAgents]):
    """Agents, their source files and releases."""

    @cached_property
    def email_triggers(self) -> EmailTriggers:
        """Email triggers of agents."""
        return twin_of(EmailTriggers, self._async.email_triggers, self._portal)

    def list(
        self,
        *,
        search: str | None = None,
        slug: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        include_archived: bool | None = None,
    ) -> AgentsPage:
        """Return one page of the agents that this key can see.

        Args:
            search: Part of slug, name or description.
            slug: The whole slug; gives one agent at most.
            limit: Page size; 50 unless given.
            offset: Rows to skip.
            include_archived: Also return archived agents.
        """
        return self._portal.wait(
            self._async.list, search=search, slug=slug, limit=limit, offset=offset, include_archived=include_archived
        ).result()

    def iterate(
        self,
        *,
        search: str | None = None,
        slug: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        include_archived: bool | None = None,
    ) -> BlockingIterator[Agent]:
        """Iterate over the agents of all pages; a page is fetched when its first row is asked for.

        Args:
            search: Part of slug, name or description.
            slug: The whole slug; gives one agent at most.
            limit: Page size, not the number of rows in all; 50 unless given.
            offset: Rows to skip at the start.
            include_archived: Also return archived agents.
        """
        return self._portal.iterate(
            self._async.iterate, search=search, slug=slug, limit=limit, offset=offset, include_archived=include_archived
        )

    def get(self, agent_id: str, *, include: str | Sequence[str] | None = None) -> AgentEnvelope:
        """Return one agent, as `.agent`.

        Args:
            agent_id: Id or slug.
            include: Sections to add, such as `"files"` or `"dataset"`; they are members of the agent.

        Raises:
            EigenpalNotFoundError: No such agent, or this key can't see it.
        """
        return self._portal.wait(self._async.get, agent_id, include=include).result()

    def create(
        self, *, name: str, slug: str, description: str | None = None, config: Mapping[str, Any] | None = None
    ) -> CreatedAgent:
        """Create an agent with a source package of its own.

        Args:
            name: Name for people.
            slug: Name in targets and paths, unique in the organisation.
            description: What it does.
            config: Settings, such as `{"triggers": {"api": {"enabled": True}}}`.

        Raises:
            EigenpalValidationError: The slug is taken or not one.
        """
        return self._portal.wait(
            self._async.create, name=name, slug=slug, description=description, config=config
        ).result()

    def update(
        self,
        agent_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> AgentEnvelope:
        """Change an agent; what is not given stays as it is.

        Args:
            agent_id: Id or slug.
            name: Name for people.
            description: What it does.
            config: Settings.

        Raises:
            EigenpalNotFoundError: No such agent, or this key can't see it.
        """
        return self._portal.wait(
            self._async.update, agent_id, name=name, description=description, config=config
        ).result()

    def list_files(
        self, agent_id: str, *, path: str | None = None, prefix: str | None = None, ref: str | None = None
    ) -> AgentFiles:
        """List the source files of an agent, or read one of them.

        Args:
            agent_id: Id or slug.
            path: Read this file.
            prefix: List only files under this prefix.
            ref: Branch, tag or commit; main unless given.

        Raises:
            EigenpalNotFoundError: No such agent, file or ref.
        """
        return self._portal.wait(self._async.list_files, agent_id, path=path, prefix=prefix, ref=ref).result()

    @deprecated(
        "agents.put_file writes no more where sources live in Git: push to the repository of source.repository()"
    )
    def put_file(
        self,
        agent_id: str,
        path: str,
        *,
        content_base64: str | None = None,
        content: str | None = None,
        content_type: str | None = None,
        prefix: str | None = None,
        ref: str | None = None,
    ) -> Any:
        """Write one source file of an agent. Deprecated: sources live in Git, and the service refuses it.

        Args:
            agent_id: Id or slug.
            path: Path inside the package.
            content_base64: The bytes in base64.
            content: The text, instead of `content_base64`.
            content_type: Media type.
            prefix: As in `list_files`.
            ref: Branch to write to.

        Raises:
            EigenpalConflictError: The source is in Git; push there.
        """
        return self._portal.wait(
            undecorated(self._async.put_file),
            agent_id,
            path,
            content_base64=content_base64,
            content=content,
            content_type=content_type,
            prefix=prefix,
            ref=ref,
        ).result()

    @deprecated(
        "agents.upload_files writes no more where sources live in Git: push to the repository of source.repository()"
    )
    def upload_files(self, agent_id: str, files: Sequence[Mapping[str, Any]]) -> Any:
        """Write several source files of an agent. Deprecated: sources live in Git, and the service refuses it.

        Args:
            agent_id: Id or slug.
            files: One mapping each, with `path`, and `content` or `contentBase64`.

        Raises:
            EigenpalConflictError: The source is in Git; push there.
        """
        return self._portal.wait(undecorated(self._async.upload_files), agent_id, files).result()

    def versions(self, agent_id: str) -> AgentVersions:
        """Return the releases of an agent, the newest first.

        Args:
            agent_id: Id or slug.

        Raises:
            EigenpalNotFoundError: No such agent, or this key can't see it.
        """
        return self._portal.wait(self._async.versions, agent_id).result()
