"""Files on their way to the server: finding them among input values, and streaming them as multipart/form-data.

Nothing is held in memory but the chunk being sent. What a file is and how it is read: `files.py`, `filereaders.py`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeGuard

from anyio import to_thread

from eigenpal.engine.files import (
    FileContent,
    FileInput,
    FileSource,
    checked_source,
    file_source,
    is_bytes,
    is_file,
    is_mapping,
)
from eigenpal.errors import EigenpalInputError

__all__ = ["FileContent", "FileInput", "FileSource", "MultipartBody", "file_source", "is_file", "split_files"]

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'+_.-]{1,70}")  # of RFC 2046, those a header takes without quotes
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})  # and no others: what browsers do


async def split_files(
    input: Mapping[str, Any],
    *,
    where: str = "input",
) -> tuple[dict[str, Any], list[tuple[str, FileSource]]]:
    """Tell the files among input values from the rest, and make them ready to be sent.

    A file, or a list of files, may be the value of an input; not deeper, since the wire has no name for it there.

    Args:
        input: Values by input name.
        where: What the user calls the mapping; begins the paths in errors.

    Returns:
        The values without files, and a pair of input name and source for each file, in the order given.

    Raises:
        EigenpalInputError: A file that is missing, unreadable or in a place it can't be sent from, or plain bytes.
    """
    if not is_mapping(input):
        raise EigenpalInputError(f"{where} is {type(input).__name__}; give a mapping of input names to values.")
    values: dict[str, Any] = {}
    found: list[tuple[str, Any, str]] = []
    for name, value in input.items():
        path = f"{where}.{name}"
        if is_file(value):
            found.append((name, value, path))
        elif _is_list(value) and any(map(is_file, value)):
            found += [(name, item, f"{path}[{index}]") for index, item in enumerate(value)]
            if not all(map(is_file, value)):
                raise EigenpalInputError(
                    f"{path} mixes files and other values; give the files as an input of their own."
                )
        else:
            values[name] = value
            try:
                _refuse_files_within(value, path)
            except RecursionError:
                raise EigenpalInputError(f"{path} contains itself, or is nested too deeply for JSON.") from None
    if not found:
        return values, []
    sources = await to_thread.run_sync(lambda: [checked_source(value, path) for _, value, path in found])
    return values, [(name, source) for (name, _, _), source in zip(found, sources, strict=True)]


def _refuse_files_within(value: object, path: str) -> None:
    """Walk a plain value and refuse what JSON can't carry but a user may well have meant."""
    if _is_list(value):
        for index, item in enumerate(value):
            if type(item) not in _SCALARS:  # most are, and making a path costs more than the rest
                _refuse_files_within(item, f"{path}[{index}]")
    elif is_file(value):
        raise EigenpalInputError(
            f"{path} is a file inside another value, where it can't be sent. "
            "Make it the value of an input, or an item of a list that is the value of an input."
        )
    elif is_bytes(value):
        raise EigenpalInputError(
            f'{path} is plain bytes; to send them as a file give {{"content": ..., "filename": ...}}.'
        )
    elif is_mapping(value):
        for key, item in value.items():
            if type(item) not in _SCALARS:
                _refuse_files_within(item, f"{path}.{key}")


def _is_list(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, list | tuple)


class MultipartBody:
    """A multipart/form-data body that is made while it is sent; a `Body` of the transports."""

    def __init__(self, fields: Sequence[tuple[str, str | FileSource]], *, boundary: str | None = None) -> None:
        """Lay out the parts: text first, then files, each in the order given.

        Args:
            fields: Part names with a text, or with the file to stream.
            boundary: What separates the parts; random by default, so that no file can contain it but by design.

        Raises:
            EigenpalInputError: A boundary that the format does not allow.
        """
        self._boundary = boundary if boundary is not None else f"-----------{secrets.token_hex(16)}"
        if not _BOUNDARY.fullmatch(self._boundary):
            raise EigenpalInputError(f"{self._boundary!r} can't be a multipart boundary.")
        texts = b"".join(self._text_part(name, value) for name, value in fields if isinstance(value, str))
        self._files = [(self._file_head(name, value), value) for name, value in fields if not isinstance(value, str)]
        self._texts = texts
        self._end = f"--{self._boundary}--\r\n".encode()

    @property
    def content_type(self) -> str:
        """Value of the Content-Type header."""
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def length(self) -> int | None:
        """Bytes in all, None when the length of a file is unknown."""
        total = len(self._texts) + len(self._end)
        for head, source in self._files:
            if source.length is None:
                return None
            total += len(head) + source.length + len(b"\r\n")
        return total

    @property
    def replayable(self) -> bool:
        """Whether every file can be read again from where its first reading began."""
        return all(source.replayable for _, source in self._files)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Make one pass over the body. Close the generator if you leave it early (`contextlib.aclosing`).

        Raises:
            EigenpalInputError: A file can't be read, or changed its size. The body is cut then: the request must be
                broken off and not be sent again.
        """
        before = self._texts
        for head, source in self._files:
            yield before + head
            async with aclosing(source.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
            before = b"\r\n"
        yield before + self._end

    def _text_part(self, name: str, value: str) -> bytes:
        head = f'--{self._boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
        return head.encode() + _encoded(value) + b"\r\n"

    def _file_head(self, name: str, source: FileSource) -> bytes:
        return (
            f"--{self._boundary}\r\n"
            f'Content-Disposition: form-data; name="{_quoted(name)}"; filename="{_quoted(source.filename)}"\r\n'
            f"Content-Type: {source.content_type}\r\n\r\n"
        ).encode()


def _quoted(name: str) -> str:
    return _encoded(name).decode().translate(_ESCAPES)


def _encoded(text: str) -> bytes:
    """Encode as UTF-8; bytes of a file name that are not UTF-8 (lone surrogates in Python) become U+FFFD."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
