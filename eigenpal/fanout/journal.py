"""The journal of a batch on disk: SQLite, one row a key, `planned -> starting -> started -> finished`.

Blocking; called from worker threads. When which step is taken is decided in `life.py`; here it is only kept.

It holds keys, fingerprints of inputs, ids and results: no API key and no input. SQLite's own lock on the file keeps a
second process out, and ends with its process, however that ends. Every commit is flushed: power cuts do no harm.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from eigenpal.errors import EigenpalError, EigenpalInputError

if TYPE_CHECKING:
    import sqlite3

APPLICATION_ID: Final = 0x45505A4C  # in the head of the file: tells a journal from any other database
FORMAT: Final = 1
MOST_BOUND: Final = 500  # values bound in one statement; the oldest SQLite takes 999

_SCHEMA: Final = """
CREATE TABLE batch (identity TEXT NOT NULL, session INTEGER NOT NULL);
CREATE TABLE items (
    key TEXT PRIMARY KEY, position INTEGER NOT NULL, session INTEGER NOT NULL, service TEXT NOT NULL,
    fingerprint TEXT NOT NULL, token TEXT NOT NULL, state TEXT NOT NULL, began REAL, sent REAL,
    attempts INTEGER NOT NULL, id TEXT, ok INTEGER, seconds REAL, result TEXT, error TEXT
);
CREATE INDEX items_id ON items (id) WHERE id IS NOT NULL;
"""


class State(StrEnum):
    """How far an input is."""

    PLANNED = "planned"  # known, and surely not started
    STARTING = "starting"  # a request to start it may be on its way
    STARTED = "started"  # its id is known
    FINISHED = "finished"  # its outcome is known


@attrs.frozen(kw_only=True)
class Row:
    """What is known of one input.

    Attributes:
        token: Marks what is started for it, so that it can be found again.
        state: How far it is.
        began: When starting it was first tried, in seconds since the epoch; None before.
        sent: When it was last tried.
        attempts: How often starting it was tried.
        id: Id on the server.
        ok: Whether its outcome is a good one; finished rows.
        seconds: How long it took; finished rows.
        result: Its result as JSON text; finished rows.
        error: Its error as JSON text; finished rows.
    """

    token: str
    state: State = State.PLANNED
    began: float | None = None
    sent: float | None = None
    attempts: int = 0
    id: str | None = None
    ok: bool = False
    seconds: float = 0.0
    result: str | None = None
    error: str | None = None


class OtherInputError(EigenpalInputError):
    """The input under a known key is not the one the journal knows: it is the journal of another batch."""


class JournalError(EigenpalError):
    """The journal can't be written: nothing may be started any more."""


