"""A sandbox on which every service doubles a number, clients of all three, and a request for each kind of work."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eigenpal import AsyncEigenpalClient, RunOutcome, RunRequest, ServiceOutcome, ServiceRequest
from eigenpal.archastro import AsyncArchAstroClient, RoutineRequest, RoutineRunOutcome, SessionOutcome, SessionRequest
from eigenpal.epilot import AsyncEpilotClient, ExecutionOutcome, ExecutionRequest
from eigenpal.sandbox import Sandbox

POLL_SECONDS = 0.05


class Gate:
    """Where all work of the sandbox waits while it is shut; it notes who has come."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.came: list[int] = []

    def passed(self, number: int) -> int:
        self.came.append(number)
        assert self.open.wait(30)
        return number * 2


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def sandbox(gate: Gate) -> Iterator[Sandbox]:
    """A sandbox on which every service doubles a number."""
    with Sandbox() as running:

        @running.workflow("double")
        def double(context: Any) -> dict[str, int]:
            return {"n": gate.passed(context.input["n"])}

        @running.archastro.agent("double")
        def double_session(context: Any) -> dict[str, int]:
            return {"n": gate.passed(int(context.instructions))}

        @running.archastro.agent("asker")
        def ask(context: Any) -> dict[str, int]:
            return {"n": int(context.receive()["content"])}

        @running.archastro.routine("double")
        def double_routine(context: Any) -> dict[str, int]:
            return {"n": gate.passed(int(context.message))}

        @running.epilot.agent("double")
        def double_execution(context: Any) -> str:
            return str(gate.passed(context.input["custom_data"]["n"]))

        @running.epilot.agent("careful", execution_mode="approval")
        def store(context: Any) -> str:
            return str(context.act("number.store", {"n": 1}, lambda: "stored"))

        yield running
        gate.open.set()


@pytest.fixture
def requests(sandbox: Sandbox) -> list[ServiceRequest]:
    return [
        RunRequest({"n": 1}, target="workflows.double", key="run"),
        SessionRequest("2", agent=sandbox.archastro.agent_id("double"), key="session"),
        RoutineRequest("3", routine="double", key="routine run"),
        ExecutionRequest({"custom_data": {"n": 4}}, agent_id=sandbox.epilot.id_of("double"), key="execution"),
    ]


Clients = tuple[AsyncEigenpalClient, AsyncArchAstroClient, AsyncEpilotClient]


@asynccontextmanager
async def connected(sandbox: Sandbox) -> AsyncIterator[Clients]:
    async with (
        AsyncEigenpalClient(sandbox.api_key, base_url=sandbox.url) as eigenpal,
        AsyncArchAstroClient(sandbox.archastro.api_key, base_url=sandbox.archastro.url) as archastro,
        AsyncEpilotClient(sandbox.epilot.token, base_url=sandbox.epilot.url) as epilot,
    ):
        yield eigenpal, archastro, epilot


def number_in(outcome: ServiceOutcome) -> int:
    """Return what a piece of work has made, whichever service did it."""
    if isinstance(outcome, ExecutionOutcome):
        assert outcome.execution is not None
        assert outcome.execution.result is not None
        return int(outcome.execution.result.response or "")
    assert outcome.value is not None
    made: Any = outcome.value.result
    return int(made["n"])


KINDS = {"run": RunOutcome, "session": SessionOutcome, "routine run": RoutineRunOutcome, "execution": ExecutionOutcome}
