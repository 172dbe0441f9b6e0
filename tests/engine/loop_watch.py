"""Proof that the event loop touches no disk: every call of a C function in its thread is looked at."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Functions of `os` and methods of raw files that wait for a disk. Closing a file that was only read is not among them.
WAITING = {
    "fstat", "ftruncate", "link", "listdir", "lseek", "lstat", "mkdir", "open", "read", "readinto", "rename", "replace",
    "scandir", "seek", "stat", "tell", "truncate", "unlink", "write",
}  # fmt: skip


@contextmanager
def disk_calls_of_this_thread() -> Iterator[list[str]]:
    """Collect the names of disk calls that this thread makes."""
    calls: list[str] = []

    def watch(_frame: FrameType, event: str, argument: Any) -> None:
        if event != "c_call" or argument.__name__ not in WAITING:
            return
        owner = getattr(argument, "__self__", None)
        of_the_system = getattr(argument, "__module__", None) in {"posix", "nt", "_io", "io"}
        of_a_file = isinstance(owner, io.RawIOBase | io.BufferedIOBase) and not isinstance(owner, io.BytesIO)
        if of_the_system or of_a_file:
            calls.append(argument.__name__)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield calls
    finally:
        sys.setprofile(before)
