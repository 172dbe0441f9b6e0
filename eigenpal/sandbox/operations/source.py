"""Reading the organisation's repository: where it is, files, releases, lockfiles; keeping the registry in step."""

from __future__ import annotations

import asyncio
import re

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.catalogue import Agent
from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.grammar import safe_path, slug_key
from eigenpal.sandbox.packages import release_ref, split_ref
from eigenpal.sandbox.problems import Problem, invalid, not_found
from eigenpal.sandbox.registry import Automation
from eigenpal.sandbox.repository import MAIN
from eigenpal.sandbox.rows import Kind

_KINDS: tuple[Kind, ...] = ("agent", "workflow")


async def repository(call: Call) -> Response:
    """GET /source/repository"""
    path = re.sub(r"[^A-Za-z0-9._-]+", "-", call.tenant.name).strip("-.") or "organisation"
    base = str(call.request.base_url).rstrip("/")
    return json_answer({"gitRepositoryPath": path, "remoteUrl": f"{base}/orgs/{path}.git"})


async def raw(call: Call) -> Response:
    """GET /source/raw"""
    path, ref = _required(call, "path"), call.query("ref") or MAIN
    if not safe_path(path):
        raise invalid("query.path", f"{path!r} can't be the path of a file: no empty, '.' or '..' segment.")
    packages = call.services.organisation.packages
    automation, inner = _split(call, path)
    file = packages.files(packages.resolve(automation, ref, field="query.ref")).get(inner)
    if file is None:
        raise not_found(f"The repository has no file {path!r} at {ref}.", field="query.path")
    data = await asyncio.to_thread(file.read_bytes)
    try:
        content = data.decode()
    except UnicodeDecodeError:
        hint = "GET /agents/{agentId}/files gives such a file in base64."
        raise invalid("query.path", f"{path!r} is no text.", hint=hint) from None
    return json_answer({"ref": ref, "path": path, "contentType": file.content_type, "content": content})


async def releases(call: Call) -> Response:
    """GET /source/releases"""
    packages, version = call.services.organisation.packages, call.query("version")
    automation = packages.find(call.tenant.name, _required(call, "packagePath"), field="query.packagePath")
    found = [
        release_ref(automation, release)
        for release in automation.newest_first()
        if version is None or release.version == version
    ]
    return json_answer({"packagePath": automation.package, "releases": found})


async def lockfile(call: Call) -> Response:
    """GET /source/lockfile"""
    package, ref = split_ref(_required(call, "packageRef"))
    packages = call.services.organisation.packages
    return json_answer(packages.lockfile(call.tenant.name, package, ref, field="query.packageRef"))


async def sync(call: Call) -> Response:
    """POST /automations/{automation}/sync"""
    automation, agent = _automation(call)
    release = automation.latest
    warnings: list[str] = []
    if automation.head is not None and automation.head.version == MAIN:
        warnings.append(f"{MAIN} has commits that are in no release; the registry keeps to {release.version}.")
    if release.commit_number and call.services.registry.find(automation.kind, automation.slug) is None:
        warnings.append("No function is registered for this agent, so its runs fail.")
    return json_answer(
        {
            "automation": {
                "id": automation.id,
                "type": automation.kind,
                "slug": automation.slug,
                "status": "archived" if agent is not None and agent.archived else "active",
                "updatedAt": timestamp(automation.updated_at),
            },
            "release": release_ref(automation, release),
            "warnings": warnings,
        }
    )


def _required(call: Call, name: str) -> str:
    value = call.query(name)
    if value is None:
        raise invalid(f"query.{name}", "A value is required here.", code="required")
    return value


def _split(call: Call, path: str) -> tuple[Automation, str]:
    """Return the package that a file of the repository lies in, and its path there; slugs may have slashes."""
    segments = path.split("/")
    for length in range(len(segments) - 1, 1, -1):
        try:
            package = "/".join(segments[:length])
            found = call.services.organisation.packages.find(call.tenant.name, package, field="query.path")
        except Problem:
            continue
        return found, "/".join(segments[length:])
    raise not_found(
        f"The repository has no file {path!r}.", field="query.path", hint="Files lie in agents/ or workflows/."
    )


def _automation(call: Call) -> tuple[Automation, Agent | None]:
    """Return what a dotted name, a package path, an id or a bare slug names; agents before workflows."""
    name, catalogue = call.path["automation"], call.services.organisation.catalogue
    root, _, rest = slug_key(name).partition(".")
    rooted: list[tuple[Kind, str]] = [(kind, rest) for kind in _KINDS if root == f"{kind}s" and rest]
    anything: list[tuple[Kind, str]] = [(kind, name) for kind in _KINDS]
    for kind, one in rooted or anything:
        try:
            if kind == "agent":
                agent = catalogue.agent(call.tenant.name, one)
                return agent.automation, agent
            return catalogue.get(call.tenant.name, kind, one), None
        except Problem:
            continue
    raise not_found(f"No such automation: {name!r}.", hint="Use a dotted name such as agents.mail-sorter, or an id.")
