"""What users import: every export list is complete, resolves, is seen by type checkers, and tells typos apart."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

from tests.architecture.source_tree import ROOT, parsed

# The packages with an export list of their own; each is lazy, and written for type checkers under `if TYPE_CHECKING`.
EXPORTING = [
    package
    for package in ("eigenpal", "eigenpal_sync", "eigenpal.archastro", "eigenpal.epilot")
    if (ROOT / package.replace(".", "/") / "__init__.py").exists()
]


def seen_by_type_checkers(package: str) -> set[str]:
    """Return the names that the package's __init__.py imports from this project, for type checkers or for all."""
    names: set[str] = set()
    path = (ROOT / package.replace(".", "/") / "__init__.py").relative_to(ROOT)
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("eigenpal"):
            names.update(alias.asname or alias.name for alias in node.names)
    return names - {"__version__"}


@pytest.mark.parametrize("package", EXPORTING)
def test_every_exported_name_resolves(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []


@pytest.mark.parametrize("package", EXPORTING)
def test_no_name_is_exported_twice(package: str) -> None:
    names = list(importlib.import_module(package).__all__)
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("package", EXPORTING)
def test_type_checkers_see_exactly_what_is_exported(package: str) -> None:
    assert set(importlib.import_module(package).__all__) - {"__version__"} == seen_by_type_checkers(package) - {
        "__version__"
    }


@pytest.mark.parametrize("package", EXPORTING)
def test_dir_shows_the_exports(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("package", EXPORTING)
def test_a_misspelt_name_is_an_attribute_error_that_names_it(package: str) -> None:
    with pytest.raises(AttributeError, match="AsyncEigenpalCleint"):
        _ = importlib.import_module(package).AsyncEigenpalCleint


def test_every_error_is_exported() -> None:
    import eigenpal
    from eigenpal import errors

    kinds = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert set(kinds) <= set(eigenpal.__all__)


def test_both_packages_have_the_same_errors() -> None:
    """An error caught by its name from one package is caught when the other raised it."""
    import eigenpal
    import eigenpal_sync

    shared = {name for name in eigenpal_sync.__all__ if name.endswith("Error")}
    assert shared
    assert [name for name in shared if getattr(eigenpal, name) is not getattr(eigenpal_sync, name)] == []
