"""Listing, reading, creating and changing agents."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from eigenpal.sandbox.agent_documents import agent_document, version_document
from eigenpal.sandbox.agent_store import AgentRow
from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.catalogue import Agent
from eigenpal.sandbox.documents import Document
from eigenpal.sandbox.grammar import is_slug, parse_flag, slug_key, split_list
from eigenpal.sandbox.members import Members, read_members
from eigenpal.sandbox.packages import MANIFEST_TYPE
from eigenpal.sandbox.problems import Problem, invalid
from eigenpal.sandbox.registry import package_path
from eigenpal.sandbox.repository import Changes, Content, Refused
from eigenpal.sandbox.yaml_text import to_yaml

SCAFFOLD_VERSION = "0.1.0"
MAX_NAME = 200  # characters of a name
MAX_SLUG = 100  # characters of a slug
RESERVED = ("triggers",)  # /agents/triggers/email belongs to the whole organisation
_SECTIONS = ("files", "dataset")


async def list_agents(call: Call) -> Response:
    """GET /agents"""
    limit, offset = call.page()
    search, slug, archived = call.query("search"), call.query("slug"), call.query("includeArchived")
    with_archived = archived is not None and parse_flag(archived, "query.includeArchived")
    found = [
        agent
        for agent in call.services.organisation.catalogue.agents(call.tenant.name)
        if (with_archived or not agent.archived)
        and (slug is None or slug_key(agent.automation.slug) == slug_key(slug))
        and (search is None or _mentions(agent, search.lower()))
    ]
    page = found[offset : offset + limit]
    usage = call.services.organisation.usage.usage(call.tenant.name, [agent.automation.id for agent in page])
    rows = [agent_document(agent, usage[agent.automation.id]) for agent in page]
    return json_answer({"data": rows, "total": len(found), "limit": limit, "offset": offset})


async def get(call: Call) -> Response:
    """GET /agents/{agentId}"""
    agent = agent_of(call)
    document = _document(call, agent)
    sections = split_list(call.query_list("include"))
    for section in sections:
        if section not in _SECTIONS:
            hint = f"Use {' or '.join(_SECTIONS)}."
            raise invalid("query.include", f"Section {section!r} is not known.", hint=hint)
    if "files" in sections:
        newest = agent.automation.head or agent.automation.latest
        document["files"] = list(call.services.organisation.packages.files(newest))
    if "dataset" in sections:
        examples = call.services.organisation.usage.examples(call.tenant.name, agent.automation.id)
        document["dataset"] = {"examples": [{"id": one, "name": name} for one, name in examples]}
    return json_answer({"agent": document})


async def create(call: Call) -> Response:
    """POST /agents"""
    body = await read_members(call)
    body.only(("name", "slug", "description", "config"))
    name, slug = body.required_text("name", limit=MAX_NAME), body.required_text("slug", limit=MAX_SLUG)
    description, config = body.text("description"), body.free_object("config")
    if not is_slug(slug) or slug in RESERVED:
        hint = "Use lower-case letters, digits and dashes, as in mail-sorter."
        raise invalid("body.slug", f"{slug!r} can't be the slug of an agent.", hint=hint)
    organisation, tenant = call.services.organisation, call.tenant.name
    if slug_key(slug) in {slug_key(agent.automation.slug) for agent in organisation.catalogue.agents(tenant)}:
        raise _taken(slug)
    package, known = package_path("agent", slug), organisation.agents.get(tenant, slug_key(slug))
    history = organisation.source.commits(tenant, package)
    if not any(commit.version for commit in history):
        present = {file.path for file in organisation.source.files(history[0].number)} if history else set[str]()
        files = {path: file for path, file in _scaffold(name, slug, description).items() if path not in present}
        author = {**call.tenant.user, "image": None}
        commit = organisation.repository.commit
        try:
            await asyncio.to_thread(commit, tenant, package, files, version=SCAFFOLD_VERSION, author=author)
        except Refused:  # two requests at once
            raise _taken(slug) from None
    if organisation.agents.get(tenant, slug_key(slug)) not in (None, known):
        raise _taken(slug)
    now = call.services.now()
    text = None if config is None else json.dumps(config)
    row = AgentRow(tenant, slug_key(slug), slug, True, name, description, text, False, now, now)
    organisation.agents.put(row)
    recovery = "existing" if history else "minimal_scaffold"
    document = _document(call, organisation.catalogue.agent(tenant, slug))
    return json_answer({"agent": document, "sourceRecovered": bool(history), "recoveryKind": recovery}, 201)


async def update(call: Call) -> Response:
    """PATCH /agents/{agentId}"""
    agent_of(call)
    changes = _changes(await read_members(call))
    if changes:
        call.services.organisation.agents.put(replace(changed_row(call, agent_of(call)), **changes))
    return json_answer({"agent": _document(call, agent_of(call))})


async def versions(call: Call) -> Response:
    """GET /agents/{agentId}/versions"""
    automation = agent_of(call).automation
    return json_answer(
        {
            "agentId": automation.id,
            "slug": automation.slug,
            "packagePath": automation.package,
            "versions": [version_document(automation, release) for release in automation.newest_first()],
        }
    )


def agent_of(call: Call) -> Agent:
    """Return the agent that the path names.

    Raises:
        Problem: 404, there is none that this key can see.
    """
    return call.services.organisation.catalogue.agent(call.tenant.name, call.path["agentId"])


def changed_row(call: Call, agent: Agent) -> AgentRow:
    """Return the row of an agent that is about to be changed now."""
    now = call.services.now()
    return replace(call.services.organisation.catalogue.row(call.tenant.name, agent, now), updated_at=now)


def _changes(body: Members) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "name" in body:
        changes["name"] = body.required_text("name", limit=MAX_NAME)
    if (description := body.text("description")) is not None:
        changes["description"] = description
    if (config := body.free_object("config")) is not None:
        changes["config"] = json.dumps(config)
    return changes


def _taken(slug: str) -> Problem:
    return invalid("body.slug", f"There is an agent {slug!r} already.", hint="Slugs are unique in an organisation.")


def _document(call: Call, agent: Agent) -> Document:
    agent_id = agent.automation.id
    return agent_document(agent, call.services.organisation.usage.usage(call.tenant.name, [agent_id])[agent_id])


def _mentions(agent: Agent, text: str) -> bool:
    automation = agent.automation
    return any(
        text in words.lower()
        for words in (automation.slug, automation.name, automation.description)
        if words is not None
    )


def _scaffold(name: str, slug: str, description: str | None) -> Changes:
    manifest = {"name": name, "slug": slug, "version": SCAFFOLD_VERSION}
    if description:
        manifest["description"] = description
    readme = f"# {name}\n" + (f"\n{description}\n" if description else "")
    return {
        "agent.yaml": Content(to_yaml(manifest).encode(), MANIFEST_TYPE),
        "README.md": Content(readme.encode(), "text/markdown"),
    }
