"""What the sandbox keeps of ArchAstro: sessions, routines and their runs. All their SQL is here.

Each row holds the document that the API shows, and the columns by which it is found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from eigenpal.sandbox.archastro.states import RUNS, SESSIONS, Event, Table, after
from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.database import Database, marks

Document: TypeAlias = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS archastro_sessions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, agent TEXT NOT NULL,
    status TEXT NOT NULL, routine_run TEXT, lasting TEXT, document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS archastro_routines (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, tenant TEXT NOT NULL, agent TEXT,
    lookup_key TEXT, event_type TEXT, document TEXT NOT NULL, registered TEXT, deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, id)
);
CREATE TABLE IF NOT EXISTS archastro_runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, routine TEXT NOT NULL,
    status TEXT NOT NULL, idempotency_key TEXT, document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS archastro_runs_of ON archastro_runs (tenant, routine, sequence DESC);
"""

INTERRUPTED = "The sandbox stopped while this session was at work; create it again."


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions a list shows; empty means any."""

    agents: Sequence[str] = ()
    statuses: Sequence[str] = ()
    routine_runs: Sequence[str] = ()
    exclude_system: bool = False


class ArchAstroStore:
    """The sessions, routines and runs of one sandbox.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA)

    # Sessions

    def add_session(
        self, tenant: str, document: Document, *, routine_run: str | None = None, lasting: str | None = None
    ) -> None:
        """Keep a new session.

        Args:
            tenant: Whose it is.
            document: As the API shows it.
            routine_run: The run that made it.
            lasting: What names the lasting session of a routine, if it is one.
        """
        self._database.execute(
            "INSERT INTO archastro_sessions (id, tenant, agent, status, routine_run, lasting, document) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                document["id"],
                tenant,
                document["agent"],
                document["status"],
                routine_run,
                lasting,
                json.dumps(document),
            ),
        )

    def session(self, session_id: str, tenant: str | None = None) -> Document | None:
        """Return a session, None when there is none or it belongs to another tenant."""
        return self._one("archastro_sessions", session_id, tenant)

    def lasting_session(self, tenant: str, lasting: str) -> Document | None:
        """Return the session that goes on under a name, None when there is none or it is over."""
        row = self._database.fetch_one(
            "SELECT document FROM archastro_sessions WHERE tenant = ? AND lasting = ? "
            f"AND status IN ({marks([*SESSIONS])}) ORDER BY sequence DESC",
            (tenant, lasting, *SESSIONS),
        )
        return None if row is None else json.loads(row[0])

    def sessions(self, tenant: str, wanted: SessionFilter, limit: int) -> list[Document]:
        """Return sessions, newest first."""
        where, bound = ["tenant = ?"], [tenant]
        columns = {"agent": wanted.agents, "status": wanted.statuses, "routine_run": wanted.routine_runs}
        for column, values in columns.items():
            if values:
                where.append(f"{column} IN ({marks(values)})")
                bound += values
        if wanted.exclude_system:
            where.append("json_extract(document, '$.is_system_session') = 0")
        sql = f"SELECT document FROM archastro_sessions WHERE {' AND '.join(where)} ORDER BY sequence DESC LIMIT ?"
        return [json.loads(text) for (text,) in self._database.fetch(sql, [*bound, limit])]

    def move_session(self, session_id: str, event: Event, now: int, **members: Any) -> Document:
        """Move a session along the table of states, and change members with it.

        Raises:
            InvalidTransition: The table has no such step.
        """
        return self._move("archastro_sessions", SESSIONS, session_id, event, now, members)

    def change_session(self, session_id: str, **members: Any) -> Document:
        """Change members of a session that have no part in its state."""
        with self._database.transaction():
            document = {**self._known("archastro_sessions", session_id), **members}
            self._put("archastro_sessions", document)
        return document

    def add_message(self, session_id: str, message: Mapping[str, Any]) -> Document:
        """Put a message at the end of an inbox."""
        with self._database.transaction():
            inbox = self._known("archastro_sessions", session_id)["inbox"]
            return self.change_session(session_id, inbox=[*inbox, message])

    def delete_session(self, session_id: str) -> None:
        """Forget a session."""
        self._database.execute("DELETE FROM archastro_sessions WHERE id = ?", (session_id,))

    # Routines

    def put_routine(self, tenant: str, document: Document, registered: str | None = None) -> None:
        """Keep a routine, new or changed.

        Args:
            tenant: Whose it is.
            document: As the API shows it.
            registered: What it was registered as, to tell when that changes; None leaves that as it was.
        """
        self._database.execute(
            "INSERT INTO archastro_routines (id, tenant, agent, lookup_key, event_type, document, registered) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE SET agent = excluded.agent, "
            "lookup_key = excluded.lookup_key, event_type = excluded.event_type, document = excluded.document, "
            "registered = coalesce(excluded.registered, registered)",
            (
                document["id"],
                tenant,
                document["agent"],
                document["lookup_key"],
                document["event_type"],
                json.dumps(document),
                registered,
            ),
        )

    def registered(self, tenant: str, routine_id: str) -> str | None:
        """Return what a routine was registered as; deleted ones count too."""
        row = self._database.fetch_one(
            "SELECT registered FROM archastro_routines WHERE tenant = ? AND id = ?", (tenant, routine_id)
        )
        return None if row is None else row[0]

    def routine(self, tenant: str, name: str, *, by_key: bool = False) -> Document | None:
        """Return a routine by its id, and by its lookup key if that may be; None when there is none."""
        row = self._database.fetch_one(
            "SELECT document FROM archastro_routines WHERE tenant = ? AND deleted = 0 AND (id = ? OR lookup_key = ?)",
            (tenant, name, name if by_key else None),
        )
        return None if row is None else json.loads(row[0])

    def routines(self, tenant: str, agents: Sequence[str], event_type: str | None) -> list[Document]:
        """Return the routines of a tenant in the order they were made."""
        where, bound = ["tenant = ?", "deleted = 0"], [tenant]
        if agents:
            where.append(f"agent IN ({marks(agents)})")
            bound += agents
        if event_type is not None:
            where.append("event_type = ?")
            bound.append(event_type)
        sql = f"SELECT document FROM archastro_routines WHERE {' AND '.join(where)} ORDER BY sequence"
        return [json.loads(text) for (text,) in self._database.fetch(sql, bound)]

    def delete_routine(self, tenant: str, routine_id: str) -> None:
        """Delete a routine."""
        self._database.execute(
            "UPDATE archastro_routines SET deleted = 1 WHERE tenant = ? AND id = ?", (tenant, routine_id)
        )

    # Runs

    def add_run(self, tenant: str, document: Document, idempotency_key: str | None) -> None:
        """Keep a new run."""
        self._database.execute(
            "INSERT INTO archastro_runs (id, tenant, routine, status, idempotency_key, document) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                document["id"],
                tenant,
                document["routine"],
                document["status"],
                idempotency_key,
                json.dumps(document),
            ),
        )

    def run(self, run_id: str) -> tuple[str, Document] | None:
        """Return whose a run is, and the run; None when there is none."""
        row = self._database.fetch_one("SELECT tenant, document FROM archastro_runs WHERE id = ?", (run_id,))
        return None if row is None else (row[0], json.loads(row[1]))

    def run_of_key(self, tenant: str, routine_id: str, key: str) -> Document | None:
        """Return the latest run of an idempotency key, None when there is none."""
        row = self._database.fetch_one(
            "SELECT document FROM archastro_runs WHERE tenant = ? AND routine = ? AND idempotency_key = ? "
            "ORDER BY sequence DESC",
            (tenant, routine_id, key),
        )
        return None if row is None else json.loads(row[0])

    def runs(
        self,
        tenant: str,
        routine_id: str,
        *,
        status: str | None,
        limit: int,
        before: int | None = None,
        behind: int | None = None,
    ) -> list[tuple[int, Document]]:
        """Return runs with their places in the list, newest first.

        Args:
            tenant: Whose runs.
            routine_id: Of which routine.
            status: Only these.
            limit: How many at most.
            before: Only those older than this place.
            behind: Only those newer than this place: of them the oldest.
        """
        where, bound = ["tenant = ?", "routine = ?"], [tenant, routine_id]
        places: Mapping[str, Any] = {"status = ?": status, "sequence < ?": before, "sequence > ?": behind}
        for condition, value in places.items():
            if value is not None:
                where.append(condition)
                bound.append(value)
        order = "ASC" if behind is not None else "DESC"
        sql = f"SELECT sequence, document FROM archastro_runs WHERE {' AND '.join(where)} ORDER BY sequence {order}"
        found = self._database.fetch(f"{sql} LIMIT ?", [*bound, limit])
        rows = [(sequence, json.loads(text)) for sequence, text in found]
        return rows[::-1] if behind is not None else rows

    def move_run(self, run_id: str, event: Event, now: int, **members: Any) -> Document:
        """Move a run along the table of states, and change members with it.

        Raises:
            InvalidTransition: The table has no such step.
        """
        return self._move("archastro_runs", RUNS, run_id, event, now, members)

    # Both

    def fail_interrupted(self, now: int) -> None:
        """Fail what was at work when the sandbox last stopped; a session that never began still waits."""
        ended: Mapping[str, Any] = {"error": INTERRUPTED}
        with self._database.transaction():
            for table, life, members in (("archastro_sessions", SESSIONS, ended), ("archastro_runs", RUNS, {})):
                sql = f"SELECT document FROM {table} WHERE status IN ({marks([*life])})"
                for (text,) in self._database.fetch(sql, [*life]):
                    document: Document = json.loads(text)
                    if document["status"] != "waiting" or document["started_at"] is not None:
                        self._move(table, life, document["id"], Event.FAIL, now, members)

    def _move(
        self, table: str, life: Table, row_id: str, event: Event, now: int, members: Mapping[str, Any]
    ) -> Document:
        with self._database.transaction():
            document = self._known(table, row_id)
            status = after(life, document["status"], event)
            document |= {**members, "status": status}
            if "started_at" in document:
                if document["started_at"] is None and status == "running":
                    document["started_at"] = timestamp(now)
                if status not in life:
                    document["completed_at"] = timestamp(now)
            else:
                document["updated_at"] = timestamp(now)
            self._put(table, document)
        return document

    def _known(self, table: str, row_id: str) -> Document:
        document = self._one(table, row_id, None)
        if document is None:
            raise KeyError(row_id)
        return document

    def _one(self, table: str, row_id: str, tenant: str | None) -> Document | None:
        row = self._database.fetch_one(f"SELECT tenant, document FROM {table} WHERE id = ?", (row_id,))
        return None if row is None or tenant not in (None, row[0]) else json.loads(row[1])

    def _put(self, table: str, document: Document) -> None:
        sql = f"UPDATE {table} SET status = ?, document = ? WHERE id = ?"
        self._database.execute(sql, (document["status"], json.dumps(document), document["id"]))
