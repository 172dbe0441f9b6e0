"""The workflows and agents of a sandbox: Python functions under a slug and a version, and how a request finds one.

Only what was registered can run: there is no way to send code to the server.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eigenpal.sandbox.calling import is_async
from eigenpal.sandbox.defining import Admission, Definition, RunFunction
from eigenpal.sandbox.grammar import in_range, release_of, slug_key
from eigenpal.sandbox.ids import derived_id
from eigenpal.sandbox.problems import Problem, not_found
from eigenpal.sandbox.rows import Kind
from eigenpal.sandbox.yaml_text import to_yaml

_ID_PREFIXES: Mapping[Kind, tuple[str, str]] = {"workflow": ("wf", "wfh"), "agent": ("awf", "awfv")}


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a workflow or agent."""

    kind: Kind
    id: str
    version: str
    function: RunFunction
    definition: str
    yaml: str
    steps: Sequence[str]
    admit: Admission | None
    created_at: int
    commit: str
    dependencies: Sequence[str] = ()  # packages that it uses, each with `@ref` if need be
    commit_number: int = 0  # where its files are in the source store; 0 for a function without any
    notes: str | None = None
    author: str | None = None  # JSON text
    retries: int = 0
    time_limit_seconds: float | None = None

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
    unreleased: Sequence[Release] = ()  # commits of an agent's source without a version, newest first
    head: Release | None = None  # what `main` means for an agent; None for its latest release

    @property
    def package(self) -> str:
        """Path of its source package, such as `agents/mail-sorter`."""
        return package_path(self.kind, self.slug)

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
        if self.kind == "agent" and version == "main":
            return self.head or self.latest
        for release in self.newest_first():
            if version in (release.version, release.id):
                return release
            if self.kind == "agent" and (version == release.commit or in_range(release.version, version)):
                return release
        for release in self.unreleased:
            if version in (release.id, release.commit):
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
        self._definitions: dict[str, dict[tuple[Kind, str, str], Definition]] = {}  # by where they came from

    def define(self, definition: Definition) -> None:
        """Add a workflow or agent, or a version of one; the same slug and version again replaces it."""
        with self._lock:
            own = self._definitions.setdefault("", {})
            own.pop(_key(definition), None)  # the last one given is also the last one applied
            own[_key(definition)] = definition
            self._add(self._automations, definition)

    def replace(self, origin: str, definitions: Iterable[Definition]) -> None:
        """Put definitions in place of all that came from the same place before, at once.

        Args:
            origin: Where they come from, such as the path of a file.
            definitions: What is defined there now; empty when nothing is any more.
        """
        with self._lock:
            groups = {**self._definitions, origin: {_key(definition): definition for definition in definitions}}
            # All of it anew, so that what a definition had covered comes back when that is gone.
            automations: dict[tuple[Kind, str], Automation] = {}
            for group in groups.values():
                for definition in group.values():
                    self._add(automations, definition)
            self._definitions, self._automations = groups, automations

    def _add(self, automations: dict[tuple[Kind, str], Automation], definition: Definition) -> None:
        kind, slug, version = definition.kind, definition.slug, definition.version
        release = release_from(definition, self._first_seen)
        automation_id = automation_id_of(kind, slug)
        known = automations.get((kind, slug_key(slug)))
        releases = {**known.releases, version: release} if known else {version: release}
        automations[kind, slug_key(slug)] = Automation(
            kind=kind,
            id=automation_id,
            slug=slug,
            name=definition.name or slug,
            description=_text(definition),
            model=definition.model,
            block=definition.block,
            folder_id=definition.folder_id,
            api_enabled=definition.api_enabled,
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


def package_path(kind: Kind, slug: str) -> str:
    """Return the path of a source package, such as `agents/mail-sorter`."""
    return f"{kind}s/{slug_key(slug).replace('.', '/')}"


def automation_id_of(kind: Kind, slug: str) -> str:
    """Return the id of the workflow or agent with a slug; it is the same wherever and whenever that exists."""
    return derived_id(_ID_PREFIXES[kind][0], slug_key(slug))


def release_id_of(kind: Kind, slug: str, version: str) -> str:
    """Return the id of a version, given as its number or as a commit."""
    return derived_id(_ID_PREFIXES[kind][1], slug_key(slug), version)


def release_from(definition: Definition, first_seen: Callable[[str], int]) -> Release:
    """Return a definition as a version.

    Args:
        definition: What was defined.
        first_seen: Tells, for the id of a version, when it was first registered.
    """
    kind, slug, version = definition.kind, definition.slug, definition.version
    document: dict[str, Any] = {"name": slug, "version": version}
    text = _text(definition)
    if text:
        document["description"] = text
    if definition.inputs:
        document["inputs"] = dict(definition.inputs)
    if definition.steps:
        document["steps"] = [{"name": step} for step in definition.steps]
    if definition.dependencies:
        document["dependencies"] = list(definition.dependencies)
    if definition.retries:
        document["retries"] = definition.retries
    if definition.time_limit_seconds is not None:
        document["timeLimitSeconds"] = definition.time_limit_seconds
    release_id = release_id_of(kind, slug, version)
    return Release(
        kind=kind,
        id=release_id,
        version=version,
        function=definition.function,
        definition=json.dumps(document),
        yaml=to_yaml(document),
        steps=tuple(definition.steps),
        admit=definition.admit,
        created_at=first_seen(release_id),
        commit=hashlib.sha1(f"{kind}s/{slug}@{version}".encode(), usedforsecurity=False).hexdigest(),
        dependencies=tuple(definition.dependencies),
        retries=definition.retries,
        time_limit_seconds=definition.time_limit_seconds,
    )


def _text(definition: Definition) -> str | None:
    return definition.description or inspect.getdoc(definition.function)


def _key(definition: Definition) -> tuple[Kind, str, str]:
    return definition.kind, slug_key(definition.slug), definition.version


def require_api_trigger(automation: Automation) -> None:
    """Refuse to start what has its API trigger switched off.

    Raises:
        Problem: 403.
    """
    if not automation.api_enabled:
        message = f"The API trigger of the {automation.kind} {automation.slug!r} is off."
        raise Problem(403, message, code="api_trigger_disabled")
