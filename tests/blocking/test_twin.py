"""The generated twin of the SDK: up to date, complete, and the same signatures as the async classes."""

from __future__ import annotations

import importlib
import inspect
import pickle
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pytest

from eigenpal_sync import _generate
from eigenpal_sync._generate_source import Source, twin_module, twin_name
from eigenpal_sync._twin import Twin
from tests.blocking.conftest import ROOT, loop_threads

RENAMED = {
    "aclose": "close",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}


def async_classes() -> Iterator[type[Any]]:
    """Yield every public async class of the SDK."""
    for pattern in _generate.SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            source = Source.read(ROOT, path.relative_to(ROOT))
            for node in source.classes:
                yield getattr(importlib.import_module(source.module), node.name)


CLASSES = list(async_classes())


def twin_class(kind: type[Any]) -> type[Any]:
    """Return the twin of an async class."""
    twin: type[Any] = getattr(importlib.import_module(twin_module(kind.__module__)), twin_name(kind.__name__))
    return twin


def public_members(kind: type[Any]) -> dict[str, Any]:
    """Return what a class says itself in public: methods, properties, and the special methods that have twins."""
    return {name: member for name, member in vars(kind).items() if not name.startswith("_") or name in RENAMED}


def test_the_twin_is_up_to_date() -> None:
    pytest.importorskip("ruff", reason="the generator formats with ruff")
    assert _generate.drift(ROOT) == [], "run python -m eigenpal_sync._generate"


def test_there_are_async_classes_to_have_twins() -> None:
    assert {"AsyncEigenpalClient", "AsyncRuns", "AsyncArtifacts", "AsyncWorkflows"} <= {
        kind.__name__ for kind in CLASSES
    }


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_async_class_has_a_twin_with_the_same_members(kind: type[Any]) -> None:
    twin = twin_class(kind)
    assert issubclass(twin, Twin)
    assert public_members(twin).keys() >= {RENAMED.get(name, name) for name in public_members(kind) if name[0] != "_"}
    assert vars(twin).keys() >= {RENAMED[name] for name in vars(kind) if name in RENAMED}
    assert twin.__doc__


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_method_of_a_twin_has_the_parameters_of_the_async_one(kind: type[Any]) -> None:
    twin = twin_class(kind)
    compared = 0
    for name, member in public_members(kind).items():
        if not inspect.isfunction(member) or name == "__aexit__":
            continue
        theirs = inspect.signature(getattr(twin, RENAMED.get(name, name))).parameters
        ours = inspect.signature(member).parameters
        assert list(theirs) == list(ours), name
        for parameter in ours.values():
            assert theirs[parameter.name].kind == parameter.kind, f"{name}({parameter.name})"
            assert theirs[parameter.name].default == parameter.default, f"{name}({parameter.name})"
        compared += 1
    assert compared or any(isinstance(member, property | cached_property) for member in vars(kind).values())


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind.__name__.endswith("Client")])
def test_a_client_is_made_with_the_arguments_of_the_async_one(kind: type[Any]) -> None:
    assert inspect.signature(twin_class(kind)).parameters == inspect.signature(kind).parameters


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_nothing_in_a_twin_is_async_nor_speaks_of_it(kind: type[Any]) -> None:
    twin = twin_class(kind)
    for name, member in public_members(twin).items():
        function = member.func if isinstance(member, cached_property) else getattr(member, "fget", member)
        assert not inspect.iscoroutinefunction(function), name
        assert not inspect.isasyncgenfunction(function), name
        document = (inspect.getdoc(function) or "").replace("`await`", "")
        assert "await " not in document, name
        assert "async " not in document, name


@pytest.fixture
def clients() -> Iterator[tuple[Any, Any]]:
    """An async client and its twin."""
    from eigenpal import AsyncEigenpalClient
    from eigenpal_sync import EigenpalClient

    options: dict[str, Any] = {"api_key": "eig_test_key", "base_url": "http://127.0.0.1:9"}
    with EigenpalClient(**options) as blocking:
        yield AsyncEigenpalClient(**options), blocking


def test_a_client_shows_itself_as_the_async_one_does(clients: tuple[Any, Any]) -> None:
    asynchronous, blocking = clients
    assert repr(blocking) == repr(asynchronous).removeprefix("Async")
    assert "eig_test_key" not in repr(blocking)


def test_clients_and_namespaces_say_that_they_are_not_picklable(clients: tuple[Any, Any]) -> None:
    _, blocking = clients
    for thing, name in ((blocking, "EigenpalClient"), (blocking.runs, "Runs")):
        with pytest.raises(TypeError, match=f"{name} can't be pickled"):
            pickle.dumps(thing)


def test_a_client_that_sends_nothing_starts_no_thread(clients: tuple[Any, Any]) -> None:
    _, blocking = clients
    assert blocking.runs.artifacts is blocking.runs.artifacts
    assert loop_threads() == []


def test_a_copy_with_other_options_is_closed_with_the_client(clients: tuple[Any, Any]) -> None:
    from eigenpal.errors import EigenpalUsageError

    _, blocking = clients
    copy = blocking.with_options(max_retries=0)
    assert type(copy) is type(blocking)
    assert "max_retries=0" in repr(copy)
    blocking.close()
    blocking.close()
    with pytest.raises(EigenpalUsageError, match="closed"):
        copy.runs.get("r1")


def test_raw_responses_of_the_blocking_client_show_the_blocking_client(clients: tuple[Any, Any]) -> None:
    _, blocking = clients
    assert repr(blocking.with_raw_response).startswith("EigenpalClient(")


def test_the_blocking_client_is_importable_from_both_packages() -> None:
    import eigenpal
    import eigenpal_sync

    assert eigenpal.EigenpalClient is eigenpal_sync.EigenpalClient
    assert "AsyncEigenpalClient" not in eigenpal_sync.__all__
