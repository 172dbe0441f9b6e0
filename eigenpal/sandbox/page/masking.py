"""What the request log must not show: values whose names say that they are secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from eigenpal.sandbox.json_values import is_list, is_object

MASK = "***"
_SECRET = re.compile(
    r"(api|access|secret|private|session)[_-]?key|token|secret|passw(or)?d|passphrase|authorization|cookie|credential"
)
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Whole bodies of these paths are secrets: they are sealed and opened there.
_SECRET_PATH = re.compile(r"/secrets?(/|$)")


def is_secret(name: str) -> bool:
    """Tell whether a header, parameter or member of this name holds a secret."""
    return _SECRET.search(_CAPITAL.sub("_", name).lower()) is not None


def mask_pairs(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return names and values, secret values masked."""
    return [(name, MASK if is_secret(name) else value) for name, value in pairs]


def mask_query(query: str) -> str:
    """Return a query string; unchanged unless it holds a secret."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode(mask_pairs(pairs), safe="*") if any(is_secret(name) for name, _ in pairs) else query


def mask_json(value: Any, *, secret: bool = False) -> Any:
    """Return a JSON value, texts masked that are below a secret name. A number is no secret: `maxTokens` is shown.

    Args:
        value: Any JSON.
        secret: Whether a name above says so.
    """
    if is_object(value):
        return {name: mask_json(member, secret=secret or is_secret(name)) for name, member in value.items()}
    if is_list(value):
        return [mask_json(item, secret=secret) for item in value]
    return MASK if secret and isinstance(value, str) else value


def mask_body(path: str, content_type: str, body: bytes) -> str | None:
    """Return a body as text, secrets masked; None when it is no text.

    Args:
        path: Path of the request.
        content_type: Its media type.
        body: What was sent.
    """
    if _SECRET_PATH.search(path):
        return "Not shown: it holds secrets."
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if content_type.startswith("application/x-www-form-urlencoded"):
        return mask_query(text)
    try:
        return json.dumps(mask_json(json.loads(text)), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
