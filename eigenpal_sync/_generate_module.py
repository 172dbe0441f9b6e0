"""Writes a module of the blocking package from its async one: heading, imports, twins; and lists of exports.

Not here: what becomes of a class (_generate_class.py), and which files there are (_generate.py).
"""

from __future__ import annotations

import ast
import builtins
import textwrap
from collections.abc import Collection, Mapping

from eigenpal_sync._generate_class import ClassWriter
from eigenpal_sync._generate_source import (
    BLOCKING_PACKAGE,
    NotGeneratableError,
    Source,
    twin_module,
    twin_name,
)
from eigenpal_sync._generate_text import blocking_text

MARK = "# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file."

# What generated code uses without its source having imported it.
RUNTIME: Mapping[str, str] = {
    "AbstractContextManager": "from contextlib import AbstractContextManager",
    "BlockingIterator": "from eigenpal_sync._portal import BlockingIterator",
    "Portal": "from eigenpal_sync._portal import Portal",
    "Self": "from typing import Self",
    "TracebackType": "from types import TracebackType",
    "Twin": "from eigenpal_sync._twin import Twin",
    "asyncs_of": "from eigenpal_sync._twin import asyncs_of",
    "cached_property": "from functools import cached_property",
    "caller_inputs": "from eigenpal_sync._portal_inputs import caller_inputs",
    "caller_callback": "from eigenpal_sync._portal import caller_callback",
    "portal_of": "from eigenpal_sync._twin import portal_of",
    "twin_of": "from eigenpal_sync._twin import twin_of",
    "undecorated": "from eigenpal_sync._twin import undecorated",
}

# Names that only the blocking package has, exported beside those that both have.
OWN_EXPORTS: Mapping[str, Mapping[str, str]] = {
    BLOCKING_PACKAGE: {
        "BlockingIterator": "eigenpal_sync._portal",
        "EigenpalAsyncUsageWarning": "eigenpal_sync._portal",
    }
}

LAZY_EXPORTS = """
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if (module := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return __all__
"""


def blocking_module(source: Source, known: Collection[tuple[str, str]]) -> str:
    """Return the code of a module's twin, not yet formatted.

    Args:
        source: The async module.
        known: Every async class that has a twin, as (module, name).
    """
    names = {node.name: twin_name(node.name) for node in source.classes}
    names |= {name: twin_name(name) for name, home in source.homes.items() if (home, name) in known}
    taken = set(names.values())
    renamed = {name: f"{name}Model" for name in source.imports if name in taken}
    writer = ClassWriter(source, names, renamed)
    body = "\n\n\n".join(writer.written(node) for node in source.classes)
    always, typing_only = _imports(source, body, names, renamed)
    if typing_only:
        always.add("from typing import TYPE_CHECKING")
    # What is deprecated in the async class is so in its twin, which therefore may call it.
    silenced = ["# pyright: reportDeprecated=false"] if "undecorated(" in body else []
    parts = [_opening(source, names), *silenced, *sorted(always)]
    if typing_only:
        parts += ["if TYPE_CHECKING:", *(f"    {statement}" for statement in sorted(typing_only))]
    return "\n".join([*parts, "", body])


def blocking_package(source: Source, known: Collection[tuple[str, str]]) -> str:
    """Return the code of the twin of a package's __init__.py, which exports the same names, lazily."""
    names = {name: twin_name(name) for name, home in source.homes.items() if (home, name) in known}
    opening = _opening(source, names)
    exported = _exports(source)
    if exported is None:
        return opening
    package = twin_module(source.module)
    homes: dict[str, str] = dict(OWN_EXPORTS.get(package, {}))
    for name in exported:
        if name == "__version__":
            continue
        home = source.homes.get(name)
        if home is None:
            raise NotGeneratableError(f"{source.path}: {name} is exported but not imported by name")
        twin = names.get(name, name)
        homes[twin] = twin_module(home) if name in names else home
    by_module: dict[str, list[str]] = {}
    for name, home in sorted(homes.items()):
        by_module.setdefault(home, []).append(name)
    modules = "\n".join(f'    "{home}": {_word_list(names)},' for home, names in sorted(by_module.items()))
    version = ["from eigenpal._version import __version__"] if "__version__" in exported else []
    all_names = sorted(set(homes) | ({"__version__"} if version else set()), key=_export_order)
    return "\n".join(
        [
            opening,
            "from importlib import import_module",
            "from typing import TYPE_CHECKING, Any",
            *version,
            "if TYPE_CHECKING:",
            *(f"    from {home} import {', '.join(names)}" for home, names in sorted(by_module.items())),
            f"\n_MODULES = {{\n{modules}\n}}\n",
            f"__all__ = [{', '.join(map(repr, all_names))},]",
            LAZY_EXPORTS,
        ]
    )


def _opening(source: Source, names: Mapping[str, str]) -> str:
    docstring = blocking_text(source.docstring, names)
    docstring = docstring.replace(f'"""{source.module}: ', f'"""{twin_module(source.module)}: ')
    return f"{MARK}\n{docstring}\n\nfrom __future__ import annotations\n"


def _imports(
    source: Source, body: str, names: Mapping[str, str], renamed: Mapping[str, str]
) -> tuple[set[str], set[str]]:
    """Return the import statements that the code needs: those for everyone, and those for type checkers only."""
    always: set[str] = set()
    typing_only: set[str] = set()
    own = {twin_name(node.name) for node in source.classes}
    twins = {twin: name for name, twin in names.items()}
    originals = {new: name for name, new in renamed.items()}
    for name in _used_names(body) - own:
        if name in twins:
            always.add(f"from {twin_module(source.homes[twins[name]])} import {name}")
        elif name in originals:
            statement, for_typing = source.imports[originals[name]]
            (typing_only if for_typing else always).add(f"{statement} as {name}")
        elif name in source.imports:
            statement, for_typing = source.imports[name]
            (typing_only if for_typing else always).add(statement)
        elif name in source.definitions:
            always.add(f"from {source.module} import {name}")
        elif name in RUNTIME:
            always.add(RUNTIME[name])
        elif not hasattr(builtins, name):
            raise NotGeneratableError(
                f"{source.path}: {name} is used in a signature, and nothing says where it is from"
            )
    return always, typing_only


def _used_names(body: str) -> set[str]:
    """Return the names that the code reads from its module: a parameter hides a name in its function's body alone."""
    used: set[str] = set()

    def visit(node: ast.AST, bound: frozenset[str]) -> None:
        if isinstance(node, ast.Name):
            used.update({node.id} - bound)
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            parameters = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
            inner = node.body if isinstance(node.body, list) else [node.body]
            for part in ast.iter_child_nodes(node):
                visit(part, bound | parameters if part in inner else bound)
        else:
            for part in ast.iter_child_nodes(node):
                visit(part, bound)

    visit(ast.parse(body), frozenset())
    return used


def _exports(source: Source) -> list[str] | None:
    """Return the names in `__all__`, None where there is none."""
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return None


def _word_list(words: list[str]) -> str:
    """Return a text with the words, on several lines where one is too short."""
    lines = textwrap.wrap(" ".join(words), 110)
    if len(lines) == 1 and len(lines[0]) < 60:
        return f'"{lines[0]}"'
    return '"""\n' + "\n".join(f"        {line}" for line in lines) + '"""'


def _export_order(name: str) -> tuple[bool, bool, str]:
    """Sort as linters do: constants, then classes, then the rest."""
    return not name.isupper(), not name[0].isupper(), name
