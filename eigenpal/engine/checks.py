"""Whether JSON is what a type promises: one check per type, made when first needed, that raises with the place.

The check of a model is written as Python once and compiled, as attrs does for `__init__`: a page of a hundred runs is
seven hundred models, so what one member costs decides how fast a list is. Nothing is made here; that is the codec's.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, NoReturn, Union, get_args, get_origin

import attrs

from eigenpal.engine.model import Model, discriminators, short_repr, wire_name
from eigenpal.engine.secret import Secret

Check = Callable[[Any], object]

# Typed as Any, so that a check against them leaves "any JSON" what it is for the type checkers.
OBJECT: Any = dict
LIST: Any = list

# Characters of a bad value that an error shows: enough to recognise it, too few to leak a document.
MAX_SHOWN_VALUE = 80

# `bool` is no number, and nothing is coerced: a value has to be of one of these very types.
_PLAIN: Final[Mapping[Any, tuple[str, tuple[type, ...]]]] = {
    str: ("a string", (str,)),
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (float, int)),
    Secret: ("a string", (str,)),
}


class Mismatch(Exception):
    """A value that is not what the model promises, with the path to it: `$.data[3].status`."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(expected, value)
        self.expected = expected
        self.path: str = "$"
        self.found: str = short_repr(value, MAX_SHOWN_VALUE)

    def inside(self, step: str) -> Mismatch:
        """Return itself, found one step further down: `.status` or `[3]`."""
        self.path = f"${step}{self.path[1:]}"
        return self

    def __str__(self) -> str:
        return f"{self.path} should be {self.expected}, not {self.found}"


def refuse(expected: str, value: object, step: str = "") -> NoReturn:
    """Raise the mismatch for a value, or for the member of an object that a step leads to."""
    raise Mismatch(expected, value).inside(step)


@cache
def check_of(kind: Any) -> Check:
    """Return what raises `Mismatch` for a value that is not of a type; members that are not known are fine."""
    inner, optional = without_none(kind)
    if optional:
        must = check_of(inner)
        return lambda value: None if value is None else must(value)
    if inner in _PLAIN:
        expected, accepted = _PLAIN[inner]
        return lambda value: None if type(value) in accepted else refuse(expected, value)
    if is_union(inner):
        return _check_of_union(inner)
    if is_model(inner):
        return _compiled(inner)
    if isinstance(inner, type) and issubclass(inner, Enum):
        return _check_of_choice(tuple(member.value for member in inner))
    make = _CHECKS.get(get_origin(inner) or inner)
    return make(inner) if make is not None else lambda value: None  # any JSON


def _check_timestamp(value: Any) -> None:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        refuse("an ISO-8601 timestamp", value)


def _check_of_list(kind: Any) -> Check:
    (item,) = get_args(kind) or (Any,)
    check = check_of(item)

    def check_list(value: Any) -> None:
        if value is None:  # as good as an empty one
            return
        if type(value) is not LIST:
            refuse("a list", value)
        index = 0
        try:
            for index, entry in enumerate(value):  # noqa: B007 - the except clause tells it
                check(entry)
        except Mismatch as mismatch:
            raise mismatch.inside(f"[{index}]") from None

    return check_list


def _check_of_dict(kind: Any) -> Check:
    _, item = get_args(kind) or (str, Any)
    check = check_of(item)

    def check_dict(value: Any) -> None:
        if type(value) is not OBJECT:
            refuse("an object", value)
        for key, entry in value.items() if item is not Any else ():
            try:
                check(entry)
            except Mismatch as mismatch:
                raise mismatch.inside(f".{key}") from None

    return check_dict


