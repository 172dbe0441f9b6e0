"""Looking into JSON that may be anything: the wrong kind of value reads as an empty one, never as a crash."""

from __future__ import annotations

from typing import Any, TypeGuard, cast


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Tell whether a JSON value is a list."""
    return isinstance(value, list)


def object_of(value: object) -> dict[str, Any]:
    """Return a JSON object as it is, and anything else as an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """Return a JSON list as it is, and anything else as an empty one."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType] - any JSON


def text_of(value: object) -> str | None:
    """Return a JSON string as it is, and anything else as None."""
    return value if isinstance(value, str) else None
