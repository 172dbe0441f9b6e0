"""Whether a Python type promises everything that a schema has: each member by name, each value with its type."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Union, get_args, get_origin

import attrs

from eigenpal.engine.model import Model, wire_name
from eigenpal.engine.secret import Secret
from tests.spec.document import Document, Schema, resolved

# Members that are any JSON here, and why. Anything else that upstream leaves open has to be named here first.
ANY_JSON: Mapping[str, str] = {
    "RunTrigger.email": "details of a mail; upstream declares no shape",
    "RunDefinition.definition": "a workflow's own document",
    "RunInput.args": "what the user passed",
    "RunInput.metadata": "what the user passed",
    "RunDebug.observability": "diagnostics whose shape upstream leaves open",
    "WorkflowRunExecution.expected": "what the user expects",
    "AgentRunExpected.output": "what the user expects",
    "RunFeedbackDetail.expected": "what the user expects",
    "ExpectedArtifacts.expected": "what the user expects",
    "WorkflowStep.input_data": "what the step was given",
    "WorkflowStep.resolved_config": "what the step was configured with",
    "WorkflowStep.output_data": "what the step made",
    "WorkflowStep.output": "what the step made",
    "WorkflowStep.error": "a text in the description, which only infers it; some steps fail with an object",
}
# Any JSON upstream that has a type here all the same, and why.
TYPED_ANYWAY: Mapping[str, str] = {
    "EmailTriggerState.trigger": "carries at least the switch, as the description says",
    "EmailTriggerEnvelope.trigger": "carries at least the switch, as the description says",
    "AgentFiles": "a listing, or one file: the members that the description assumes",
}
_SCALARS: Mapping[str, tuple[type, ...]] = {
    "string": (str, Enum, datetime, Secret),
    "integer": (int,),
    "number": (float,),
    "boolean": (bool,),
}


@attrs.frozen
class TypingGaps:
    """What schemas of a document have and types do not.

    Attributes:
        document: The API description.
        any_json: Members that are any JSON here, and why.
        typed_anyway: Any JSON upstream that has a type here all the same, and why.
    """

    document: Document
    any_json: Mapping[str, str] = ANY_JSON
    typed_anyway: Mapping[str, str] = TYPED_ANYWAY

    def of(self, schema: Schema, kind: Any, place: str) -> Iterator[str]:
        """Yield what a schema has and a type does not, one line each; nothing when the type promises it all.

        Args:
            schema: What the service answers.
            kind: The annotation that stands for it.
            place: What the annotation belongs to, such as `Run.output`.
        """
        if (likely := schema.get("x-likely-schema")) is not None and place not in self.any_json:
            schema = {"$ref": likely}
        schema = resolved(self.document, schema)
        options = _options(kind)
        if "anyOf" in schema or "allOf" in schema:
            for branch in schema.get("anyOf", schema.get("allOf")):
                if branch != {"type": "null"}:
                    yield from self._best(branch, options, place)
        elif not {"type", "enum", "const", "x-expected-const"} & schema.keys():
            yield from self._open(kind, place)
        elif place not in self.any_json:
            yield from self._best(schema, options, place)

    def _best(self, schema: Schema, options: tuple[Any, ...], place: str) -> Iterator[str]:
        """Yield the gaps of the option that has the fewest."""
        yield from min((list(self._of_one(schema, option, place)) for option in options), key=len)

    def _of_one(self, schema: Schema, kind: Any, place: str) -> Iterator[str]:
        schema = resolved(self.document, schema)
        if "anyOf" in schema:
            yield from self.of(schema, kind, place)
            return
        declared = schema.get("type", "string")
        match declared[0] if isinstance(declared, list) else declared:
            case "array" if get_origin(kind) is list:
                yield from self.of(schema["items"], get_args(kind)[0], place)
            case "object" if isinstance(schema.get("additionalProperties"), Mapping) and get_origin(kind) is dict:
                yield from self.of(schema["additionalProperties"], get_args(kind)[1], place)
            case "object" if isinstance(kind, type) and issubclass(kind, Model):
                yield from self._members(schema, kind)
            case "object" if get_origin(kind) is dict and "properties" not in schema:
                return
            case scalar if isinstance(kind, type) and issubclass(kind, _SCALARS.get(scalar, ())):
                return
            case other:
                yield f"{place} is {kind}, which is no {other}"

    def _members(self, schema: Schema, kind: type[Model]) -> Iterator[str]:
        attrs.resolve_types(kind)
        fields = {wire_name(field, kind): field for field in attrs.fields(kind) if field.init}
        for name, member in schema.get("properties", {}).items():
            if name not in fields:
                yield f"{kind.__name__} has no field for {name!r}"
            elif kind is not fields[name].type and not _recursive(kind, fields[name]):
                yield from self.of(member, fields[name].type, f"{kind.__name__}.{fields[name].name}")

    def _open(self, kind: Any, place: str) -> Iterator[str]:
        if kind is Any and place not in self.any_json:
            yield f"{place} is any JSON and not listed with a reason"
        elif (
            kind is not Any
            and place not in self.typed_anyway
            and getattr(kind, "__name__", "") not in self.typed_anyway
        ):
            yield f"{place} is any JSON upstream, and {kind} here"


def _recursive(kind: type[Model], field: attrs.Attribute[Any]) -> bool:
    return get_args(field.type) == (kind,)


def _options(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) in (types.UnionType, Union):
        return tuple(member for member in get_args(kind) if member is not types.NoneType)
    return (kind,)
