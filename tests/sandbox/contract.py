"""Checks answers of the sandbox against the API description: status, media type, schema, request id."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

DESCRIPTION = Path(__file__).parents[1] / "spec" / "eigenpal.openapi.yaml"
_ROOT = "urn:description"


@cache
def description() -> dict[str, Any]:
    """Return the API description, its upstream-closed objects really closed: the sandbox must invent no member."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load(DESCRIPTION.read_text(encoding="utf-8"), Loader=loader)
    for schema in document["components"]["schemas"].values():
        if schema.get("x-upstream-closed") and schema.get("type") == "object":
            schema["additionalProperties"] = False
    return document


@cache
def _validator(reference: str) -> Draft202012Validator:
    registry = Registry().with_resource(_ROOT, Resource.from_contents(description(), default_specification=_SPEC))
    return Draft202012Validator({"$ref": f"{_ROOT}#{reference}"}, registry=registry)


_SPEC = __import__("referencing.jsonschema", fromlist=["DRAFT202012"]).DRAFT202012


@cache
def _operations() -> list[tuple[str, re.Pattern[str], str]]:
    found = []
    for path, methods in description()["paths"].items():
        # Only the artifact path has slashes in its last value.
        pattern = re.escape(path).replace(r"\{path\}", ".+")
        compiled = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", pattern))
        found += [(method, compiled, path) for method in methods if method in ("get", "post", "patch", "put", "delete")]
    return found


def schema_errors(reference: str, value: Any) -> list[str]:
    """Return what is wrong with a value.

    Args:
        reference: JSON pointer of a schema inside of the description.
        value: Any JSON.
    """
    return [f"{error.json_path}: {error.message}" for error in _validator(reference).iter_errors(value)]


def check_answer(response: httpx.Response) -> None:
    """Fail when an answer isn't what the description promises; a 409 has a body of its own."""
    request = response.request
    path = request.url.raw_path.partition(b"?")[0].decode()
    assert response.headers["x-request-id"].startswith("req_")
    if response.status_code >= 400 and response.status_code != 409:
        response.read()
        envelope = response.json()
        assert schema_errors("/components/schemas/ApiErrorEnvelope", envelope) == []
        assert envelope["requestId"] == response.headers["x-request-id"]
        assert envelope["issues"]
        return
    known = [
        one for method, pattern, one in _operations() if method == request.method.lower() and pattern.fullmatch(path)
    ]
    assert known, f"{request.method} {path} is not in the description"
    template = known[0]
    if response.status_code in (206, 304):  # the description says nothing of HTTP's own conditional answers
        return
    operation = description()["paths"][template][request.method.lower()]
    declared = operation["responses"].get(str(response.status_code))
    assert declared is not None, f"{request.method} {template} may not answer {response.status_code}"
    if "application/json" not in declared.get("content", {}):
        return
    response.read()
    assert response.headers["content-type"] == "application/json"
    pointer = template.replace("~", "~0").replace("/", "~1")
    schema = (
        f"/paths/{pointer}/{request.method.lower()}/responses/{response.status_code}/content/application~1json/schema"
    )
    expected = declared.get("x-expected-schema")
    reference = f"/components/schemas/{expected}" if expected else schema
    assert schema_errors(reference, response.json()) == []
