"""What to run: from what users write to the target and the version on the wire. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from eigenpal.errors import EigenpalInputError

Target = str | Mapping[str, str]
"""`workflows.<slug or id>` or `agents.<slug>`, `@version` if need be; or a mapping with type, slug or id, version."""

ROOTS: Final = {"workflow": "workflows", "agent": "agents"}
# Slugs are lower case; ids also have upper case and underscores. Anything else can't name an automation.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_ADVICE: Final = "write 'workflows.<slug or id>' or 'agents.<slug>', with '@<version>' if need be"


def wire_target(target: Target, version: str | None = None) -> tuple[str, str | None]:
    """Return the target without its version, and the version to run (None for the latest).

    Raises:
        EigenpalInputError: A target that names nothing, or two different versions.
    """
    name, own_version = _from_mapping(target) if isinstance(target, Mapping) else _from_text(target)
    wanted = _version(version, own_version)
    return _checked(name), None if wanted == "latest" else wanted


def workflow_target(workflow_id: str, version: str | None = None) -> tuple[str, str | None]:
    """Return target and version for the bare name or id of a workflow; one that has its root already keeps it."""
    name, own_version = _from_text(workflow_id)
    if name.startswith("agents."):
        raise EigenpalInputError(f"{workflow_id!r} is an agent; start agents with client.run_and_wait")
    rooted = name if name.startswith("workflows.") else f"workflows.{name}"
    wanted = _version(version, own_version)
    return _checked(rooted), None if wanted == "latest" else wanted


def _from_text(target: object) -> tuple[str, str | None]:
    if not isinstance(target, str):
        raise EigenpalInputError(f"a target must be a string or a mapping, not {type(target).__name__}; {_ADVICE}")
    name, *versions = target.split("@")
    if len(versions) > 1:
        raise EigenpalInputError(f"target {target!r} has more than one '@'; {_ADVICE}")
    if versions and not versions[0]:
        raise EigenpalInputError(f"target {target!r} ends with '@' but names no version; {_ADVICE}")
    return name.replace("/", "."), versions[0] if versions else None


def _from_mapping(target: Mapping[str, str]) -> tuple[str, str | None]:
    kind = target.get("type")
    root = ROOTS.get(kind) if isinstance(kind, str) else None
    if root is None:
        raise EigenpalInputError(f"target type must be 'workflow' or 'agent', not {kind!r}")
    if unknown := target.keys() - {"type", "slug", "id", "version"}:
        raise EigenpalInputError(f"a target mapping has type, slug or id, and version, but no {min(unknown)!r}")
    name = target.get("slug") or target.get("id")
    if not name or not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - mappings come from anywhere
        raise EigenpalInputError("a target mapping needs 'slug' or 'id'")
    name = name.replace("/", ".")
    if name.startswith(f"{root}."):
        return name, target.get("version")
    if root == "agents" and "." in name:
        raise EigenpalInputError(f"the agent name {name!r} has a dot, so it must begin with 'agents.'")
    return f"{root}.{name}", target.get("version")


def _version(given: str | None, own: str | None) -> str | None:
    if given is not None and own is not None and given != own:
        raise EigenpalInputError(f"the target names version {own!r} and version={given!r} another; give one of them")
    version = given if given is not None else own
    if version is None:
        return None
    if not isinstance(version, str) or not version.isprintable() or version != version.strip() or not version:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise EigenpalInputError(f"{version!r} is not a version; give a string such as '1.2.3'")
    return version


def _checked(name: str) -> str:
    root, _, rest = name.partition(".")
    if root not in ROOTS.values() or not _NAME.fullmatch(rest):
        raise EigenpalInputError(f"{name!r} is not a target; {_ADVICE}")
    return name
