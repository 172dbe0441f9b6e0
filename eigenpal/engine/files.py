"""What counts as a file input, and what is known of it before it is sent: name, media type, size, can it be repeated.

How its bytes are read is in `filereaders.py`, how it travels in `uploads.py`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Final, NotRequired, Protocol, TypeAlias, TypedDict, TypeGuard

import attrs
from anyio import to_thread

from eigenpal.engine.filereaders import Read, SharedHandle, is_text, read_bytes, read_path, read_stream, synchronous
from eigenpal.engine.mediatypes import guess_media_type
from eigenpal.errors import EigenpalInputError

CHUNK_BYTES: Final = 512 * 1024  # a thread hop costs as much as reading 100 KiB; more than this only costs memory

_MEDIA_TYPE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+ *(;[\x20-\x7e]*)?")
_CONTENT_KEYS: Final = frozenset({"content", "filename", "mime_type", "mimeType"})
_NEVER_FILES: Final = (str, int, float, list, tuple, type(None))
_HOW_TO: Final = 'give a Path, a file opened with "rb", or {"content": bytes, "filename": str}'


class BinaryReader(Protocol):
    """A file opened for reading bytes; `read` may also be a coroutine function (`anyio.open_file`)."""

    def read(self, size: int, /) -> bytes | Awaitable[bytes]:
        """Return at most `size` bytes; none at the end."""
        ...


class FileContent(TypedDict):
    """A file given by what is in it; the content may also be a Path or an open file that shall go by another name."""

    content: bytes | bytearray | memoryview | os.PathLike[str] | BinaryReader
    filename: str
    mime_type: NotRequired[str | None]
    mimeType: NotRequired[str | None]


FileInput: TypeAlias = os.PathLike[str] | BinaryReader | FileContent


@attrs.frozen(eq=False)
class FileSource:
    """A file that is ready to be sent.

    Attributes:
        filename: The name the server is told.
        content_type: Media type: as given, else guessed from the name, else `application/octet-stream`.
        length: Size in bytes, None when only reading it to the end can tell.
        replayable: Whether `chunks` gives the same bytes each time it is called.
        label: What to call it in an error: the name or path, and the input it was given for.
    """

    filename: str
    content_type: str
    length: int | None
    replayable: bool
    label: str
    _open: Callable[[], AbstractAsyncContextManager[Read]] = attrs.field(alias="open", repr=False)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Make one pass over the bytes; exactly `length` of them, or an error.

        Raises:
            EigenpalInputError: It can't be read, or it shrank or grew since it was checked.
        """
        sent = 0
        async with self._open() as read:
            while True:
                # Asking for one byte more than is left shows a file that grew, without a read of its own.
                wanted = CHUNK_BYTES if self.length is None else min(CHUNK_BYTES, self.length - sent + 1)
                chunk = await self._checked(read, wanted)
                sent += len(chunk)
                if self.length is not None and (sent > self.length or (not chunk and sent < self.length)):
                    change = "grew" if sent > self.length else "shrank"
                    raise EigenpalInputError(
                        f"{self.label} {change} while it was being sent: it had {self.length} bytes. "
                        "Send it when nothing writes to it any more, or send a copy."
                    )
                if chunk:
                    yield chunk
                if not chunk or (sent == self.length and len(chunk) < wanted):
                    return

    async def _checked(self, read: Read, size: int) -> bytes:
        try:
            chunk = await read(size)
        except Exception as problem:  # whatever a user's own file object raises
            raise EigenpalInputError(f"{self.label} could not be read: {problem}") from problem
        if isinstance(chunk, str):
            raise EigenpalInputError(f'{self.label} gives text, not bytes: open it with "rb".')
        if is_bytes(chunk):
            return bytes(chunk)
        raise EigenpalInputError(f"{self.label} gave {type(chunk).__name__} from read(), not bytes.")


