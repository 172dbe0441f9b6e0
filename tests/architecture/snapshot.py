"""Writes the public API as text, one signature a line, into api.txt: a change of it shows in review.

Run `python -m tests.architecture.snapshot` after a change you want. It reads signatures, and calls nothing but the
constructors of clients, whose namespaces (`client.runs.artifacts`) it follows.
"""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

SNAPSHOT = Path(__file__).with_name("api.txt")
PACKAGES = (
    "eigenpal",
    "eigenpal_sync",
    "eigenpal.archastro",
    "eigenpal_sync.archastro",
    "eigenpal.epilot",
    "eigenpal_sync.epilot",
)
STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
OURS = ("eigenpal", "eigenpal_sync")
SHOWN_DUNDERS = {"__aenter__", "__aiter__", "__enter__", "__getitem__", "__iter__", "__next__", "__anext__", "__len__"}


def api() -> Iterator[str]:
    """Yield the lines of the whole public API."""
    for package in PACKAGES:
        if package != PACKAGES[0]:
            yield ""
        module = importlib.import_module(package)
        for name in sorted(module.__all__):
            yield from described(f"{package}.{name}", getattr(module, name))


def described(path: str, value: Any) -> Iterator[str]:
    """Yield the lines of one exported name."""
    if inspect.isclass(value):
        yield from described_class(path, value)
    elif callable(value) and not isinstance(value, types.GenericAlias):
        yield f"{path}{signature(value)}"
    else:
        yield f"{path}: {type(value).__name__}"


def described_class(path: str, kind: type[Any]) -> Iterator[str]:
    """Yield a class, then its members; for a client, its namespaces too."""
    bases = ", ".join(base.__name__ for base in kind.__bases__ if base is not object)
    yield f"class {path}({bases})"
    if attrs.has(kind):
        for field in attrs.fields(kind):
            if not field.name.startswith("_"):
                default = "" if field.default is attrs.NOTHING else " = ..."
                yield f"{path}.{field.name}: {annotation(field.type)}{default}"
    elif not issubclass(kind, Exception):
        yield f"{path}{signature(kind)}"
    yield from methods(path, kind)
    if kind.__name__.endswith("Client"):
        make: Any = kind
        yield from namespaces(path, make(api_key="snapshot", base_url="http://127.0.0.1:1"))


def methods(path: str, kind: type[Any]) -> Iterator[str]:
    """Yield the public methods and properties of a class, inherited ones of this project included."""
    for name in sorted(dir(kind)):
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
            colour = "async " if inspect.iscoroutinefunction(function) else ""
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
    try:
        found = inspect.signature(thing)
    except ValueError:  # a built-in's
        return "(...)"
    shown = [parameter for name, parameter in found.parameters.items() if name not in {"self", "cls"}]
    text = ", ".join(_parameters(shown))
    returns = found.return_annotation
    return f"({text})" + ("" if returns is inspect.Signature.empty else f" -> {annotation(returns)}")


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


def text() -> str:
    """Return the snapshot as it belongs in the file."""
    return "\n".join(api()) + "\n"


if __name__ == "__main__":
    SNAPSHOT.write_text(text(), encoding="utf-8")
