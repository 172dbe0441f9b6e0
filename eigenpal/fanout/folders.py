"""Names for the files of a batch: a folder for each key, a path in it for each file, whatever they are called. Pure."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath
from typing import Final

from eigenpal.engine.filenames import safe_name

LONGEST_FOLDER_CHARACTERS: Final = 80  # leaves room for the files below it where paths are short, as on Windows
_SEPARATORS: Final = re.compile(r"[/\\]")


def folder_name(key: str) -> str:
    """Return a folder name for a key: the key itself if it can be one; else what is left of it, and a hash.

    Keys that are not the same get names that are not the same.
    """
    name = safe_name(_SEPARATORS.sub("_", key))
    if name == key and len(name) <= LONGEST_FOLDER_CHARACTERS and "~" not in key:
        return name
    return f"{name[:LONGEST_FOLDER_CHARACTERS].rstrip('. ')}~{_hash(key)}"


def file_path(path: str, taken: set[str]) -> PurePath:
    """Return a relative path for a file, by the path a server gave it, that no file before it has.

    Args:
        path: Path on the server, such as `output/report.pdf`.
        taken: Paths of the files before it, in lower case; this one is added.
    """
    segments = [segment for segment in _SEPARATORS.split(path) if segment not in {"", ".", ".."}]
    safe = PurePath(*map(safe_name, segments or [path]))
    if str(safe).casefold() in taken:
        safe = safe.with_name(f"{safe.stem}~{_hash(path)}{safe.suffix}")
    taken.add(str(safe).casefold())
    return safe


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
