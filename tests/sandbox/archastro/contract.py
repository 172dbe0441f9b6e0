"""Checks answers of the emulator against ArchAstro's API description: status, media type, schema; nothing made up."""

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

PREFIX = "/archastro"
UNDECLARED = {400, 404, 405, 413, 422, 500}  # what only a mistaken client meets is not declared everywhere
_ROOT = "urn:description"
FORMATS = FormatChecker([])


@FORMATS.checks("date-time", ValueError)
def _is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


@cache
def description() -> dict[str, Any]:
    """Return the description with its objects closed: the emulator must invent no member."""
    closed = copy.deepcopy(document("archastro"))
    for schema in closed["components"]["schemas"].values():
        if schema.get("type") == "object" and "properties" in schema:
            schema["additionalProperties"] = False
    return closed


@cache
def _validator(reference: str) -> Draft202012Validator:
    registry = Registry().with_resource(_ROOT, Resource.from_contents(description(), default_specification=DRAFT202012))
    schema = {"$ref": f"{_ROOT}#{reference}"}
    return Draft202012Validator(schema, registry=registry, format_checker=FORMATS)


def schema_errors(reference: str, value: Any) -> list[str]:
    """Return what is wrong with a value by the schema at a JSON pointer."""
    return [f"{error.json_path}: {error.message}" for error in _validator(reference).iter_errors(value)]


def check_answer(response: httpx.Response) -> None:
    """Fail when an answer isn't what the description promises."""
    request = response.request
    path = request.url.raw_path.partition(b"?")[0].decode()
    assert path.startswith(PREFIX)
    operation = _operation(request.method.lower(), path.removeprefix(PREFIX))
    declared = operation.get("responses", {}).get(str(response.status_code))
    if declared is None:
        response.read()
        assert response.status_code in UNDECLARED, f"{request.method} {path} may not answer {response.status_code}"
        assert schema_errors("/components/schemas/Error", response.json()) == []
        return
    if "$ref" in declared:
        declared = description()["components"]["responses"][declared["$ref"].rpartition("/")[2]]
    if "content" not in declared:
        assert response.read() == b""
        return
    ((media_type, content),) = declared["content"].items()
    assert response.headers["content-type"].partition(";")[0] == media_type
    if media_type != "application/json":
        return
    response.read()
    if "$ref" in content["schema"]:
        assert schema_errors(content["schema"]["$ref"].removeprefix("#"), response.json()) == []
    else:
        reference = content["schema"]["items"]["$ref"].removeprefix("#")
        assert [error for item in response.json() for error in schema_errors(reference, item)] == []


def _operation(method: str, path: str) -> dict[str, Any]:
    found = [
        (template, item[method])
        for template, item in description()["paths"].items()
        if method in item and re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path)
    ]
    return min(found, key=lambda one: one[0].count("{"), default=("", {}))[1]  # a literal segment wins
