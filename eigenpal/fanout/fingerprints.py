"""A short text for an input that is the same for the same input, over processes and machines; files included.

A file counts by its name, its size, and its first and last bytes: gigabytes are not read a second time, and a copy, or
a file that was touched, counts as the same. A change in the middle of a large file that keeps its size goes unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from anyio import to_thread

from eigenpal.engine.codec import dumps
from eigenpal.engine.files import FileSource, checked_source, is_bytes, is_file, is_mapping
from eigenpal.errors import EigenpalInputError

EDGE_BYTES: Final = 64 * 1024  # read at either end of a file: where documents keep dates, sizes and tables of contents


async def fingerprint(members: Mapping[str, Any], files_in: str) -> str:
    """Return the fingerprint of an input.

    Args:
        members: What makes the input, by name; JSON, and files in one of them.
        files_in: The name of the member whose values may be files or lists of files.

    Raises:
        EigenpalInputError: A file that is missing or can't be read, or a value that JSON has no form for.
    """
    arguments: Any = members[files_in]
    if not is_mapping(arguments) or not any(map(_has_files, arguments.values())):
        return _digest(members)
    described = await to_thread.run_sync(_described, dict(cast("Mapping[str, Any]", arguments)), files_in)
    return _digest({**members, files_in: described})


def _has_files(value: Any) -> bool:
    return is_file(value) or (isinstance(value, list | tuple) and any(map(is_file, cast("list[Any]", value))))


def _described(arguments: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the arguments with a description in place of each file. Blocking."""

    def described(value: Any, path: str) -> Any:
        if is_file(value):
            return _file(value, path)
        if isinstance(value, list | tuple):
            return [described(item, f"{path}[{index}]") for index, item in enumerate(cast("list[Any]", value))]
        return value

    return {name: described(value, f"{where}.{name}") for name, value in arguments.items()}


def _file(value: Any, path: str) -> list[Any]:
    source = checked_source(value, path)
    content: Any = value["content"] if is_mapping(value) else value
    edges = b""
    if is_bytes(content):
        edges = bytes(content)
    elif isinstance(content, os.PathLike):
        edges = _edges(Path(os.fsdecode(cast("os.PathLike[str]", content))), source)
    # Of an open file only name and size are known: reading it would move it for whoever else reads it.
    return ["a file", source.filename, source.content_type, source.length, hashlib.sha256(edges).hexdigest()]


def _edges(path: Path, source: FileSource) -> bytes:
    try:
        with path.open("rb") as file:
            first = file.read(EDGE_BYTES)
            file.seek(max((source.length or 0) - EDGE_BYTES, 0))
            return first + file.read(EDGE_BYTES)
    except OSError as problem:
        raise EigenpalInputError(f"{source.label} can't be read: {problem}. Nothing was sent.") from problem


def _digest(members: Mapping[str, Any]) -> str:
    try:
        # Once to plain JSON as it goes on the wire, then with its keys in order.
        plain = json.loads(dumps(members))
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    except (TypeError, ValueError, RecursionError) as problem:
        raise EigenpalInputError(f"the input can't be sent as JSON: {problem}") from None
