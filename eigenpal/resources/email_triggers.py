"""The `agents.email_triggers` namespace: addresses that mail starts agents by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eigenpal.engine.resource import Resource
from eigenpal.engine.unset import UNSET, Unset
from eigenpal.models.agents import (
    EmailAliasEnvelope,
    EmailAliases,
    EmailAliasRemoved,
    EmailReplyConfig,
    EmailTriggerEnvelope,
    EmailTriggerState,
)
from eigenpal.resources.operations import (
    CREATE_EMAIL_ALIAS,
    DELETE_EMAIL_ALIAS,
    GET_EMAIL_TRIGGER,
    LIST_EMAIL_ALIASES,
    UPDATE_EMAIL_ALIAS,
    UPDATE_EMAIL_TRIGGER,
)

ReplyConfig = EmailReplyConfig | Mapping[str, Any]
"""When an alias answers mail by itself: `on` is `"never"` or `"always"`, `mode` is `"sender"` or `"all"`."""


class AsyncEmailTriggers(Resource):
    """Email triggers of agents."""

    async def list(self) -> EmailAliases:
        """Return every alias of the organisation."""
        return await self._call(LIST_EMAIL_ALIASES)

    async def get(self, agent_id: str) -> EmailTriggerState:
        """Return an agent's email trigger with its aliases.

        Args:
            agent_id: Id or slug of the agent.

        Raises:
            EigenpalNotFoundError: No such agent, or this key can't see it.
        """
        return await self._call(GET_EMAIL_TRIGGER, agent_id)

    async def update(
        self, agent_id: str, body: Mapping[str, Any] | None = None, *, enabled: bool | None = None
    ) -> EmailTriggerEnvelope:
        """Switch an agent's email trigger on or off.

        Args:
            agent_id: Id or slug of the agent.
            body: The request as one mapping with wire names; the arguments below go on top of it.
            enabled: Whether mail starts the agent.

        Raises:
            EigenpalNotFoundError: No such agent, or this key can't see it.
        """
        return await self._call(UPDATE_EMAIL_TRIGGER, agent_id, extra=body, body={"enabled": enabled})

    async def create_alias(
        self,
        agent_id: str,
        body: Mapping[str, Any] | None = None,
        *,
        email: str | None = None,
        alias: str | None = None,
        label: str | None = None,
        allowlist: Sequence[str] | None = None,
        allow: Sequence[str] | None = None,
        reply_config: ReplyConfig | None = None,
    ) -> EmailAliasEnvelope:
        """Create an address that mail starts an agent by.

        Args:
            agent_id: Id or slug of the agent.
            body: The request as one mapping with wire names; the arguments below go on top of it.
            email: Address to create.
            alias: Another name for `email`.
            label: Name for people.
            allowlist: Senders or domains that may start the agent.
            allow: Another name for `allowlist`.
            reply_config: When mail is answered by itself, and whom.

        Raises:
            EigenpalValidationError: Neither `email` nor `alias`, or the address is taken.
            EigenpalNotFoundError: No such agent, or this key can't see it.
        """
        return await self._call(
            CREATE_EMAIL_ALIAS,
            agent_id,
            extra=body,
            body={
                "email": email,
                "alias": alias,
                "label": label,
                "allowlist": allowlist,
                "allow": allow,
                "reply_config": reply_config,
            },
        )

    async def update_alias(
        self,
        agent_id: str,
        email_id: str,
        body: Mapping[str, Any] | None = None,
        *,
        label: str | Unset | None = UNSET,
        allowlist: Sequence[str] | None = None,
        allow: Sequence[str] | None = None,
        status: str | None = None,
        reply_config: ReplyConfig | None = None,
        require_sender_auth: bool | None = None,
    ) -> EmailAliasEnvelope:
        """Change an alias; what is not given stays as it is.

        Args:
            agent_id: Id or slug of the agent.
            email_id: Id of the alias.
            body: The request as one mapping with wire names; the arguments below go on top of it.
            label: Name for people; None clears it.
            allowlist: Senders or domains that may start the agent.
            allow: Another name for `allowlist`.
            status: `"active"` or `"disabled"`.
            reply_config: When mail is answered by itself, and whom.
            require_sender_auth: Whether senders must be authenticated.

        Raises:
            EigenpalNotFoundError: No such agent or alias, or this key can't see it.
        """
        return await self._call(
            UPDATE_EMAIL_ALIAS,
            agent_id,
            email_id,
            extra=body,
            body={
                "label": label,
                "allowlist": allowlist,
                "allow": allow,
                "status": status,
                "reply_config": reply_config,
                "require_sender_auth": require_sender_auth,
            },
        )

    async def delete_alias(self, agent_id: str, email_id: str) -> EmailAliasRemoved:
        """Remove an alias.

        Args:
            agent_id: Id or slug of the agent.
            email_id: Id of the alias.

        Raises:
            EigenpalNotFoundError: No such agent or alias, or this key can't see it.
        """
        return await self._call(DELETE_EMAIL_ALIAS, agent_id, email_id)
