"""What the functions behind agents and routines get: the task, the inbox, and ways to answer, report and end.

`receive` is for plain functions, which run in a thread of their own; `receive_async` does the same for async ones.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Protocol


class SessionFailed(Exception):
    """Raise it in the function behind an agent to fail the session with exactly this text."""


class SessionEnded(BaseException):
    """Raised where the session is over, cancelled for one. Let it pass; `except Exception` does."""


class Reports(Protocol):
    """What a context tells; every method may be called from any thread."""

    def next_message(self) -> Future[Mapping[str, Any]]:
        """Return what will be the next message of the inbox; the session waits for it if there is none."""
        ...

    def reply(self, content: str, metadata: Mapping[str, Any] | None) -> None:
        """Put a message of the agent into the inbox."""
        ...

    def progress(self, event: str, payload: Mapping[str, Any]) -> None:
        """Tell the streams what happened."""
        ...

    def spend(self, tokens: int) -> None:
        """Take tokens from the budget of the session."""
        ...


class SessionContext:
    """One session, as seen by the function that does the work.

    Attributes:
        session_id: Id of the session.
        agent: Name of the agent.
        instructions: The task.
        metadata: What the caller keeps with the session.
    """

    def __init__(
        self, *, session_id: str, agent: str, instructions: str, metadata: Mapping[str, Any], reports: Reports
    ) -> None:
        self.session_id = session_id
        self.agent = agent
        self.instructions = instructions
        self.metadata = metadata
        self._reports = reports
        self._ended = threading.Event()

    @property
    def is_over(self) -> bool:
        """True once the session was cancelled."""
        return self._ended.is_set()

    def checkpoint(self) -> None:
        """End here if the session is over.

        Raises:
            SessionEnded: It is; let it pass.
        """
        if self._ended.is_set():
            raise SessionEnded(self.session_id)

    def sleep(self, seconds: float) -> None:
        """Wait, in a function that is not async; the end of the session ends the wait too.

        Args:
            seconds: How long.

        Raises:
            SessionEnded: The session is over.
        """
        self._ended.wait(seconds)
        self.checkpoint()

    def receive(self) -> Mapping[str, Any]:
        """Return the next message of the inbox, with `content`, `role` and `metadata`; a turn ends where it waits.

        Raises:
            SessionEnded: The session was cancelled meanwhile; let it pass.
            SessionFailed: It had all of its turns.
            RuntimeError: Called in an event loop; use `await receive_async()` there.
        """
        if _in_loop():
            raise RuntimeError("receive would block the event loop; in an async function: await receive_async()")
        self.checkpoint()
        return self._reports.next_message().result()

    async def receive_async(self) -> Mapping[str, Any]:
        """Return the next message of the inbox to an async function; otherwise as `receive`."""
        self.checkpoint()
        return await asyncio.wrap_future(self._reports.next_message())

    def reply(self, content: str, *, metadata: Mapping[str, Any] | None = None) -> None:
        """Say something: a message of the agent in the inbox, where callers read it.

        Args:
            content: What to say.
            metadata: Kept with the message.
        """
        self.checkpoint()
        self._reports.reply(content, metadata)

    def progress(self, event: str, **payload: Any) -> None:
        """Report what happens to those who follow the stream.

        Args:
            event: What, such as `"tool_use"`.
            payload: The details.
        """
        self.checkpoint()
        self._reports.progress(event, payload)

    def spend(self, tokens: int) -> None:
        """Use tokens.

        Args:
            tokens: How many.

        Raises:
            SessionFailed: The session has no such budget left.
        """
        self.checkpoint()
        self._reports.spend(tokens)

    def end(self) -> None:
        """Make the next checkpoint end the function; called by the sandbox."""
        self._ended.set()


class RoutineContext:
    """One run of a routine, as seen by the function that does the work.

    Attributes:
        run_id: Id of the run.
        routine: The routine as the API shows it.
        message: What it was invoked with.
        payload: Everything that triggered it, the message among it.
        metadata: What the caller keeps with the run.
    """

    def __init__(
        self, *, run_id: str, routine: Mapping[str, Any], payload: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> None:
        self.run_id = run_id
        self.routine = routine
        self.message: str = payload["message"]
        self.payload = payload
        self.metadata = metadata


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
