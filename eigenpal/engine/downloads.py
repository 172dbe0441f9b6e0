"""Downloads: into a file, resumed where they broke, checked to be whole; or into memory, checked likewise.

How a stream is opened comes from outside; what lies on the disk meanwhile is in `partfile.py`, names in `filenames.py`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import anyio
import attrs
from anyio import CancelScope, to_thread

from eigenpal.engine.closing import surely_in_thread
from eigenpal.engine.filenames import safe_name
from eigenpal.engine.partfile import PartFile
from eigenpal.engine.ranges import continuation, promised_length, resume_validator
from eigenpal.engine.retry import backoff
from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalConnectionError,
    EigenpalDecodeError,
    EigenpalError,
    EigenpalInputError,
    EigenpalTimeoutError,
)

__all__ = ["ByteStream", "OpenStream", "Progress", "read_all", "safe_name", "save"]

T = TypeVar("T")

WRITE_BYTES: Final = 1024 * 1024  # collected before a thread writes them: one hop per MiB
MAX_RESUMES: Final = 3


class ByteStream(Protocol):
    """An answer with a good status whose body is still on the wire."""

    @property
    def status(self) -> int:
        """HTTP status, below 300."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body; a broken one raises a connection or timeout error."""
        ...


OpenStream: TypeAlias = Callable[[Mapping[str, str]], AbstractAsyncContextManager[ByteStream]]
Progress: TypeAlias = Callable[[int, int | None], None]


async def save(
    open_stream: OpenStream,
    to: str | os.PathLike[str],
    *,
    name: str,
    source: str | None = None,
    expected_size: int | None = None,
    overwrite: bool = False,
    max_resumes: int = MAX_RESUMES,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    on_progress: Progress | None = None,
) -> Path:
    """Load a stream into a file that appears only when it is whole.

    A broken body is continued, here and by later calls for the same target, if the server said which version it was
    (a strong ETag, or a Last-Modified that can serve as one); otherwise loaded anew.

    Args:
        open_stream: Opens the download with these extra request headers.
        to: An existing folder, or a text that ends in a separator, means: into it, under the safe form of `name`. So
            does a path that is not there and has no file ending, if the file has one: `Path("out/")` has lost its
            slash. All else is the file itself. Missing folders are made.
        name: Path the server gave the file.
        source: Text that names this content and nothing else (method and address without credentials). Bytes that a
            call left behind are continued only for the same source; by default for the same name.
        expected_size: Size in bytes if it is known from elsewhere.
        overwrite: Replace an existing file. A symlink in the place is replaced, never followed.
        max_resumes: How often a broken body is continued before the error is raised.
        sleep: Waits between resumes, in seconds.
        on_progress: Called with the bytes so far and the size of the whole, None while unknown. Runs in the event loop.

    Returns:
        The path of the file.

    Raises:
        EigenpalInputError: The target exists or can't be written; raised before anything is sent.
        EigenpalConnectionError: The body broke more often than it may. What came is kept for the next call.
        EigenpalTimeoutError: The body stalled more often than it may. What came is kept for the next call.
        EigenpalDecodeError: The sizes the server gave contradict each other, the body or `expected_size`.
        EigenpalError: The bytes could not be written, for instance because the disk is full.
    """
    target = await _on_disk(
        _place, to, name, overwrite, doing=f"{os.fspath(to)} can't be saved to", kind=EigenpalInputError
    )
    part = PartFile(target, name if source is None else source)
    try:
        await _on_disk(part.open, doing=f"{target} can't be written", kind=EigenpalInputError)
        await _Download(open_stream, part, name, expected_size, on_progress).run(max_resumes, sleep)
        try:
            await _on_disk(partial(part.finish, overwrite=overwrite), doing=f"{target} can't be put in its place")
        except EigenpalError as error:
            if isinstance(error.__cause__, FileExistsError):
                raise _exists(target) from error.__cause__
            raise
    finally:
        await surely_in_thread(part.close)
    return target


async def read_all(stream: ByteStream, limit: int | None = None) -> bytes:
    """Read a stream into memory.

    Args:
        stream: The open download.
        limit: Most bytes to accept; any number by default.

    Raises:
        EigenpalConnectionError: The body broke, or ended before the promised length.
        EigenpalDecodeError: The body is longer than promised, or than the limit.
    """
    promised = promised_length(stream.headers)
    most = min(size for size in (promised, limit, float("inf")) if size is not None)
    chunks: list[bytes] = []
    size = 0
    if limit is None or promised is None or promised <= limit:
        async with _iterating(stream) as body:
            async for chunk in body:
                size += len(chunk)
                if size > most:
                    break
                chunks.append(chunk)
    if limit is not None and max(size, promised or 0) > limit:
        raise EigenpalDecodeError(
            f"The body is larger than the limit of {limit} bytes; save it to a file instead.", status=stream.status
        )
    if promised is not None and size != promised:
        kind = EigenpalConnectionError if size < promised else EigenpalDecodeError
        raise kind(
            f"The body has {'only ' if size < promised else 'more than '}{min(size, promised)} of {promised} bytes."
        )
    return b"".join(chunks)


# ------------------------------------------------------------------------------------------------------------ the body


