"""The runs of all tenants as the live page lists them: filtered, counted, one page at a time. Reads only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eigenpal.sandbox.database import Database
from eigenpal.sandbox.states import Status

# No payloads: a list must not read the megabytes that a run may have got or made.
_COLUMNS = (
    "id, tenant, kind, status, source_name, version, trigger, substr(error, 1, 300), "
    "created_at, started_at, completed_at, cancel_requested_at"
)
_SEARCHED = ("id", "source_name", "error", "batch_id", "example", "annotation", "arguments", "metadata", "output")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as a row of the list."""

    id: str
    tenant: str
    kind: str
    status: str
    source_name: str
    version: str
    trigger: str
    error: str | None
    created_at: int
    started_at: int | None
    completed_at: int | None
    cancel_requested_at: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs a list shows; an empty text means any.

    Attributes:
        kind: `workflow` or `agent`.
        status: A status.
        target: Slug of a workflow or agent.
        tenant: Name of a tenant.
        text: Part of an id, a slug, an error, an input or an output; letters in either case.
    """

    kind: str = ""
    status: str = ""
    target: str = ""
    tenant: str = ""
    text: str = ""

    def conditions(self, *, without_status: bool = False) -> tuple[str, list[Any]]:
        """Return the SQL condition with its values."""
        exact = {"kind": self.kind, "status": self.status, "source_name": self.target, "tenant": self.tenant}
        if without_status:
            exact["status"] = ""
        chosen = {column: value for column, value in exact.items() if value}
        conditions = [f"{column} = ?" for column in chosen]
        bound: list[Any] = list(chosen.values())
        if self.text:
            # Stored JSON has escapes in place of other letters than ASCII; everything else is stored as it is.
            forms = {_contains(self.text), _contains(json.dumps(self.text)[1:-1])}
            tests = [f"{column} LIKE ? ESCAPE '!'" for column in _SEARCHED for _ in forms]
            conditions.append(f"({' OR '.join(tests)})")
            bound += [form for _ in _SEARCHED for form in forms]
        return " AND ".join(conditions) or "1", bound


class RunBrowser:
    """Lists runs.

    Args:
        database: Where they are kept; best a connection of its own, so that no search holds up the API.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def runs(self, wanted: Wanted, *, limit: int, offset: int) -> Sequence[RunSummary]:
        """Return runs, newest first."""
        condition, bound = wanted.conditions()
        sql = f"SELECT {_COLUMNS} FROM runs WHERE {condition} ORDER BY sequence DESC LIMIT ? OFFSET ?"
        return self._database.rows(RunSummary, sql, [*bound, limit, offset])

    def counts(self, wanted: Wanted) -> Mapping[str, int]:
        """Return how many runs there are in each status, whichever status is wanted; all statuses are there."""
        condition, bound = wanted.conditions(without_status=True)
        found = self._database.fetch(f"SELECT status, count(*) FROM runs WHERE {condition} GROUP BY status", bound)
        return {status.value: 0 for status in Status} | dict(found)

    def first_events(self, run_id: str, most: int) -> tuple[Sequence[str], int]:
        """Return the first trace events of a run as JSON texts, and how many it has."""
        sql = "SELECT event FROM trace WHERE run_id = ? ORDER BY number LIMIT ?"
        ((count,),) = self._database.fetch("SELECT count(*) FROM trace WHERE run_id = ?", (run_id,))
        return [event for (event,) in self._database.fetch(sql, (run_id, most))], count

    def targets(self) -> Sequence[str]:
        """Return the slugs of everything that was ever run."""
        return [slug for (slug,) in self._database.fetch("SELECT DISTINCT source_name FROM runs ORDER BY 1")]

    def tenants(self) -> Sequence[str]:
        """Return the names of the tenants with runs."""
        return [tenant for (tenant,) in self._database.fetch("SELECT DISTINCT tenant FROM runs ORDER BY 1")]


def _contains(text: str) -> str:
    escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
