"""One batch, one journal, work on three services: `AsyncServices.run_many`."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from eigenpal import AsyncEigenpalClient, AsyncServices, Lifecycle, Progress, RunRequest, ServiceRequest
from eigenpal.archastro import AsyncArchAstroClient, RoutineRequest, SessionOutcome, SessionRequest
from eigenpal.epilot import ApprovalRequest, Approve, AsyncEpilotClient, Decision, ExecutionRequest
from eigenpal.sandbox import Sandbox
from tests.services.conftest import KINDS, POLL_SECONDS, Gate, connected, number_in

pytestmark = pytest.mark.anyio


async def test_each_request_goes_to_its_service_and_one_journal_holds_them_all(
    sandbox: Sandbox, requests: list[ServiceRequest], tmp_path: Path
) -> None:
    async with connected(sandbox) as (eigenpal, archastro, epilot):
        batch = AsyncServices(eigenpal, archastro, epilot).run_many(
            requests, journal=tmp_path / "mixed.db", poll_interval_seconds=POLL_SECONDS
        )
        first = {outcome.key: outcome async for outcome in batch}
        sent = len(sandbox.requests)
        # The order of the clients says nothing about the batch.
        again = AsyncServices(epilot, archastro, eigenpal).run_many(requests, journal=tmp_path / "mixed.db")
        restored = {outcome.key: outcome async for outcome in again}
    assert {key: type(outcome) for key, outcome in first.items()} == KINDS
    assert {key: number_in(outcome) for key, outcome in first.items()} == {
        "run": 2, "session": 4, "routine run": 6, "execution": 8,
    }  # fmt: skip
    assert all(outcome.ok and outcome.result() == outcome.value for outcome in first.values())
    assert len(sandbox.requests) == sent
    assert all(outcome.restored for outcome in restored.values())
    assert {key: outcome.value for key, outcome in restored.items()} == {
        key: outcome.value for key, outcome in first.items()
    }


async def test_the_work_of_every_service_has_one_lifecycle(sandbox: Sandbox, requests: list[ServiceRequest]) -> None:
    async with connected(sandbox) as clients:
        batch = AsyncServices(*clients).run_many(requests, poll_interval_seconds=POLL_SECONDS)
        outcomes = [outcome async for outcome in batch]
    values = [outcome.value for outcome in outcomes]
    assert len({type(value) for value in values}) == len(KINDS)
    for outcome in outcomes:
        work: object = outcome.value
        assert isinstance(work, Lifecycle)
        assert (work.id, work.is_terminal, work.succeeded, work.needs_human) == (outcome.id, True, True, False)
        assert work.result is not None
        assert work.error is None


async def test_a_batch_that_is_left_goes_on_where_it_was_on_every_service(
    sandbox: Sandbox, gate: Gate, requests: list[ServiceRequest], tmp_path: Path
) -> None:
    gate.open.clear()
    options: dict[str, Any] = {"journal": tmp_path / "mixed.db", "poll_interval_seconds": POLL_SECONDS}
    async with connected(sandbox) as clients:
        services = AsyncServices(*clients)
        running = anyio.Event()

        def look(progress: Progress) -> None:
            if progress.running == len(requests):
                running.set()

        with anyio.CancelScope() as leaving:
            async with anyio.create_task_group() as group:

                async def work_off() -> None:
                    async with services.run_many(requests, on_progress=look, **options) as outcomes:
                        async for outcome in outcomes:
                            raise AssertionError(f"{outcome} came through a closed gate")

                group.start_soon(work_off)
                await running.wait()
                leaving.cancel()
        gate.open.set()
        resumed = {outcome.key: outcome async for outcome in services.run_many(requests, **options)}
    assert {key: number_in(outcome) // 2 for key, outcome in resumed.items()} == {
        "run": 1, "session": 2, "routine run": 3, "execution": 4,
    }  # fmt: skip
    assert sorted(gate.came) == [1, 2, 3, 4]


async def test_outcomes_come_in_the_order_of_the_requests_and_progress_counts_them_all(
    sandbox: Sandbox, requests: list[ServiceRequest]
) -> None:
    seen: list[Progress] = []
    mixed: list[Any] = [*requests, {"n": 1}, *enumerate(requests)]  # the last with keys of their own
    async with connected(sandbox) as clients:
        batch = AsyncServices(*clients).run_many(
            mixed, ordered=True, concurrency=3, on_progress=seen.append, poll_interval_seconds=POLL_SECONDS
        )
        outcomes = [outcome async for outcome in batch]
    assert [outcome.index for outcome in outcomes] == list(range(9))
    assert [outcome.key for outcome in outcomes] == [*KINDS, "4", "0", "1", "2", "3"]
    assert (seen[-1].total, seen[-1].succeeded, seen[-1].failed, seen[-1].running) == (9, 8, 1, 0)
    assert max(progress.running + progress.starting for progress in seen) <= 3


async def test_requests_may_be_a_mapping_or_be_awaited(sandbox: Sandbox) -> None:
    async def awaited() -> AsyncIterator[ServiceRequest]:
        yield RunRequest({"n": 1}, target="workflows.double", key="a")
        yield RoutineRequest("2", routine="double", key="b")

    mapping: dict[str, ServiceRequest] = {
        "a": RunRequest({"n": 1}, target="workflows.double"),
        "b": RoutineRequest("2", routine="double"),
    }
    async with connected(sandbox) as clients:
        services = AsyncServices(*clients)
        for requests in (mapping, awaited()):
            batch = services.run_many(requests, poll_interval_seconds=POLL_SECONDS)
            assert {outcome.key: number_in(outcome) async for outcome in batch} == {"a": 2, "b": 4}


async def test_an_action_of_an_execution_is_decided_and_a_session_may_need_a_human(sandbox: Sandbox) -> None:
    async def decide(request: ApprovalRequest) -> Decision:
        return Approve(f"{request.action.tool} is fine")

    async with connected(sandbox) as clients:
        requests: dict[str, ServiceRequest] = {
            "execution": ExecutionRequest(agent_id=sandbox.epilot.id_of("careful")),
            "session": SessionRequest("Ask me.", agent=sandbox.archastro.agent_id("asker")),
        }
        batch = AsyncServices(*clients).run_many(requests, on_approval=decide, poll_interval_seconds=POLL_SECONDS)
        outcomes = {outcome.key: outcome async for outcome in batch}
    execution, session = outcomes["execution"], outcomes["session"]
    assert execution.ok
    assert isinstance(session, SessionOutcome)
    assert session.session is not None
    assert (session.ok, session.session.needs_human) == (False, True)


async def test_files_are_saved_for_the_work_that_has_some(sandbox: Sandbox, tmp_path: Path) -> None:
    @sandbox.workflow("writer")
    def write(context: Any) -> dict[str, Any]:
        return {"report": context.write_artifact("report.txt", b"done")}

    requests: list[ServiceRequest] = [
        RunRequest({}, target="workflows.writer", key="files"),
        RoutineRequest("1", routine="double", key="none"),
    ]
    async with connected(sandbox) as clients:
        batch = AsyncServices(*clients).run_many(requests, save_artifacts=tmp_path, poll_interval_seconds=POLL_SECONDS)
        files = {outcome.key: outcome.files async for outcome in batch}
    assert files == {"files": (tmp_path / "files" / "output" / "report.txt",), "none": ()}
    assert files["files"][0].read_bytes() == b"done"


async def test_closing_one_of_the_clients_ends_the_batch(
    sandbox: Sandbox, gate: Gate, requests: list[ServiceRequest]
) -> None:
    gate.open.clear()
    async with connected(sandbox) as clients:
        running = anyio.Event()
        batch = AsyncServices(*clients).run_many(requests, on_progress=lambda progress: _tell(progress, running))
        async with anyio.create_task_group() as group:

            async def close_one() -> None:
                await running.wait()
                await clients[2].aclose()

            group.start_soon(close_one)
            assert [outcome async for outcome in batch] == []


def _tell(progress: Progress, running: anyio.Event) -> None:
    if progress.running == len(KINDS):
        running.set()


def test_there_is_every_option_of_the_clients_with_the_same_default() -> None:
    mine = inspect.signature(AsyncServices.run_many).parameters
    of_one_client = {"self", "target", "agent", "agent_id", "inputs", "version", "metadata"}
    for client in (AsyncEigenpalClient, AsyncArchAstroClient, AsyncEpilotClient):
        theirs = inspect.signature(client.run_many).parameters
        assert {name: theirs[name] for name in theirs.keys() - of_one_client} == {
            name: mine[name] for name in theirs.keys() - of_one_client
        }