@attrs.define(eq=False)
class _Download:
    """One call's way from the first request to a whole part file."""

    open_stream: OpenStream
    part: PartFile
    name: str
    expected_size: int | None
    on_progress: Progress | None
    ranges_work: bool = True

    async def run(self, max_resumes: int, sleep: Callable[[float], Awaitable[None]]) -> None:
        resumes = 0
        while True:
            begun = False
            try:
                async with self.open_stream(self._conditions()) as stream:
                    begun = True
                    if await self._receive(stream):
                        return
            except EigenpalAPIError as error:
                if error.status != 416 or not self._offset:
                    raise
            except (EigenpalConnectionError, EigenpalTimeoutError) as error:
                # Whoever opens streams has its own retries: a download that could not even begin is not ours to repeat.
                if resumes >= max_resumes or not (begun or resumes):
                    error.retries_taken += resumes
                    raise
                await sleep(backoff(resumes, None))
                resumes += 1
                continue
            # The server can't continue what we have, or not honestly. It is not asked for a range again.
            self.ranges_work = False
            await self._write(self.part.restart, None, None)

    @property
    def _offset(self) -> int:
        return self.part.size if self.ranges_work and self.part.validator is not None else 0

    def _conditions(self) -> dict[str, str]:
        if not self._offset or self.part.validator is None:
            return {}
        return {"Range": f"bytes={self._offset}-", "If-Range": self.part.validator}

    async def _receive(self, stream: ByteStream) -> bool:
        """Take one answer to its end; False if it does not continue what we have."""
        ends: int | None
        if stream.status == 206 and self._offset:
            span = continuation(stream.headers, self._offset, self.part.validator, self.part.total)
            if span is None:
                return False
            ends, self.part.total = span
        elif stream.status in (200, 203):
            ends = promised_length(stream.headers)
            await self._write(self.part.restart, resume_validator(stream.headers), ends)
        else:
            raise EigenpalDecodeError(
                f"{self.name} was answered with {stream.status}, not with a file.", status=stream.status
            )
        whole = self.part.total if self.part.total is not None else self.expected_size
        if self.expected_size not in (None, whole):
            raise await self._contradiction(stream, f"is {whole} bytes long, but should be {self.expected_size}")
        done = await self._take(stream, ends if ends is not None else whole, whole)
        if whole is not None and done < whole:
            raise EigenpalConnectionError(f"The body of {self.name} ended after {done} of {whole} bytes.", status=0)
        return True

    async def _take(self, stream: ByteStream, ends: int | None, whole: int | None) -> int:
        """Write a body to the part file; what came before it breaks is written too."""
        done = self.part.size
        pending: list[bytes] = []
        waiting = 0
        self._report(done, whole)
        try:
            async with _iterating(stream) as body:
                async for chunk in body:
                    done += len(chunk)
                    if ends is not None and done > ends:
                        raise await self._contradiction(stream, f"is longer than the {ends} bytes it should have")
                    pending.append(chunk)
                    waiting += len(chunk)
                    if waiting >= WRITE_BYTES:
                        batch, pending, waiting = pending, [], 0
                        await self._write(self.part.append, batch)
                    self._report(done, whole)
        finally:
            if pending:
                with CancelScope(shield=True):
                    await self._write(self.part.append, pending)
        return done

    async def _contradiction(self, stream: ByteStream, what: str) -> EigenpalDecodeError:
        await self._write(self.part.restart, None, None)
        return EigenpalDecodeError(f"{self.name} {what}; nothing was saved.", status=stream.status)

    async def _write(self, step: Callable[..., None], *arguments: Any) -> None:
        await _on_disk(step, *arguments, doing=f"{self.part.target} can't be written")

    def _report(self, done: int, whole: int | None) -> None:
        if self.on_progress is not None:
            self.on_progress(done, whole)


@asynccontextmanager
async def _iterating(stream: ByteStream) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """Close the iterator when it is left early, as generators want to be."""
    iterator = stream.chunks()
    try:
        yield iterator
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


# ------------------------------------------------------------------------------------------------------------ the disk


def _place(to: str | os.PathLike[str], name: str, overwrite: bool) -> Path:
    """Return the file to write, after making sure that it may be written."""
    text = os.fspath(to)
    file_name = safe_name(name)
    folder = (
        text.endswith(tuple(filter(None, ("/", os.sep, os.altsep))))
        or os.path.isdir(text)
        or (bool(Path(file_name).suffix) and not Path(text).suffix and not os.path.lexists(text))
    )
    target = Path(text, file_name) if folder else Path(text)
    if target.is_dir():
        raise EigenpalInputError(f"{target} is a folder; give another place.") from IsADirectoryError(
            errno.EISDIR, os.strerror(errno.EISDIR), str(target)
        )
    if not overwrite and os.path.lexists(target):
        raise _exists(target) from FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    return target


def _exists(target: Path) -> EigenpalInputError:
    return EigenpalInputError(f"{target} exists already; give overwrite=True to replace it, or another place.")


async def _on_disk(step: Callable[..., T], *arguments: Any, doing: str, kind: type[EigenpalError] = EigenpalError) -> T:
    """Run a blocking step in a worker thread; say what the operating system has against it in an error of ours."""
    try:
        return await to_thread.run_sync(step, *arguments)
    except EigenpalError:
        raise
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the path
        raise kind(f"{doing}: {getattr(problem, 'strerror', None) or problem}.") from problem
