"""File names from a server, made safe: one component, on every file system, that can't leave its folder.

Pure text. Whether a file of that name exists, and what then, is decided in `downloads.py`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

LONGEST_NAME_BYTES: Final = 255  # of nearly every file system; Windows counts UTF-16 units, which are never more
LONGEST_SUFFIX_BYTES: Final = 32  # what is longer is no file type but a name with a dot in it
NAMELESS: Final = "download"

# Forbidden on Windows; a colon would also open a hidden stream of another file there.
_FORBIDDEN: Final = frozenset('<>:"|?*')
# They turn the reading direction, so that `gpj.exe` looks like `exe.jpg`.
_DIRECTION: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control, lone surrogate, line and paragraph separators
# Devices, with any extension: on Windows `nul.txt` swallows what is written to it.
_DEVICE: Final = re.compile(
    r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.IGNORECASE | re.DOTALL
)


def safe_name(artifact_path: str) -> str:
    r"""Return the last segment of a server-given path, made safe for any file system.

    Separators are `/` and `\`. Characters that are forbidden somewhere, control characters and a leading dot (a hidden
    file) become `_`; spaces and dots at the end go; device names of Windows get a `_` in front; a name that is too long
    loses the end of its stem, in exchange for a hash of the whole, and keeps its extension.

    Args:
        artifact_path: Path as the server gave it, such as `output/report.pdf`.

    Returns:
        A name of 1 to 255 bytes in UTF-8; `download` when nothing usable is left.
    """
    segments = [segment for segment in re.split(r"[/\\]", artifact_path) if segment]
    name = "".join(map(_safe_character, segments[-1] if segments else "")).strip(" ").rstrip(". ")
    if not name:
        return NAMELESS
    if name.startswith("."):
        name = f"_{name[1:]}"
    if _DEVICE.fullmatch(name):
        name = f"_{name}"
    return shortened(name, LONGEST_NAME_BYTES)


def shortened(name: str, most_bytes: int) -> str:
    """Return a name cut to a number of bytes in UTF-8, told apart from others cut alike by a hash, extension kept."""
    encoded = _bytes(name)
    if len(encoded) <= most_bytes:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(_bytes(suffix)) > LONGEST_SUFFIX_BYTES:
        stem, dot, suffix = name, "", ""
    mark = f"~{hashlib.sha256(encoded).hexdigest()[:8]}{dot}{suffix}"
    return _bytes(stem)[: most_bytes - len(_bytes(mark))].decode("utf-8", "ignore") + mark


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _safe_character(character: str) -> str:
    unsafe = character in _FORBIDDEN or character in _DIRECTION or unicodedata.category(character) in _UNPRINTABLE
    return "_" if unsafe else character
