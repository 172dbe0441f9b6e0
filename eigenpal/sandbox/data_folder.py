"""The data folder: made, kept out of version control, used by one sandbox at a time.

What lies in it is the business of the database, the blobs and the keys.
"""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path


class DataFolder:
    """A folder that is this sandbox's alone while it is open.

    Args:
        path: The folder; made by `open` when it isn't there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: sqlite3.Connection | None = None

    def open(self) -> None:
        """Make the folder and take it.

        Raises:
            OSError: It can't be made or written to, or another sandbox is using it.
        """
        if not self.path.exists():
            self.path.mkdir(parents=True)
            (self.path / ".gitignore").write_text("*\n")  # it holds an API key and whatever was uploaded
        # SQLite's locks work on every system, and the operating system drops them when a process is killed.
        try:
            self._lock = sqlite3.connect(
                self.path / "lock.sqlite3", timeout=0, isolation_level=None, check_same_thread=False
            )
            self._lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self.close()
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise OSError(errno.EBUSY, "Another sandbox is using this data folder", str(self.path)) from None
            raise OSError(errno.EACCES, f"This data folder can't be used ({error})", str(self.path)) from error

    def close(self) -> None:
        """Let others have it; safe to call twice."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
