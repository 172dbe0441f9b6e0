"""Writes the public API as text, one signature a line, into api.txt: a change of it shows in review.

Run `python -m tests.architecture.snapshot` after a change you want. It reads signatures, and calls nothing but the
constructors of clients, whose namespaces (`client.runs.artifacts`) it follows.
"""

from __future__ import annotations

import enum
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

SNAPSHOT = Path(__file__).with_name("api.txt")
PACKAGES = (
    "eigenpal",
    "eigenpal.models",
    "eigenpal.comparison",
    "eigenpal_sync",
    "eigenpal.archastro",
    "eigenpal_sync.archastro",
    "eigenpal.epilot",
    "eigenpal_sync.epilot",
    "eigenpal.sandbox",
    "eigenpal.testing",
)
OURS = ("eigenpal", "eigenpal_sync")
SHOWN_DUNDERS = {"__aenter__", "__aiter__", "__anext__", "__enter__", "__getitem__", "__iter__", "__len__", "__next__"}
STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def text() -> str:
    """Return the snapshot as it belongs in the file."""
    seen: dict[int, str] = {}
    return "".join(f"{line}\n" for package in PACKAGES for line in described_package(package, seen))


def described_package(package: str, seen: dict[int, str]) -> Iterator[str]:
    """Yield what a package exports; what an earlier one exports too is named and not repeated."""
    if importlib.util.find_spec(package) is None:
        return
    for path, value in sorted(exports(importlib.import_module(package))):
        if inspect.isclass(value) and id(value) in seen:
            if not path.startswith("eigenpal.models."):
                yield f"{path} is {seen[id(value)]}"
            continue
        seen[id(value)] = path
        yield from described(path, value)
    yield ""


def exports(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the paths and values that a package exports: its `__all__`, or the public classes of its modules."""
    if names := getattr(module, "__all__", None):
        yield from ((f"{module.__name__}.{name}", getattr(module, name)) for name in names)
        return
    for info in pkgutil.iter_modules(module.__path__, f"{module.__name__}."):
        for name, kind in inspect.getmembers(importlib.import_module(info.name), inspect.isclass):
            if kind.__module__ == info.name and not name.startswith("_"):
                yield f"{info.name}.{name}", kind


def described(path: str, value: Any) -> Iterator[str]:
    """Yield the lines of one exported name."""
    if inspect.isclass(value):
        yield from described_class(path, value)
    elif inspect.isroutine(value):
        yield f"{path}{signature(value)}"
    else:
        ours_or_plain = ours(type(value)) or type(value).__module__ == "builtins"
        yield f"{path}: {type(value).__name__ if ours_or_plain else 'type alias'}"


def described_class(path: str, kind: type[Any]) -> Iterator[str]:
    """Yield a class, then its members; for a client, its namespaces too."""
    bases = ", ".join(base.__name__ for base in kind.__bases__ if base is not object)
    yield f"class {path}({bases})"
    if issubclass(kind, enum.Enum):
        yield from (f"{path}.{member.name} = {member.value!r}" for member in kind)
    elif attrs.has(kind):
        written = inspect.get_annotations(kind)  # a field's own type is text until a codec has resolved it
        for field in attrs.fields(kind):
            if not field.name.startswith("_") and not field.inherited:
                default = "" if field.default is attrs.NOTHING else " = ..."
                yield f"{path}.{field.name}: {annotation(written[field.name])}{default}"
    elif not issubclass(kind, BaseException):
        yield f"{path}{signature(kind)}"
    yield from methods(path, kind)
    if kind.__name__.endswith("Client"):
        make: Any = kind
        yield from namespaces(path, make("snapshot", base_url="http://127.0.0.1:1"))


def methods(path: str, kind: type[Any]) -> Iterator[str]:
    """Yield the public methods and properties of a class; those of a public base are shown there."""
    shown_elsewhere = {name for base in kind.__mro__[1:] if not base.__name__.startswith("_") for name in vars(base)}
    for name in sorted(set(dir(kind)) - (shown_elsewhere - set(vars(kind)))):
        if name.startswith("_") and name not in SHOWN_DUNDERS:
            continue
        member: Any = inspect.getattr_static(kind, name)
        if isinstance(member, property | cached_property):
            getter: Any = member.fget if isinstance(member, property) else member.func
            if ours(getter):
                yield f"{path}.{name} -> {annotation(inspect.signature(getter).return_annotation)}"
            continue
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if inspect.isfunction(function) and ours(function):
            colour = "async " if inspect.iscoroutinefunction(inspect.unwrap(function)) else ""
            yield f"{colour}{path}.{name}{signature(getattr(kind, name))}"


def namespaces(path: str, holder: Any) -> Iterator[str]:
    """Yield the methods of every namespace that hangs on a client or on another namespace."""
    for name in sorted(dir(holder)):
        if name.startswith("_"):
            continue
        namespace = getattr(holder, name)
        kind = type(namespace)
        if ".resources" in kind.__module__ and ours(kind):
            yield from methods(f"{path}.{name}", kind)
            yield from namespaces(f"{path}.{name}", namespace)


def ours(thing: Any) -> bool:
    """Tell whether a class or function is this project's."""
    return str(getattr(thing, "__module__", "")).split(".")[0] in OURS


def signature(thing: Any) -> str:
    """Return a signature as written in the source, without self; defaults as their repr."""
    found = inspect.signature(thing)
    shown = [parameter for name, parameter in found.parameters.items() if name not in {"self", "cls"}]
    returns = found.return_annotation
    answer = "" if returns in {inspect.Signature.empty, "None"} else f" -> {annotation(returns)}"
    return f"({', '.join(_parameters(shown))}){answer}"


def _parameters(shown: list[inspect.Parameter]) -> Iterator[str]:
    keyword_only = False
    for index, parameter in enumerate(shown):
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            if not any(earlier.kind is earlier.VAR_POSITIONAL for earlier in shown[:index]):
                yield "*"
        stars = STARS.get(parameter.kind, "")
        typed = "" if parameter.annotation is parameter.empty else f": {annotation(parameter.annotation)}"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        yield f"{stars}{parameter.name}{typed}{default}"


def annotation(hint: Any) -> str:
    """Return an annotation as text: modules import annotations from the future, so it is text nearly always."""
    return hint if isinstance(hint, str) else inspect.formatannotation(hint)


if __name__ == "__main__":
    SNAPSHOT.write_text(text(), encoding="utf-8")
