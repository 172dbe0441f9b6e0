"""JSON to models and back: strict about types, lenient about everything a server may add or leave out.

cattrs builds one decoder per model; the hooks here say how. Unknown members are kept on the model, unknown enum values
come through as strings, null where a list was promised is an empty list. What can't be decoded raises `Mismatch`
with the path to the bad value. Knows no model of any service: unions declare their own discriminator.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, NoReturn, TypeVar, Union, get_args, get_origin
from uuid import UUID

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from eigenpal.anyjson import list_of, object_of
from eigenpal.engine.model import Model, discriminators, short_repr, timestamp, wire_form, wire_name
from eigenpal.engine.secret import Secret
from eigenpal.engine.unset import UNSET

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

# Typed as Any, so that a check against them leaves "any JSON" what it is for the type checkers.
OBJECT: Any = dict
LIST: Any = list

# Characters of a bad value that an error shows: enough to recognise it, too few to leak a document.
MAX_SHOWN_VALUE = 80


class Mismatch(Exception):
    """A value that is not what the model promises, with the path to it: `$.data[3].status`."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(expected, value)
        self.expected = expected
        self.path = "$"
        self.found: str = short_repr(value, MAX_SHOWN_VALUE)

    def __str__(self) -> str:
        return f"{self.path} should be {self.expected}, not {self.found}"


def structure(kind: Any, value: Any) -> Any:
    """Turn parsed JSON into `kind`: a model, a list of models, a union of them, or Any.

    Raises:
        Mismatch: The JSON is not what the model promises; its text has the path to the bad value.
    """
    try:
        return _hook(kind)(value, kind)
    except Mismatch:
        # The fast decoders know no paths. Only now, once it failed, does the slow walk look for the place.
        _locate(kind, value, "$")
        raise


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


def _fail(expected: str, value: object) -> NoReturn:
    raise Mismatch(expected, value)


def _exact(expected: str, *accepted: type) -> Hook:
    """Accept values of these very types only: `bool` is no number, and nothing is coerced."""
    if len(accepted) == 1:
        only = accepted[0]
        return lambda value, _: value if type(value) is only else _fail(expected, value)
    return lambda value, _: value if type(value) in accepted else _fail(expected, value)


_EXACT: Final[Mapping[Any, tuple[str, list[type]]]] = {
    str: ("a string", [str]),
    bool: ("true or false", [bool]),
    int: ("a whole number", [int]),
    float: ("a number", [int, float]),
}


def _datetime(value: Any, _: Any) -> datetime:
    if type(value) is str:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            _fail("an ISO-8601 timestamp", value)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    _fail("an ISO-8601 timestamp", value)


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (types.UnionType, Union)


def _union(kind: Any) -> Hook:
    """Decode `X | None`, an open enum (`Status | str`), or a union of models with a discriminator."""
    members = [member for member in get_args(kind) if member is not types.NoneType]
    optional = len(members) < len(get_args(kind))
    if (choose := discriminators.get(frozenset(members))) is not None:
        inner = _one_of(choose)
    elif optional and len(members) == 1 and members[0] in _EXACT:
        expected, accepted = _EXACT[members[0]]
        return _exact(expected, *accepted, types.NoneType)  # most members are these: one call and not two
    elif len(members) == 1:
        inner = _hook(members[0])
    else:
        inner = _open_enum(members)
    if not optional:
        return inner
    return lambda value, _: None if value is None else inner(value, members[0])


def _one_of(choose: Callable[[Mapping[str, Any]], type[Model]]) -> Hook:
    return lambda value, _: _hook(choose(_object(value)))(value, None)


def _open_enum(members: list[Any]) -> Hook:
    known = {member.value: member for kind in members if issubclass(kind, Enum) for member in kind}
    return lambda value, _: known.get(value, value) if type(value) is str else _fail("a string", value)


def _object(value: Any) -> Any:
    return value if type(value) is OBJECT else _fail("an object", value)


def _list(kind: Any) -> Hook:
    (item,) = get_args(kind) or (Any,)
    decode = _hook(item)

    def decode_list(value: Any, _: Any) -> list[Any]:
        if value is None:
            return []
        return [decode(entry, item) for entry in (value if type(value) is LIST else _fail("a list", value))]

    return decode_list


def _dict(kind: Any) -> Hook:
    _, item = get_args(kind) or (str, Any)
    if item is Any:
        return lambda value, _: _object(value)
    decode = _hook(item)
    return lambda value, _: {key: decode(entry, item) for key, entry in _object(value).items()}


def _model(kind: type[Model]) -> Hook:
    attrs.resolve_types(kind)
    names = {field.name: override(rename=wire_name(field, kind)) for field in attrs.fields(kind) if field.init}
    build = make_dict_structure_fn(kind, _converter, _cattrs_detailed_validation=False, **names)  # type: ignore[arg-type]  # overrides are keyword arguments by field name
    keep = object.__setattr__  # the model is frozen for its users; its wire form is set once, here

    def decode(value: Any, _: Any) -> Any:
        if type(value) is not OBJECT:
            _fail("an object", value)
        try:
            instance = build(value, kind)
        except KeyError as missing:
            _fail(f"an object with {missing.args[0]!r}", value)
        keep(instance, "_wire", value)
        return instance

    return decode


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _is_generic(origin: type) -> Callable[[Any], bool]:
    return lambda kind: kind is origin or get_origin(kind) is origin


for _kind, (_expected, _accepted) in _EXACT.items():
    _converter.register_structure_hook(_kind, _exact(_expected, *_accepted))
_converter.register_structure_hook(datetime, _datetime)
_converter.register_structure_hook(
    Secret, lambda value, _: Secret(value) if type(value) is str else _fail("a string", value)
)
_converter.register_structure_hook_factory(_is_generic(list), _list)
_converter.register_structure_hook_factory(_is_generic(dict), _dict)
_converter.register_structure_hook_factory(_is_union, _union)
_converter.register_structure_hook_factory(_is_model, _model)


def _locate(kind: Any, value: Any, path: str) -> None:
    """Walk `value` beside its type and raise the first `Mismatch` with its path."""
    if _is_union(kind):
        members = [member for member in get_args(kind) if member is not types.NoneType]
        if (
            value is not None
            and (choose := discriminators.get(frozenset(members))) is not None
            and type(value) is OBJECT
        ):
            return _locate(choose(value), value, path)
        if len(members) == 1 and value is not None:
            return _locate(members[0], value, path)
    elif get_origin(kind) is list:
        for index, entry in enumerate(list_of(value)):
            _locate(get_args(kind)[0], entry, f"{path}[{index}]")
    elif get_origin(kind) is dict:
        for key, entry in object_of(value).items():
            _locate(get_args(kind)[1], entry, f"{path}.{key}")
    elif _is_model(kind) and type(value) is OBJECT:
        attrs.resolve_types(kind)  # the fast decoders may have failed before they came to this one
        for field in attrs.fields(kind):
            if field.init and (name := wire_name(field, kind)) in value:
                _locate(field.type, value[name], f"{path}.{name}")
    try:
        _hook(kind)(value, kind)
    except Mismatch as mismatch:
        mismatch.path = path
        raise
    return None
