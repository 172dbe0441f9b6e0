"""The `agents` namespace: list, read, create and change agents, their source files and releases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from eigenpal.engine.paging import PageIterator
from eigenpal.engine.resource import Resource
from eigenpal.models.agents import Agent, AgentEnvelope, AgentFiles, AgentsPage, AgentVersions, CreatedAgent
from eigenpal.resources.deprecation import deprecated
from eigenpal.resources.email_triggers import AsyncEmailTriggers
from eigenpal.resources.operations import (
    CREATE_AGENT,
    GET_AGENT,
    LIST_AGENT_FILES,
    LIST_AGENT_VERSIONS,
    LIST_AGENTS,
    PUT_AGENT_FILE,
    UPDATE_AGENT,
    UPLOAD_AGENT_FILES,
)


class AsyncAgents(Resource):
    """Agents, their source files and releases."""

    @cached_property
    def email_triggers(self) -> AsyncEmailTriggers:
        """Email triggers of agents."""
        return AsyncEmailTriggers(self._session)

    async def list(
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
        return await self._call(
            LIST_AGENTS,
            query={
                "search": search,
                "slug": slug,
                "limit": limit,
                "offset": offset,
                "include_archived": include_archived,
            },
        )

    def iterate(
        self,
        *,
        search: str | None = None,
        slug: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        include_archived: bool | None = None,
    ) -> AsyncIterator[Agent]:
        """Iterate over the agents of all pages; a page is fetched when its first row is asked for.

        Args:
            search: Part of slug, name or description.
            slug: The whole slug; gives one agent at most.
            limit: Page size, not the number of rows in all; 50 unless given.
            offset: Rows to skip at the start.
            include_archived: Also return archived agents.
        """
        return PageIterator(
            lambda query: self._call(LIST_AGENTS, query=query),
            {
                "search": search,
                "slug": slug,
                "limit": limit,
                "offset": offset,
                "include_archived": include_archived,
            },
        )

    async def get(self, agent_id: str, *, include: str | Sequence[str] | None = None) -> AgentEnvelope:
        """Return one agent, as `.agent`.

        Args:
            agent_id: Id or slug.
            include: Sections to add, such as `"files"` or `"dataset"`; they are members of the agent.

        Raises:
            EigenpalNotFoundError: No such agent, or this key can't see it.
        """
        return await self._call(GET_AGENT, agent_id, query={"include": include})

    async def create(
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
        return await self._call(
            CREATE_AGENT, body={"name": name, "slug": slug, "description": description, "config": config}
        )

    async def update(
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
        return await self._call(
            UPDATE_AGENT, agent_id, body={"name": name, "description": description, "config": config}
        )

    async def list_files(
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
        return await self._call(LIST_AGENT_FILES, agent_id, query={"path": path, "prefix": prefix, "ref": ref})

    @deprecated(
        "agents.put_file writes no more where sources live in Git: push to the repository of source.repository()"
    )
    async def put_file(
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
        return await self._call(
            PUT_AGENT_FILE,
            agent_id,
            query={"path": path, "prefix": prefix, "ref": ref},
            body={"content_base64": content_base64, "content": content, "content_type": content_type},
        )

    @deprecated(
        "agents.upload_files writes no more where sources live in Git: push to the repository of source.repository()"
    )
    async def upload_files(self, agent_id: str, files: Sequence[Mapping[str, Any]]) -> Any:
        """Write several source files of an agent. Deprecated: sources live in Git, and the service refuses it.

        Args:
            agent_id: Id or slug.
            files: One mapping each, with `path`, and `content` or `contentBase64`.

        Raises:
            EigenpalConflictError: The source is in Git; push there.
        """
        return await self._call(UPLOAD_AGENT_FILES, agent_id, body={"files": files})

    async def versions(self, agent_id: str) -> AgentVersions:
        """Return the releases of an agent, the newest first.

        Args:
            agent_id: Id or slug.

        Raises:
            EigenpalNotFoundError: No such agent, or this key can't see it.
        """
        return await self._call(LIST_AGENT_VERSIONS, agent_id)
