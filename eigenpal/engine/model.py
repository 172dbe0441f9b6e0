"""What every typed answer has in common: slots, immutability, the wire form kept, item access by wire name.

Cheap to import: attrs only. How JSON becomes a model is the codec's business.
"""

from __future__ import annotations

import copy
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform, get_args

import attrs

from eigenpal.engine.secret import Secret

T = TypeVar("T")

MAX_REPR_CHARACTERS = 60  # of one value inside a repr: an output of a megabyte must not flood a terminal

# Looks at a few items of a few levels only: cheap however large or deep a value is.
_excerpts = reprlib.Repr()
_excerpts.maxlevel = _excerpts.maxdict = _excerpts.maxlist = 3
_excerpts.maxstring = _excerpts.maxother = _excerpts.maxlong = 2 * MAX_REPR_CHARACTERS


def short_repr(value: object, characters: int = MAX_REPR_CHARACTERS) -> str:
    """Return the repr of any JSON, cut to some characters, without ever building the whole of it."""
    text = _excerpts.repr(value)
    return text if len(text) <= characters else text[: characters - 1] + "…"


def camel_case(name: str) -> str:
    """Return the camelCase form of a snake_case name."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def snake_case(name: str) -> str:
    """Return the snake_case form of a camelCase name."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(attrs.field,))
def model(cls: type[T]) -> type[T]:
    """Make a class a typed answer: slotted, immutable, comparable, its fields given by keyword.

    A field's wire name is the camelCase of its name; `attrs.field(metadata={"wire": "..."})` names another.
    """
    return attrs.frozen(kw_only=True, slots=True, repr=False, getstate_setstate=False)(cls)


@attrs.frozen(slots=True, repr=False, getstate_setstate=False)
class Model:
    """Base of every answer. Read members as attributes, or as items by their wire name.

    Members that this version does not know are kept: `run["newMember"]`, `run.new_member`, `run.to_dict()`.
    """

    wire_naming: ClassVar[Callable[[str], str]] = staticmethod(camel_case)
    repr_members: ClassVar[tuple[str, ...]] = ()
    """What reprs and notebooks show, the most telling first; `"timing.duration_ms"` looks inside. Empty shows all."""

    _readers: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {}
    """Make the members that contain models of what was sent; from the codec, which leaves them out until asked for."""

    _wire: Mapping[str, Any] | None = attrs.field(default=None, init=False, eq=False, repr=False)

    def __getitem__(self, wire_name: str) -> Any:
        """Return a member as the server sent it, by its wire name; one it left out as the attribute has it."""
        wire = self._as_sent()
        if wire_name in wire:
            return wire[wire_name]
        return getattr(self, _attributes(type(self))[wire_name])

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys())

    def __contains__(self, wire_name: object) -> bool:
        return wire_name in self._as_sent()

    def get(self, wire_name: str, default: Any = None) -> Any:
        """Return a member as the server sent it, or `default` when it was not sent."""
        return self._as_sent().get(wire_name, default)

    def keys(self) -> list[str]:
        """Return the wire names of the members that were sent."""
        return list(self._as_sent())

    def to_dict(self) -> dict[str, Any]:
        """Return the wire form: what the server sent, unknown members included; yours to change."""
        return copy.deepcopy(dict(self._as_sent()))

    def _as_sent(self) -> Mapping[str, Any]:
        return wire_form(self) if self._wire is None else self._wire

    if not TYPE_CHECKING:  # for members not read yet, and unknown ones; type checkers must still catch misspelt ones

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("_") and self._wire is not None:
                if (read := self._readers.get(name)) is not None:
                    member = read(self._wire)
                    object.__setattr__(self, name, member)  # frozen for its users
                    return member
                for wire_name in (type(self).wire_naming(name), name):
                    if wire_name in self._wire:
                        return self._wire[wire_name]
            raise AttributeError(f"{type(self).__name__} has no member {name!r}")

    def __repr__(self) -> str:
        members = shown_members(self)
        shown = ", ".join(f"{name}={_short(value)}" for name, value in members if value is not None and value != [])
        return f"{type(self).__name__}({shown})"

    def _repr_html_(self) -> str:
        from eigenpal.engine.display import as_html

        return as_html(self)

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (_from_wire, (type(self), self.to_dict()))


