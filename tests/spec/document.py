"""The API description as data for tests: its operations with everything that a user gives them and gets back.

Takes the document as an argument, so that a test can change a copy of it and see what happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from eigenpal.engine.model import snake_case

Schema = Mapping[str, Any]
Document = Mapping[str, Any]

METHODS = ("get", "put", "post", "patch", "delete")
JSON = "application/json"
MULTIPART = "multipart/form-data"


@attrs.frozen
class Parameter:
    """One parameter of an operation; `python_name` is None where the client as a whole carries it."""

    name: str
    python_name: str | None
    place: str  # path, query or header
    schema: Schema = attrs.field(repr=False)


@attrs.frozen
class Operation:
    """One operation: where it is, what it takes, what it answers."""

    id: str
    method: str
    path: str
    deprecated: bool
    parameters: tuple[Parameter, ...]
    bodies: Mapping[str, Schema] = attrs.field(repr=False)  # by media type
    status: int  # of success; 200 where none is declared
    media_type: str | None  # of the answer; None without a body
    answer: Schema | None = attrs.field(repr=False)
    official_call: str

    @property
    def forms(self) -> tuple[str | None, ...]:
        """Media types that a request can have; None for a request without a body."""
        return tuple(self.bodies) or (None,)


def operations(document: Document) -> Iterator[Operation]:
    """Yield every operation of a document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield _operation(document, path, method, item)


def resolved(document: Document, value: Any) -> Any:
    """Return what a reference points at, through any number of them; anything else as it is."""
    while isinstance(value, Mapping) and "$ref" in value:
        target: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        value = target
    return value


def properties(document: Document, schema: Schema) -> Mapping[str, Schema]:
    """Return the members of an object schema."""
    found: Mapping[str, Schema] = resolved(document, schema).get("properties", {})
    return found


def _operation(document: Document, path: str, method: str, item: Mapping[str, Any]) -> Operation:
    declared = item[method]
    parameters = [resolved(document, p) for p in [*item.get("parameters", []), *declared.get("parameters", [])]]
    body = resolved(document, declared.get("requestBody", {}))
    answers = {int(status): resolved(document, answer) for status, answer in declared["responses"].items()}
    status = min((status for status in answers if status < 300), default=200)
    contents: Mapping[str, Any] = answers.get(status, {}).get("content", {})
    media_type = next(iter(contents), None)
    return Operation(
        id=declared["operationId"],
        method=method.upper(),
        path=path,
        deprecated=declared.get("deprecated", False),
        parameters=tuple(
            Parameter(p["name"], _python_name(p), p["in"], resolved(document, p["schema"])) for p in parameters
        ),
        bodies={kind: resolved(document, content["schema"]) for kind, content in body.get("content", {}).items()},
        status=status,
        media_type=media_type,
        answer=contents[media_type].get("schema") if media_type else None,
        official_call=declared.get("x-official-python", {}).get("call", ""),
    )


def _python_name(parameter: Mapping[str, Any]) -> str | None:
    by_rule = None if parameter["in"] == "header" else snake_case(parameter["name"])
    name: str | None = parameter.get("x-python-name", by_rule)
    return name


def sample(document: Document, schema: Schema, name: str = "value") -> Any:
    """Return one instance of a schema with every member that it declares; strings say where they belong."""
    if "x-likely-schema" in schema:
        return sample(document, {"$ref": schema["x-likely-schema"]}, name)
    schema = resolved(document, schema)
    if "const" in schema or "x-expected-const" in schema:
        return schema.get("const", schema.get("x-expected-const"))
    if "enum" in schema:
        return schema["enum"][0]
    if "allOf" in schema or "anyOf" in schema:
        return sample(document, (schema.get("allOf") or schema["anyOf"])[0], name)
    if "type" not in schema:
        return {"any": "JSON"}
    kind = schema["type"]
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            more = schema.get("additionalProperties")
            members = {"key": more} if isinstance(more, Mapping) else schema.get("properties", {})
            return {key: sample(document, member, key) for key, member in members.items()}
        case "array":
            empty = schema["items"].get("$ref", "").endswith("SourceLockPackage")  # packages hold packages
            return [] if empty else [sample(document, schema["items"], name)]
        case "integer" | "number":
            return 7
        case "boolean":
            return True
        case _ if "date-time" in (schema.get("x-observed-format"), schema.get("format")):
            return "2026-06-14T09:00:00.000Z"
        case _:
            return f"some {name}"
