"""One batch, one journal, work on three services: nothing in fan-out knows which is which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eigenpal import AsyncEigenpalClient, RunRequest
from eigenpal.archastro import AgentRoutineRun, AgentSession, AsyncArchAstroClient, RoutineRequest, SessionRequest
from eigenpal.archastro.batch_inputs import BatchReader
from eigenpal.archastro.batches import routine_run_work, session_work
from eigenpal.epilot import AsyncEpilotClient, Execution, ExecutionRequest
from eigenpal.epilot.batch_inputs import ExecutionReader
from eigenpal.epilot.batches import execution_work
from eigenpal.fanout.options import Options
from eigenpal.fanout.outcome import Outcome
from eigenpal.fanout.outcomes import Outcomes
from eigenpal.fanout.work import Job
from eigenpal.lifecycle import Lifecycle
from eigenpal.models.runs import Run
from eigenpal.resources.batch_inputs import RunReader
from eigenpal.resources.batch_runs import run_work
from eigenpal.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:

        @running.workflow("double")
        async def double(context: Any) -> dict[str, int]:
            return {"n": context.input["n"] * 2}

        @running.archastro.agent("double")
        async def double_session(context: Any) -> dict[str, int]:
            return {"n": int(context.instructions) * 2}

        @running.archastro.routine("double")
        async def double_routine(context: Any) -> dict[str, int]:
            return {"n": int(context.message) * 2}

        @running.epilot.agent("double")
        async def double_execution(context: Any) -> str:
            return str(context.input["custom_data"]["n"] * 2)

        yield running


async def test_one_journal_holds_the_work_of_three_services(sandbox: Sandbox, tmp_path: Path) -> None:
    requests: list[Any] = [
        RunRequest({"n": 1}, target="workflows.double", key="run"),
        SessionRequest("2", agent=sandbox.archastro.agent_id("double"), key="session"),
        RoutineRequest("3", routine="double", key="routine run"),
        ExecutionRequest({"custom_data": {"n": 4}}, agent_id=sandbox.epilot.id_of("double"), key="execution"),
    ]
    async with (
        AsyncEigenpalClient(sandbox.api_key, base_url=sandbox.url) as eigenpal,
        AsyncArchAstroClient(sandbox.archastro.api_key, base_url=sandbox.archastro.url) as archastro,
        AsyncEpilotClient(sandbox.epilot.token, base_url=sandbox.epilot.url) as epilot,
    ):
        sessions = session_work(archastro._session, 0.05, "end")
        runs = routine_run_work(archastro._session, 0.05)
        readers: dict[type, Any] = {
            RunRequest: RunReader(work=run_work(eigenpal._session, 0.05), target=None, version=None, metadata=None),
            SessionRequest: BatchReader(
                work=sessions, request=SessionRequest, content="instructions", target="agent", given=None
            ),
            RoutineRequest: BatchReader(
                work=runs, request=RoutineRequest, content="message", target="routine", given=None
            ),
            ExecutionRequest: ExecutionReader(work=execution_work(epilot._session, 0.05, None), agent_id=None),
        }

        def read(entry: Any, index: int) -> Job | Outcome[Any]:
            found: Job | Outcome[Any] = readers[type(entry)](entry, index)
            return found

        async def batch() -> dict[str, Outcome[Lifecycle]]:
            options = Options(noun="piece of work", identity="mixed", journal=tmp_path / "mixed.db")
            outcomes: Outcomes[Any] = Outcomes(requests, read, options, hold=lambda _, __: None, release=lambda _: None)
            return {outcome.key: outcome async for outcome in outcomes}

        first = await batch()
        sent = len(sandbox.requests)
        again = await batch()
    assert [(outcome.error, outcome.value) for outcome in first.values() if not outcome.ok] == []
    values = {key: outcome.value for key, outcome in first.items()}
    assert {key: type(value) for key, value in values.items()} == {
        "run": Run,
        "session": AgentSession,
        "routine run": AgentRoutineRun,
        "execution": Execution,
    }
    assert all(isinstance(value, Lifecycle) and value.is_terminal and value.succeeded for value in values.values())
    results = {key: value.result for key, value in values.items() if value is not None}
    assert [results[key] for key in ("run", "session", "routine run")] == [{"n": 2}, {"n": 4}, {"n": 6}]
    assert results["execution"].response == "8"
    assert len(sandbox.requests) == sent
    assert {key: outcome.value for key, outcome in again.items()} == values
