"""What the sandbox keeps of people's verdicts on runs. All their SQL is here; expected files are files of the run."""

from __future__ import annotations

from dataclasses import astuple

from eigenpal.sandbox.database import Database, columns, marks
from eigenpal.sandbox.rows import ReviewRow

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reviews (
    run_id TEXT PRIMARY KEY, rating TEXT, status TEXT, body TEXT, created_at INTEGER, created_by TEXT,
    created_by_email TEXT, updated_at INTEGER, resolved_at INTEGER, resolved_by TEXT, resolved_by_email TEXT,
    expected TEXT
);
"""

_COLUMNS = columns(ReviewRow)


class Reviews:
    """The verdicts on the runs of one sandbox.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA)

    def review(self, run_id: str) -> ReviewRow:
        """Return what is said of a run; an empty row when nothing is."""
        found = self._database.rows(ReviewRow, f"SELECT {_COLUMNS} FROM reviews WHERE run_id = ?", (run_id,))
        return found[0] if found else ReviewRow(run_id)

    def put(self, review: ReviewRow) -> None:
        """Keep what is said of a run, in place of what was said before."""
        values = astuple(review)
        self._database.execute(f"INSERT OR REPLACE INTO reviews ({_COLUMNS}) VALUES ({marks(values)})", values)
