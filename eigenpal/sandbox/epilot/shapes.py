"""What request bodies look like, as data: each member with type and bounds. A wrong one raises the 400 that names it.

Members that no shape knows are dropped: the service takes them, and nothing comes of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from eigenpal.epilot.models.agents import ExecutionMode, ExecutionPattern, SkillAvailability, SkillCategory
from eigenpal.epilot.models.executions import ExecutionContext
from eigenpal.epilot.models.parameters import ParameterType
from eigenpal.sandbox.json_values import is_list, is_object
from eigenpal.sandbox.members import MAX_ITEMS, MAX_TEXT, Members, encodable
from eigenpal.sandbox.problems import invalid

Shape: TypeAlias = Callable[[object, str], Any]
"""Returns a value that fits, raises `Problem` for one that does not; gets the value and where it came from."""

LONGEST_PROMPT: Final = 200_000  # characters; far above what a model reads, and a bound to the work of one request
DEFAULT_TIMEOUT_MS: Final = 30_000
LONGEST_TIMEOUT_MS: Final = 300_000
DEFAULT_MAX_ITERATIONS: Final = 10


def text(low: int = 0, high: int = MAX_TEXT) -> Shape:
    """Return the shape of a text of so many characters."""

    def fit(value: object, path: str) -> str:
        if not isinstance(value, str):
            raise invalid(path, "This must be a text.")
        if not low <= len(value) <= high:
            raise invalid(path, f"This text must have {low} to {high} characters.")
        return encodable(value, path)

    return fit


def word(kind: type[StrEnum]) -> Shape:
    """Return the shape of one of several words."""
    words = [member.value for member in kind]

    def fit(value: object, path: str) -> str:
        if not isinstance(value, str) or value not in words:
            raise invalid(path, f"This must be one of {', '.join(words)}.")
        return value

    return fit


def number(low: float = float("-inf"), high: float = float("inf")) -> Shape:
    """Return the shape of a number within bounds."""

    def fit(value: object, path: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _between(low, value, high):
            raise invalid(path, f"This must be a number from {low:g} to {high:g}.")
        return value

    return fit


def _between(low: float, value: float, high: float) -> bool:
    return low <= value <= high and math.isfinite(value)  # JSON can write 1e400, and not what comes of it


def whole(low: int, high: int = 2**63 - 1) -> Shape:
    """Return the shape of a whole number within bounds."""

    def fit(value: object, path: str) -> int:
        number(low, high)(value, path)
        if not isinstance(value, int | float) or value != int(value):
            raise invalid(path, "This must be a whole number.")
        return int(value)

    return fit


def flag(value: object, path: str) -> bool:
    """Fit true or false."""
    if not isinstance(value, bool):
        raise invalid(path, "This must be true or false.")
    return value


def anything(value: object, path: str) -> Any:
    """Fit any JSON that is not too deep."""
    parent, _, name = path.rpartition(".")
    return Members({name: value}, parent).any_json(name)


def free_object(value: object, path: str) -> Any:
    """Fit an object of any content within bounds."""
    parent, _, name = path.rpartition(".")
    return Members({name: value}, parent).free_object(name)


def list_of(shape: Shape) -> Shape:
    """Return the shape of a list."""

    def fit(value: object, path: str) -> list[Any]:
        if not is_list(value) or len(value) > MAX_ITEMS:
            raise invalid(path, f"This must be a list of at most {MAX_ITEMS} items.")
        return [shape(item, f"{path}[{index}]") for index, item in enumerate(value)]

    return fit


def map_of(shape: Shape) -> Shape:
    """Return the shape of an object with any names."""

    def fit(value: object, path: str) -> dict[str, Any]:
        return {name: shape(item, f"{path}.{name}") for name, item in free_object(value, path).items()}

    return fit


def record(members: Mapping[str, Shape], required: Collection[str] = ()) -> Shape:
    """Return the shape of an object with known members."""

    def fit(value: object, path: str) -> dict[str, Any]:
        if not is_object(value):
            raise invalid(path, "This must be a JSON object.")
        for name in required:
            if name not in value:
                raise invalid(f"{path}.{name}", "This member is required.", code="required")
        return {name: shape(value[name], f"{path}.{name}") for name, shape in members.items() if name in value}

    return fit


def address(value: object, path: str) -> str:
    """Fit the address of a web server."""
    url: str = text(1)(value, path)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isascii()
    except ValueError:
        good = False
    if not good:
        raise invalid(path, "This must be an address such as https://host/path.")
    return url


def constant(wanted: str) -> Shape:
    """Return the shape of one certain text."""

    def fit(value: object, path: str) -> str:
        if value != wanted:
            raise invalid(path, f"This must be {wanted!r}.")
        return wanted

    return fit


MODEL_CONFIG: Final = record(
    {
        "model_id": text(),
        "temperature": number(0, 1),
        "max_tokens": whole(-(2**63), 8192),
        "thinking": flag,
        "thinking_budget": whole(1000, 50_000),
    }
)
INPUT_PARAMETER: Final = record(
    {
        "name": text(),
        "label": text(),
        "type": word(ParameterType),
        "description": text(),
        "default": anything,
        "multi": flag,
        "dependsOn": text(),
        "visibleWhen": map_of(list_of(anything)),
        "enum": list_of(text()),
        "minimum": number(),
        "maximum": number(),
        "step": number(),
        "minLength": whole(-(2**63)),
        "maxLength": whole(-(2**63)),
        "schemaFilter": list_of(text()),
        "attributeTypeFilter": list_of(text()),
        "hidden": flag,
    },
    required=("name", "label", "type"),
)
INPUT_PARAMETERS: Final = record(
    {"type": constant("object"), "parameters": list_of(INPUT_PARAMETER), "required": list_of(text())},
    required=("type", "parameters"),
)
_AGENT: Final[Mapping[str, Shape]] = {
    "name": text(1, 100),
    "description": text(0, 1000),
    "category": word(SkillCategory),
    "icon": text(),
    "system_prompt": text(1, LONGEST_PROMPT),
    "tools": list_of(text()),
    "model_config": MODEL_CONFIG,
    "max_iterations": whole(1, 20),
    "execution_pattern": word(ExecutionPattern),
    "execution_mode": word(ExecutionMode),
    "output_schema": free_object,
    "input_parameters_schema": INPUT_PARAMETERS,
}
UPDATED_AGENT: Final = record(_AGENT)
NEW_AGENT: Final = record(_AGENT, required=("name", "system_prompt", "execution_pattern"))
# What only a registration can set.
REGISTERED_AGENT: Final = record(
    {**_AGENT, "availability": list_of(word(SkillAvailability)), "allowed_entity_schemas": list_of(text())},
    required=("name", "system_prompt", "execution_pattern"),
)
EXECUTION_REQUEST: Final = record(
    {
        "input": record(
            {
                "entity_id": text(),
                "entity_schema": text(),
                "workflow_id": text(),
                "workflow_execution_id": text(),
                "task_id": text(),
                "custom_data": free_object,
                "flow_context": list_of(
                    record({"entity_id": text(), "entity_schema": text()}, required=("entity_id", "entity_schema"))
                ),
            }
        ),
        "parameters": free_object,
        "execution_mode_override": word(ExecutionMode),
        "execution_context": word(ExecutionContext),
        "callback_url": address,
        "timeout_ms": whole(-(2**63), LONGEST_TIMEOUT_MS),
    }
)
APPROVAL: Final = record(
    {"reason": text(), "approved_action_ids": list_of(text()), "rejected_action_ids": list_of(text())}
)
REJECTION: Final = record({"reason": text()}, required=("reason",))
