"""`sandbox.source`: what a push to the repository does at the hosted service, and what no operation of the API does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from eigenpal.sandbox.catalogue import Agent
from eigenpal.sandbox.grammar import slug_key
from eigenpal.sandbox.organisation import Organisation
from eigenpal.sandbox.problems import Problem
from eigenpal.sandbox.repository import Content, Refused

NewFile: TypeAlias = str | bytes | Path | None
"""New content of a file: text, bytes, or the path of a file on disk; None deletes it."""


class Source:
    """The source of agents, from outside of the API. Every call needs a running sandbox.

    Args:
        organisation: Returns what the running server has, or raises RuntimeError.
        now: Returns the present moment in milliseconds since 1970.
    """

    def __init__(self, organisation: Callable[[], Organisation], now: Callable[[], int]) -> None:
        self._organisation = organisation
        self._now = now

    def push(
        self,
        agent: str,
        files: Mapping[str, NewFile],
        *,
        version: str | None = None,
        notes: str | None = None,
        tenant: str = "default",
    ) -> str:
        """Commit changes to the source files of an agent, as a push to its Git repository would.

        Args:
            agent: Slug or id.
            files: New content by path inside of the package; files that are not named stay.
            version: Three numbers make the commit a release; without it, only `main` moves on.
            notes: Release notes.
            tenant: Whose agent.

        Returns:
            The commit, 40 hex digits.

        Raises:
            KeyError: There is no such agent.
            ValueError: A path or the version can't be used, or a file is too large.
            RuntimeError: The sandbox is not running.
        """
        organisation = self._organisation()
        automation = self._agent(organisation, agent, tenant).automation
        if version is not None and version in automation.releases:
            raise Refused(f"The package {automation.package} has a release {version} already.")
        changes = {path: None if new is None else Content(_data(new)) for path, new in files.items()}
        commit = organisation.repository.commit(tenant, automation.package, changes, version=version, notes=notes)
        return commit.sha

    def archive(self, agent: str, *, archived: bool = True, tenant: str = "default") -> None:
        """Archive an agent: lists leave it out unless they are asked for archived ones.

        Args:
            agent: Slug or id.
            archived: False brings it back.
            tenant: Whose agent.

        Raises:
            KeyError: There is no such agent.
            RuntimeError: The sandbox is not running.
        """
        organisation = self._organisation()
        row = organisation.catalogue.row(tenant, self._agent(organisation, agent, tenant), self._now())
        organisation.agents.put(replace(row, archived=archived, updated_at=self._now()))

    @staticmethod
    def _agent(organisation: Organisation, agent: str, tenant: str) -> Agent:
        try:
            return organisation.catalogue.agent(tenant, slug_key(agent).removeprefix("agents."))
        except Problem:
            raise KeyError(agent) from None


def _data(new: str | bytes | Path) -> bytes:
    if isinstance(new, Path):
        return new.read_bytes()
    return new.encode() if isinstance(new, str) else new
