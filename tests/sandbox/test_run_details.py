"""Trace events, the comparison that is kept with a run, and whether a run is live."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from eigenpal.sandbox import ManualClock, RunContext, RunFailed, Sandbox
from tests.sandbox.conftest import connect
from tests.sandbox.test_runs import Gate, ended, finished, started


def test_a_workflow_run_has_phases_steps_and_what_it_recorded() -> None:
    clock = ManualClock()
    with Sandbox(clock=clock) as sandbox, connect(sandbox) as client:

        @sandbox.workflow("trace", steps=("read", "write"))
        def trace(context: RunContext) -> None:
            with context.step("read") as step:
                clock.advance(2)
                step.output = {"a": 1}
            context.trace({"type": "note", "message": "between"})
            with context.step("write"):
                raise RunFailed("disk full")

        run = finished(client, "workflows.trace")
        events = client.get(f"/runs/{run['id']}/trace").json()["events"]

    assert [(event["type"], event.get("phase") or event.get("stepName"), event.get("status")) for event in events] == [
        ("phase", "queued", "completed"),
        ("phase", "running", "failed"),
        ("step", "read", "success"),
        ("step", "write", "failure"),
        ("note", None, None),
    ]
    assert (events[2]["startedAt"], events[2]["completedAt"]) == (
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T00:00:02.000Z",
    )
    assert events[2]["outputData"] == {"a": 1}
    assert events[3]["error"] == "disk full"
    assert events[4] == {"type": "note", "message": "between"}


def test_an_agent_run_has_the_lines_of_its_trace_file(sandbox: Sandbox, client: httpx.Client) -> None:
    lines: list[dict[str, Any]] = [{"type": "thought", "text": "é"}, {"anything": [1, None]}]

    @sandbox.agent("think")
    def think(context: RunContext) -> None:
        for line in lines:
            context.trace(line)

    run = finished(client, "agents.think")
    assert client.get(f"/runs/{run['id']}/trace").json() == {"events": lines}


def test_a_run_is_connected_while_it_is_live(sandbox: Sandbox, client: httpx.Client) -> None:
    gate = Gate(sandbox)
    run_id = started(client, "workflows.gate")
    assert gate.entered.wait(5)
    live = client.post(f"/runs/{run_id}/connect").json()
    gate.leave.set()
    ended(client, run_id)

    assert live == {"id": run_id, "connected": True, "status": "running"}
    over = client.post(f"/runs/{run_id}/connect").json()
    assert over == {"id": run_id, "connected": False, "status": "completed"}


def produce(sandbox: Sandbox, client: httpx.Client, output: dict[str, Any], *files: str) -> str:
    @sandbox.agent("produce")
    def agent(context: RunContext) -> dict[str, Any]:
        for name in files:
            context.write_artifact(name, name)
        return output

    return str(finished(client, "agents.produce")["id"])


def comparison(client: httpx.Client, run_id: str) -> dict[str, Any]:
    answer = client.get(f"/runs/{run_id}/comparison")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_run_is_held_against_what_it_should_have_produced(sandbox: Sandbox, client: httpx.Client) -> None:
    output = {"total": 100, "lines": [1, 2], "note": "x", "more": True}
    run_id = produce(sandbox, client, output, "a.csv", "b.csv")
    expected = {"total": 120, "lines": [1, 3], "note": None, "missing": 1}
    client.patch(f"/runs/{run_id}/feedback", json={"expected": expected})
    client.post(f"/runs/{run_id}/expected", json={"outputFileName": "a.csv"})
    client.post(f"/runs/{run_id}/expected", files={"file": ("c.csv", b"c")})

    assert comparison(client, run_id) == {
        "status": "fail",
        "runId": run_id,
        "comparedWithRunId": run_id,
        "mode": "expected",
        "jsonDifferences": [
            {"path": "$.lines[1]", "type": "changed", "expected": 3, "actual": 2},
            {"path": "$.missing", "type": "missing", "expected": 1, "actual": None},
            {"path": "$.more", "type": "extra", "expected": None, "actual": True},
            {"path": "$.total", "type": "changed", "expected": 120, "actual": 100},
        ],
        "matchedFiles": [{"expected": "a.csv", "actual": "a.csv"}],
        "missingFiles": ["c.csv"],
        "extraFiles": ["b.csv"],
    }


@pytest.mark.parametrize("what", ["output", "files"])
def test_what_was_not_expected_is_not_judged(sandbox: Sandbox, client: httpx.Client, what: str) -> None:
    run_id = produce(sandbox, client, {"total": 100}, "a.csv")
    if what == "output":
        client.patch(f"/runs/{run_id}/feedback", json={"expected": {"total": 100}})
    else:
        client.post(f"/runs/{run_id}/expected", json={"outputFileName": "a.csv"})

    found = comparison(client, run_id)
    assert (found["status"], found["jsonDifferences"], found["extraFiles"]) == ("pass", [], [])


def test_a_rerun_is_held_against_the_run_it_follows(sandbox: Sandbox, client: httpx.Client) -> None:
    first = produce(sandbox, client, {"total": 1}, "a.csv")
    same = client.post(f"/runs/{first}/rerun?wait_for_completion=5").json()["id"]
    sandbox.agent("produce", version="2.0.0")(lambda context: {"total": 2})
    other = client.post(f"/runs/{same}/rerun?wait_for_completion=5").json()["id"]

    passed, failed = comparison(client, same), comparison(client, other)
    assert (passed["status"], passed["mode"], passed["comparedWithRunId"]) == ("pass", "baseline", first)
    assert (failed["status"], failed["comparedWithRunId"], failed["missingFiles"]) == ("fail", same, ["a.csv"])
    assert [difference["path"] for difference in failed["jsonDifferences"]] == ["$.total"]


def test_without_anything_to_compare_with_there_is_no_comparison(sandbox: Sandbox, client: httpx.Client) -> None:
    plain = produce(sandbox, client, {"total": 1})
    answer = client.get(f"/runs/{plain}/comparison")
    assert (answer.status_code, "expected" in answer.json()["hint"]) == (404, True)

    @sandbox.workflow("fails", retries=1)
    def fails(context: RunContext) -> None:
        raise RunFailed("no")

    failed = finished(client, "workflows.fails")
    client.patch(f"/runs/{failed['id']}/feedback", json={"expected": 1})
    assert client.get(f"/runs/{failed['id']}/comparison").status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", "trace"), ("GET", "comparison"), ("POST", "connect")])
def test_others_do_not_see_any_of_it(sandbox: Sandbox, client: httpx.Client, method: str, path: str) -> None:
    run_id = produce(sandbox, client, {})
    with connect(sandbox, sandbox.add_key("other")) as other:
        assert other.request(method, f"/runs/{run_id}/{path}").status_code == 404
    assert client.request(method, f"/runs/exec_none/{path}").status_code == 404