def is_file(value: object) -> bool:
    """Tell whether a value is meant as a file: a path object, something readable, or a mapping with content. No I/O."""
    if isinstance(value, _NEVER_FILES):
        return False
    if is_mapping(value):
        content = value.get("content")
        return isinstance(value.get("filename"), str) and (is_bytes(content) or _is_path_or_handle(content))
    return _is_path_or_handle(value)


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Tell whether a value is a mapping, of whatever."""
    return type(value) is dict or isinstance(value, Mapping)  # asking the abstract class costs ten times as much


def is_bytes(value: object) -> TypeGuard[bytes | bytearray | memoryview]:
    """Tell whether a value is plain bytes, which JSON has no form for."""
    return isinstance(value, bytes | bytearray | memoryview)


def _is_path(value: object) -> TypeGuard[os.PathLike[Any]]:
    return isinstance(value, os.PathLike)


def _is_path_or_handle(value: object) -> bool:
    return _is_path(value) or callable(getattr(value, "read", None))


async def file_source(value: FileInput, where: str) -> FileSource:
    """Make one file ready to be sent: check it, name it, measure it.

    Args:
        value: The file, as the user gave it.
        where: What the user calls the place it was given in, such as `file` or `input.contract`.

    Raises:
        EigenpalInputError: It is no file, or a file that is missing, unreadable, closed or opened as text.
    """
    return await to_thread.run_sync(checked_source, value, where)


def checked_source(value: Any, where: str) -> FileSource:
    """Do what `file_source` does in the calling thread, which must be a worker: it opens, seeks, reads tables."""
    if not is_file(value):
        raise EigenpalInputError(f"{where} is {type(value).__name__}, not a file: {_HOW_TO}.")
    content, filename, media_type = value, "", None
    if is_mapping(value):
        if unknown := sorted(map(str, value.keys() - _CONTENT_KEYS)):
            raise EigenpalInputError(f"{where} is a file with the unknown key {unknown[0]!r}; is mime_type meant?")
        content, filename = value["content"], value["filename"]
        media_type = value.get("mime_type") or value.get("mimeType")
        if not filename:
            raise EigenpalInputError(f"{where} is a file with an empty filename.")
    if is_bytes(content):
        name = filename or "file"
        describe = _of_bytes(bytes(content))
    elif _is_path(content):
        path = Path(os.fsdecode(content))
        name = filename or path.name
        describe = _of_path(path, where)
    else:
        handle = synchronous(content)
        name = filename or _name_of(content) or _name_of(handle) or "file"
        describe = _of_handle(handle, where)
    label = f"{content if _is_path(content) else name} ({where})"
    return describe(filename=name, content_type=_content_type(media_type, name, where), label=label)


def _content_type(given: object, filename: str, where: str) -> str:
    if not given:
        return guess_media_type(filename)
    if not isinstance(given, str) or not _MEDIA_TYPE.fullmatch(given):
        raise EigenpalInputError(
            f"{where} has the mime_type {given!r}, which is not a media type such as application/pdf."
        )
    return given


def _name_of(handle: object) -> str | None:
    """Return the file name a handle goes by; pipes and temporary files have a number or `<stdin>` instead of one."""
    for attribute in ("name", "filename"):
        name = getattr(handle, attribute, None)
        base = os.path.basename(os.fsdecode(name)) if isinstance(name, str | bytes) else ""
        if base and not (base.startswith("<") and base.endswith(">")):
            return base
    return None


def _of_bytes(content: bytes) -> Callable[..., FileSource]:
    return partial(FileSource, length=len(content), replayable=True, open=partial(read_bytes, content))


def _of_path(path: Path, where: str) -> Callable[..., FileSource]:
    try:
        size = _regular_size(path)
    except FileNotFoundError as problem:
        raise EigenpalInputError(f"{path} ({where}) does not exist. Nothing was sent.") from problem
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the path
        reason = getattr(problem, "strerror", None) or problem
        raise EigenpalInputError(f"{path} ({where}) can't be read: {reason}. Nothing was sent.") from problem
    if size is None:
        raise EigenpalInputError(
            f"{path} ({where}) is not a regular file. Give the files inside a folder one by one; "
            'open a pipe or device with "rb" and give the open file.'
        )
    return partial(FileSource, length=size, replayable=True, open=partial(read_path, path))


def _regular_size(path: Path) -> int | None:
    """Return the size of a file that could be opened, None when it is something else than a file."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # asked first: opening a named pipe waits for its other end
        return None
    with open(path, "rb", buffering=0) as file:
        return os.fstat(file.fileno()).st_size


def _of_handle(handle: Any, where: str) -> Callable[..., FileSource]:
    if getattr(handle, "closed", False) is True:
        raise EigenpalInputError(f"{where} is a file that is already closed; keep it open until the call returns.")
    if is_text(handle):
        raise EigenpalInputError(f'{where} is a file opened as text; open it with "rb".')
    if (shared := SharedHandle.of(handle)) and (measured := shared.measure()):
        start, length = measured
        return partial(FileSource, length=length, replayable=True, open=partial(shared.read_from, start))
    return partial(FileSource, length=None, replayable=False, open=partial(read_stream, handle))
