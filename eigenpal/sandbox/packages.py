"""Source packages as readers see them: names and refs, files at a ref, lockfiles. Writes nothing.

A package is that of a workflow or an agent: what the sandbox derives from its registration, and what was committed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from eigenpal._version import __version__
from eigenpal.sandbox.blobs import BlobFolder
from eigenpal.sandbox.catalogue import Catalogue
from eigenpal.sandbox.documents import Document
from eigenpal.sandbox.grammar import slug_key
from eigenpal.sandbox.problems import Problem, invalid, not_found
from eigenpal.sandbox.registry import Automation, Release, package_path
from eigenpal.sandbox.repository import MAIN
from eigenpal.sandbox.rows import Kind, RunRow
from eigenpal.sandbox.source_files import SourceFile
from eigenpal.sandbox.source_store import SourceStore

MANIFEST_TYPE = "application/yaml"
MAX_LOCKED = 1000  # packages of one lockfile, each place where one is used counted

_ROOTS: Mapping[str, Kind] = {"agents": "agent", "workflows": "workflow"}


class Packages:
    """The source packages of every tenant.

    Args:
        catalogue: Which packages there are.
        source: What was committed to them.
        blobs: Where the bytes of files are.
    """

    def __init__(self, catalogue: Catalogue, source: SourceStore, blobs: BlobFolder) -> None:
        self._catalogue = catalogue
        self._source = source
        self._blobs = blobs

    def find(self, tenant: str, package: str, *, field: str) -> Automation:
        """Return what a package belongs to.

        Args:
            tenant: Who asks.
            package: Its path or dotted name.
            field: Where the name came from, for errors.

        Raises:
            Problem: 400, it can't be the name of a package; 404, there is none.
        """
        root, _, name = slug_key(package).partition(".")
        if root not in _ROOTS or not name:
            hint = "A package is agents/<slug> or workflows/<slug>."
            raise invalid(field, f"{package!r} is not the name of a package.", hint=hint)
        found = self._catalogue.get(tenant, _ROOTS[root], name, field=field)
        if slug_key(found.slug) != name:  # the catalogue finds ids too; a package has none
            raise not_found(f"No such package: {package!r}.", field=field)
        return found

    def resolve(self, automation: Automation, ref: str, *, field: str) -> Release:
        """Return a version by branch, tag, commit, number or range.

        Raises:
            Problem: 404, there is no such ref.
        """
        dotted = slug_key(automation.package)
        version = ref.removeprefix(f"{dotted}@") if ref.startswith(f"{dotted}@") else ref
        if version == MAIN:
            return automation.head or automation.latest
        for release in [*automation.newest_first(), *automation.unreleased]:
            if release.commit == version:
                return release
        try:
            return automation.resolve(version)
        except Problem as problem:
            raise not_found(f"{automation.package} has no ref {ref!r}.", field=field, hint=problem.hint) from None

    def files(self, release: Release) -> dict[str, SourceFile]:
        """Return the files of a package at a version, by path."""
        files = {f"{release.kind}.yaml": SourceFile(MANIFEST_TYPE, text=release.yaml)}
        for file in self._source.files(release.commit_number) if release.commit_number else ():
            files[file.path] = SourceFile(file.content_type, self._blobs.path(file.blob))
        return dict(sorted(files.items()))

    # Lockfiles

    def lockfile(self, tenant: str, package: str, ref: str | None, *, field: str) -> Document:
        """Return the lockfile that a start would write now.

        Args:
            tenant: Who asks.
            package: Path or dotted name.
            ref: Branch, tag, commit, number or range; None for the latest release.
            field: Where the package came from, for errors.

        Raises:
            Problem: 404, a package or ref does not exist; 400, packages depend on each other in a circle.
        """
        return _lockfile(self._lock(tenant, package, ref, field, (), [0]))

    def lockfile_of(self, run: RunRow) -> Document:
        """Return the lockfile of a run; its own package alone when that can't be resolved any more."""
        package, ref = package_path(run.kind, run.source_name), run.commit_sha or run.version
        try:
            node = self._lock(run.tenant, package, ref, "<root>", (), [0])
        except Problem:
            node = Document(packagePath=package, resolvedRef=run.version, commit=run.commit_sha or "", dependencies=[])
        return _lockfile({**node, "requestedRef": run.requested_ref or run.version})

    def _lock(
        self, tenant: str, package: str, ref: str | None, field: str, above: tuple[str, ...], count: list[int]
    ) -> Document:
        automation = self.find(tenant, package, field=field)
        release = self.resolve(automation, ref or "latest", field=field)
        path = automation.package
        if path in above:
            raise invalid(field, f"Packages depend on each other in a circle: {' -> '.join((*above, path))}.")
        count[0] += 1
        if count[0] > MAX_LOCKED:
            raise invalid(field, f"This lockfile would have more than {MAX_LOCKED} packages.")
        node: Document = {"packagePath": path, "requestedRef": ref or "latest", "resolvedRef": release.version}
        if release.version != MAIN:
            node["resolvedTag"] = tag(automation, release)
        node["commit"] = release.commit
        node["dependencies"] = [
            self._lock(tenant, *split_ref(dependency), field, (*above, path), count)
            for dependency in release.dependencies
        ]
        return node


def split_ref(package_ref: str) -> tuple[str, str | None]:
    """Return package and ref of `<package>[@ref]`."""
    package, _, ref = package_ref.partition("@")
    return package, ref or None


def tag(automation: Automation, release: Release) -> str:
    """Return the tag of a release, such as `agents.mail-sorter@1.0.0`."""
    return f"{slug_key(automation.package)}@{release.version}"


def release_ref(automation: Automation, release: Release) -> Document:
    """Return a release as lists of them show it."""
    return {"version": release.version, "tag": tag(automation, release), "commit": release.commit}


def locked_packages(lockfile: Document) -> list[tuple[str, str]]:
    """Return path and commit of every package of a lockfile."""
    found: list[tuple[str, str]] = []
    nodes: list[Any] = [lockfile["root"]]
    while nodes:
        node = nodes.pop()
        found.append((node["packagePath"], node["commit"]))
        nodes += node["dependencies"]
    return found


def _lockfile(root: Document) -> Document:
    resolved = json.dumps(root, sort_keys=True)
    return {
        "lockfileVersion": 1,
        "eigenpalVersion": __version__,
        "inputHash": hashlib.sha256(resolved.encode()).hexdigest(),
        "root": root,
    }
