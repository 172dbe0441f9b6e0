"""Whether the parameters of an execution fit what its agent takes; as the service's own kind of schema says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eigenpal.epilot.models.parameters import ParameterType
from eigenpal.sandbox.epilot.shapes import Shape, anything, flag, list_of, number, text
from eigenpal.sandbox.problems import invalid

# What the value of a parameter must be; of all other types, a text. Any value fits matching-criteria.
_VALUES: Final[Mapping[str, Shape]] = {
    ParameterType.NUMBER: number(),
    ParameterType.BOOLEAN: flag,
    ParameterType.MATCHING_CRITERIA: anything,
}


def fitting_parameters(schema: Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of an execution with the defaults of those that were not given.

    Args:
        schema: The input parameters of the agent; None for one that takes whatever it is given.
        given: The parameters as they came.

    Raises:
        Problem: 400, they are not those that the agent takes.
    """
    if schema is None:
        return dict(given)
    path = "body.parameters"
    known: Mapping[str, Mapping[str, Any]] = {parameter["name"]: parameter for parameter in schema["parameters"]}
    for name in given:
        if name not in known:
            raise invalid(f"{path}.{name}", "The agent takes no such parameter.")
    values = {name: parameter["default"] for name, parameter in known.items() if "default" in parameter}
    values |= {name: _fitting(known[name], value, f"{path}.{name}") for name, value in given.items()}
    for name in schema.get("required", ()):
        if name not in values:
            raise invalid(f"{path}.{name}", "The agent needs this parameter.", code="required")
    return values


def _fitting(parameter: Mapping[str, Any], value: object, path: str) -> Any:
    shape = _VALUES.get(parameter["type"], text())
    if not parameter.get("multi"):
        return _within(parameter, shape(value, path), path)
    return [_within(parameter, item, f"{path}[{index}]") for index, item in enumerate(list_of(shape)(value, path))]


def _within(parameter: Mapping[str, Any], value: Any, path: str) -> Any:
    """Return a value of the right type if it is one of those that the parameter may have."""
    size = len(value) if isinstance(value, str) else None
    measured = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    bounds = (("minimum", "maximum", measured), ("minLength", "maxLength", size))
    for low, high, found in bounds:
        if found is not None and not parameter.get(low, found) <= found <= parameter.get(high, found):
            raise invalid(path, f"This must be {parameter.get(low, 'any')} to {parameter.get(high, 'any')}.")
    if parameter.get("enum") and value not in parameter["enum"]:
        raise invalid(path, f"This must be one of {', '.join(parameter['enum'])}.")
    return value
