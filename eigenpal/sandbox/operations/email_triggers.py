"""Email triggers of agents and their aliases. The sandbox keeps them and delivers no mail."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from eigenpal.sandbox.agent_documents import alias_document
from eigenpal.sandbox.agent_store import AliasRow
from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.catalogue import Agent, with_switch
from eigenpal.sandbox.members import Members, read_members
from eigenpal.sandbox.operations.agents import agent_of, changed_row
from eigenpal.sandbox.problems import invalid, not_found

STATUSES = ("active", "disabled")
REPLY_ON = ("never", "always")
REPLY_MODES = ("sender", "all")
MAX_ADDRESS = 254  # what a mail server takes

_LOCAL = re.compile(r"[a-z0-9](?:[a-z0-9._+-]{0,62}[a-z0-9])?")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")


async def list_aliases(call: Call) -> Response:
    """GET /agents/triggers/email"""
    aliases = call.services.organisation.agents.aliases(call.tenant.name)
    return json_answer({"emails": [alias_document(alias) for alias in aliases]})


async def get(call: Call) -> Response:
    """GET /agents/{agentId}/triggers/email"""
    agent = agent_of(call)
    aliases = call.services.organisation.agents.aliases(call.tenant.name, agent.automation.id)
    return json_answer({"trigger": _trigger(agent), "emails": [alias_document(alias) for alias in aliases]})


async def update(call: Call) -> Response:
    """PATCH /agents/{agentId}/triggers/email"""
    agent_of(call)
    enabled = (await read_members(call)).flag("enabled")
    if enabled is None:
        raise invalid("body.enabled", "True or false is required here.", code="required")
    agent = agent_of(call)  # as it is now that the body has arrived
    config = json.dumps(with_switch(agent.config, "email", enabled=enabled))
    call.services.organisation.agents.put(replace(changed_row(call, agent), config=config))
    return json_answer({"trigger": _trigger(agent_of(call))})


async def create_alias(call: Call) -> Response:
    """POST /agents/{agentId}/triggers/email"""
    agent = agent_of(call)
    body = await read_members(call)
    row = AliasRow(
        id=call.services.ids.new("aea"),
        tenant=call.tenant.name,
        agent_id=agent.automation.id,
        address=_address(call, body),
        label=body.text("label"),
        status="active",
        allowlist=json.dumps(_allowlist(body) or []),
        require_sender_auth=False,
        reply_config=json.dumps(_reply_config(body) or {}),
    )
    agents = call.services.organisation.agents
    if any(alias.address == row.address for alias in agents.aliases(call.tenant.name)):
        raise invalid("body.email", f"The address {row.address!r} is taken.")
    agents.put_alias(row)
    return json_answer({"email": alias_document(row)}, 201)


async def update_alias(call: Call) -> Response:
    """PATCH /agents/{agentId}/triggers/email/{emailId}"""
    _alias(call)
    body = await read_members(call)
    changes: dict[str, Any] = {
        "status": body.choice("status", STATUSES),
        "allowlist": _json(_allowlist(body)),
        "require_sender_auth": body.flag("requireSenderAuth"),
        "reply_config": _json(_reply_config(body)),
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if "label" in body:
        changes["label"] = body.text_or_null("label")
    row = replace(_alias(call), **changes)
    call.services.organisation.agents.put_alias(row)
    return json_answer({"email": alias_document(row)})


async def delete_alias(call: Call) -> Response:
    """DELETE /agents/{agentId}/triggers/email/{emailId}"""
    call.services.organisation.agents.delete_alias(_alias(call).id)
    return json_answer({"removed": True})


def _trigger(agent: Agent) -> dict[str, bool]:
    return {"enabled": agent.triggers["email"]}


def _alias(call: Call) -> AliasRow:
    agent, alias_id = agent_of(call), call.path["emailId"]
    for alias in call.services.organisation.agents.aliases(call.tenant.name, agent.automation.id):
        if alias.id == alias_id:
            return alias
    raise not_found(f"The agent {agent.automation.slug!r} has no alias {alias_id!r}.")


def _address(call: Call, body: Members) -> str:
    """Return the whole address; a name without a domain gets the one of the organisation."""
    given = _either(body.text("email"), body.text("alias"), "body.email", "email and alias")
    if given is None:
        raise invalid("body.email", "An email or an alias is required.", code="required")
    local, at, domain = given.strip().lower().partition("@")
    organisation = re.sub(r"[^a-z0-9]+", "-", call.tenant.name.lower()).strip("-") or "organisation"
    domain = domain if at else f"{organisation[:60].rstrip('-')}.sandbox.local"
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain) or len(local + domain) >= MAX_ADDRESS:
        hint = "Give an address such as sort-me@example.com, or only the part in front of the @."
        raise invalid("body.email", f"{given!r} can't be an address.", hint=hint)
    return f"{local}@{domain}"


def _allowlist(body: Members) -> list[str] | None:
    listed: list[Any] | None = _either(
        body.items("allowlist"), body.items("allow"), "body.allowlist", "allowlist and allow"
    )
    if listed is None:
        return None
    name = "allowlist" if "allowlist" in body else "allow"
    for index, sender in enumerate(listed):
        if not isinstance(sender, str) or not _is_sender(sender):
            hint = "Give addresses or domains, such as anna@example.com or example.com."
            raise invalid(body.path(f"{name}[{index}]"), f"{sender!r} is neither an address nor a domain.", hint=hint)
    return listed


def _is_sender(text: str) -> bool:
    local, at, domain = text.lower().rpartition("@")
    return (
        bool(_DOMAIN.fullmatch(domain)) and len(text) <= MAX_ADDRESS and (not at or (bool(local) and " " not in local))
    )


def _reply_config(body: Members) -> dict[str, Any] | None:
    config = body.free_object("replyConfig")
    if config is not None:
        inner = body.inner("replyConfig")
        inner.choice("on", REPLY_ON)
        inner.choice("mode", REPLY_MODES)
    return config


def _either(value: Any, other: Any, field: str, names: str) -> Any:
    if value is not None and other is not None and value != other:
        raise invalid(field, f"{names} are two names for one thing and were given different values.")
    return other if value is None else value


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value)