discriminators: dict[frozenset[Any], Callable[[Mapping[str, Any]], type[Model]]] = {}


def discriminate(union: Any, choose: Callable[[Mapping[str, Any]], type[Model]]) -> None:
    """Say which member of a union of models a JSON object is; called where the union is defined."""
    discriminators[frozenset(get_args(union))] = choose


def _from_wire(kind: type[T], wire: dict[str, Any]) -> T:
    from eigenpal.engine.codec import structure

    value: T = structure(kind, wire)
    return value


def shown_members(answer: Model) -> list[tuple[str, Any]]:
    """Return the members that stand for an answer in reprs and notebooks, with their names."""
    paths = answer.repr_members or tuple(field.name for field in attrs.fields(type(answer)) if field.init)
    return [(path.rpartition(".")[2], _member(answer, path)) for path in paths]


def _member(answer: Any, path: str) -> Any:
    for name in path.split("."):
        answer = None if answer is None else getattr(answer, name)
    return answer


def stands_for(value: Any) -> Any:
    """Return what says most about a model inside another: the first member it shows, if it says what it shows."""
    while isinstance(value, Model) and value.repr_members:
        value = next((member for _, member in shown_members(value) if member is not None), None)
    return value


def _short(value: object) -> str:
    value = stands_for(value)
    if isinstance(value, Model):
        return f"<{type(value).__name__}>"
    if isinstance(value, Enum):
        return repr(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | dict) and len(value) > 3:  # pyright: ignore[reportUnknownArgumentType] - any JSON
        return f"<{len(value)} items>"  # pyright: ignore[reportUnknownArgumentType] - any JSON
    if isinstance(value, list) and any(isinstance(item, Model) for item in value):  # pyright: ignore[reportUnknownVariableType] - any JSON
        return f"[{', '.join(map(_short, value))}]"  # pyright: ignore[reportUnknownArgumentType] - any JSON
    return short_repr(value)  # pyright: ignore[reportUnknownArgumentType] - any JSON


def wire_name(field: attrs.Attribute[Any], kind: type[Model]) -> str:
    """Return the name that a model's field has in JSON."""
    name: str = field.metadata.get("wire") or kind.wire_naming(field.name)
    return name


def _find_attributes(kind: type[Model]) -> dict[str, str]:
    """Return the attribute behind each wire name: of the fields, and of what an answer computes."""
    computed = {kind.wire_naming(name): name for name in dir(kind) if isinstance(getattr(kind, name), property)}
    return computed | {wire_name(field, kind): field.name for field in attrs.fields(kind) if field.init}


_attributes: Callable[[Any], dict[str, str]] = cache(_find_attributes)


def wire_form(value: Any) -> Any:
    """Return the JSON form of a model made by hand (None is left out where it says nothing), or of a value in it."""
    if isinstance(value, Model):
        if value._wire is not None:  # pyright: ignore[reportPrivateUsage] - same module
            return dict(value._wire)  # pyright: ignore[reportPrivateUsage] - same module
        kind = type(value)
        members = ((f, getattr(value, f.name)) for f in attrs.fields(kind) if f.init)
        return {
            wire_name(field, kind): wire_form(member)
            for field, member in members
            if member is not None or field.default is attrs.NOTHING
        }
    if isinstance(value, list):
        return [wire_form(item) for item in value]  # pyright: ignore[reportUnknownVariableType] - any JSON
    if isinstance(value, dict):
        return {key: wire_form(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType] - any JSON
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Secret):
        return value.reveal()
    return value


def timestamp(moment: date) -> str:
    """Return the ISO-8601 text of a moment; UTC is written as Z, as the services write it."""
    text = moment.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text
