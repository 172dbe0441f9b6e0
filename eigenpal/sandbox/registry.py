"""The workflows and agents of a sandbox: Python functions under a slug and a version, and how a request finds one.

Only what was registered can run: there is no way to send code to the server.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from eigenpal.sandbox.calling import is_async
from eigenpal.sandbox.context import RunContext
from eigenpal.sandbox.grammar import in_range, is_slug, release_of, slug_key
from eigenpal.sandbox.ids import derived_id
from eigenpal.sandbox.problems import Problem, not_found
from eigenpal.sandbox.rows import Kind
from eigenpal.sandbox.yaml_text import to_yaml

RunFunction: TypeAlias = Callable[[RunContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]
Admission: TypeAlias = Callable[[Mapping[str, Any]], str | None]

_ID_PREFIXES: Mapping[Kind, tuple[str, str]] = {"workflow": ("wf", "wfh"), "agent": ("awf", "awfv")}


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a workflow or agent."""

    id: str
    version: str
    function: RunFunction
    definition: str
    yaml: str
    steps: Sequence[str]
    admit: Admission | None
    created_at: int
    commit: str

    @property
    def is_async(self) -> bool:
        """True when the function runs in the event loop of the server."""
        return is_async(self.function)


@dataclass(slots=True)
class Automation:
    """A workflow or an agent with all its versions."""

    kind: Kind
    id: str
    slug: str
    name: str
    description: str | None
    model: str | None
    block: bool
    folder_id: str | None
    api_enabled: bool
    created_at: int
    updated_at: int
    releases: dict[str, Release]

    def newest_first(self) -> list[Release]:
        """Return the versions, highest number first."""
        return sorted(self.releases.values(), key=lambda release: release_of(release.version) or (), reverse=True)

    @property
    def latest(self) -> Release:
        """The version with the highest number."""
        return self.newest_first()[0]

    def resolve(self, version: str | None) -> Release:
        """Return the version that a request asks for.

        Args:
            version: X.Y.Z, `latest` or the id of a version; for agents also `main`, X.Y.x, X.x or a commit.
                None means latest.

        Raises:
            Problem: 404, there is no such version.
        """
        if version is None or version == "latest":
            return self.latest
        for release in self.newest_first():
            if version in (release.version, release.id):
                return release
            if self.kind == "agent" and (version in ("main", release.commit) or in_range(release.version, version)):
                return release
        known = ", ".join(release.version for release in self.newest_first())
        message = f"The {self.kind} {self.slug!r} has no version {version!r}."
        raise not_found(message, field="query.version", hint=f"It has: {known}.")


class Registry:
    """All workflows and agents of one sandbox.

    Args:
        first_seen: Tells, for the id of an automation or version, when it was first registered.
    """

    def __init__(self, first_seen: Callable[[str], int]) -> None:
        self._first_seen = first_seen
        self._lock = threading.Lock()
        self._automations: dict[tuple[Kind, str], Automation] = {}

    def register(
        self,
        kind: Kind,
        slug: str,
        function: RunFunction,
        *,
        version: str,
        name: str | None = None,
        description: str | None = None,
        model: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        steps: Sequence[str] = (),
        block: bool = False,
        folder_id: str | None = None,
        api_enabled: bool = True,
        admit: Admission | None = None,
    ) -> None:
        """Add a workflow or agent, or a version of one; the same slug and version again replaces it.

        Raises:
            ValueError: Slug or version can't be used.
        """
        if not is_slug(slug):
            raise ValueError(
                f"{slug!r} can't be a slug: use lower-case letters, digits and dashes, as in invoice-intake."
            )
        if release_of(version) is None:
            raise ValueError(f"{version!r} can't be a version: use three numbers, as in 1.0.0.")
        text = description or inspect.getdoc(function)
        definition: dict[str, Any] = {"name": slug, "version": version}
        if text:
            definition["description"] = text
        if inputs:
            definition["inputs"] = dict(inputs)
        if steps:
            definition["steps"] = [{"name": step} for step in steps]
        automation_prefix, release_prefix = _ID_PREFIXES[kind]
        automation_id = derived_id(automation_prefix, slug_key(slug))
        release_id = derived_id(release_prefix, slug_key(slug), version)
        release = Release(
            id=release_id,
            version=version,
            function=function,
            definition=json.dumps(definition),
            yaml=to_yaml(definition),
            steps=tuple(steps),
            admit=admit,
            created_at=self._first_seen(release_id),
            commit=hashlib.sha1(f"{kind}s/{slug}@{version}".encode(), usedforsecurity=False).hexdigest(),
        )
        with self._lock:
            known = self._automations.get((kind, slug_key(slug)))
            releases = {**known.releases, version: release} if known else {version: release}
            self._automations[kind, slug_key(slug)] = Automation(
                kind=kind,
                id=automation_id,
                slug=slug,
                name=name or slug,
                description=text,
                model=model,
                block=block,
                folder_id=folder_id,
                api_enabled=api_enabled,
                created_at=self._first_seen(automation_id),
                updated_at=max(release.created_at for release in releases.values()),
                releases=releases,
            )

    def date(self, first_seen: Callable[[str], int]) -> None:
        """Date everything anew, as a data folder remembers it.

        Args:
            first_seen: Tells, for the id of an automation or version, when it was first registered.
        """
        with self._lock:
            self._first_seen = first_seen
            for automation in self._automations.values():
                automation.created_at = first_seen(automation.id)
                automation.releases = {
                    version: replace(release, created_at=first_seen(release.id))
                    for version, release in automation.releases.items()
                }
                automation.updated_at = max(release.created_at for release in automation.releases.values())

    def all(self, kind: Kind) -> list[Automation]:
        """Return the automations of a kind, by slug."""
        with self._lock:
            found = [automation for (its_kind, _), automation in self._automations.items() if its_kind == kind]
        return sorted(found, key=lambda automation: automation.slug)

    def find(self, kind: Kind, name: str) -> Automation | None:
        """Return an automation by id or slug, nested slugs with dots or slashes; None when there is none."""
        with self._lock:
            found = self._automations.get((kind, slug_key(name)))
            if found is None:
                found = next((one for one in self._automations.values() if one.id == name and one.kind == kind), None)
            return found

    def get(self, kind: Kind, name: str, *, field: str = "<root>") -> Automation:
        """Return an automation by id or slug.

        Raises:
            Problem: 404, there is none.
        """
        found = self.find(kind, name)
        if found is None:
            raise not_found(f"No such {kind}: {name!r}.", field=field)
        return found


def require_api_trigger(automation: Automation) -> None:
    """Refuse to start what has its API trigger switched off.

    Raises:
        Problem: 403.
    """
    if not automation.api_enabled:
        message = f"The API trigger of the {automation.kind} {automation.slug!r} is off."
        raise Problem(403, message, code="api_trigger_disabled")
