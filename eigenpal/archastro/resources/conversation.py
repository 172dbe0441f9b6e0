"""A session as a conversation: send, wait for the agent's turn to end, read what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio
import attrs

from eigenpal.archastro.models.sessions import AgentSession, AgentSessionInboxMessage
from eigenpal.archastro.operations import CANCEL_SESSION, SEND_MESSAGE
from eigenpal.archastro.waiting import wait_for_session
from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalError
from eigenpal.waiting.polling import checked_times
from eigenpal.waiting.watcher import CANCEL_PATIENCE_SECONDS

FROM_US: Final = frozenset({"user", "tool"})  # the roles of messages that callers send


@attrs.frozen
class Reply:
    """What came of a message.

    Attributes:
        session: The session when the agent's turn was over: it waits for the next message, or it has ended.
        messages: What came into the inbox after the message, from others than users and tools, in order; for servers
            that put there what the agent says.
    """

    session: AgentSession
    messages: Sequence[AgentSessionInboxMessage]

    @property
    def text(self) -> str:
        """What the agent said, one message a line; empty where it said nothing in the inbox."""
        return "\n".join(message.content for message in self.messages if message.content)

    @property
    def is_last(self) -> bool:
        """Whether the session is over; its `result` or `error` is there then."""
        return self.session.is_terminal


class AsyncConversation:
    """One session to talk to. Send one message at a time."""

    def __init__(self, session: Session, opened: AgentSession) -> None:
        self._session = session
        self._seen = opened

    @property
    def id(self) -> str:
        """Id of the session."""
        return self._seen.id

    @property
    def agent_session(self) -> AgentSession:
        """The session as it was last seen."""
        return self._seen

    async def send(
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
        checked_times(timeout_seconds, poll_interval_seconds)
        body = {"content": content, "role": role, "metadata": metadata}
        sent = self._seen = await self._session.call(SEND_MESSAGE, self.id, body=body)
        self._seen = await wait_for_session(
            self._session,
            self.id,
            until="human",
            just_started=True,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            since=sent,
        )
        arrived = (self._seen.inbox or [])[len(sent.inbox or []) :]
        return Reply(self._seen, [message for message in arrived if message.role not in FROM_US])

    async def cancel(self) -> AgentSession:
        """Cancel the session; a turn in progress stops at the next safe point. It may be repeated."""
        self._seen = await self._session.call(CANCEL_SESSION, self.id)
        return self._seen

    async def aclose(self) -> None:
        """Cancel the session unless it is over, within some seconds and without raising: the way out of a block."""
        if self._seen.is_terminal:
            return
        with anyio.move_on_after(CANCEL_PATIENCE_SECONDS, shield=True):
            try:
                await self.cancel()
            except EigenpalError:
                return
