"""What the sandbox keeps of source packages: their commits, each with all its files. All their SQL is here.

Bytes of files live in the blob folder. What may be committed is the repository's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from eigenpal.sandbox.database import Database, columns, marks

_SCHEMA = """
CREATE TABLE IF NOT EXISTS commits (
    number INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, package TEXT NOT NULL, sha TEXT NOT NULL,
    version TEXT, notes TEXT, author TEXT, created_at INTEGER NOT NULL, UNIQUE (tenant, package, version)
);
CREATE INDEX IF NOT EXISTS commits_package ON commits (tenant, package, number);
CREATE TABLE IF NOT EXISTS commit_files (
    number INTEGER NOT NULL, path TEXT NOT NULL, content_type TEXT NOT NULL, size INTEGER NOT NULL,
    digest TEXT NOT NULL, blob TEXT NOT NULL, PRIMARY KEY (number, path)
);
"""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a package; with a version it is a release. The author is a JSON text."""

    number: int
    tenant: str
    package: str
    sha: str
    version: str | None
    notes: str | None
    author: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class CommitFile:
    """One file of a commit; `blob` names its bytes in the blob folder."""

    path: str
    content_type: str
    size: int
    digest: str
    blob: str


_COMMIT_COLUMNS, _FILE_COLUMNS = columns(Commit), columns(CommitFile)


class SourceStore:
    """The commits of one sandbox.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        database.create(_SCHEMA)

    def add(self, commit: Commit, files: Sequence[CommitFile]) -> Commit:
        """Keep a commit with all files that it has; its number is chosen here.

        Returns:
            The commit with its number.
        """
        with self.database.transaction() as connection:
            values = (None, *astuple(commit)[1:])
            sql = f"INSERT INTO commits ({_COMMIT_COLUMNS}) VALUES ({marks(values)})"
            number = connection.execute(sql, values).lastrowid
            assert number is not None
            connection.executemany(
                f"INSERT INTO commit_files (number, {_FILE_COLUMNS}) VALUES (?, {marks(_FILE_COLUMNS.split(', '))})",
                [(number, *astuple(file)) for file in files],
            )
        return Commit(number, *astuple(commit)[1:])

    def commits(self, tenant: str, package: str) -> list[Commit]:
        """Return the commits of a package, newest first."""
        sql = f"SELECT {_COMMIT_COLUMNS} FROM commits WHERE tenant = ? AND package = ? ORDER BY number DESC"
        return self.database.rows(Commit, sql, (tenant, package))

    def all(self, tenant: str) -> dict[str, list[Commit]]:
        """Return the commits of every package of a tenant, newest first."""
        sql = f"SELECT {_COMMIT_COLUMNS} FROM commits WHERE tenant = ? ORDER BY number DESC"
        packages: dict[str, list[Commit]] = {}
        for commit in self.database.rows(Commit, sql, (tenant,)):
            packages.setdefault(commit.package, []).append(commit)
        return packages

    def files(self, number: int) -> list[CommitFile]:
        """Return the files of a commit, by path."""
        sql = f"SELECT {_FILE_COLUMNS} FROM commit_files WHERE number = ? ORDER BY path"
        return self.database.rows(CommitFile, sql, (number,))

    def blobs(self) -> set[str]:
        """Return the names of all blobs that a commit refers to."""
        return {blob for (blob,) in self.database.fetch("SELECT DISTINCT blob FROM commit_files")}
