"""Reading a request body: JSON within a bound, multipart straight to disk. No part of a file is kept in memory.

Knows nothing of runs: it yields texts by part name and blobs by part name.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from eigenpal.sandbox.blobs import Blob, BlobFolder, BlobWriter
from eigenpal.sandbox.context import guess_type
from eigenpal.sandbox.problems import Problem, invalid

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_TEXT_BYTES = 16 * 1024 * 1024  # JSON bodies and text parts have to fit into memory; files don't count
MAX_PARTS = 1000  # far above any real form; bounds the files one request can create


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of a form, already on disk."""

    part: str
    filename: str
    content_type: str
    blob: Blob


@dataclass(slots=True)
class Form:
    """A multipart body: its text parts by name, its files in order."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    files: list[FilePart] = field(default_factory=list[FilePart])


def too_large(limit: int) -> Problem:
    """Return the 413 for a body above a limit in bytes."""
    return Problem(413, f"The request body is larger than the {limit} bytes this server takes.")


async def read_json(pieces: AsyncIterator[bytes]) -> Any:
    """Return a JSON body.

    Args:
        pieces: The body as it arrives.

    Raises:
        Problem: 413, it is too large; 400, it isn't JSON.
    """
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > MAX_TEXT_BYTES:
            raise too_large(MAX_TEXT_BYTES)
    return parse_json(bytes(body), "<root>")


def parse_json(text: bytes | str, field_name: str) -> Any:
    """Return the value of a JSON text.

    Args:
        text: The text.
        field_name: Where it came from, for the error.

    Raises:
        Problem: 400, it isn't JSON.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise invalid(field_name, f"Not valid JSON: {error}.") from None


async def read_form(
    pieces: AsyncIterator[bytes],
    content_type: str,
    *,
    blobs: BlobFolder,
    new_name: Callable[[], str],
    is_file: Callable[[str, bool], bool],
) -> Form:
    """Return a multipart body, its files written to disk while it arrives.

    Args:
        pieces: The body as it arrives.
        content_type: The header with the boundary.
        blobs: Where files go. When this raises, everything it wrote there is deleted again.
        new_name: Makes blob names.
        is_file: Tells from the name of a part, and whether it has a file name, if it is a file.

    Raises:
        Problem: 400, the form can't be read; 413, a text part is too large.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise invalid("header.content-type", "The multipart body has no boundary.")
    reader = _FormReader(blobs, new_name, is_file)
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for piece in pieces:
            parser.write(piece)
        parser.finalize()
        if not reader.complete:
            raise FormParserError("the last boundary is missing")
    except FormParserError as error:
        reader.discard()
        raise invalid("<root>", f"The multipart body can't be read: {error}.") from None
    except BaseException:
        reader.discard()
        raise
    return reader.form


class _FormReader:
    """Receives the events of the multipart parser."""

    def __init__(self, blobs: BlobFolder, new_name: Callable[[], str], is_file: Callable[[str, bool], bool]) -> None:
        self.form = Form()
        self.complete = False
        self._blobs = blobs
        self._new_name = new_name
        self._is_file = is_file
        self._writers: list[BlobWriter] = []
        self._writer: BlobWriter | None = None
        self._text = bytearray()
        self._text_bytes = 0
        self._parts = 0
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._filename = ""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_text,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def discard(self) -> None:
        for writer in self._writers:
            writer.discard()

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise invalid("<root>", f"The form has more than {MAX_PARTS} parts.")
        self._headers = {}
        self._writer = None
        self._text = bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_text(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition"))[1]
        if b"name" not in options:
            raise invalid("<root>", "A part of the form has no name.")
        self._name = _decode(options[b"name"])
        filename = options.get(b"filename")
        if self._is_file(self._name, filename is not None):
            # A file name is shown and kept, but never used as a path on this machine.
            self._filename = _decode(filename or b"").replace("\\", "/").rsplit("/", 1)[-1]
            self._writer = self._blobs.writer(self._new_name())
            self._writers.append(self._writer)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._writer is not None:
            self._writer.write(memoryview(data)[start:end])
            return
        self._text_bytes += end - start
        if self._text_bytes > MAX_TEXT_BYTES:
            raise too_large(MAX_TEXT_BYTES)
        self._text += data[start:end]

    def _part_end(self) -> None:
        if self._writer is None:
            self.form.texts[self._name] = _decode(bytes(self._text))
            return
        filename = self._filename if self._filename not in ("", ".", "..") else self._name.rsplit(".", 1)[-1]
        sent_type = self._headers.get(b"content-type", b"").decode("latin-1").strip()
        blob = self._writer.finish()
        self.form.files.append(FilePart(self._name, filename, sent_type or guess_type(filename), blob))

    def _end(self) -> None:
        self.complete = True


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
