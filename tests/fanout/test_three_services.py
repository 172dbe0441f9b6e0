"""One batch, one journal, work on three services: `AsyncServices`, and the blocking `Services`."""

from __future__ import annotations

import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from eigenpal import (
    AsyncEigenpalClient,
    AsyncServices,
    EigenpalClient,
    Lifecycle,
    Progress,
    RefusedOutcome,
    RunOutcome,
    RunRequest,
    ServiceOutcome,
    ServiceRequest,
    Services,
)
from eigenpal.archastro import (
    ArchAstroClient,
    AsyncArchAstroClient,
    RoutineRequest,
    RoutineRunOutcome,
    SessionOutcome,
    SessionRequest,
)
from eigenpal.epilot import (
    ApprovalRequest,
    Approve,
    AsyncEpilotClient,
    Decision,
    EpilotClient,
    ExecutionOutcome,
    ExecutionRequest,
)
from eigenpal.errors import EigenpalInputError, EigenpalUsageError
from eigenpal.sandbox import Sandbox

pytestmark = pytest.mark.anyio

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


@pytest.fixture
def blocking(sandbox: Sandbox) -> Iterator[tuple[EigenpalClient, ArchAstroClient, EpilotClient]]:
    with (
        EigenpalClient(sandbox.api_key, base_url=sandbox.url) as eigenpal,
        ArchAstroClient(sandbox.archastro.api_key, base_url=sandbox.archastro.url) as archastro,
        EpilotClient(sandbox.epilot.token, base_url=sandbox.epilot.url) as epilot,
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


KINDS = {
    "run": RunOutcome,
    "session": SessionOutcome,
    "routine run": RoutineRunOutcome,
    "execution": ExecutionOutcome,
}


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


async def test_what_no_client_takes_is_the_outcome_of_that_input_and_stops_no_other(sandbox: Sandbox) -> None:
    requests: list[Any] = [
        {"n": 1},
        ("keyed", ExecutionRequest(agent_id="a")),
        RunRequest({"n": 1}),
        RunRequest({"n": 1}, target="workflows.double", key=""),
        SessionRequest("2", key="own key"),
        ("", None),
        RunRequest({"n": 1}, target="workflows.double"),
    ]
    async with connected(sandbox) as (eigenpal, _, _):
        batch = AsyncServices(eigenpal).run_many(requests, ordered=True, poll_interval_seconds=POLL_SECONDS)
        outcomes = [outcome async for outcome in batch]
    refused, taken = RefusedOutcome, RunOutcome
    assert [type(outcome) for outcome in outcomes] == [refused, refused, taken, taken, refused, refused, taken]
    assert [outcome.key for outcome in outcomes] == ["0", "keyed", "2", "3", "own key", "5", "6"]
    assert [outcome.ok for outcome in outcomes] == [False] * 6 + [True]
    errors = [str(outcome.error) for outcome in outcomes]
    assert "of type dict: they take RunRequest, each by itself" in errors[0]
    assert "of type ExecutionRequest: they take RunRequest" in errors[1]
    assert "no target: give each input as RunRequest(..., target=...)" in errors[2]
    assert all("a key must be a text" in error for error in (errors[3], errors[5]))
    for outcome in outcomes[:6]:
        with pytest.raises(EigenpalInputError):
            outcome.result()


async def test_clients_that_can_not_stand_side_by_side_are_refused(sandbox: Sandbox) -> None:
    with EigenpalClient("k", base_url=sandbox.url) as blocking:
        async with connected(sandbox) as (eigenpal, archastro, _):
            wrong: dict[str, tuple[Any, ...]] = {
                "no clients": (),
                "two clients of EigenPal": (eigenpal, archastro, eigenpal.with_options(max_retries=0)),
                "not EigenpalClient": (eigenpal, blocking),
                "not AsyncRuns": (eigenpal.runs,),
                "not list": ([eigenpal, archastro],),
            }
            for message, clients in wrong.items():
                with pytest.raises(EigenpalInputError, match=message):
                    AsyncServices(*clients)


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests": 5},
        {"requests": RunRequest({})},
        {"until": "later"},
        {"concurrency": 0},
        {"timeout_seconds": -1},
        {"poll_interval_seconds": 0},
        {"on_unknown": "guess"},
        {"on_progress": 5},
        {"journal": 5},
    ],
    ids=str,
)
def test_arguments_that_can_not_work_are_refused_before_anything_is_sent(wrong: dict[str, Any]) -> None:
    archastro = AsyncArchAstroClient("sk_1", base_url="http://127.0.0.1:1")
    services = AsyncServices(AsyncEigenpalClient("k", base_url="http://127.0.0.1:1"), archastro)
    with pytest.raises(EigenpalInputError):
        services.run_many(**{"requests": [], **wrong})


