"""One session between its start and its end: what its context reports, and the messages that it waits for.

Reports may come from the thread of the function; everything else happens in the loop of the server.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from eigenpal.sandbox.archastro.changes import Changes
from eigenpal.sandbox.archastro.context import SessionContext, SessionEnded, SessionFailed
from eigenpal.sandbox.archastro.states import Event
from eigenpal.sandbox.archastro.store import ArchAstroStore, Document
from eigenpal.sandbox.calling import FunctionCall
from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.transitions import InvalidTransition

FROM_AGENT = "assistant"


class Flight:
    """A session in flight; implements the `Reports` of its context.

    Args:
        document: The session as the API shows it.
        agent: Name of its agent.
        store: Where it is kept.
        changes: Who is told of its changes.
        ids: Source of new ids.
        now: Returns the present moment in milliseconds since 1970.
    """

    def __init__(
        self,
        document: Document,
        agent: str,
        *,
        store: ArchAstroStore,
        changes: Changes,
        ids: IdSource,
        now: Callable[[], int],
    ) -> None:
        self.session_id: str = document["id"]
        self.call: FunctionCall | None = None
        self.turn_over: asyncio.Event = asyncio.Event()
        self.context: SessionContext = SessionContext(
            session_id=self.session_id,
            agent=agent,
            instructions=document["instructions"],
            metadata=document["metadata"],
            reports=self,
        )
        self._loop = asyncio.get_running_loop()
        self._store = store
        self._changes = changes
        self._ids = ids
        self._now = now
        self._lock = threading.RLock()
        self._read = 0  # messages of the inbox that the function has had
        self._turns_left: int = document["max_turns"]
        self._tokens_left: int = document["max_tokens"]
        self._asked: Future[Mapping[str, Any]] | None = None

    # In the loop

    def move(self, event: Event, **members: Any) -> Document:
        """Move the session on, and tell those who follow it.

        Raises:
            InvalidTransition: It can't; it was cancelled, for one.
        """
        document = self._store.move_session(self.session_id, event, self._now(), **members)
        self._changes.publish(self.session_id, "session_update", document)
        return document

    def deliver(self, message: Mapping[str, Any]) -> Document:
        """Put a message into the inbox, and go on if the session waits for it."""
        with self._lock:
            document = self._store.add_message(self.session_id, message)
            asked, self._asked = self._asked, None
            if asked is None:
                return document
            document = self.move(Event.RESUME)
            self.turn_over.clear()
            self._read = len(document["inbox"])
        asked.set_result(message)
        return document

    def end(self) -> None:
        """Stop working: the session has its end already. A plain function ends at its next checkpoint."""
        self.context.end()
        self.turn_over.set()
        with self._lock:
            asked, self._asked = self._asked, None
        if asked is not None:
            asked.set_exception(SessionEnded(self.session_id))

    # From any thread

    def next_message(self) -> Future[Mapping[str, Any]]:
        """Return what will be the next message of the inbox; the session waits for it if there is none."""
        answer: Future[Mapping[str, Any]] = Future()
        with self._lock:
            if self._turns_left == 0:
                raise SessionFailed("The session had all of its turns (max_turns).")
            self._turns_left -= 1
            session = self._store.session(self.session_id)
            inbox: list[Mapping[str, Any]] = [] if session is None else session["inbox"]
            for position in range(self._read, len(inbox)):
                if inbox[position]["role"] != FROM_AGENT:
                    self._read = position + 1
                    answer.set_result(inbox[position])
                    return answer
            self._read = len(inbox)
            self._asked = answer
            try:
                self.move(Event.PAUSE)
            except (InvalidTransition, KeyError):  # it was cancelled a moment ago, and perhaps deleted
                self._asked = None
                raise SessionEnded(self.session_id) from None
        self._loop.call_soon_threadsafe(self.turn_over.set)
        return answer

    def reply(self, content: str, metadata: Mapping[str, Any] | None) -> None:
        """Put a message of the agent into the inbox."""
        with self._lock:
            self._store.add_message(
                self.session_id,
                new_message(
                    self._ids, self._now(), content=content, role=FROM_AGENT, metadata=metadata, sender="agent"
                ),
            )

    def progress(self, event: str, payload: Mapping[str, Any]) -> None:
        """Tell the streams what happened."""
        document = {
            "id": self._ids.new("cse"),
            "event": event,
            "harness": "sandbox",
            "occurred_at": timestamp(self._now()),
            "payload": dict(payload),
        }
        self._changes.publish(self.session_id, "session_event", document)

    def spend(self, tokens: int) -> None:
        """Take tokens from the budget of the session.

        Raises:
            SessionFailed: There are not so many left.
        """
        with self._lock:
            self._tokens_left -= tokens
            if self._tokens_left < 0:
                raise SessionFailed("The session used all of its tokens (max_tokens).")


def new_message(
    ids: IdSource, now: int, *, content: str, role: str, metadata: Mapping[str, Any] | None, sender: str
) -> dict[str, Any]:
    """Return a message as the inbox has it."""
    return {
        "id": ids.new("msg"),
        "role": role,
        "content": content,
        "sender_id": None,
        "sender_type": sender,
        "sent_at": timestamp(now),
        "metadata": dict(metadata or {}),
    }
