"""Where the sources are, for the tests of this folder: paths, module names, parsed files. No rules here."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("eigenpal", "eigenpal_sync")


def python_files(*packages: str) -> list[Path]:
    """Return the Python files of the packages, relative to the root, in a fixed order."""
    return sorted(path.relative_to(ROOT) for package in packages for path in (ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    """Return the dotted name of a file: eigenpal/engine/__init__.py is eigenpal.engine."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


@cache
def imported_modules(path: Path) -> frozenset[str]:
    """Return the absolute names a file imports, wherever in the file; relative imports stay within a package."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return frozenset(names)


def tracked_files() -> list[Path]:
    """Return the files under version control, relative to the root; empty where the tree is no checkout."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [Path(name) for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