def _check_of_union(kind: Any) -> Check:
    """Check an open enum (`Status | str`), a union of models with a discriminator, or any other union."""
    members = get_args(kind)
    if (choose := discriminators.get(frozenset(members))) is not None:
        chosen: Mapping[Any, Check] = {member: check_of(member) for member in members}
        return lambda value: chosen[choose(value)](value) if type(value) is OBJECT else refuse("an object", value)
    if is_open_enum(kind):
        return check_of(str)
    checks = [check_of(member) for member in members]

    def check_any(value: Any) -> None:
        expected: list[str] = []
        for check in checks:
            try:
                check(value)
            except Mismatch as mismatch:
                expected.append(mismatch.expected)
            else:
                return
        refuse(" or ".join(expected), value)

    return check_any


def _check_of_choice(known: tuple[Any, ...]) -> Check:
    return lambda value: None if value in known else refuse(f"one of {', '.join(map(repr, known))}", value)


_CHECKS: Final[Mapping[Any, Callable[[Any], Check]]] = {
    Literal: lambda kind: _check_of_choice(get_args(kind)),
    datetime: lambda _: _check_timestamp,
    list: _check_of_list,
    dict: _check_of_dict,
}


# --------------------------------------------------------------------------------------------------- models


def _compiled(kind: type[Model]) -> Check:
    attrs.resolve_types(kind)
    scope: dict[str, Any] = {"Mismatch": Mismatch, "refuse": refuse}
    source = ["def check(value):", "    if type(value) is not dict: refuse('an object', value)"]
    for field in attrs.fields(kind):
        if field.init:
            source += _lines(field, wire_name(field, kind))
            scope[f"check_{field.name}"] = _made_when_called(scope, field)
    exec(compile("\n".join(source), f"<check of {kind.__name__}>", "exec"), scope)  # noqa: S102 - made of names in our own classes
    check: Check = scope["check"]
    return check


def _made_when_called(scope: dict[str, Any], field: attrs.Attribute[Any]) -> Check:
    """Return a check that puts the real one in its place: most members of most models never come, and some recur."""

    def check(value: Any) -> None:
        made: Check = check_of(field.type)  # type: ignore[arg-type]  # attrs says it may be None
        scope[f"check_{field.name}"] = made
        made(value)

    return check


def _lines(field: attrs.Attribute[Any], wire: str) -> Iterator[str]:
    kind, optional = without_none(field.type)
    if is_union(kind) and is_open_enum(kind):
        kind = str
    if field.default is attrs.NOTHING:
        yield f"    if {wire!r} not in value: refuse({f'an object with {wire!r}'!r}, value)"
    if kind is Any:
        return
    yield f"    if {wire!r} in value:"
    yield f"        x = value[{wire!r}]"
    unless_none = "x is not None and " if optional else ""
    if kind in _PLAIN:
        expected, accepted = _PLAIN[kind]
        wrong = " and ".join(f"type(x) is not {one.__name__}" for one in accepted)
        yield f"        if {unless_none}{wrong}: refuse({expected!r}, x, {f'.{wire}'!r})"
    else:
        yield f"        try: {unless_none}check_{field.name}(x)"
        yield f"        except Mismatch as mismatch: raise mismatch.inside({f'.{wire}'!r}) from None"


def without_none(kind: Any) -> tuple[Any, bool]:
    """Return the `X` of `X | None`, or the type itself, and whether None was part of it."""
    if not is_union(kind):
        return kind, False
    others = tuple(member for member in get_args(kind) if member is not types.NoneType)
    return Union[others], len(others) < len(get_args(kind))  # noqa: UP007 - of a tuple


def is_union(kind: Any) -> bool:
    """Tell whether a type is a union of types."""
    return get_origin(kind) in (types.UnionType, Union)


def is_open_enum(kind: Any) -> bool:
    """Tell whether a union is one of text enumerations and any other text."""
    return all(isinstance(member, type) and issubclass(member, str) for member in get_args(kind))


def is_model(kind: Any) -> bool:
    """Tell whether a type is a model."""
    return isinstance(kind, type) and issubclass(kind, Model)


def contains_model(kind: Any) -> bool:
    """Tell whether a type is a model, or has one somewhere in it."""
    return is_model(kind) or any(contains_model(inner) for inner in get_args(kind))
