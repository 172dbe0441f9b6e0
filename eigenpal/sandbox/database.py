"""The SQLite file behind a sandbox: one connection, one lock, transactions. Knows no table.

Every call takes well under a millisecond and may come from any thread. Each store that keeps something here brings its
own tables.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")


class Database:
    """One SQLite file in WAL mode.

    Args:
        path: The file; made when it isn't there.
        lasting: Somebody may want it after a power cut; without that, nothing waits for the disk.
    """

    def __init__(self, path: Path, *, lasting: bool = True) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # NORMAL: a killed process loses nothing, only a power cut may cost the last writes; fine for a sandbox.
        synchronous = "NORMAL" if lasting else "OFF"
        try:
            self._connection.executescript(f"PRAGMA synchronous = {synchronous}; PRAGMA journal_mode = WAL;")
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock:
            self._connection.close()

    def create(self, schema: str) -> None:
        """Make tables and indexes that aren't there yet.

        Args:
            schema: `CREATE … IF NOT EXISTS` statements.
        """
        with self._lock:
            # As one transaction: each statement apart would be written to the file apart.
            self._connection.executescript(f"BEGIN; {schema} COMMIT;")

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Write several statements, or none of them. One inside another is part of the outer one."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Write one statement and return how many rows it changed."""
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows that a query finds."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def fetch_one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row that a query finds, None for none."""
        with self._lock:
            row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
            return row

    def rows(self, kind: type[Row], sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return what a query finds, each row as an instance of a class with the fields of the columns."""
        return [kind(*row) for row in self.fetch(sql, values)]


def columns(kind: type[Any]) -> str:
    """Return the column list of a row class: its fields, in order."""
    return ", ".join(field.name for field in fields(kind))


def marks(values: Sequence[Any]) -> str:
    """Return the question marks for a sequence of bound values."""
    return ", ".join("?" * len(values))
