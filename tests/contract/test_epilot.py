"""The emulator of epilot against the whole description, with agents and with executions in every state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.epilot import EpilotClient
from eigenpal.sandbox import Sandbox
from tests.contract.contracts import Served, bounded, keeps_its_word, operations
from tests.epilot.conftest import register

OPERATIONS = operations("epilot.openapi.yaml")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A service with agents, an execution that ended and some that wait for an approval."""
    with Sandbox(seed=1) as sandbox:
        register(sandbox)
        with EpilotClient(sandbox.epilot.token, base_url=sandbox.epilot.url) as client:
            yield _filled(client, sandbox)


def _filled(client: EpilotClient, sandbox: Sandbox) -> Served:
    sorter, quick = sandbox.epilot.id_of("Sorter"), sandbox.epilot.id_of("Quick")
    ended = client.agents.execute_and_wait(quick, input={"entity_id": "e1"})
    waiting = [client.agents.execute_and_wait(sorter) for _ in range(4)]  # until they need a human
    executions = [execution.id for execution in (ended, *waiting)]
    known: dict[str, list[Any]] = {"agent_id": [sorter, quick], "execution_id": executions}
    agent = {"name": "Clerk", "system_prompt": "Sort.", "execution_pattern": "react"}
    bodies: dict[str, list[Any]] = {
        "agents.create": [agent],
        "agents.update": [agent],
        "agents.execute": [{"input": {"entity_id": "e2"}}],
        "executions.approve": [{}, {"reason": "fine"}],
        "executions.reject": [{"reason": "no"}],
    }
    return Served(sandbox.epilot.url, {"Authorization": f"Bearer {sandbox.epilot.token}"}, known, bodies)


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