async def test_a_journal_of_other_services_is_refused(
    sandbox: Sandbox, requests: list[ServiceRequest], tmp_path: Path
) -> None:
    async with connected(sandbox) as (eigenpal, archastro, _):
        async for _ in AsyncServices(eigenpal).run_many(requests[:1], journal=tmp_path / "one.db"):
            pass
        with pytest.raises(EigenpalInputError, match="of another batch") as refused:
            async for _ in AsyncServices(archastro, eigenpal).run_many(requests[:1], journal=tmp_path / "one.db"):
                pass
    assert "ArchAstro at http://" in str(refused.value)


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


class TestBlocking:
    """The same without `await`."""

    def test_requests_and_callbacks_belong_to_the_callers_thread(
        self,
        sandbox: Sandbox,
        requests: list[ServiceRequest],
        blocking: tuple[EigenpalClient, ArchAstroClient, EpilotClient],
        tmp_path: Path,
    ) -> None:
        threads: set[threading.Thread] = set()
        last: list[Progress] = []

        def each() -> Iterator[ServiceRequest]:
            threads.add(threading.current_thread())
            yield from requests
            yield ExecutionRequest(agent_id=sandbox.epilot.id_of("careful"), key="careful")

        def decide(request: ApprovalRequest) -> Decision:
            threads.add(threading.current_thread())
            seen = blocking[2].executions.get(request.execution.id)  # the blocking client may be used in it
            return Approve(f"seen as {seen.status}")

        def look(progress: Progress) -> None:
            threads.add(threading.current_thread())
            last.append(progress)

        services = Services(*blocking)
        options: dict[str, Any] = {"journal": tmp_path / "mixed.db", "poll_interval_seconds": POLL_SECONDS}
        outcomes = list(services.run_many(each(), on_approval=decide, on_progress=look, **options))
        assert {outcome.key: type(outcome) for outcome in outcomes} == {**KINDS, "careful": ExecutionOutcome}
        assert all(outcome.ok for outcome in outcomes)
        assert (last[-1].succeeded, last[-1].done) == (5, 5)
        assert threads == {threading.current_thread()}
        again = list(services.run_many(each(), ordered=True, **options))
        assert [outcome.key for outcome in again] == [*KINDS, "careful"]
        assert all(outcome.restored for outcome in again)

    def test_leaving_ends_the_batch(
        self, gate: Gate, requests: list[ServiceRequest], blocking: tuple[EigenpalClient, ArchAstroClient, EpilotClient]
    ) -> None:
        taken: list[int] = []

        def endless() -> Iterator[ServiceRequest]:
            while True:
                taken.append(len(taken))
                yield requests[0]

        with Services(*blocking).run_many(endless(), concurrency=2, poll_interval_seconds=POLL_SECONDS) as outcomes:
            assert next(outcomes).ok
        before = len(taken)
        assert list(outcomes) == []
        assert len(taken) == before

    def test_clients_that_can_not_stand_side_by_side_are_refused(
        self, blocking: tuple[EigenpalClient, ArchAstroClient, EpilotClient]
    ) -> None:
        wrong: dict[str, tuple[Any, ...]] = {
            "no clients": (),
            "two clients of ArchAstro": (*blocking, blocking[1]),
            "Services takes blocking clients, not AsyncEigenpalClient": (AsyncEigenpalClient("k"),),
            "not AsyncRuns": (blocking[0].runs,),
            "not str": ("client",),
        }
        for message, clients in wrong.items():
            with pytest.raises(EigenpalInputError, match=message):
                Services(*clients)

    def test_a_closed_client_says_so(
        self, requests: list[ServiceRequest], blocking: tuple[EigenpalClient, ArchAstroClient, EpilotClient]
    ) -> None:
        services = Services(*blocking)
        blocking[0].close()
        with pytest.raises(EigenpalUsageError, match="The client is closed"):
            list(services.run_many(requests))
