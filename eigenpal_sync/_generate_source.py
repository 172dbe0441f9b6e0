"""An async source file as the generator sees it: its syntax tree, its text, and where its names come from.

Not here: what becomes of its classes (_generate_class.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import attrs

ASYNC_PREFIX = "Async"
ASYNC_PACKAGE = "eigenpal"
BLOCKING_PACKAGE = "eigenpal_sync"


class NotGeneratableError(Exception):
    """The async source has something that the generator has no rule for; the message says where, and what to do."""


@attrs.define
class Source:
    """One async source file.

    Attributes:
        path: Path relative to the root of the sources, for messages.
        module: Dotted name.
        text: The source code.
    """

    path: Path
    module: str
    text: str

    @classmethod
    def read(cls, root: Path, path: Path) -> Source:
        """Read a file; the path is relative to the root."""
        module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        return cls(path=path, module=module, text=(root / path).read_text(encoding="utf-8"))

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def _lines(self) -> list[bytes]:
        # `ast.get_source_segment` splits the whole text for each node, and counts columns in bytes as this does.
        return self.text.encode().split(b"\n")

    @cached_property
    def docstring(self) -> str:
        """The docstring as written, quotes and all."""
        return self.docstring_of(self.tree)

    @cached_property
    def classes(self) -> list[ast.ClassDef]:
        """The public async classes."""
        return [
            node for node in self.tree.body if isinstance(node, ast.ClassDef) and node.name.startswith(ASYNC_PREFIX)
        ]

    @cached_property
    def imports(self) -> Mapping[str, tuple[str, bool]]:
        """Imported names to the statement that imports each, and whether it is there for type checkers only."""
        found: dict[str, tuple[str, bool]] = {}
        for node, typing_only in self._top_level():
            if isinstance(node, ast.ImportFrom) and node.module != "__future__":
                if node.level:
                    raise self.error(node, "imports relatively: name the module")
                for alias in node.names:
                    renamed = f" as {alias.asname}" if alias.asname else ""
                    found[alias.asname or alias.name] = (
                        f"from {node.module} import {alias.name}{renamed}",
                        typing_only,
                    )
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    renamed = f" as {alias.asname}" if alias.asname else ""
                    name = alias.asname or alias.name.split(".")[0]
                    found[name] = (f"import {alias.name}{renamed}", typing_only)
        return found

    @cached_property
    def homes(self) -> Mapping[str, str]:
        """Names imported with `from` to the module each comes from, under the name it has there."""
        return {
            alias.asname or alias.name: node.module
            for node, _ in self._top_level()
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }

    @cached_property
    def definitions(self) -> frozenset[str]:
        """The names that the module defines itself: classes, functions, aliases, constants, type variables."""
        names: set[str] = set()
        for node, _ in self._top_level():
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign):
                names.update(target.id for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
        return frozenset(names)

    def segment(self, node: ast.AST) -> str:
        """Return the source code of a node as it was written."""
        assert isinstance(node, ast.stmt | ast.expr | ast.arg), "others have no place in the text"
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        lines = self._lines[node.lineno - 1 : node.end_lineno]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return b"\n".join(lines).decode()

    def docstring_of(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        """Return a docstring as written, quotes and all; an empty text where there is none."""
        return self.segment(node.body[0]) if ast.get_docstring(node, clean=False) is not None else ""

    def error(self, node: ast.stmt | ast.expr | ast.arg, problem: str) -> NotGeneratableError:
        """Return the error that names a place in this file."""
        return NotGeneratableError(f"{self.path}:{node.lineno}: {problem}")

    def _top_level(self) -> Iterator[tuple[ast.stmt, bool]]:
        """Yield the statements of the module, and those under `if TYPE_CHECKING`, marked as such."""
        for node in self.tree.body:
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                yield from ((statement, True) for statement in node.body)
            else:
                yield node, False


def twin_module(module: str) -> str:
    """Return where the twin of an async module is: `eigenpal.resources.runs` -> `eigenpal_sync.resources.runs`."""
    return BLOCKING_PACKAGE + module.removeprefix(ASYNC_PACKAGE)


def twin_name(name: str) -> str:
    """Return the name of an async class's twin."""
    return name.removeprefix(ASYNC_PREFIX)
