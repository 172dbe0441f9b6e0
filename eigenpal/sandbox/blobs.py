"""The bytes of files, in a folder. A blob is named by the sandbox, never by a request, so no name can escape it.

Writing streams: a blob is never wholly in memory unless the caller has it there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

READ_SIZE = 256 * 1024  # large enough that the cost per piece vanishes, small enough for hundreds of downloads at once


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes on disk: their name in the folder, how many, and their SHA-256 digest in hex."""

    name: str
    size: int
    digest: str


class BlobWriter:
    """Writes one blob piece by piece. Until `finish`, the blob doesn't exist for anyone else.

    Args:
        path: Where the bytes go.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("wb")
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)

    def finish(self) -> Blob:
        """Close the file and return what was written."""
        self._file.close()
        return Blob(self._path.name, self._size, self._digest.hexdigest())

    def discard(self) -> None:
        """Close and delete; safe after `finish` and when called twice."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class BlobFolder:
    """The folder.

    Args:
        path: Made when it isn't there.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path

    def path(self, name: str) -> Path:
        """Return where a blob lies.

        Args:
            name: Name of a blob of this folder.
        """
        return self._path / name

    def writer(self, name: str) -> BlobWriter:
        """Return a writer for a new blob.

        Args:
            name: A fresh id.
        """
        return BlobWriter(self.path(name))

    def delete(self, name: str) -> None:
        """Delete a blob, when it is still there."""
        self.path(name).unlink(missing_ok=True)

    def keep_only(self, names: set[str]) -> None:
        """Delete what no file refers to, such as an upload that a crash cut short."""
        for path in self._path.iterdir():
            if path.name not in names:
                path.unlink(missing_ok=True)


def read_pieces(path: Path, start: int, length: int) -> Iterator[bytes]:
    """Yield a part of a file in pieces.

    Args:
        path: The file.
        start: First byte.
        length: How many bytes.
    """
    with path.open("rb") as file:
        file.seek(start)
        while length > 0 and (piece := file.read(min(READ_SIZE, length))):
            length -= len(piece)
            yield piece
