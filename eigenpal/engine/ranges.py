"""What the head of a download says: how long it is, how it can be asked to go on, and whether an answer really does.

Pure functions of headers (names in lower case). RFC 9110, sections 8.8, 13.1.5 and 14.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_STRONG_ETAG: Final = re.compile(r'"[\x21\x23-\x7e]*"')  # ASCII alone comes back to the server as it was sent
_CONTENT_RANGE: Final = re.compile(r"bytes +([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)


def promised_length(headers: Mapping[str, str]) -> int | None:
    """Return the length of the body as we see it, decoded; None when there is no such promise."""
    values = {value.strip() for value in headers.get("content-length", "").split(",")}  # proxies may repeat it
    value = values.pop()
    if values or not _LENGTH.fullmatch(value) or _is_encoded(headers):
        return None
    return int(value)


def resume_validator(headers: Mapping[str, str]) -> str | None:
    """Return what If-Range may carry: a strong ETag, or where there is no ETag at all, a date that is strong."""
    if _is_encoded(headers):
        return None
    etag = headers.get("etag", "").strip()
    if etag:
        return etag if _STRONG_ETAG.fullmatch(etag) else None
    modified = headers.get("last-modified", "").strip()
    try:
        age = parsedate_to_datetime(headers.get("date", "")) - parsedate_to_datetime(modified)
    except (TypeError, ValueError):
        return None
    # Within the second it was written in, a file may have changed again without the date showing it.
    return modified if age >= timedelta(seconds=1) else None


def continuation(
    headers: Mapping[str, str], offset: int, validator: str | None, total: int | None
) -> tuple[int, int | None] | None:
    """Read the head of a 206.

    Args:
        headers: The head.
        offset: Bytes we have.
        validator: Their version, as If-Range carried it.
        total: Size of the whole as known so far.

    Returns:
        Where the bytes of this answer end and the size of the whole, as far as known; None if the bytes don't follow on
        ours or are of another version.
    """
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if found is None or validator is None or _is_encoded(headers):
        return None
    first, last = int(found[1]), int(found[2])
    whole = total if found[3] == "*" else int(found[3])
    version = headers.get("etag" if validator.startswith('"') else "last-modified", validator).strip()
    follows = (
        first == offset
        and last >= first
        and (whole is None or last < whole)
        and total in (None, whole)
        and version == validator
        and promised_length(headers) in (None, last + 1 - first)
    )
    return (last + 1, whole) if follows else None


def _is_encoded(headers: Mapping[str, str]) -> bool:
    """Tell whether the body was compressed, so that lengths and ranges speak of other bytes than ours."""
    return headers.get("content-encoding", "").strip().lower() not in ("", "identity")
