"""What the sandbox keeps of runs: their state, files, steps and trace events. All their SQL is here.

Bytes of files live in the blob folder.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, fields
from typing import Any

from eigenpal.sandbox.database import Database, columns, marks
from eigenpal.sandbox.rows import FileRow, RunRow, StepRow
from eigenpal.sandbox.states import TERMINAL, Event, Status, after

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, kind TEXT NOT NULL,
    status TEXT NOT NULL, source_id TEXT NOT NULL, source_name TEXT NOT NULL, version TEXT NOT NULL,
    version_id TEXT NOT NULL, model TEXT, requested_ref TEXT, resolved_ref TEXT, commit_sha TEXT,
    trigger TEXT NOT NULL, user_id TEXT, batch_id TEXT, example TEXT, example_id TEXT, score REAL, passed INTEGER,
    annotation TEXT, schema_valid INTEGER, created_at INTEGER NOT NULL, started_at INTEGER, completed_at INTEGER,
    cancel_requested_at INTEGER, arguments TEXT NOT NULL, metadata TEXT, overrides TEXT, output TEXT, error TEXT,
    traceback TEXT, usage TEXT, definition TEXT NOT NULL, retry_number INTEGER NOT NULL, previous_run_id TEXT,
    next_run_id TEXT
);
CREATE INDEX IF NOT EXISTS runs_newest ON runs (tenant, created_at DESC, sequence DESC);
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, run_id TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, input_name TEXT,
    step_name TEXT, content_type TEXT NOT NULL, size INTEGER NOT NULL, digest TEXT NOT NULL, blob TEXT NOT NULL,
    created_at INTEGER NOT NULL, UNIQUE (run_id, path)
);
CREATE INDEX IF NOT EXISTS files_blob ON files (blob);
CREATE TABLE IF NOT EXISTS steps (
    id TEXT PRIMARY KEY, run_id TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
    output TEXT, error TEXT, override_mode TEXT, started_at INTEGER NOT NULL, completed_at INTEGER,
    UNIQUE (run_id, position)
);
CREATE TABLE IF NOT EXISTS trace (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, event TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS trace_run ON trace (run_id, number);
CREATE TABLE IF NOT EXISTS releases (id TEXT PRIMARY KEY, created_at INTEGER NOT NULL);
"""

INTERRUPTED = "The sandbox stopped while this run was in flight; start it again."

_RUN_COLUMNS, _FILE_COLUMNS, _STEP_COLUMNS = columns(RunRow), columns(FileRow), columns(StepRow)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a list shows; None means any. Lower bounds are inclusive, upper bounds exclusive."""

    kind: str | None = None
    source: str | None = None
    statuses: Sequence[str] = ()
    trigger: str | None = None
    user_id: str | None = None
    without_user: bool = False
    source_ref: str | None = None
    batch_id: str | None = None
    example_id: str | None = None
    example_id_contains: str | None = None
    created_from: Sequence[int] = ()
    created_before: Sequence[int] = ()
    completed_from: int | None = None
    completed_before: int | None = None
    ids: Sequence[str] | None = None

    def conditions(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield the SQL conditions with their values."""
        exact = {
            "kind": self.kind,
            "trigger": self.trigger,
            "user_id": self.user_id,
            "requested_ref": self.source_ref,
            "batch_id": self.batch_id,
            "example_id": self.example_id,
        }
        for column, value in exact.items():
            if value is not None:
                yield f"{column} = ?", [value]
        if self.source is not None:
            dotted = self.source.replace("/", ".")
            yield "(source_id = ? OR replace(source_name, '/', '.') = ?)", [self.source, dotted]
        if self.statuses:
            yield f"status IN ({marks(self.statuses)})", list(self.statuses)
        if self.without_user:
            yield "user_id IS NULL", []
        if self.example_id_contains is not None:
            yield "instr(example_id, ?) > 0", [self.example_id_contains]
        for moment in self.created_from:
            yield "created_at >= ?", [moment]
        for moment in self.created_before:
            yield "created_at < ?", [moment]
        if self.completed_from is not None:
            yield "completed_at >= ?", [self.completed_from]
        if self.completed_before is not None:
            yield "completed_at < ?", [self.completed_before]
        if self.ids is not None:
            yield f"id IN ({marks(self.ids)})", list(self.ids)


