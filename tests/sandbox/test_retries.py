"""Chains of runs: reruns, retries of what failed, and runs that take longer than they may."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import RunContext, RunFailed, Sandbox
from tests.sandbox.conftest import connect
from tests.sandbox.test_runs import ended, finished, started


def retry(run: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = run["execution"]["retry"]
    return found


def last_of(client: httpx.Client, run: dict[str, Any]) -> dict[str, Any]:
    """Return the last run of a chain, once it has ended."""
    while (following := retry(run)["nextRun"]) is not None:
        run = ended(client, following["id"])
    return run


def test_a_rerun_is_the_next_of_the_chain_of_its_source(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("quick")(lambda context: {})
    first = finished(client, "workflows.quick")
    second = client.post(f"/runs/{first['id']}/rerun?wait_for_completion=5").json()
    third = client.post(f"/runs/{second['id']}/rerun?wait_for_completion=5").json()

    assert retry(first) == {"number": 0, "previousRunId": None, "nextRun": None}
    assert retry(third) == {"number": 2, "previousRunId": second["id"], "nextRun": None}
    rows = client.get("/runs").json()["runs"]
    assert [retry(row)["number"] for row in rows] == [2, 1, 0]
    assert retry(rows[2])["nextRun"] == {"id": second["id"], "status": "completed"}
    assert retry(client.get(f"/runs/{second['id']}").json()) == retry(rows[1])


def test_a_failed_run_is_tried_again_as_a_run_of_its_own(sandbox: Sandbox, client: httpx.Client) -> None:
    tries: list[str] = []

    @sandbox.workflow("flaky", retries=3)
    def flaky(context: RunContext) -> dict[str, Any]:
        tries.append(context.run_id)
        document = context.files["doc"]
        assert not isinstance(document, list)
        if len(tries) < 3:
            raise ConnectionError("no answer")
        return {"tries": len(tries), "text": document.read_text(), "kept": [context.input, context.metadata]}

    form = {"target": "workflows.flaky", "input": '{"a": 1}', "metadata": '{"m": 2}'}
    headers = {"x-eigenpal-trigger": "cli"}
    answer = client.post("/runs?wait_for_completion=5", data=form, files={"files.doc": ("d", b"x")}, headers=headers)
    first = answer.json()
    assert (first["execution"]["status"], first["error"]) == ("failed", "ConnectionError: no answer")
    assert retry(first)["nextRun"]["id"] == tries[1]  # it was there before the failure could be seen

    last = last_of(client, first)
    assert last["output"] == {"tries": 3, "text": "x", "kept": [{"a": 1}, {"m": 2}]}
    assert [ended(client, run_id)["execution"]["status"] for run_id in tries] == ["failed", "failed", "completed"]
    assert retry(last) == {"number": 2, "previousRunId": tries[1], "nextRun": None}
    assert last["trigger"] == first["trigger"]
    assert last["trigger"]["type"] == "cli"


def test_retries_run_out(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.agent("hopeless", retries=2)
    def hopeless(context: RunContext) -> None:
        raise RunFailed("no way")

    first = finished(client, "agents.hopeless", expand="debug")
    last = last_of(client, first)

    assert (last["error"], retry(last)["number"]) == ("no way", 2)
    assert len(client.get("/runs").json()["runs"]) == 3
    assert first["debug"]["observability"]["failure"]["retryable"] is True
    debug = client.get(f"/runs/{last['id']}?expand=debug").json()["debug"]
    assert debug["observability"]["failure"]["retryable"] is False


def test_a_rerun_may_be_retried_as_often_as_a_first_run(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.workflow("hopeless", retries=1)
    def hopeless(context: RunContext) -> None:
        raise RunFailed("no way")

    last = last_of(client, finished(client, "workflows.hopeless"))
    again = client.post(f"/runs/{last['id']}/rerun?wait_for_completion=5").json()

    assert retry(again)["number"] == 2
    assert retry(last_of(client, again))["number"] == 3


def test_an_overridden_step_stays_overridden_in_a_retry(sandbox: Sandbox, client: httpx.Client) -> None:
    tries: list[Any] = []

    @sandbox.workflow("steps", steps=("read",), retries=1)
    def steps(context: RunContext) -> dict[str, Any]:
        with context.step("read") as step:
            tries.append(step.output)
        if len(tries) == 1:
            raise ValueError("first")
        return {}

    overrides = {"steps": {"read": {"given": 1}}}
    last_of(client, finished(client, "workflows.steps", overrides=overrides))

    assert tries == [{"given": 1}] * 2


def test_a_cancelled_run_is_not_tried_again(sandbox: Sandbox, client: httpx.Client) -> None:
    entered, leave = threading.Event(), threading.Event()

    @sandbox.workflow("stubborn", retries=5)
    def stubborn(context: RunContext) -> None:
        entered.set()
        assert leave.wait(5)
        raise ValueError("it fails after the request")

    run_id = started(client, "workflows.stubborn")
    assert entered.wait(5)
    client.post(f"/runs/{run_id}/cancel")
    leave.set()

    assert retry(ended(client, run_id))["nextRun"] is None
    assert len(client.get("/runs").json()["runs"]) == 1


def test_a_chain_is_the_same_after_a_restart(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:

        @sandbox.workflow("hopeless", retries=1)
        def hopeless(context: RunContext) -> None:
            raise RunFailed("no way")

        last_of(client, finished(client, "workflows.hopeless"))
        before = client.get("/runs").json()
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        assert client.get("/runs").json() == before


# Time limits

TOO_LONG = "The run took longer than its time limit of 0.05 seconds."


def test_a_function_that_takes_too_long_fails_its_run_and_ends_at_its_next_checkpoint(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    leave, ended_at_checkpoint = threading.Event(), threading.Event()

    @sandbox.workflow("slow", time_limit_seconds=0.05)
    def slow(context: RunContext) -> None:
        try:
            with context.step("wait"):
                assert leave.wait(5)
                context.checkpoint()
        except BaseException:
            ended_at_checkpoint.set()
            raise

    run = finished(client, "workflows.slow", expand="execution")
    assert (run["execution"]["status"], run["error"]) == ("failed", TOO_LONG)
    steps = run["execution"]["steps"]
    assert [(step["status"], step["error"]) for step in steps] == [("failure", TOO_LONG)]

    leave.set()
    assert ended_at_checkpoint.wait(5)
    after = client.get(f"/runs/{run['id']}?expand=execution").json()
    assert (after["execution"]["status"], after["error"]) == ("failed", TOO_LONG)
    assert after["execution"]["steps"][0]["error"] == TOO_LONG


def test_an_async_function_that_takes_too_long_is_cancelled(sandbox: Sandbox, client: httpx.Client) -> None:
    cancelled = threading.Event()

    @sandbox.workflow("slow", time_limit_seconds=0.05)
    async def slow(context: RunContext) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise ValueError("what it says in the end counts no more") from None

    assert finished(client, "workflows.slow")["error"] == TOO_LONG
    assert cancelled.wait(5)


@pytest.mark.parametrize("outcome", ["output", "error"])
def test_a_function_that_is_in_time_ends_as_it_would_without_a_limit(
    sandbox: Sandbox, client: httpx.Client, outcome: str
) -> None:
    @sandbox.workflow("quick", time_limit_seconds=30)
    def quick(context: RunContext) -> dict[str, int]:
        if outcome == "error":
            raise TimeoutError("its own")  # not that of the limit
        return {"a": 1}

    run = finished(client, "workflows.quick")
    assert (run.get("output"), run["error"]) == (
        ({"a": 1}, None) if outcome == "output" else (None, "TimeoutError: its own")
    )


def test_a_run_may_be_cancelled_within_its_time_limit(sandbox: Sandbox, client: httpx.Client) -> None:
    entered = threading.Event()

    @sandbox.workflow("patient", time_limit_seconds=30)
    async def patient(context: RunContext) -> None:
        entered.set()
        await asyncio.sleep(30)

    run_id = started(client, "workflows.patient")
    assert entered.wait(5)
    client.post(f"/runs/{run_id}/cancel")

    assert ended(client, run_id)["execution"]["status"] == "cancelled"


def test_what_took_too_long_is_tried_again_and_the_definition_says_so(sandbox: Sandbox, client: httpx.Client) -> None:
    tries: list[str] = []

    @sandbox.workflow("slow", retries=1, time_limit_seconds=0.05)
    async def slow(context: RunContext) -> dict[str, Any]:
        tries.append(context.run_id)
        if len(tries) == 1:
            await asyncio.sleep(30)
        return {}

    last = last_of(client, finished(client, "workflows.slow"))

    assert (last["id"], last["execution"]["status"]) == (tries[1], "completed")
    definition = client.get(f"/runs/{last['id']}/definition").json()["definition"]
    assert (definition["retries"], definition["timeLimitSeconds"]) == (1, 0.05)


def test_a_run_in_flight_at_stop_is_not_tried_again(tmp_path: Path) -> None:
    entered = threading.Event()
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:

        @sandbox.workflow("patient", retries=3, time_limit_seconds=60)
        def patient(context: RunContext) -> None:
            entered.set()
            context.sleep(60)

        started(client, "workflows.patient")
        assert entered.wait(5)
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        (run,) = client.get("/runs").json()["runs"]
        assert (run["execution"]["status"], retry(run)["nextRun"]) == ("failed", None)


@pytest.mark.parametrize("options", [{"retries": -1}, {"time_limit_seconds": 0}, {"time_limit_seconds": float("nan")}])
def test_retries_and_limits_that_make_no_sense_are_refused(sandbox: Sandbox, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'a'"):
        sandbox.workflow("a", **options)(lambda context: {})
    with pytest.raises(ValueError, match="'a'"):
        sandbox.agent("a", **options)(lambda context: {})