class Journal:
    """An open journal, for this process alone.

    Args:
        path: The file; made if need be.
        identity: What the batch is: a text that is the same whenever it is run again.

    Raises:
        EigenpalInputError: It is in use, no journal, one of another batch, or can't be opened.
    """

    def __init__(self, path: Path, identity: str) -> None:
        import sqlite3

        self.path = path
        self._lock = threading.Lock()  # a thread may still be at work when the event loop that sent it has gone
        self._open: sqlite3.Connection | None = None
        self._errors: type[Exception] = sqlite3.Error
        try:
            # Results may be confidential: a new file is for its owner alone.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
            self._open = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            self._session = self._prepare(identity)
        except (sqlite3.Error, OSError) as problem:
            self.close()
            raise EigenpalInputError(self._refusal(problem)) from problem
        except BaseException:
            self.close()
            raise

    def _refusal(self, problem: Exception) -> str:
        match getattr(problem, "sqlite_errorname", ""):
            case "SQLITE_BUSY":
                return f"the journal {self.path} is in use: another process, or another batch of this one, works on it"
            case "SQLITE_NOTADB":
                return f"{self.path} is not a journal; give the path of a journal, or of a file that is not there yet"
            case _:
                return f"the journal {self.path} can't be opened: {problem}"

    def _prepare(self, identity: str) -> int:
        """Lock the file, make the tables if it is new, and return the number of this session."""
        connection = self._connection()
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN EXCLUSIVE")
        ((application,), (version,)) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        if not application and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("INSERT INTO batch VALUES (?, 0)", (identity,))
        elif application != APPLICATION_ID:
            raise EigenpalInputError(f"{self.path} is a database of something else, not a journal")
        elif version != FORMAT:
            raise EigenpalInputError(f"the journal {self.path} has format {version}; this version works on {FORMAT}")
        known, session = connection.execute("SELECT identity, session FROM batch").fetchone()
        if known != identity:
            raise EigenpalInputError(
                f"the journal {self.path} is of another batch ({known}), not of this one ({identity}); "
                "give each batch a journal of its own"
            )
        connection.execute("UPDATE batch SET session = session + 1")
        connection.execute("COMMIT")
        return int(session) + 1

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            raise JournalError(f"the journal {self.path} is closed")
        return self._open

    def close(self) -> None:
        """Close it; another process may take it. Closing twice is fine."""
        with self._lock:
            connection, self._open = self._open, None
            if connection is not None:
                connection.close()

    def apply(self, steps: Sequence[Callable[[], Any]]) -> list[Any]:
        """Take some steps in one transaction; return what each returned, or the `EigenpalError` that refused it.

        Raises:
            JournalError: They could not be written. None of them has been taken.
        """
        results: list[Any] = []
        with self._lock:
            connection = self._connection()
            try:
                connection.execute("BEGIN IMMEDIATE")
                for step in steps:
                    try:
                        results.append(step())
                    except EigenpalError as refused:
                        results.append(refused)
                connection.execute("COMMIT")
            except self._errors as problem:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise JournalError(f"the journal {self.path} can't be written: {problem}") from problem
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        return results

    # ------------------------------------------------------------------------------------------ steps, for `apply`

    def plan(self, key: str, position: int, service: str, fingerprint: str, token: str) -> Row:
        """Return what is known of an input; one that is new is planned from now on.

        Raises:
            OtherInputError: It is not the input that is known under this key.
            EigenpalInputError: The key was used before in this very batch.
        """
        connection = self._connection()
        known = connection.execute(
            "SELECT session, service, fingerprint, token, state, began, sent, attempts, id, ok, seconds, result, error "
            "FROM items WHERE key = ?",
            (key,),
        ).fetchone()
        if known is None:
            connection.execute(
                "INSERT INTO items (key, position, session, service, fingerprint, token, state, attempts) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
                (key, position, self._session, service, fingerprint, token, State.PLANNED),
            )
            return Row(token=token)
        session, known_service, known_fingerprint, *members = known
        if (known_service, known_fingerprint) != (service, fingerprint):
            raise OtherInputError(
                f"the journal {self.path} knows another input, target or file under the key {key!r}: it is of another "
                "batch, or the inputs have changed. Give this batch a journal of its own, or changed inputs new keys."
            )
        if session == self._session:
            raise EigenpalInputError(f"the key {key!r} is that of an earlier input; give every input its own")
        connection.execute("UPDATE items SET session = ? WHERE key = ?", (self._session, key))
        token, state, began, sent, attempts, work_id, ok, seconds, result, error = members
        return Row(
            token=token,
            state=State(state),
            began=began,
            sent=sent,
            attempts=attempts,
            id=work_id,
            ok=bool(ok),
            seconds=seconds or 0.0,
            result=result,
            error=error,
        )

    def starting(self, key: str, sent: float, attempts: int) -> None:
        """Note that a request to start is about to be sent."""
        self._move(key, State.STARTING, "began = coalesce(began, ?), sent = ?, attempts = ?", sent, sent, attempts)

    def started(self, key: str, id: str) -> None:
        """Note the id of what was started."""
        self._move(key, State.STARTED, "id = ?", id)

    def planned(self, key: str) -> None:
        """Note that starting failed and surely left nothing behind."""
        self._move(key, State.PLANNED, "id = NULL")

    def finished(self, key: str, *, ok: bool, seconds: float, result: Callable[[], Any], error: Any = None) -> None:
        """Note the outcome. What makes the JSON of the result is called here, off the event loop."""
        texts = [None if value is None else json.dumps(value) for value in (result(), error)]
        self._move(key, State.FINISHED, "ok = ?, seconds = ?, result = ?, error = ?", ok, seconds, *texts)

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return those of some ids that are in the journal."""
        found: set[str] = set()
        for first in range(0, len(ids), MOST_BOUND):
            some = ids[first : first + MOST_BOUND]
            marks = ", ".join("?" * len(some))
            found |= {one for (one,) in self._connection().execute(f"SELECT id FROM items WHERE id IN ({marks})", some)}  # noqa: S608 - question marks
        return found

    def _move(self, key: str, state: State, members: str, *values: Any) -> None:
        self._connection().execute(
            f"UPDATE items SET state = ?, {members} WHERE key = ?",  # noqa: S608 - names of this file's columns
            (state, *values, key),
        )
