"""What may be sent in a header: checked when a client is made, and named in errors without ever being shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from eigenpal.errors import EigenpalInputError

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # what RFC 9110 lets a header name be made of


def header_value(name: str, value: object) -> str:
    """Return a header value that is safe to send; the error names the header and never shows the value."""
    if not isinstance(value, str):
        raise EigenpalInputError(f"{name} must be a string, not {type(value).__name__}")
    stripped = value.strip()
    if not stripped.isascii() or not stripped.isprintable():
        raise EigenpalInputError(
            f"{name} has characters that can't be sent in a header (line breaks, control or non-ASCII characters); "
            f"its value is not shown here since it may be a secret"
        )
    return stripped


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return a user's default headers, each in one spelling, if all of them can be sent.

    Raises:
        EigenpalInputError: One of them can't.
    """
    checked: dict[str, str] = {}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise EigenpalInputError(f"{name!r} in default_headers is not a header name")
        # In one spelling, so that "user-agent" replaces the client's own User-Agent and is not sent beside it.
        checked[name.title()] = header_value(f"default_headers[{name!r}]", value)
    return checked
