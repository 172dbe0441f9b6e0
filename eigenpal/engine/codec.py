"""JSON to models and back: strict about types, lenient about everything a server may add or leave out.

All of an answer is checked when it comes (`checks.py`); a model inside another is made when it is first asked for,
since most never are. cattrs finds the hook of every type, the hooks here make the values. Unknown members are kept on
the model, unknown enum values come through as strings, null where a list was promised is an empty list. Knows no model
of any service: unions declare their own discriminator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin
from uuid import UUID

import attrs
from cattrs import Converter

from eigenpal.engine.checks import (
    Mismatch,
    check_of,
    contains_model,
    is_model,
    is_open_enum,
    is_union,
    without_none,
)
from eigenpal.engine.model import Model, discriminators, timestamp, wire_form, wire_name
from eigenpal.engine.secret import Secret
from eigenpal.engine.unset import UNSET

Hook = Callable[[Any, Any], Any]


def structure(kind: Any, value: Any) -> Any:
    """Turn parsed JSON into `kind`: a model, a list of models, a union of them, or Any.

    Raises:
        Mismatch: The JSON is not what the model promises; its text has the path to the bad value.
    """
    check_of(kind)(value)
    return _hook(kind)(value, kind)


def dumps(value: Any) -> bytes:
    """Return the JSON text of a request body.

    Raises:
        TypeError: A value that JSON has no form for.
        ValueError: NaN or an infinity, or a structure that contains itself.
    """
    return json.dumps(value, default=_jsonable, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _jsonable(value: Any) -> Any:
    match value:
        case Model():
            return wire_form(value)
        case datetime() | date():
            return timestamp(value)
        case Enum() if value is not UNSET:
            return value.value
        case Secret():
            return value.reveal()
        case UUID():
            return str(value)
        case Decimal() if value.is_finite():
            return int(value) if value == value.to_integral_value() else float(value)
        case Mapping():
            return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - any JSON
        case AbstractSet() | tuple():
            return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - any JSON
        case _:
            raise TypeError(f"a value of type {type(value).__name__} has no JSON form")


# ------------------------------------------------------------------------------------------------ decoding

_converter = Converter(detailed_validation=False)
_hook: Callable[[Any], Hook] = cache(_converter.get_structure_hook)


def _datetime(value: Any, _: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _model(kind: type[Model]) -> Hook:
    """Return what makes a model, written as Python once and compiled, as `__init__` is.

    It fills an instance of the same class with attributes that are free to set, which then becomes one of the frozen
    class. Inner models that were sent are left to the readers.
    """
    attrs.resolve_types(kind)
    free = {"__slots__": (), "__init__": object.__init__, "__setattr__": object.__setattr__}
    scope: dict[str, Any] = {"kind": kind, "Open": type(kind.__name__, (kind,), free)}
    source = ["def make(sent, _):", "    self = Open()", "    self._wire = sent"]
    readers: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
    for field in attrs.fields(kind):
        if not field.init:
            continue
        name, wire = field.name, wire_name(field, kind)
        if contains_model(field.type):
            readers[name] = _reader(field, wire)
            if field.default is None:
                source.append(f"    if sent.get({wire!r}) is None: self.{name} = None")
        elif field.default is None or field.default is attrs.NOTHING:
            source.append(f"    x = sent.get({wire!r})")
            scope[f"type_{name}"], _ = without_none(field.type)
            scope[f"decode_{name}"] = decode = _hook(scope[f"type_{name}"])
            made = "x" if decode is _as_it_is else f"None if x is None else decode_{name}(x, type_{name})"
            source.append(f"    self.{name} = {made}")
        else:
            scope[f"read_{name}"] = _reader(field, wire)
            source.append(f"    self.{name} = read_{name}(sent)")
    source += ["    self.__class__ = kind", "    return self"]
    kind._readers = readers  # pyright: ignore[reportPrivateUsage] - models are made here
    exec(compile("\n".join(source), f"<maker of {kind.__name__}>", "exec"), scope)  # noqa: S102 - made of names in our own classes
    make: Hook = scope["make"]
    return make


def _reader(field: attrs.Attribute[Any], wire: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return what makes one member of what was sent."""
    default: Any = field.default
    absent = default.factory if isinstance(default, attrs.Factory) else lambda: default  # type: ignore[arg-type]  # a class at run time
    decode = cache(lambda: _hook(field.type))  # when first needed: a model may contain itself
    return lambda sent: decode()(sent[wire], field.type) if wire in sent else absent()


def _list(kind: Any) -> Hook:
    (item,) = get_args(kind) or (Any,)
    decode = _hook(item)
    return lambda value, _: [decode(entry, item) for entry in value or ()]


def _dict(kind: Any) -> Hook:
    _, item = get_args(kind) or (str, Any)
    if item is Any:
        return _as_it_is
    decode = _hook(item)
    return lambda value, _: {key: decode(entry, item) for key, entry in value.items()}


def _union(kind: Any) -> Hook:
    """Decode `X | None`, a union of models with a discriminator, an open enum (`Status | str`), or any other union."""
    inner, optional = without_none(kind)
    if optional:
        decode = _hook(inner)
        return lambda value, _: None if value is None else decode(value, inner)
    decoders = {member: _hook(member) for member in get_args(kind)}
    if (choose := discriminators.get(frozenset(decoders))) is not None:
        return lambda value, _: decoders[choose(value)](value, None)
    if is_open_enum(kind):
        known = {member.value: member for one in decoders if issubclass(one, Enum) for member in one}
        return lambda value, _: known.get(value, value)
    return lambda value, _: next(decode(value, one) for one, decode in decoders.items() if _is(value, one))


def _is(value: Any, kind: Any) -> bool:
    try:
        check_of(kind)(value)
    except Mismatch:
        return False
    return True


def _as_it_is(value: Any, _: Any) -> Any:
    return value


def _generic(origin: type) -> Callable[[Any], bool]:
    return lambda kind: kind is origin or get_origin(kind) is origin


for _kind in (str, bool, int, float, Any):
    _converter.register_structure_hook(_kind, _as_it_is)
_converter.register_structure_hook(datetime, _datetime)
_converter.register_structure_hook(Secret, lambda value, _: Secret(value))
_converter.register_structure_hook_factory(_generic(list), _list)
_converter.register_structure_hook_factory(_generic(dict), _dict)
_converter.register_structure_hook_factory(is_union, _union)
_converter.register_structure_hook_factory(is_model, _model)
