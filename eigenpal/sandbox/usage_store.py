"""How much automations are used: numbers over the runs of a tenant. Reads the table of runs and writes none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eigenpal.sandbox.database import Database, marks


@dataclass(frozen=True, slots=True)
class Usage:
    """The runs of one automation in numbers; averages are over ended runs, in milliseconds and credits."""

    examples: int = 0
    total: int = 0
    last_created_at: int | None = None
    average_duration: float | None = None
    average_credits: float | None = None


class UsageStore:
    """Numbers over the runs of one sandbox.

    Args:
        database: Where the runs are; their table must be there already.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create("CREATE INDEX IF NOT EXISTS runs_source ON runs (tenant, source_id);")

    def usage(self, tenant: str, source_ids: Sequence[str]) -> dict[str, Usage]:
        """Return how much each of some automations is used, by id."""
        sql = f"""
            SELECT source_id, count(DISTINCT example_id), count(*), max(created_at),
                avg(completed_at - started_at),
                avg(iif(completed_at IS NULL, NULL, coalesce(json_extract(usage, '$.creditsCharged'), 0)))
            FROM runs WHERE tenant = ? AND source_id IN ({marks(source_ids)}) GROUP BY source_id
        """
        found = {row[0]: Usage(*row[1:]) for row in self._database.fetch(sql, (tenant, *source_ids))}
        return {source_id: found.get(source_id, Usage()) for source_id in source_ids}

    def examples(self, tenant: str, source_id: str) -> list[tuple[str, str | None]]:
        """Return id and label of the evaluation examples that an automation ran on, oldest first."""
        sql = """
            SELECT example_id, max(example) FROM runs WHERE tenant = ? AND source_id = ? AND example_id IS NOT NULL
            GROUP BY example_id ORDER BY min(sequence)
        """
        return [(example_id, label) for example_id, label in self._database.fetch(sql, (tenant, source_id))]
