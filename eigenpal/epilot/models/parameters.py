"""The input parameters of an agent: what may be given to it as `parameters`, and what each may be.

Looks like a JSON Schema and is none: `parameters` is a list. Its members are in camelCase on the wire.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from eigenpal.engine.model import Model, model


class ParameterType(StrEnum):
    """What a parameter is, for the interface that asks for it."""

    TEXT = "text"
    TEXTAREA = "textarea"
    NUMBER = "number"
    BOOLEAN = "boolean"
    SELECT = "select"
    ENTITY_SCHEMA = "entity-schema"
    ENTITY_ATTRIBUTE = "entity-attribute"
    ENTITY_ID = "entity-id"
    TAXONOMY = "taxonomy"
    TAXONOMY_CLASSIFICATION = "taxonomy-classification"
    SHARED_INBOX = "shared-inbox"
    LABEL = "label"
    MATCHING_CRITERIA = "matching-criteria"


@model
class InputParameter(Model):
    """One parameter of an agent.

    Attributes:
        name: Key in the `parameters` of an execution.
        label: Name for people.
        type: What it is.
        description: What it is for.
        default: Value that is taken when none is given; any JSON.
        multi: Whether the value is a list of what `type` says.
        depends_on: Name of the parameter that this one depends on.
        visible_when: Parameter names to the values of them that show this one; a hint for interfaces.
        enum: The values to select from.
        minimum: Smallest number.
        maximum: Largest number.
        step: Distance between two numbers.
        min_length: Shortest text, in characters.
        max_length: Longest text, in characters.
        schema_filter: Entity schemas to choose from.
        attribute_type_filter: Types of attributes to choose from.
        hidden: Whether interfaces leave it out.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("name", "type", "label", "multi", "default")

    name: str
    label: str
    type: ParameterType | str
    description: str | None = None
    default: Any = None
    multi: bool | None = None
    depends_on: str | None = None
    visible_when: dict[str, list[Any]] | None = None
    enum: list[str] | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    schema_filter: list[str] | None = None
    attribute_type_filter: list[str] | None = None
    hidden: bool | None = None


@model
class InputParameters(Model):
    """Every parameter that an agent takes; as an argument of `agents.create`, made by hand.

    Attributes:
        type: Always `"object"`.
        parameters: The parameters, in the order in which interfaces ask for them.
        required: Names of those that have to be given.
    """

    parameters: list[InputParameter]
    type: str = "object"
    required: list[str] | None = None
