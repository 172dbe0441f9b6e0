"""The unfinished file of a download: what a later call needs to go on with it, and the last step to its place.

Blocking; call it from worker threads. `downloads.py` decides what is written and whether it is whole.

Beside `report.pdf` lie, while it is loaded, `.report.pdf.part` (the bytes so far) and `.report.pdf.part.json` (which
version of what they are). Whoever holds the lock on the second owns both. A call that does not get the lock, because
another loads the same file at this moment, works in a file of a random name and leaves nothing behind if it fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from eigenpal.engine.filenames import shortened

LONGEST_STEM_BYTES: Final = 200  # leaves room for the dot, the mark of a private file and the endings
MOST_MEMORY_BYTES: Final = 8192

_HEADER_TEXT: Final = re.compile(r"[\x20-\x7e]{1,1024}")  # what may go into If-Range, whoever wrote the file

# O_NOFOLLOW: a link put in the place by someone else must not lead our bytes elsewhere. O_NONBLOCK: nor a pipe hold us.
_OPEN_FLAGS: Final = (
    os.O_RDWR
    | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class PartFile:
    """The bytes of a download so far.

    Attributes:
        validator: Strong ETag or date of the version the bytes belong to; None when they can't be continued.
        total: Size of the whole, None when unknown.
        size: Bytes so far.
    """

    def __init__(self, target: Path, source: str) -> None:
        """Name the place; nothing is touched yet.

        Args:
            target: Where the whole file shall be.
            source: What is loaded, in words that name nothing else. Bytes of another source are not continued.
        """
        self.target = target
        self.validator: str | None = None
        self.total: int | None = None
        self.size: int = 0
        self._source = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        self._stem = "." + shortened(target.name, LONGEST_STEM_BYTES)
        self._path = target.with_name(f"{self._stem}.part")
        self._memory_path = target.with_name(f"{self._stem}.part.json")
        self._data: int | None = None
        self._memory: int | None = None
        self._lock = threading.Lock()  # a cancelled call may close while its last step still runs
        self._closed = False

    def open(self) -> None:
        """Take the part file of an earlier call, or begin one."""
        with self._lock:
            if self._closed:
                return
            self.target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._memory = _lock_own(self._memory_path)
                self._data = _open_own(self._path)
                self._recall()
            except OSError:  # in use, someone else's, a file system without locks; if the folder is at fault, we'll see
                self._let_go()
                self._path = self.target.with_name(f"{self._stem}.{secrets.token_hex(6)}.part")
                self._data = os.open(self._path, _OPEN_FLAGS | os.O_EXCL, 0o666)

    def restart(self, validator: str | None, total: int | None) -> None:
        """Throw away the bytes so far and note which version the next ones belong to."""
        with self._lock:
            self.validator = None  # in this order: whatever fails, no bytes are vouched for that are of another version
            os.ftruncate(self._open_data(), 0)
            os.lseek(self._open_data(), 0, os.SEEK_SET)
            self.size = 0
            if self._memory is not None:
                memory = {"source": self._source, "validator": validator, "total": total}
                os.ftruncate(self._memory, 0)
                os.lseek(self._memory, 0, os.SEEK_SET)
                _write(self._memory, json.dumps(memory).encode() if validator else b"")
            self.validator, self.total = validator, total

    def append(self, chunks: Sequence[bytes]) -> None:
        """Write bytes after those that are there."""
        with self._lock:
            for chunk in chunks:
                self.size += _write(self._open_data(), chunk)

    def finish(self, *, overwrite: bool) -> None:
        """Put the file in its place in one step.

        Raises:
            FileExistsError: Something is there by now, and `overwrite` is False.
        """
        with self._lock:
            os.close(self._open_data())
            self._data = self.validator = None
            try:
                _move(self._path, self.target, overwrite=overwrite)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(self._path)
                raise

    def close(self) -> None:
        """Let go. The bytes are kept if a later call can go on with them; else nothing is left behind."""
        with self._lock:
            self._closed = True
            keep = self._memory is not None and self.validator is not None and self.size > 0
            if self._data is not None and not keep:
                self.validator = None
                with contextlib.suppress(OSError):
                    os.unlink(self._path)
            self._let_go()

    def _open_data(self) -> int:
        if self._data is None:
            raise ValueError("the part file is closed")
        return self._data

    def _recall(self) -> None:
        """Read what an earlier call noted; bytes of another source, or of no known version, are as good as none."""
        assert self._memory is not None
        with contextlib.suppress(ValueError, RecursionError):
            memory: Any = json.loads(os.read(self._memory, MOST_MEMORY_BYTES))
            size = os.lseek(self._open_data(), 0, os.SEEK_END)
            match memory:
                case {"source": self._source, "validator": str(validator), "total": int() | None as total} if (
                    size and (total is None or size < total) and _HEADER_TEXT.fullmatch(validator)
                ):
                    self.validator, self.total, self.size = validator, total, size
                case _:
                    pass

    def _let_go(self) -> None:
        """Close both files; the note goes too unless it vouches for kept bytes."""
        if self._data is not None:
            os.close(self._data)
            self._data = None
        if self._memory is None:
            return
        # Removed while still locked, or another's new note might be hit. Windows can't remove an open file: there the
        # removal comes after, and fails if another has opened it, which is right too.
        remove = self.validator is None
        if remove and sys.platform != "win32":
            with contextlib.suppress(OSError):
                os.unlink(self._memory_path)
        os.close(self._memory)
        self._memory = None
        if remove and sys.platform == "win32":
            with contextlib.suppress(OSError):
                os.unlink(self._memory_path)


def _write(descriptor: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(data)


def _open_own(path: Path) -> int:
    """Open or make a file that is surely ours alone; what else is in its place is removed, never written to."""
    for _ in range(2):
        try:
            descriptor = os.open(path, _OPEN_FLAGS, 0o666)
        except OSError:
            if not path.is_symlink():
                raise
        else:
            if _is_own(os.fstat(descriptor)) and not path.is_symlink():
                return descriptor
            os.close(descriptor)
        os.unlink(path)
    raise OSError(f"{path} can't be had")


def _is_own(status: os.stat_result) -> bool:
    """Tell whether an open file is a regular one, without a second name, and of this user."""
    own = status.st_uid == os.geteuid() if sys.platform != "win32" else True
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and own


def _lock_own(path: Path) -> int:
    """Open or make a file and lock it for this call alone; the lock ends with the process at the latest."""
    for _ in range(3):
        descriptor = _open_own(path)
        try:
            _lock_now(descriptor)
            # Its last owner may have removed it between our opening and our lock: then we hold a lock on nothing.
            if os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False)):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OSError(f"{path} keeps changing hands")


if sys.platform == "win32":
    import msvcrt

    def _lock_now(descriptor: int) -> None:
        os.lseek(descriptor, MOST_MEMORY_BYTES, os.SEEK_SET)  # Windows locks are mandatory: beyond what is read
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

    def _move_into_free_place(path: Path, target: Path) -> None:
        os.rename(path, target)  # fails if there is something

else:
    import fcntl

    def _lock_now(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _move_into_free_place(path: Path, target: Path) -> None:
        try:
            os.link(path, target)  # unlike a rename, fails if there is something
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: look, then move
            if os.path.lexists(target):
                raise FileExistsError(f"{target} exists") from None
            os.replace(path, target)
        else:
            os.unlink(path)


def _move(path: Path, target: Path, *, overwrite: bool) -> None:
    """Give a finished file its name; a link in the place is replaced, not followed."""
    if overwrite:
        os.replace(path, target)
    else:
        _move_into_free_place(path, target)