class Store:
    """The runs of one sandbox.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA)

    def transaction(self) -> AbstractContextManager[object]:
        """Return a block in which all that is read and written, in this and other stores, is one whole."""
        return self._database.transaction()

    # Runs

    def add_run(self, run: RunRow, files: Iterable[FileRow] = ()) -> None:
        """Keep a new run with its input files; its `sequence` is chosen here. The run that it follows learns of it."""
        with self._database.transaction() as connection:
            values = (None, *astuple(run)[1:])
            connection.execute(f"INSERT INTO runs ({_RUN_COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)
            for file in files:
                self._put_file(connection, file)
            if run.previous_run_id is not None:
                self._update(connection, run.previous_run_id, {"next_run_id": run.id})

    def run(self, run_id: str, tenant: str | None = None) -> RunRow | None:
        """Return a run, None when there is none or it belongs to another tenant."""
        sql = f"SELECT {_RUN_COLUMNS} FROM runs WHERE id = ?"
        row = self._database.fetch_one(sql, (run_id,))
        if row is None or (tenant is not None and row[2] != tenant):
            return None
        return _run(row)

    def runs(
        self, tenant: str, wanted: RunFilter, *, limit: int, offset: int = 0, behind: tuple[int, int] | None = None
    ) -> list[RunRow]:
        """Return runs, newest first.

        Args:
            tenant: Whose runs.
            wanted: Which of them.
            limit: How many at most.
            offset: How many to skip.
            behind: Creation time and sequence of the last run of the page before.
        """
        where = ["tenant = ?"]
        bound: list[Any] = [tenant]
        for condition, items in wanted.conditions():
            where.append(condition)
            bound += items
        if behind is not None:
            where.append("(created_at, sequence) < (?, ?)")
            bound += behind
        sql = (
            f"SELECT {_RUN_COLUMNS} FROM runs WHERE {' AND '.join(where)} "
            "ORDER BY created_at DESC, sequence DESC LIMIT ? OFFSET ?"
        )
        return [_run(row) for row in self._database.fetch(sql, [*bound, limit, offset])]

    def next_statuses(self, runs: Sequence[RunRow]) -> dict[str, Status]:
        """Return the status of every run that follows one of these, by its id."""
        ids = [run.next_run_id for run in runs if run.next_run_id is not None]
        rows = self._database.fetch(f"SELECT id, status FROM runs WHERE id IN ({marks(ids)})", ids) if ids else []
        return {run_id: _STATUSES[status] for run_id, status in rows}

    def next_status(self, run: RunRow) -> Status | None:
        """Return the status of the run that follows another, None when none does."""
        return None if run.next_run_id is None else self.next_statuses([run]).get(run.next_run_id)

    def advance(self, run_id: str, event: Event, now: int, **changes: Any) -> Status:
        """Move a run along the table of states, and keep what changes with it.

        Args:
            run_id: The run.
            event: What happens to it.
            now: The present moment; becomes the start or end of the run where the step is one.
            changes: Columns to set at the same time.

        Returns:
            The new status.

        Raises:
            InvalidTransition: The table has no such step, for example because the run was cancelled meanwhile.
        """
        with self._database.transaction() as connection:
            (text,) = connection.execute("SELECT status FROM runs WHERE id = ?", (run_id,)).fetchone()
            status = after(Status(text), event)
            changes["status"] = status.value
            if event is Event.START:
                changes["started_at"] = now
            if status in TERMINAL:
                changes["completed_at"] = now
            self._update(connection, run_id, changes)
            return status

    def update_run(self, run_id: str, **changes: Any) -> None:
        """Set columns of a run that have no part in its state."""
        with self._database.transaction() as connection:
            self._update(connection, run_id, changes)

    def request_cancel(self, run_id: str, now: int) -> None:
        """Note when the cancellation of a run was first asked for."""
        sql = "UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ?"
        self._database.execute(sql, (now, run_id))

    @staticmethod
    def _update(connection: sqlite3.Connection, run_id: str, changes: dict[str, Any]) -> None:
        assignments = ", ".join(f"{column} = ?" for column in changes)
        connection.execute(f"UPDATE runs SET {assignments} WHERE id = ?", (*changes.values(), run_id))

    def fail_interrupted(self, now: int) -> None:
        """Fail every run that was in flight when the sandbox last stopped."""
        ended = [status.value for status in TERMINAL]
        with self._database.transaction():
            for (run_id,) in self._database.fetch(f"SELECT id FROM runs WHERE status NOT IN ({marks(ended)})", ended):
                self.interrupt(run_id, now)

    def interrupt(self, run_id: str, now: int) -> None:
        """Fail a run because the sandbox stops."""
        with self._database.transaction():
            self.advance(run_id, Event.FAIL, now, error=INTERRUPTED)
            self.fail_open_steps(run_id, INTERRUPTED, now)

    def fail_open_steps(self, run_id: str, error: str, now: int) -> None:
        """End the steps of a run that have not ended."""
        self._database.execute(
            "UPDATE steps SET status = 'failure', error = ?, completed_at = ? "
            "WHERE run_id = ? AND completed_at IS NULL",
            (error, now, run_id),
        )

    # Files

    def put_file(self, file: FileRow) -> str | None:
        """Keep a file in place of any other at the same path.

        Returns:
            The blob that nothing refers to any longer, to be deleted; usually None.
        """
        with self._database.transaction() as connection:
            return self._put_file(connection, file)

    @staticmethod
    def _put_file(connection: sqlite3.Connection, file: FileRow) -> str | None:
        key = (file.run_id, file.path)
        replaced = connection.execute("SELECT blob FROM files WHERE run_id = ? AND path = ?", key).fetchone()
        values = astuple(file)
        connection.execute(f"INSERT OR REPLACE INTO files ({_FILE_COLUMNS}) VALUES ({marks(values)})", values)
        return None if replaced is None else _unused(connection, replaced[0])

    def move_file(self, file: FileRow, path: str, name: str) -> None:
        """Give a file another artifact path and name; the path has to be free."""
        self._database.execute("UPDATE files SET path = ?, name = ? WHERE id = ?", (path, name, file.id))

    def delete_files(self, files: Sequence[FileRow]) -> list[str]:
        """Forget files.

        Returns:
            The blobs that nothing refers to any longer, to be deleted.
        """
        with self._database.transaction() as connection:
            for file in files:
                connection.execute("DELETE FROM files WHERE id = ?", (file.id,))
            blobs = {file.blob for file in files}
            return [blob for blob in blobs if _unused(connection, blob) is not None]

    def files(self, run_id: str) -> list[FileRow]:
        """Return the files of a run in the order in which they were written."""
        return self._database.rows(
            FileRow, f"SELECT {_FILE_COLUMNS} FROM files WHERE run_id = ? ORDER BY rowid", (run_id,)
        )

    def file_at(self, run_id: str, path: str) -> FileRow | None:
        """Return the file of a run at an artifact path."""
        sql = f"SELECT {_FILE_COLUMNS} FROM files WHERE run_id = ? AND path = ?"
        return next(iter(self._database.rows(FileRow, sql, (run_id, path))), None)

    def file(self, file_id: str, tenant: str) -> FileRow | None:
        """Return a file by its id, None when it belongs to another tenant."""
        qualified = ", ".join(f"files.{column}" for column in _FILE_COLUMNS.split(", "))
        sql = f"SELECT {qualified} FROM files JOIN runs ON runs.id = run_id WHERE files.id = ? AND tenant = ?"
        return next(iter(self._database.rows(FileRow, sql, (file_id, tenant))), None)

    def blobs(self) -> set[str]:
        """Return the names of all blobs that a file refers to."""
        return {blob for (blob,) in self._database.fetch("SELECT blob FROM files")}

    # Steps and trace

    def put_step(self, step: StepRow) -> None:
        """Keep a step, in place of an earlier state of it."""
        values = astuple(step)
        self._database.execute(f"INSERT OR REPLACE INTO steps ({_STEP_COLUMNS}) VALUES ({marks(values)})", values)

    def steps(self, run_id: str) -> list[StepRow]:
        """Return the steps of a run in the order in which they began."""
        return self._database.rows(
            StepRow, f"SELECT {_STEP_COLUMNS} FROM steps WHERE run_id = ? ORDER BY position", (run_id,)
        )

    def add_trace_event(self, run_id: str, event: str) -> None:
        """Keep one trace event, given as JSON text."""
        self._database.execute("INSERT INTO trace (run_id, event) VALUES (?, ?)", (run_id, event))

    def trace_events(self, run_id: str) -> list[str]:
        """Return the trace events of a run as JSON texts, oldest first."""
        sql = "SELECT event FROM trace WHERE run_id = ? ORDER BY number"
        return [event for (event,) in self._database.fetch(sql, (run_id,))]

    # Automations

    def first_seen(self, release_id: str, now: int) -> int:
        """Return when an automation or a version of one was first registered with this data folder."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO releases VALUES (?, ?)", (release_id, now))
            sql = "SELECT created_at FROM releases WHERE id = ?"
            created_at: int = connection.execute(sql, (release_id,)).fetchone()[0]
            return created_at


_STATUS_AT = [field.name for field in fields(RunRow)].index("status")
_STATUSES = {status.value: status for status in Status}
_FLAGS_AT = [[field.name for field in fields(RunRow)].index(name) for name in ("passed", "schema_valid")]


def _unused(connection: sqlite3.Connection, blob: str) -> str | None:
    """Return the name of a blob if no file refers to it."""
    return None if connection.execute("SELECT 1 FROM files WHERE blob = ?", (blob,)).fetchone() else blob


def _run(row: Sequence[Any]) -> RunRow:
    values = list(row)
    values[_STATUS_AT] = _STATUSES[values[_STATUS_AT]]
    for index in _FLAGS_AT:
        if values[index] is not None:
            values[index] = bool(values[index])
    return RunRow(*values)
