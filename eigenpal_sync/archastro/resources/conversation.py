# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""A session as a conversation: send, wait for the agent's turn to end, read what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eigenpal.archastro.models.sessions import AgentSession
from eigenpal.archastro.resources.conversation import AsyncConversation, Reply
from eigenpal_sync._twin import Twin


class Conversation(Twin[AsyncConversation]):
    """One session to talk to. Send one message at a time."""

    @property
    def id(self) -> str:
        """Id of the session."""
        return self._async.id

    @property
    def agent_session(self) -> AgentSession:
        """The session as it was last seen."""
        return self._async.agent_session

    def send(
        self,
        content: str,
        *,
        role: str = "user",
        metadata: Mapping[str, Any] | None = None,
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
    ) -> Reply:
        """Send a message, and wait until the agent waits for the next one or the session is over.

        Args:
            content: The message.
            role: Who speaks: `"user"` or `"tool"`.
            metadata: Data of yours that is kept with the message.
            timeout_seconds: Bound on the wait in seconds; None for no bound.
            poll_interval_seconds: Longest pause between two looks, in seconds.

        Raises:
            EigenpalTimeoutError: The time is up; carries `run_id` and the last seen `run`. The turn goes on.
            EigenpalValidationError: The session is over.
        """
        return self._portal.wait(
            self._async.send,
            content,
            role=role,
            metadata=metadata,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
        ).result()

    def cancel(self) -> AgentSession:
        """Cancel the session; a turn in progress stops at the next safe point. It may be repeated."""
        return self._portal.wait(self._async.cancel).result()

    def close(self) -> None:
        """Cancel the session unless it is over, within some seconds and without raising: the way out of a block."""
        self._portal.wait(self._async.aclose).result()
