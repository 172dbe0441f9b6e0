"""What `AsyncServices` refuses: requests that nobody takes, clients that do not fit, arguments that can not work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eigenpal import (
    AsyncEigenpalClient,
    AsyncServices,
    EigenpalClient,
    RefusedOutcome,
    RunOutcome,
    RunRequest,
    ServiceRequest,
)
from eigenpal.archastro import AsyncArchAstroClient, SessionRequest
from eigenpal.epilot import ExecutionRequest
from eigenpal.errors import EigenpalInputError
from eigenpal.sandbox import Sandbox
from tests.services.conftest import POLL_SECONDS, connected

pytestmark = pytest.mark.anyio


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
