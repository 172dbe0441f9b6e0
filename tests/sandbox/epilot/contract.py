"""Checks answers of the emulator against epilot's API description: status, media type, schema; and nothing made up."""

from __future__ import annotations

import copy
import re
from datetime import datetime
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.spec.strategies import document

PREFIX = "/epilot"
UNDECLARED = {405, 413, 500}  # no service declares what only a mistaken client meets
_ROOT = "urn:description"
FORMATS = FormatChecker(["uuid"])


@FORMATS.checks("date-time", ValueError)
def _is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


@cache
def description() -> dict[str, Any]:
    """Return the description with its objects closed: the emulator must invent no member."""
    closed = copy.deepcopy(document("epilot"))
    _close(closed["components"]["schemas"])
    return closed


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if "properties" in schema and isinstance(schema["properties"], dict) and "type" in schema:
            schema.setdefault("additionalProperties", False)
        for inner in schema.values():
            _close(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _close(inner)


@cache
def _validator(reference: str) -> Draft202012Validator:
    registry = Registry().with_resource(_ROOT, Resource.from_contents(description(), default_specification=DRAFT202012))
    return Draft202012Validator({"$ref": f"{_ROOT}#{reference}"}, registry=registry, format_checker=FORMATS)


def schema_errors(reference: str, value: Any) -> list[str]:
    """Return what is wrong with a value by the schema at a JSON pointer."""
    return [f"{error.json_path}: {error.message}" for error in _validator(reference).iter_errors(value)]


def check_answer(response: httpx.Response) -> None:
    """Fail when an answer isn't what the description promises."""
    response.read()
    request = response.request
    path = request.url.raw_path.partition(b"?")[0].decode()
    assert path.startswith(PREFIX)
    operation = _operation(request.method.lower(), path.removeprefix(PREFIX))
    if operation is None or response.status_code in UNDECLARED:
        assert schema_errors("/components/schemas/Error", response.json()) == []
        return
    declared = operation["responses"].get(str(response.status_code))
    assert declared is not None, f"{request.method} {path} may not answer {response.status_code}"
    if "$ref" in declared:
        declared = description()["components"]["responses"][declared["$ref"].rpartition("/")[2]]
    if "content" not in declared:
        assert response.content == b""
        return
    assert response.headers["content-type"] == "application/json"
    (schema,) = (content["schema"] for content in declared["content"].values())
    assert schema_errors(schema["$ref"].removeprefix("#"), response.json()) == []


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, item in description()["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path):
            found: dict[str, Any] | None = item.get(method)
            return found
    return None
