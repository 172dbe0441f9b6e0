"""Reading bytes, paths and users' open files in worker threads, so that the event loop never waits for a disk.

A reader is a context manager that gives a `read(size)` to await. What is sent is not decided here.
"""

from __future__ import annotations

import codecs
import inspect
import io
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeAlias
from weakref import WeakValueDictionary

from anyio import to_thread

from eigenpal.engine.closing import surely_in_thread

Read: TypeAlias = Callable[[int], Awaitable[object]]  # bytes, unless a user's own file object gives something else


def _in_worker(read: Callable[[int], bytes]) -> Read:
    async def in_worker(size: int) -> object:
        return await to_thread.run_sync(read, size)

    return in_worker


@asynccontextmanager
async def read_bytes(content: bytes) -> AsyncGenerator[Read, None]:
    """Read from memory."""
    reader = io.BytesIO(content)  # shares the bytes

    async def read(size: int) -> object:
        return reader.read(size)

    yield read


@asynccontextmanager
async def read_path(path: Path) -> AsyncGenerator[Read, None]:
    """Read a file that is opened here, with the first read, and closed in any case."""
    file = _OwnFile(path)
    try:
        yield _in_worker(file.read)
    finally:
        file.close()


class _OwnFile:
    """A file that worker threads read and the event loop closes without waiting: the last to hold it closes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: io.FileIO | None = None
        self._closed = False

    def read(self, size: int) -> bytes:
        try:
            with self._lock:
                if self._closed:
                    return b""
                if self._file is None:
                    self._file = open(self._path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
                return self._file.read(size)
        finally:
            if self._closed:  # a cancelled pass did not wait for this read
                self.close()

    def close(self) -> None:
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                if self._file is not None:
                    self._file.close()
            finally:
                self._lock.release()


@asynccontextmanager
async def read_stream(handle: Any) -> AsyncGenerator[Read, None]:
    """Read a pipe, a socket or an asynchronous file, once. It may wait for ever: a cancelled read is left behind."""
    is_async = inspect.iscoroutinefunction(handle.read)

    async def read(size: int) -> object:
        if is_async:
            return await handle.read(size)
        # In a list, since trio takes an awaitable that comes out of a thread for a mistake.
        [data] = await to_thread.run_sync(lambda: [handle.read(size)], abandon_on_cancel=True)
        return await data if inspect.isawaitable(data) else data

    yield read


def synchronous(handle: Any) -> Any:
    """Return the plain file inside an asynchronous one (anyio, trio, an upload of Starlette) where it shows it."""
    if inspect.iscoroutinefunction(handle.read):
        for attribute in ("wrapped", "file"):
            inner = getattr(handle, attribute, None)
            if callable(getattr(inner, "read", None)):
                return inner
    return handle


def is_text(handle: Any) -> bool:
    """Tell whether a file was opened as text; also one inside a wrapper, such as a named temporary file."""
    if isinstance(handle, io.TextIOBase | codecs.StreamReader | codecs.StreamReaderWriter):
        return True
    return hasattr(handle, "encoding") and "b" not in str(getattr(handle, "mode", "b"))


class SharedHandle:
    """A user's seekable file, shared by all calls that send it: each reads from where it stood, none moves it for good.

    One handle may be given to a hundred calls at once. Without a common lock their reads would mix, and a call that
    came second would start in the middle.
    """

    # By id of the handle, which each of them keeps alive.
    _known: ClassVar[WeakValueDictionary[int, SharedHandle]] = WeakValueDictionary()
    _knowing = threading.Lock()

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.lock: threading.Lock = threading.Lock()
        self.start = 0
        self.passes = 0

    @classmethod
    def of(cls, handle: Any) -> SharedHandle | None:
        """Return the one sharer of this handle, None when it can't seek."""
        if inspect.iscoroutinefunction(handle.read):
            return None
        try:
            if not handle.seekable():
                return None
        except (AttributeError, OSError, ValueError):
            return None
        with cls._knowing:
            return cls._known.setdefault(id(handle), cls(handle))

    def measure(self) -> tuple[int, int] | None:
        """Return where the file stands and how many bytes follow; None when it only claims that it can seek."""
        with self.lock:
            try:
                start = self.start if self.passes else self.handle.tell()
                self.handle.seek(0, os.SEEK_END)
                end = self.handle.tell()
                self.handle.seek(start)
            except (AttributeError, OSError, ValueError):
                return None
            return start, max(0, end - start)

    @asynccontextmanager
    async def read_from(self, start: int) -> AsyncGenerator[Read, None]:
        """Read from a position to the end, then put the file back to where it stood."""
        one_pass = _Pass(self, start)
        try:
            yield _in_worker(one_pass.read)
        finally:
            await surely_in_thread(one_pass.end)


class _Pass:
    """One reading of a shared handle; everything under the handle's lock, since a cancelled read may come in late."""

    def __init__(self, shared: SharedHandle, start: int) -> None:
        self._shared = shared
        self._start = start
        self._position = start
        self._state = "new"

    def read(self, size: int) -> bytes:
        shared = self._shared
        with shared.lock:
            if self._state == "over":
                return b""
            if self._state == "new":
                self._state = "reading"
                shared.passes += 1
                shared.start = self._start
            if shared.handle.tell() != self._position:
                shared.handle.seek(self._position)
            data: bytes = shared.handle.read(size)
            self._position += len(data)
            return data

    def end(self) -> None:
        shared = self._shared
        with shared.lock:
            if self._state == "reading":
                shared.passes -= 1
                if not getattr(shared.handle, "closed", False):
                    shared.handle.seek(self._start)
            self._state = "over"
