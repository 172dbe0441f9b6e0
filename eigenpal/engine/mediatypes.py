"""Media types by file name. The documents people send are listed here, so that every machine says the same of them.

What is not listed is asked of the system (`mimetypes`), which reads tables from disk: call it in a worker thread.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

UNKNOWN: Final = "application/octet-stream"

# Missing in slim containers and older Pythons, or different on Windows, where the registry has its say.
_BY_SUFFIX: Final[Mapping[str, str]] = {
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".eml": "message/rfc822",
    ".heic": "image/heic",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".md": "text/markdown",
    ".msg": "application/vnd.ms-outlook",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
}

# `mimetypes` names what is inside a compressed file; what is sent is the compressed file.
_BY_COMPRESSION: Final[Mapping[str, str]] = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
}


def guess_media_type(filename: str) -> str:
    """Return the media type that a file name suggests, `application/octet-stream` when it suggests none."""
    if known := _BY_SUFFIX.get(PurePosixPath(filename).suffix.lower()):
        return known
    # It takes its argument for a URL; after "./" nothing looks like a scheme.
    media_type, compression = mimetypes.guess_type(f"./{filename}")
    if compression:
        return _BY_COMPRESSION.get(compression, UNKNOWN)
    return media_type or UNKNOWN
