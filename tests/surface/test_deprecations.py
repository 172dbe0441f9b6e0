"""Deprecated operations work, and warn once, on the user's own line, of what to use instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal import EigenpalConflictError
from tests.spec.document import operations
from tests.spec.strategies import description
from tests.surface.scripted import blocking, scripted

pytestmark = pytest.mark.anyio

CALLS: dict[str, Callable[[Any], Any]] = {
    "agents.put_file": lambda client: client.agents.put_file("a", "README.md", content_base64="YQ=="),
    "agents.upload_files": lambda client: client.agents.upload_files("a", [{"path": "a", "contentBase64": "YQ=="}]),
}
each_call = pytest.mark.parametrize("name", CALLS)


def test_every_deprecated_operation_is_tested_here() -> None:
    assert {operation.id for operation in operations(description()) if operation.deprecated} == set(CALLS)


@each_call
async def test_the_async_client_warns_once_on_the_line_of_the_call(name: str) -> None:
    client, script = scripted({"ok": True})
    with pytest.warns(DeprecationWarning, match=r"source\.repository\(\)") as caught:
        assert await CALLS[name](client) == {"ok": True}
    assert_on_the_line_of_the_call(caught, name)
    assert len(script.sent) == 1


@each_call
def test_the_blocking_client_warns_once_on_the_line_of_the_call(name: str) -> None:
    client, script = blocking({"ok": True})
    with client, pytest.warns(DeprecationWarning, match=r"source\.repository\(\)") as caught:
        assert CALLS[name](client) == {"ok": True}
    assert_on_the_line_of_the_call(caught, name)
    assert len(script.sent) == 1


def assert_on_the_line_of_the_call(caught: pytest.WarningsRecorder, name: str) -> None:
    (warning,) = caught.list
    assert Path(warning.filename) == Path(__file__)
    assert warning.lineno == inspect.getsourcelines(CALLS[name])[1]
    assert str(warning.message).startswith(f"{name} writes no more")


RAW_CALLS: dict[str, Callable[[Any], Any]] = {
    "agents.put_file": lambda client: client.with_raw_response.agents.put_file("a", "README.md", content="a"),
    "agents.upload_files": lambda client: client.with_raw_response.agents.upload_files("a", []),
}


@each_call
async def test_the_raw_view_of_the_async_client_warns_once_on_the_line_of_the_call(name: str) -> None:
    client, _ = scripted({"ok": True})
    with pytest.warns(DeprecationWarning, match=name) as caught:
        assert (await RAW_CALLS[name](client)).parse() == {"ok": True}
    assert [(w.filename, w.lineno) for w in caught.list] == [(__file__, inspect.getsourcelines(RAW_CALLS[name])[1])]


@each_call
def test_the_raw_view_of_the_blocking_client_warns_once_on_the_line_of_the_call(name: str) -> None:
    client, _ = blocking({"ok": True})
    with client, pytest.warns(DeprecationWarning, match=name) as caught:
        assert RAW_CALLS[name](client).parse() == {"ok": True}
    assert [(w.filename, w.lineno) for w in caught.list] == [(__file__, inspect.getsourcelines(RAW_CALLS[name])[1])]


@each_call
async def test_a_refusal_is_a_conflict_that_says_why(name: str) -> None:
    client, _ = scripted(httpx.Response(409, json={"error": "the source is in Git"}))
    with (
        pytest.warns(DeprecationWarning, match=name),
        pytest.raises(EigenpalConflictError, match="the source is in Git") as caught,
    ):
        await CALLS[name](client)
    assert caught.value.envelope == {"error": "the source is in Git"}
    assert caught.value.issues == []
