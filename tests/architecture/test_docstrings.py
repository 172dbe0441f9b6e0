"""Every public name of both packages says what it is: modules, classes, functions, methods, properties."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source_tree import PACKAGES, module_name, parsed, python_files

PORT = Path("eigenpal/engine/transport")  # what its methods do is written once, on the port they implement

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_definitions(tree: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, Definition]]:
    """Yield the public classes and functions of a module or class, with their dotted names."""
    for node in tree.body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
        if decorators & {"overload", "setter", "deleter"}:  # documented on the name they belong to
            continue
        name = f"{prefix}.{node.name}"
        yield name, node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node, name)


def undocumented(path: Path) -> list[str]:
    """Return the public names of a file that lack a docstring."""
    tree, module = parsed(path), module_name(path)
    missing = [] if ast.get_docstring(tree) else [module]
    return missing + [
        name
        for name, node in public_definitions(tree, module)
        if not ast.get_docstring(node)
        if not (path.is_relative_to(PORT) and "." in name.removeprefix(f"{module}."))
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_documented(package: str) -> None:
    files = [
        path
        for path in python_files(package)
        if not any(part.startswith("_") and part != "__init__.py" for part in path.parts)
    ]
    assert files
    assert [name for path in files for name in undocumented(path)] == []
