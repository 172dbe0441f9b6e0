"""Imports run down only: the table below is docs/architecture.md as data, and grimp reads who imports whom."""

from __future__ import annotations

import grimp
import pytest

from tests.architecture.source_tree import PACKAGES

# Each floor and what it may import; itself is understood. A new module of eigenpal needs a line here.
MAY_IMPORT: dict[str, set[str]] = {
    "_version": set(),
    "anyjson": set(),
    "lifecycle": set(),
    "errors": {"anyjson"},
    "engine": {"errors", "anyjson", "_version"},
    "service": {"generations", "engine", "errors", "anyjson"},
    "models": {"engine", "errors"},
    "generations": {"models", "engine", "errors", "anyjson"},
    "comparison": {"models", "engine", "errors", "anyjson"},
    "waiting": {"models", "engine", "errors", "anyjson"},  # gets the calls it makes handed in: it knows no resource
    "fanout": {"lifecycle", "engine", "errors", "anyjson"},  # beside waiting: gets the calls it makes handed in, too
    "resources": {"fanout", "waiting", "comparison", "models", "engine", "errors", "anyjson"},
    "archastro": {"fanout", "waiting", "lifecycle", "engine", "errors", "anyjson"},
    "epilot": {"fanout", "waiting", "engine", "errors", "anyjson"},
    "client": {"service", "resources", "fanout", "waiting", "models", "engine", "errors", "_version"},
    "services": {"client", "archastro", "epilot", "resources", "fanout", "waiting", "engine", "errors"},
}
# On top of the SDK: they may import all of it, and nothing in it may import them.
ON_TOP = {"sandbox", "cli", "testing"}
# The export list of the package names everything lazily.
EXPORTS = "eigenpal"
# Export lists of the services; `from eigenpal.epilot import EpilotClient` is lazy like `from eigenpal import ...`, and
# these are the only ways from the async package to the blocking one.
EXPORT_LISTS = {EXPORTS, "eigenpal.archastro", "eigenpal.epilot"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, imports for type checkers and inside functions included."""
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def floor_of(module: str) -> str:
    """Return the part of the house a module of eigenpal belongs to."""
    return module.split(".")[1] if "." in module else EXPORTS


def imports_of(graph: grimp.ImportGraph, package: str) -> list[tuple[str, str]]:
    """Return every direct import inside the packages, as (importer, imported), of one package's modules."""
    importers = sorted(module for module in graph.modules if module.split(".")[0] == package)
    return [(module, target) for module in importers for target in graph.find_modules_directly_imported_by(module)]


def test_every_module_has_a_floor(graph: grimp.ImportGraph) -> None:
    floors = {floor_of(module) for module in graph.modules if module.split(".")[0] == "eigenpal"}
    assert floors <= {*MAY_IMPORT, *ON_TOP, EXPORTS}


def test_imports_run_down_only(graph: grimp.ImportGraph) -> None:
    upward = [
        f"{module} imports {target}"
        for module, target in imports_of(graph, "eigenpal")
        if target.startswith("eigenpal.")
        and (floor := floor_of(module)) not in {*ON_TOP, EXPORTS}
        and floor_of(target) not in {floor, *MAY_IMPORT[floor]}
    ]
    assert upward == []


def test_nothing_in_the_sdk_imports_what_stands_on_top(graph: grimp.ImportGraph) -> None:
    wrong = [
        f"{module} imports {target}"
        for package in PACKAGES
        for module, target in imports_of(graph, package)
        if target.startswith("eigenpal.") and floor_of(target) in ON_TOP
        if package == "eigenpal_sync" or floor_of(module) not in ON_TOP
    ]
    assert wrong == []


def test_only_the_export_list_and_the_top_know_the_blocking_twin(graph: grimp.ImportGraph) -> None:
    wrong = [
        f"{module} imports {target}"
        for module, target in imports_of(graph, "eigenpal")
        if target.split(".")[0] == "eigenpal_sync"
        if floor_of(module) not in ON_TOP and module not in EXPORT_LISTS
    ]
    assert wrong == []


def test_the_table_has_no_way_up() -> None:
    """A floor that may import another is above it, all the way down: no cycle can be written into the table."""

    def reach(floor: str, path: tuple[str, ...]) -> None:
        assert floor not in path, f"{' -> '.join((*path, floor))} is a cycle"
        for below in MAY_IMPORT[floor]:
            reach(below, (*path, floor))

    for floor in MAY_IMPORT:
        reach(floor, ())
