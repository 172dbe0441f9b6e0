# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `agent_sessions` namespace: durable tasks of agents, their inbox and stream, waiting for them, conversations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from eigenpal.archastro.events import SessionEvent
from eigenpal.archastro.models.sessions import AgentSession, AgentSessionsPage, AgentSessionStatus
from eigenpal.archastro.resources.agent_sessions import AsyncAgentSessions
from eigenpal.archastro.waiting import SessionIds, Until
from eigenpal_sync._portal import BlockingIterator, caller_callback
from eigenpal_sync._twin import Twin, twin_of
from eigenpal_sync.archastro.resources.conversation import Conversation


class AgentSessions(Twin[AsyncAgentSessions]):
    """Durable tasks given to agents; each has an inbox, and may pause for input."""

    def list(
        self,
        *,
        agent: str | Sequence[str] | None = None,
        status: AgentSessionStatus | str | Sequence[AgentSessionStatus | str] | None = None,
        routine_run: str | Sequence[str] | None = None,
        exclude_system: bool | None = None,
        limit: int | None = None,
    ) -> AgentSessionsPage:
        """Return the newest sessions that match. The API has no cursor here: older ones need narrower filters.

        Args:
            agent: Id of an agent; several need a newer server.
            status: One status, or several.
            routine_run: Id of a routine run, or up to 100: sessions that those made.
            exclude_system: Leave out sessions that the platform made by itself.
            limit: How many at most, up to 100; 25 unless given.

        Raises:
            EigenpalValidationError: A filter that the server does not understand.
        """
        return self._portal.wait(
            self._async.list,
            agent=agent,
            status=status,
            routine_run=routine_run,
            exclude_system=exclude_system,
            limit=limit,
        ).result()

    def create(
        self,
        *,
        agent: str,
        instructions: str,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        start_idle: bool | None = None,
        max_runs_per_turn: int | None = None,
        max_tokens: int | None = None,
        max_turns: int | None = None,
        team: str | None = None,
        thread: str | None = None,
        user: str | None = None,
    ) -> AgentSession:
        """Create a session and queue it. It is created once: a request whose answer is lost is not sent again.

        Args:
            agent: Id of the agent (`agi_...`).
            instructions: The task.
            name: Name for people.
            metadata: Data of yours that is kept with it.
            start_idle: Have it wait for a first message instead of starting.
            max_runs_per_turn: Tool calls allowed in one turn.
            max_tokens: Budget of tokens over all turns.
            max_turns: Turns before the platform ends it.
            team: Id of a team.
            thread: Id of a thread.
            user: Id of the user it is attributed to.

        Raises:
            EigenpalNotFoundError: No such agent.
            EigenpalValidationError: A member that breaks a rule; `fields` says which.
        """
        return self._portal.wait(
            self._async.create,
            agent=agent,
            instructions=instructions,
            name=name,
            metadata=metadata,
            start_idle=start_idle,
            max_runs_per_turn=max_runs_per_turn,
            max_tokens=max_tokens,
            max_turns=max_turns,
            team=team,
            thread=thread,
            user=user,
        ).result()

    def get(self, agent_session: str) -> AgentSession:
        """Return one session.

        Args:
            agent_session: Id of the session (`ase_...`).

        Raises:
            EigenpalNotFoundError: No such session.
        """
        return self._portal.wait(self._async.get, agent_session).result()

    def update(self, agent_session: str, *, metadata: Mapping[str, Any] | None = None) -> AgentSession:
        """Replace the metadata of a session, whatever its status.

        Args:
            agent_session: Id of the session (`ase_...`).
            metadata: The whole of it; not given, nothing changes.

        Raises:
            EigenpalNotFoundError: No such session.
        """
        return self._portal.wait(self._async.update, agent_session, metadata=metadata).result()

    def delete(self, agent_session: str) -> None:
        """Delete a session that is over, with its message history and inbox.

        Args:
            agent_session: Id of the session (`ase_...`).

        Raises:
            EigenpalNotFoundError: No such session.
            EigenpalValidationError: It is not over.
        """
        self._portal.wait(self._async.delete, agent_session).result()

    def cancel(self, agent_session: str) -> AgentSession:
        """Cancel a session; a turn in progress stops at the next safe point. A session that is over stays as it is.

        Args:
            agent_session: Id of the session (`ase_...`).

        Raises:
            EigenpalNotFoundError: No such session.
        """
        return self._portal.wait(self._async.cancel, agent_session).result()

    def message(
        self, agent_session: str, *, content: str, role: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> AgentSession:
        """Put a message into the inbox of a session; one that waits goes on. It is sent once, as `create` is.

        Args:
            agent_session: Id of the session (`ase_...`).
            content: The message.
            role: Who speaks: `"user"` or `"tool"`; a user unless given.
            metadata: Data of yours that is kept with the message.

        Raises:
            EigenpalNotFoundError: No such session.
            EigenpalValidationError: The session is over.
        """
        return self._portal.wait(
            self._async.message, agent_session, content=content, role=role, metadata=metadata
        ).result()

    def stream(
        self,
        agent_session: str,
        *,
        timeout_seconds: float | None = None,
        connect_timeout_seconds: float | None = 30.0,
        idle_timeout_seconds: float | None = 90.0,
        poll_interval_seconds: float = 2.0,
    ) -> BlockingIterator[SessionEvent]:
        """Follow a session to its end: its state now, then an event for each change, the last one a terminal status.

        Streams that break are opened again; where they break time after time, the session is looked at instead. Either
        way no state is lost, and none is reported twice. Needs `pip install "eigenpal[events]"`.

        Call its `close()` when you leave the loop early.

        Args:
            agent_session: Id of the session (`ase_...`).
            timeout_seconds: Bound on following it at all, in seconds; None for no bound.
            connect_timeout_seconds: Bound on opening a stream, in seconds.
            idle_timeout_seconds: Longest time in seconds without a byte, before a stream is taken to be dead.
            poll_interval_seconds: Longest pause between two looks where there is no stream, in seconds.

        Yields:
            `SessionUpdate`, `SessionProgress`, and `OtherEvent` for those that this version does not know.

        Raises:
            EigenpalNotFoundError: No such session.
            EigenpalPaymentRequiredError: The plan does not include it.
            EigenpalTimeoutError: `timeout_seconds` are over.
        """
        return self._portal.iterate(
            self._async.stream,
            agent_session,
            timeout_seconds=timeout_seconds,
            connect_timeout_seconds=connect_timeout_seconds,
            idle_timeout_seconds=idle_timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
        )

    def wait(
        self,
        agent_session: str,
        *,
        until: Until = "human",
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
        cancel_on_timeout: bool = False,
        on_update: Callable[[AgentSession], object] | None = None,
    ) -> AgentSession:
        """Wait until a session is over, or waits for a message itself, and return it.

        Args:
            agent_session: Id of the session (`ase_...`).
            until: `"human"` stops at a session that waits for a message (`needs_human`) too; `"end"` only at its end.
            timeout_seconds: Bound on the whole wait in seconds; None waits without one. The session itself goes on.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` when the session failed or was cancelled.
            cancel_on_timeout: Cancel the session when the time is up.
            on_update: Called with the session each time it is seen in a new status.

        Raises:
            EigenpalTimeoutError: The time is up; carries `run_id` and the last seen `run`.
            EigenpalRunError: With `raise_on_failure`, the session ended without success; carries `run`.
            EigenpalNotFoundError: No such session.
        """
        return self._portal.wait(
            self._async.wait,
            agent_session,
            until=until,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
            cancel_on_timeout=cancel_on_timeout,
            on_update=caller_callback(on_update),
        ).result()

    def wait_many(
        self,
        ids: SessionIds,
        *,
        until: Until = "human",
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
    ) -> BlockingIterator[AgentSession]:
        """Wait for many sessions and iterate over them as they end or wait for a message, in whichever order they do.

        A session that can't be waited for does not stop the others: after the last of them the iterator raises, and
        tells which they were. The loop may be left at any point; the sessions themselves go on.

        Args:
            ids: Ids of sessions, or what `create` or `list` returned. One that is there twice is returned once.
            until: `"human"` returns those too that wait for a message; `"end"` only those that are over.
            timeout_seconds: Bound on the wait for each session in seconds; None waits without one.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` at the first that failed or was cancelled.

        Raises:
            EigenpalWaitError: After all others: some are unknown, or their time is up; `errors` has why, by id.
            EigenpalRunError: With `raise_on_failure`; carries the session as `run`.
        """
        return self._portal.iterate(
            self._async.wait_many,
            ids,
            until=until,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
        )

    def converse(
        self,
        *,
        agent: str,
        instructions: str,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        max_runs_per_turn: int | None = None,
        max_tokens: int | None = None,
        max_turns: int | None = None,
        team: str | None = None,
        thread: str | None = None,
        user: str | None = None,
        keep: bool = False,
    ) -> AbstractContextManager[Conversation]:
        """Open a session to talk to: it waits for the first message, and is cancelled at the end of the block.

        Args:
            agent: Id of the agent (`agi_...`).
            instructions: What it should know before the first message.
            name: Name for people.
            metadata: Data of yours that is kept with it.
            max_runs_per_turn: Tool calls allowed in one turn.
            max_tokens: Budget of tokens over all turns.
            max_turns: Turns before the platform ends it.
            team: Id of a team.
            thread: Id of a thread.
            user: Id of the user it is attributed to.
            keep: Leave the session waiting at the end of the block.

        Yields:
            The conversation; `reply = conversation.send("...")` is one exchange.

        Raises:
            EigenpalNotFoundError: No such agent.
        """
        return self._portal.enter_as(
            lambda value: twin_of(Conversation, value, self._portal),
            self._async.converse,
            agent=agent,
            instructions=instructions,
            name=name,
            metadata=metadata,
            max_runs_per_turn=max_runs_per_turn,
            max_tokens=max_tokens,
            max_turns=max_turns,
            team=team,
            thread=thread,
            user=user,
            keep=keep,
        )
