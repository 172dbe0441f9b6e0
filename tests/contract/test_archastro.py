"""The emulator of ArchAstro against the whole description, with sessions and routine runs in every state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.archastro import ArchAstroClient
from eigenpal.sandbox import Sandbox
from tests.archastro.conftest import register
from tests.contract.contracts import Served, bounded, keeps_its_word, operations

OPERATIONS = operations("archastro.openapi.yaml")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A service with a session that ended, one that waits, a routine, and a run of it."""
    with Sandbox(seed=1) as sandbox:
        register(sandbox)
        archastro = sandbox.archastro
        with ArchAstroClient(archastro.api_key, base_url=archastro.url) as client:
            yield _filled(client, sandbox)


def _filled(client: ArchAstroClient, sandbox: Sandbox) -> Served:
    quick, adder = sandbox.archastro.agent_id("quick"), sandbox.archastro.agent_id("adder")
    sorter = sandbox.archastro.routine_id("sorter")
    # Only sessions that ended: the stream of another one would go on for longer than a test.
    ended = client.agent_sessions.create(agent=quick, instructions="do it")
    client.agent_sessions.wait(ended.id)
    run = client.agent_routines.invoke(sorter, message="inbox")
    client.agent_routine_runs.wait(run.id)
    known: dict[str, list[Any]] = {
        "agent": [quick, adder],
        "agent_session": [ended.id],
        "routine": [sorter, "sorter", sandbox.archastro.routine_id("asker")],
        "run": [run.id],
        "message": ["inbox", "broken"],
        "content": ["3"],
    }
    bodies: dict[str, list[Any]] = {
        "agent_sessions.create": [{"agent": quick, "instructions": "do it", "name": "a"}],
        "agent_sessions.update": [{"metadata": {"a": 1}}],
        "agent_routines.update": [{"name": "Sorter", "description": "sorts"}],
        "agent_routines.invoke": [{"message": "inbox"}, {"message": "inbox", "idempotency_key": "once"}],
    }
    headers = {"x-archastro-api-key": sandbox.archastro.api_key}
    return Served(sandbox.archastro.url, headers, known, bodies)


@pytest.mark.parametrize("operation", OPERATIONS)
@bounded
@given(data=st.data())
def test_what_the_description_allows_is_answered_as_it_says(
    operation: Any, data: st.DataObject, served: Served
) -> None:
    keeps_its_word(operation, data, served, valid=True)


@pytest.mark.parametrize("operation", OPERATIONS)
@bounded
@given(data=st.data())
def test_what_it_does_not_allow_is_refused_as_it_says(operation: Any, data: st.DataObject, served: Served) -> None:
    keeps_its_word(operation, data, served, valid=False)
