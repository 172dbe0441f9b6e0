"""JSON as the service may send it: strategies made from the schemas of the API description, and for any JSON at all."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import yaml

Strategy = st.SearchStrategy[Any]

# Members that are any JSON upstream and carry, in the words of the description, at least the members of a schema.
LIKELY = {("EmailTriggerState", "trigger"), ("EmailTriggerEnvelope", "trigger")}
LIKELY_SCHEMA = "#/components/schemas/EmailTriggerUpdateBody"

UNKNOWN_MEMBERS = ["newMember", "x_future", "Größe"]  # no schema has them, and any object may

_TYPES: Mapping[str, Strategy] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "integer": st.integers(),
    "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "string": st.text(max_size=20),
}

# Keys of maps: without the dots and brackets that paths are written with, so that a path has one meaning.
_NAMES = st.text(st.characters(exclude_characters=".[]", codec="utf-8"), min_size=1, max_size=8)

any_json: Strategy = st.recursive(
    st.one_of(*_TYPES.values()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)

# One at a time, for every object inside of others draws it.
_UNKNOWN = st.dictionaries(st.sampled_from(UNKNOWN_MEMBERS), any_json, max_size=1)

# As observed: UTC with milliseconds and Z. And what else ISO-8601 allows, since no format is declared.
timestamps: Strategy = st.datetimes().map(
    lambda moment: moment.isoformat(timespec="milliseconds") + "Z"
) | st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=11))])
).map(lambda moment: moment.isoformat())


@cache
def document(service: str) -> dict[str, Any]:
    """Return the API description of a service as it stands in its file."""
    text = Path(__file__).with_name(f"{service}.openapi.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


@cache
def description() -> dict[str, Any]:
    """Return the API description of EigenPal."""
    loaded = document("eigenpal")
    for schema, member in LIKELY:
        loaded["components"]["schemas"][schema]["properties"][member]["x-likely-schema"] = LIKELY_SCHEMA
    return loaded


def schemas() -> dict[str, Any]:
    """Return the schemas by name."""
    found: dict[str, Any] = description()["components"]["schemas"]
    return found


def examples() -> dict[str, Any]:
    """Return the example payloads by name, each with `value` and the schema it is valid against."""
    found: dict[str, Any] = description()["components"]["examples"]
    return found


class Instances:
    """Strategies for the valid instances of a document's schemas, unknown members included.

    Args:
        schemas: Schemas of the document by name; called when the first one is needed.
    """

    def __init__(self, schemas: Callable[[], Mapping[str, Any]]) -> None:
        self._schemas = schemas
        self._named: dict[str, Strategy] = {}

    def named(self, name: str) -> Strategy:
        """Return a strategy for the valid instances of a named schema."""
        if name not in self._named:
            self._named[name] = self.of(self._schemas()[name])
        return self._named[name]

    def of(self, schema: Mapping[str, Any]) -> Strategy:
        """Return a strategy for the valid instances of a schema."""
        # "likely" and "expected" are the best knowledge there is of what upstream declares as any JSON, or not at all.
        if (reference := schema.get("$ref", schema.get("x-likely-schema"))) is not None:
            name: str = reference.removeprefix("#/components/schemas/")
            return st.deferred(lambda: self.named(name))  # packages hold packages
        if "x-expected-const" in schema:
            return st.just(schema["x-expected-const"])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "anyOf" in schema:
            return st.one_of(*map(self.of, schema["anyOf"]))
        if "allOf" in schema:
            (only,) = schema["allOf"]
            return self.of(only)
        if "type" not in schema:
            return any_json
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return st.one_of(*(self._of_type(kind, schema) for kind in types))

    def _of_type(self, kind: str, schema: Mapping[str, Any]) -> Strategy:
        match kind:
            case "object":
                return self._objects(schema)
            case "array":
                return st.lists(self.of(schema["items"]), max_size=3)
            case "string" if "date-time" in (schema.get("x-observed-format"), schema.get("format")):
                return timestamps
            case _:
                return _TYPES[kind]

    def _objects(self, schema: Mapping[str, Any]) -> Strategy:
        members = {name: self.of(member) for name, member in schema.get("properties", {}).items()}
        required = {name: members[name] for name in schema.get("required", ())}
        optional = {name: member for name, member in members.items() if name not in required}
        if isinstance(more := schema.get("additionalProperties"), dict):
            return st.dictionaries(_NAMES, self.of(more), max_size=3)
        known = st.fixed_dictionaries(required, optional=optional)
        return st.builds(operator.or_, known, _UNKNOWN)


_instances = Instances(schemas)


def instances(name: str) -> Strategy:
    """Return a strategy for the valid instances of a named schema of EigenPal's description."""
    return _instances.named(name)
