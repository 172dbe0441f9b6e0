"""`Services`: the same without `await`, whose requests and callbacks belong to the caller's thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eigenpal import AsyncEigenpalClient, EigenpalClient, Progress, ServiceRequest, Services
from eigenpal.archastro import ArchAstroClient
from eigenpal.epilot import ApprovalRequest, Approve, Decision, EpilotClient, ExecutionOutcome, ExecutionRequest
from eigenpal.errors import EigenpalInputError, EigenpalUsageError
from eigenpal.sandbox import Sandbox
from tests.services.conftest import KINDS, POLL_SECONDS


@pytest.fixture
def blocking(sandbox: Sandbox) -> Iterator[tuple[EigenpalClient, ArchAstroClient, EpilotClient]]:
    with (
        EigenpalClient(sandbox.api_key, base_url=sandbox.url) as eigenpal,
        ArchAstroClient(sandbox.archastro.api_key, base_url=sandbox.archastro.url) as archastro,
        EpilotClient(sandbox.epilot.token, base_url=sandbox.epilot.url) as epilot,
    ):
        yield eigenpal, archastro, epilot


def test_requests_and_callbacks_belong_to_the_callers_thread(
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
    requests: list[ServiceRequest], blocking: tuple[EigenpalClient, ArchAstroClient, EpilotClient]
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
    blocking: tuple[EigenpalClient, ArchAstroClient, EpilotClient],
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
    requests: list[ServiceRequest], blocking: tuple[EigenpalClient, ArchAstroClient, EpilotClient]
) -> None:
    services = Services(*blocking)
    blocking[0].close()
    with pytest.raises(EigenpalUsageError, match="The client is closed"):
        list(services.run_many(requests))
