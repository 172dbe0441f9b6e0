"""JSON-like data as YAML text, for the definitions of workflows. Writing only."""

from __future__ import annotations

import json
import re

from eigenpal.sandbox.json_values import is_list, is_object

_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_ /-]*[A-Za-z0-9_/])?")
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def to_yaml(value: object, indent: str = "") -> str:
    """Return data as block YAML.

    Args:
        value: Any JSON. Texts that YAML could misread are quoted as in JSON, which YAML accepts.
        indent: What every line begins with.
    """
    if is_object(value) and value:
        return "".join(f"{indent}{_scalar(key)}:{_nested(item, indent)}" for key, item in value.items())
    if is_list(value) and value:
        return "".join(f"{indent}- {to_yaml(item, indent + '  ').lstrip(' ')}" for item in value)
    return f"{indent}{_scalar(value)}\n"


def _nested(value: object, indent: str) -> str:
    if value and (is_object(value) or is_list(value)):
        return "\n" + to_yaml(value, indent + "  ")
    return f" {_scalar(value)}\n"


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return json.dumps(value, ensure_ascii=False)
