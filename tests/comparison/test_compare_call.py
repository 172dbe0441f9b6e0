"""`runs.compare` as users call it: what it asks the server for, in the async client and the blocking one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from eigenpal import AsyncEigenpalClient, EigenpalClient, EigenpalError, EigenpalNotFoundError
from tests.comparison.runs import agent_run, step, workflow_run

RUNS: Mapping[str, Any] = {
    run.id: run.to_dict()
    for run in (
        workflow_run("exec_1", step("read", {"pages": 2}), step("mail", 1)),
        workflow_run("exec_2", step("read", {"pages": 3}), step("mail", 1)),
        agent_run("exec_3", output={}),
    )
}


class Server:
    """Answers `GET /api/v1/runs/{id}` and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode()}")
        run = RUNS.get(request.url.path.rpartition("/")[2])
        envelope = {"issues": [{"code": "not_found", "message": "no such run"}]}
        return httpx.Response(404, json=envelope) if run is None else httpx.Response(200, json=run)


@pytest.fixture
def server() -> Server:
    return Server()


def client_of(server: Server) -> AsyncEigenpalClient:
    return AsyncEigenpalClient("key", base_url="https://studio.example", transport=server.transport)


@pytest.mark.anyio
async def test_both_runs_are_read_with_their_execution_and_nothing_else_is_sent(server: Server) -> None:
    async with client_of(server) as client:
        comparison = await client.runs.compare("exec_1", "exec_2", step="read")
    assert server.asked == [
        "GET /api/v1/runs/exec_1?expand=execution",
        "GET /api/v1/runs/exec_2?expand=execution",
    ]
    assert (comparison["status"], comparison["runId"], comparison["comparedWithRunId"]) == ("fail", "exec_2", "exec_1")
    assert [row["stepName"] for row in comparison["steps"]] == ["read"]


@pytest.mark.anyio
async def test_runs_of_two_kinds_are_refused_without_a_comparison_on_the_server(server: Server) -> None:
    async with client_of(server) as client:
        with pytest.raises(EigenpalError) as caught:
            await client.runs.compare("exec_1", "exec_3")
    assert caught.value.status == 400
    assert all("comparison" not in request for request in server.asked)


@pytest.mark.anyio
async def test_a_run_that_is_not_there_is_not_found(server: Server) -> None:
    async with client_of(server) as client:
        with pytest.raises(EigenpalNotFoundError):
            await client.runs.compare("exec_1", "exec_404")


def test_the_blocking_client_gives_the_same(server: Server) -> None:
    with EigenpalClient("key", base_url="https://studio.example", transport=server.transport) as client:
        comparison = client.runs.compare("exec_1", "exec_2")
    assert comparison.to_text().splitlines() == [
        "fail: exec_2 against exec_1",
        "  ! read: success -> success",
        "  ~ $.pages: 2 -> 3",
        "  = mail: success -> success",
    ]
