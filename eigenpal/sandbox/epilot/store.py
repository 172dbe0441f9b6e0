"""What the sandbox keeps of epilot: agents, executions and the steps of executions. All their SQL is here.

Members that the wire has as JSON are kept as JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import Any

from eigenpal.sandbox.database import Database, columns, marks
from eigenpal.sandbox.epilot.states import TERMINAL, Event, Status, after

_SCHEMA = """
CREATE TABLE IF NOT EXISTS epilot_agents (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, org TEXT NOT NULL, id TEXT NOT NULL, source TEXT NOT NULL,
    document TEXT NOT NULL, registered TEXT, deleted INTEGER NOT NULL, UNIQUE (org, id)
);
CREATE TABLE IF NOT EXISTS epilot_executions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, org TEXT NOT NULL, agent_id TEXT NOT NULL,
    agent TEXT NOT NULL, status TEXT NOT NULL, context TEXT NOT NULL, mode TEXT NOT NULL, input TEXT NOT NULL,
    parameters TEXT NOT NULL, timeout_ms INTEGER NOT NULL, callback_url TEXT, result TEXT, error TEXT,
    pending_action TEXT, usage TEXT NOT NULL, created_at INTEGER NOT NULL, started_at INTEGER, completed_at INTEGER
);
CREATE INDEX IF NOT EXISTS epilot_executions_newest ON epilot_executions (org, sequence DESC);
CREATE TABLE IF NOT EXISTS epilot_steps (
    execution_id TEXT NOT NULL, position INTEGER NOT NULL, document TEXT NOT NULL, finished INTEGER NOT NULL,
    PRIMARY KEY (execution_id, position)
);
"""

INTERRUPTED = "The sandbox stopped while this execution was in flight; execute the agent again."


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent of one organisation.

    Attributes:
        document: The agent as the API shows it.
        registered: What a decorator made it of, to tell when that changes; None for agents made over the API.
    """

    sequence: int
    org: str
    id: str
    source: str
    document: str
    registered: str | None
    deleted: bool

    @property
    def members(self) -> dict[str, Any]:
        """The agent as the API shows it."""
        members: dict[str, Any] = json.loads(self.document)
        return members


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """One execution; times are milliseconds since 1970. `agent` is the agent as it was when it was executed."""

    sequence: int
    id: str
    org: str
    agent_id: str
    agent: str
    status: Status
    context: str
    mode: str
    input: str
    parameters: str
    timeout_ms: int
    callback_url: str | None
    result: str | None
    error: str | None
    pending_action: str | None
    usage: str
    created_at: int
    started_at: int | None
    completed_at: int | None

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of an execution; `document` is the iteration as the trace shows it."""

    execution_id: str
    position: int
    document: str
    finished: bool


_AGENT_COLUMNS, _EXECUTION_COLUMNS, _STEP_COLUMNS = columns(AgentRow), columns(ExecutionRow), columns(StepRow)
_STATUS_AT = [field.name for field in fields(ExecutionRow)].index("status")


class EpilotStore:
    """Agents, executions and steps in the sandbox's database.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA)

    # Agents

    def put_agent(self, agent: AgentRow) -> None:
        """Keep an agent, in place of an earlier state of it."""
        values = astuple(agent)[1:]
        names = _AGENT_COLUMNS.removeprefix("sequence, ")
        changes = ", ".join(f"{name} = excluded.{name}" for name in ("document", "registered", "deleted"))
        known = f"ON CONFLICT (org, id) DO UPDATE SET {changes}"
        self._database.execute(f"INSERT INTO epilot_agents ({names}) VALUES ({marks(values)}) {known}", values)

    def agent(self, org: str, agent_id: str, *, deleted: bool = False) -> AgentRow | None:
        """Return an agent of an organisation.

        Args:
            org: The organisation.
            agent_id: Id of the agent.
            deleted: Return it also when it was deleted.
        """
        sql = f"SELECT {_AGENT_COLUMNS} FROM epilot_agents WHERE org = ? AND id = ? AND deleted <= ?"
        return next(iter(self._database.rows(AgentRow, sql, (org, agent_id, deleted))), None)

    def agents(self, org: str) -> list[AgentRow]:
        """Return all agents of an organisation, the newest first."""
        sql = f"SELECT {_AGENT_COLUMNS} FROM epilot_agents WHERE org = ? AND NOT deleted ORDER BY sequence DESC"
        return self._database.rows(AgentRow, sql, (org,))

    # Executions

    def add_execution(self, execution: ExecutionRow) -> None:
        """Keep a new execution."""
        values = astuple(execution)[1:]
        names = _EXECUTION_COLUMNS.removeprefix("sequence, ")
        self._database.execute(f"INSERT INTO epilot_executions ({names}) VALUES ({marks(values)})", values)

    def execution(self, org: str, execution_id: str) -> ExecutionRow | None:
        """Return an execution, None when it belongs to another organisation."""
        sql = f"SELECT {_EXECUTION_COLUMNS} FROM epilot_executions WHERE org = ? AND id = ?"
        row = self._database.fetch_one(sql, (org, execution_id))
        return None if row is None else _execution(row)

    def executions(
        self, org: str, *, agent_id: str | None, status: str | None, behind: int | None, limit: int
    ) -> list[ExecutionRow]:
        """Return executions of an organisation, the newest first.

        Args:
            org: The organisation.
            agent_id: Only those of this agent.
            status: Only those in this state.
            behind: Only those older than the one with this sequence number.
            limit: How many at most.
        """
        filters = {"agent_id = ?": agent_id, "status = ?": status, "sequence < ?": behind}
        wanted = {sql: value for sql, value in filters.items() if value is not None}
        where = " AND ".join(["org = ?", *wanted])
        sql = f"SELECT {_EXECUTION_COLUMNS} FROM epilot_executions WHERE {where} ORDER BY sequence DESC LIMIT ?"
        return [_execution(row) for row in self._database.fetch(sql, (org, *wanted.values(), limit))]

    def advance(self, execution: ExecutionRow, event: Event, now: int, **changes: Any) -> ExecutionRow:
        """Let an event happen to an execution and return it as it is then.

        Args:
            execution: The execution, as it was at any time.
            event: What happens.
            now: The present moment.
            changes: Columns that change with it.

        Raises:
            InvalidTransition: It can't happen in the state it is in by now.
        """
        with self._database.transaction():
            current = self.execution(execution.org, execution.id)
            assert current is not None, "executions are never deleted"
            status = after(current.status, event)
            moments = {"started_at": now} if event is Event.START else {}
            if status in TERMINAL:
                moments = {"completed_at": now}
            changes = {"pending_action": None, **changes, **moments, "status": status}
            self._change(execution.id, changes)
            return replace(current, **changes)

    def set_usage(self, execution_id: str, usage: Mapping[str, float]) -> None:
        """Keep what an execution has used so far."""
        self._change(execution_id, {"usage": json.dumps(usage)})

    def fail_interrupted(self, now: int) -> None:
        """Fail what has not ended: nothing works on it any more."""
        error = json.dumps({"code": "INTERNAL_ERROR", "message": INTERRUPTED})
        unfinished = [status.value for status in Status if status not in TERMINAL]
        sql = (
            f"UPDATE epilot_executions SET status = ?, error = ?, pending_action = NULL, completed_at = ? "
            f"WHERE status IN ({marks(unfinished)})"
        )
        self._database.execute(sql, (Status.FAILED.value, error, now, *unfinished))

    # Steps

    def put_step(self, step: StepRow) -> None:
        """Keep a step, in place of an earlier state of it."""
        values = astuple(step)
        self._database.execute(
            f"INSERT OR REPLACE INTO epilot_steps ({_STEP_COLUMNS}) VALUES ({marks(values)})", values
        )

    def steps(self, execution_id: str) -> Sequence[StepRow]:
        """Return the steps of an execution in the order in which they began."""
        sql = f"SELECT {_STEP_COLUMNS} FROM epilot_steps WHERE execution_id = ? ORDER BY position"
        return self._database.rows(StepRow, sql, (execution_id,))

    def _change(self, execution_id: str, changes: Mapping[str, Any]) -> None:
        setting = ", ".join(f"{name} = ?" for name in changes)
        sql = f"UPDATE epilot_executions SET {setting} WHERE id = ?"
        self._database.execute(sql, (*changes.values(), execution_id))


def _execution(row: Sequence[Any]) -> ExecutionRow:
    values = list(row)
    values[_STATUS_AT] = Status(values[_STATUS_AT])
    return ExecutionRow(*values)
