"""The small languages inside request values: targets, versions, moments, cursors, paths, lists. Pure functions.

A bad value raises the 400 that names the field it came from.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from eigenpal.sandbox.clock import milliseconds
from eigenpal.sandbox.problems import invalid
from eigenpal.sandbox.rows import Kind

_KINDS: Mapping[str, Kind] = {"workflows": "workflow", "agents": "agent"}
_RELEASE = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_RANGE = re.compile(r"(0|[1-9]\d*)(?:\.(0|[1-9]\d*))?\.x")
_RELATIVE = re.compile(r"now\(\)(?:\s*-\s*(\d{1,9})([smhdw]))?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*(?:[./][a-z0-9][a-z0-9-]*)*")


def slug_key(name: str) -> str:
    """Return the form in which slugs are compared: nested slugs use dots on the wire and slashes in source trees."""
    return name.replace("/", ".")


def is_slug(name: str) -> bool:
    """Tell whether a name can be the slug of a workflow or agent."""
    return _SLUG.fullmatch(name) is not None


def parse_target(target: object, field: str = "body.target") -> tuple[Kind, str]:
    """Return kind (`workflow` or `agent`) and name of a target.

    Args:
        target: `workflows.<slug or id>` or `agents.<slug or id>`, without a version.
        field: Where it came from, for the error.

    Raises:
        Problem: 400, the text is not such a target.
    """
    if target is None:
        raise invalid(field, "A target is required.", code="required")
    if not isinstance(target, str):
        raise invalid(field, "The target must be a text such as workflows.extract-invoice.")
    if "@" in target:
        raise invalid(field, f"The target {target!r} carries a version.", hint="Send the version as ?version=1.2.3.")
    root, _, name = target.partition(".")
    if root not in _KINDS or not name:
        raise invalid(
            field,
            f"The target {target!r} is not known.",
            hint="A target begins with workflows. or agents., such as workflows.extract-invoice.",
        )
    return _KINDS[root], name


def release_of(version: str) -> tuple[int, int, int] | None:
    """Return the three numbers of a release X.Y.Z, None for anything else."""
    match = _RELEASE.fullmatch(version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def in_range(version: str, pattern: str) -> bool:
    """Tell whether a release X.Y.Z lies in a range X.x or X.Y.x."""
    release, match = release_of(version), _RANGE.fullmatch(pattern)
    if release is None or match is None:
        return False
    return release[0] == int(match[1]) and (match[2] is None or release[1] == int(match[2]))


def parse_moment(text: str, field: str, now: datetime) -> int:
    """Return a time expression as milliseconds since 1970.

    Args:
        text: ISO-8601 (UTC where no zone is given), `now()` or `now()-<number><s|m|h|d|w>`.
        field: Where the text came from, for the error.
        now: The present moment.

    Raises:
        Problem: 400, the text is no such expression.
    """
    text = text.strip()
    relative = _RELATIVE.fullmatch(text)
    try:
        if relative:
            if relative[1] is None:
                return milliseconds(now)
            return milliseconds(now - timedelta(**{_UNITS[relative[2]]: int(relative[1])}))
        # In a query an unencoded plus arrives as a space; the zone +02:00 is the only place a plus can stand.
        moment = datetime.fromisoformat(re.sub(r" (?=\d\d:?\d\d$)", "+", text) if "T" in text else text)
        return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        hint = "Use ISO-8601 such as 2026-06-14T00:00:00Z, now(), or now()-7d with one of the units s, m, h, d, w."
        raise invalid(field, f"The time {text!r} is not understood.", hint=hint) from None


def encode_cursor(created_at: int, sequence: int) -> str:
    """Return the opaque cursor that stands behind one run of the list."""
    return base64.urlsafe_b64encode(f"run:{created_at}:{sequence}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[int, int]:
    """Return creation time and sequence number from a cursor.

    Raises:
        Problem: 400, the cursor was not made by this server.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        match = re.fullmatch(r"run:(-?\d{1,18}):(\d{1,18})", text)
        if match:
            return int(match[1]), int(match[2])
    except ValueError:
        pass
    hint = "Send nextCursor of the previous page unchanged."
    raise invalid("query.cursor", "The cursor is not valid.", hint=hint)


def parse_integer(text: str, field: str, low: int, high: int | None = None) -> int:
    """Return a whole number from a query value.

    Args:
        text: The value as sent.
        field: Where it came from, for the error.
        low: Smallest value allowed.
        high: Largest value allowed; None for no bound but that of a 64-bit number.

    Raises:
        Problem: 400, not a whole number or out of bounds.
    """
    bound = 2**63 - 1 if high is None else high
    if re.fullmatch(r"[+-]?\d{1,19}", text.strip()) and low <= int(text) <= bound:
        return int(text)
    allowed = f"{low} or more" if high is None else f"{low} to {high}"
    raise invalid(field, f"{text!r} is not a whole number of {allowed}.")


def parse_flag(text: str, field: str) -> bool:
    """Return the truth value of a query value.

    Args:
        text: `true` or `false`, in any case.
        field: Where it came from, for the error.

    Raises:
        Problem: 400, it is neither.
    """
    if text.lower() not in ("true", "false"):
        raise invalid(field, f"{text!r} is neither true nor false.")
    return text.lower() == "true"


def split_list(values: Sequence[str]) -> list[str]:
    """Return the items of a comma-separated parameter; repeating the parameter works as well."""
    return [item for value in values for part in value.split(",") if (item := part.strip())]


def safe_path(path: str) -> bool:
    """Tell whether an artifact path stays where it belongs: relative, no empty, `.` or `..` segment, no backslash."""
    if not path or "\\" in path or any(ord(character) < 32 for character in path):
        return False
    return all(segment not in ("", ".", "..") for segment in path.split("/"))
