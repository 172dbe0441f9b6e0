"""A file of a source package, as readers and functions get it. How it came to be is the business of `packages`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a package: bytes on disk, or text that the sandbox derives.

    Attributes:
        content_type: Media type.
        path: Where the bytes lie on disk; None for derived text.
        text: Derived text.
    """

    content_type: str
    path: Path | None = None
    text: str = ""

    def read_bytes(self) -> bytes:
        """Return all bytes; takes as long as the disk does."""
        return self.text.encode() if self.path is None else self.path.read_bytes()

    def read_text(self) -> str:
        """Return all text.

        Raises:
            UnicodeDecodeError: It is no UTF-8.
        """
        return self.read_bytes().decode()
