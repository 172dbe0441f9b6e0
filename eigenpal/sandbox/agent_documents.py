"""Agents, their releases and their email aliases as the documents of the API. Pure functions."""

from __future__ import annotations

import json

from eigenpal.sandbox.agent_store import AliasRow
from eigenpal.sandbox.catalogue import Agent
from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.documents import Document
from eigenpal.sandbox.packages import release_ref
from eigenpal.sandbox.registry import Automation, Release
from eigenpal.sandbox.usage_store import Usage


def agent_document(agent: Agent, usage: Usage) -> Document:
    """Return an agent as lists and single answers show it."""
    automation = agent.automation
    triggers = agent.triggers
    return {
        "id": automation.id,
        "slug": automation.slug,
        "name": automation.name,
        "description": automation.description,
        "apiEnabled": triggers["api"],
        "triggers": triggers,
        "sourceIntegrity": "healthy",
        "latestVersion": automation.latest.version,
        "latestCommit": automation.latest.commit,
        "config": dict(agent.config),
        "createdAt": timestamp(automation.created_at),
        "updatedAt": timestamp(automation.updated_at),
        "stats": {
            "exampleCount": usage.examples,
            "totalExecutions": usage.total,
            "lastExecutionAt": None if usage.last_created_at is None else timestamp(usage.last_created_at),
            "avgDurationMs": usage.average_duration,
            "avgCredits": usage.average_credits,
        },
    }


def version_document(automation: Automation, release: Release) -> Document:
    """Return a row of an agent's version list."""
    return {
        **release_ref(automation, release),
        "sourceRef": release.version,
        "notes": release.notes,
        "createdAt": timestamp(release.created_at),
        "createdByUser": None if release.author is None else json.loads(release.author),
        "latest": release is automation.latest,
    }


def alias_document(alias: AliasRow) -> Document:
    """Return an email alias."""
    return {
        "id": alias.id,
        "agentId": alias.agent_id,
        "alias": alias.address,
        "status": alias.status,
        "label": alias.label,
        "allowlist": json.loads(alias.allowlist),
        "requireSenderAuth": alias.require_sender_auth,
        "replyConfig": json.loads(alias.reply_config),
    }
