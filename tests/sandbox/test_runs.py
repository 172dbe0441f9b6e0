"""Runs as they move: reading them, sections, failures, steps, cancelling, repeating."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import ManualClock, RunContext, RunFailed, Sandbox
from tests.sandbox.conftest import connect


def started(client: httpx.Client, target: str, **body: Any) -> str:
    """Start a run and return its id."""
    response = client.post("/runs", json={"target": target, **body})
    assert response.status_code == 201
    return str(response.json()["id"])


def ended(client: httpx.Client, run_id: str, expand: str = "") -> dict[str, Any]:
    """Return a run once it has ended."""
    while True:
        run: dict[str, Any] = client.get(f"/runs/{run_id}", params={"expand": expand} if expand else {}).json()
        if run["finished"]:
            return run


def finished(client: httpx.Client, target: str, expand: str = "", **body: Any) -> dict[str, Any]:
    """Start a run and return it once it has ended."""
    return ended(client, started(client, target, **body), expand)


class Gate:
    """A workflow that says when it is running and ends when it is told to."""

    def __init__(self, sandbox: Sandbox, slug: str = "gate") -> None:
        self.entered = threading.Event()
        self.leave = threading.Event()
        sandbox.workflow(slug)(self.run)

    def run(self, context: RunContext) -> dict[str, Any]:
        self.entered.set()
        assert self.leave.wait(10)
        context.checkpoint()
        return {"passed": True}


def test_a_run_moves_from_running_to_completed(sandbox: Sandbox, client: httpx.Client) -> None:
    gate = Gate(sandbox)
    run_id = started(client, "workflows.gate")
    assert gate.entered.wait(5)
    running = client.get(f"/runs/{run_id}").json()
    gate.leave.set()
    completed = ended(client, run_id)

    assert (running["execution"]["status"], running["finished"], running["error"]) == ("running", False, None)
    assert "output" not in running
    assert "files" not in running
    assert running["timing"]["startedAt"]
    assert running["timing"]["completedAt"] is None
    assert (completed["execution"]["status"], completed["output"]) == ("completed", {"passed": True})
    assert completed["timing"]["durationMs"] >= 0


def test_the_clock_of_the_test_is_the_clock_of_the_runs() -> None:
    clock = ManualClock()
    with Sandbox(clock=clock, seed=7) as sandbox, connect(sandbox) as client:
        gate = Gate(sandbox)
        run_id = started(client, "workflows.gate")
        assert gate.entered.wait(5)
        clock.advance(4.2)
        gate.leave.set()
        timing = ended(client, run_id)["timing"]

    assert timing == {
        "createdAt": "2026-01-01T00:00:00.000Z",
        "startedAt": "2026-01-01T00:00:00.000Z",
        "completedAt": "2026-01-01T00:00:04.200Z",
        "durationMs": 4200,
        "cancelRequestedAt": None,
    }


def test_a_seed_makes_ids_repeatable() -> None:
    def ids(seed: int | None) -> list[str]:
        with Sandbox(seed=seed) as sandbox, connect(sandbox) as client:
            return [started(client, "workflows.extract-invoice") for _ in range(3)]

    assert ids(1) == ids(1)
    assert len({*ids(1), *ids(2), *ids(None), *ids(None)}) == 12


def test_more_runs_than_may_execute_wait_as_pending() -> None:
    with Sandbox(max_running=1) as sandbox, connect(sandbox) as client:
        gate = Gate(sandbox)
        first, second = started(client, "workflows.gate"), started(client, "workflows.gate")
        assert gate.entered.wait(5)
        waiting = client.get(f"/runs/{second}").json()
        gate.leave.set()
        ended(client, first)
        completed = ended(client, second)

    assert (waiting["execution"]["status"], waiting["timing"]["startedAt"]) == ("pending", None)
    assert completed["execution"]["status"] == "completed"


def test_run_latency_is_read_anew_for_every_run(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("quick")(lambda context: {})
    sandbox.run_latency = 30
    slow = started(client, "workflows.quick")
    while client.get(f"/runs/{slow}").json()["execution"]["status"] != "running":
        pass
    sandbox.run_latency = 0

    assert finished(client, "workflows.quick")["execution"]["status"] == "completed"
    assert client.get(f"/runs/{slow}").json()["execution"]["status"] == "running"
    assert client.post(f"/runs/{slow}/cancel").json()["cancellation"]["state"] == "requested"
    assert ended(client, slow)["execution"]["status"] == "cancelled"


# What functions may do


def test_an_async_function_runs_in_the_loop(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.workflow("coroutine")
    async def coroutine(context: RunContext) -> dict[str, Any]:
        await asyncio.sleep(0)
        with context.step("think") as step:
            await asyncio.sleep(0)
            step.output = {"thought": True}
        return {"thread": threading.current_thread().name}

    assert finished(client, "workflows.coroutine")["output"] == {"thread": "eigenpal-sandbox"}


def test_a_callable_object_and_a_function_that_returns_a_coroutine_work_too(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    async def later() -> dict[str, Any]:
        return {"later": True}

    class Machine:
        async def __call__(self, context: RunContext) -> dict[str, Any]:
            return {"called": True}

    sandbox.workflow("later")(lambda context: later())
    sandbox.workflow("object")(Machine())

    assert finished(client, "workflows.later")["output"] == {"later": True}
    assert finished(client, "workflows.object")["output"] == {"called": True}


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (RunFailed("document is empty"), "document is empty"),
        (ValueError("bad"), "ValueError: bad"),
        (KeyError("a"), "KeyError: 'a'"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "CancelledError"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_whatever_a_function_raises_fails_its_run_and_no_more(
    sandbox: Sandbox, client: httpx.Client, raised: BaseException, text: str, is_async: bool
) -> None:
    def sync(context: RunContext) -> None:
        raise raised

    async def coroutine(context: RunContext) -> None:
        raise raised

    sandbox.workflow("broken")(coroutine if is_async else sync)

    run = finished(client, "workflows.broken", expand="debug")

    assert (run["execution"]["status"], run["error"]) == ("failed", text)
    assert "output" not in run
    assert run["debug"]["observability"]["failure"]["userMessage"] == text


def test_a_stray_stop_iteration_fails_its_run_like_any_error(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("broken")(lambda context: next(iter(())))

    assert finished(client, "workflows.broken")["error"] == "StopIteration"


def test_a_failure_inside_a_step_names_the_step_and_keeps_the_traceback(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.workflow("broken")
    def broken(context: RunContext) -> None:
        with context.step("outer"), context.step("extract"):
            raise ValueError("document is empty")

    run = finished(client, "workflows.broken", expand="execution,debug")

    assert run["error"] == "Step extract failed: ValueError: document is empty"
    assert [(step["stepName"], step["status"]) for step in run["execution"]["steps"]] == [
        ("outer", "failure"),
        ("extract", "failure"),
    ]
    assert "in broken" in run["debug"]["observability"]["failure"]["traceback"]


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ([1], "The function returned list; the output of a run is a JSON object (a dict)."),
        ("text", "The function returned str; the output of a run is a JSON object (a dict)."),
        ({"a": object()}, "The output can't be written as JSON: Object of type object is not JSON serializable."),
        ({"a": float("nan")}, "The output can't be written as JSON: Out of range float values are not JSON compliant"),
    ],
)
def test_an_output_that_is_no_json_object_fails_the_run(
    sandbox: Sandbox, client: httpx.Client, returned: Any, text: str
) -> None:
    sandbox.workflow("odd")(lambda context: returned)

    assert finished(client, "workflows.odd")["error"].startswith(text)


def test_no_output_is_null(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("silent")(lambda context: None)

    assert finished(client, "workflows.silent")["output"] is None


def test_a_run_may_wait_for_a_human(sandbox: Sandbox, client: httpx.Client) -> None:
    entered, approved = threading.Event(), threading.Event()

    @sandbox.workflow("approval")
    def approval(context: RunContext) -> dict[str, Any]:
        with context.waiting():
            entered.set()
            approved.wait(10)
        return {"approved": True}

    run_id = started(client, "workflows.approval")
    assert entered.wait(5)
    waiting = client.get(f"/runs/{run_id}").json()
    approved.set()

    assert (waiting["execution"]["status"], waiting["finished"]) == ("waiting", False)
    assert ended(client, run_id)["output"] == {"approved": True}


# Sections


def test_sections_add_what_they_are_named_for(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.workflow("all")
    def everything(context: RunContext) -> dict[str, Any]:
        context.add_usage(input_tokens=100, output_tokens=20, credits=0.5, llm_calls=1)
        context.add_usage(input_tokens=1, llm_calls=1)
        context.run_step("count", lambda: {"n": 1})
        return {}

    plain = finished(client, "workflows.all", input={"a": 1}, metadata={"m": 2})
    full = client.get(f"/runs/{plain['id']}", params={"expand": " input, usage ,,execution,debug"}).json()

    assert not plain.keys() & {"input", "usage", "debug"}
    assert "steps" not in plain["execution"]
    assert full["input"] == {"args": {"a": 1}, "metadata": {"m": 2}}
    assert full["usage"]["tokens"] == {"input": 101, "output": 20, "cacheRead": 0, "cacheWrite": 0}
    assert (full["usage"]["creditsCharged"], full["usage"]["llmCallCount"]) == (0.5, 2)
    (step,) = full["execution"]["steps"]
    assert (step["stepName"], step["status"], step["outputData"]) == ("count", "success", {"n": 1})
    assert [phase["phase"] for phase in full["debug"]["observability"]["phases"]] == ["queued", "running"]


def test_sections_of_a_run_in_flight_are_there_too(sandbox: Sandbox, client: httpx.Client) -> None:
    gate = Gate(sandbox)
    run_id = started(client, "workflows.gate")
    assert gate.entered.wait(5)

    run = client.get(f"/runs/{run_id}?expand=input,usage,execution,debug").json()
    gate.leave.set()

    assert run["usage"] is None
    assert run["execution"]["steps"] == []
    assert run["debug"]["observability"]["currentPhase"] == "running"


def test_an_agent_run_has_files_feedback_and_turns(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.agent("helper", model="tiny")
    def helper(context: RunContext) -> dict[str, Any]:
        context.add_usage(agent_turns=3)
        context.trace({"type": "thought", "message": "hm"})
        context.write_artifact("report.md", "# Report")
        return {"label": "billing"}

    run = finished(client, "agents.helper", expand="input,usage,execution")

    assert run["execution"]["files"] == {"output": [{"name": "report.md"}]}
    assert run["execution"]["feedback"] is None
    assert run["usage"]["agentTurns"] == 3
    assert run["input"] == {"args": {}, "files": []}


@pytest.mark.parametrize(
    ("query", "field", "hint"),
    [
        ("expand=steps", "query.expand", "expand=execution"),
        ("expand=input,everything", "query.expand", "Use one of"),
        ("expand=cost", "query.expand", "expand=usage"),
        ("expand=INPUT", "query.expand", "Use one of"),
        ("include=detail", "query.include", "expand"),
    ],
)
def test_an_unknown_section_is_refused_with_a_hint(client: httpx.Client, query: str, field: str, hint: str) -> None:
    run_id = started(client, "workflows.extract-invoice")

    response = client.get(f"/runs/{run_id}?{query}")

    assert response.status_code == 400
    assert response.json()["issues"][0]["field"] == field
    assert hint in response.json()["hint"]


def test_the_definition_is_frozen_when_the_run_is_created(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("plan", description="First.", steps=("a",))(lambda context: {})
    run = finished(client, "workflows.plan")
    sandbox.workflow("plan", description="Second.", version="2.0.0")(lambda context: {})

    answer = client.get(f"/runs/{run['id']}/definition").json()

    assert answer == {
        "definition": {"name": "plan", "version": "1.0.0", "description": "First.", "steps": [{"name": "a"}]}
    }


def test_an_agent_run_has_no_definition(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.agent("helper")(lambda context: {})

    assert client.get(f"/runs/{finished(client, 'agents.helper')['id']}/definition").status_code == 404


def test_what_an_evaluation_writes_can_be_put_on_a_run(sandbox: Sandbox, client: httpx.Client) -> None:
    run = finished(client, "workflows.extract-invoice")
    sandbox.annotate(run["id"], batch_id="evb_1", example="first", example_id="ex-1", score=0.5, passed=False)

    shown = client.get(f"/runs/{run['id']}").json()

    assert shown["eval"] == {"example": "first", "exampleId": "ex-1", "score": 0.5, "passed": False}
    assert shown["execution"]["batchId"] == "evb_1"
    assert "eval" not in run
    with pytest.raises(KeyError):
        sandbox.annotate("exec_none")


# Cancelling


def test_a_pending_run_is_cancelled_at_once() -> None:
    with Sandbox(max_running=1) as sandbox, connect(sandbox) as client:
        gate = Gate(sandbox)
        first, second = started(client, "workflows.gate"), started(client, "workflows.gate")
        assert gate.entered.wait(5)

        verdict = client.post(f"/runs/{second}/cancel").json()
        cancelled = client.get(f"/runs/{second}").json()
        gate.leave.set()

        assert verdict["cancellation"] == {"state": "cancelled", "wasStatus": "pending"}
        assert (verdict["finished"], verdict["execution"]) == (True, {"status": "cancelled"})
        assert cancelled["error"] == "The run was cancelled."
        assert cancelled["timing"]["startedAt"] is None
        assert ended(client, first)["execution"]["status"] == "completed"


def test_a_running_run_ends_at_its_next_checkpoint(sandbox: Sandbox, client: httpx.Client) -> None:
    gate = Gate(sandbox)
    run_id = started(client, "workflows.gate")
    assert gate.entered.wait(5)

    verdicts = [client.post(f"/runs/{run_id}/cancel").json() for _ in range(2)]
    still = client.get(f"/runs/{run_id}").json()
    gate.leave.set()
    cancelled = ended(client, run_id)

    for verdict in verdicts:
        assert verdict["cancellation"] == {"state": "requested", "wasStatus": "running"}
        assert verdict["finished"] is False
    assert still["execution"]["status"] == "running"
    assert still["timing"]["cancelRequestedAt"]
    assert cancelled["execution"]["status"] == "cancelled"
    assert cancelled["timing"]["cancelRequestedAt"] == still["timing"]["cancelRequestedAt"]
    assert client.post(f"/runs/{run_id}/cancel").json()["cancellation"] == {
        "state": "already_terminal",
        "wasStatus": "cancelled",
    }


def test_a_sleeping_function_and_an_async_one_end_at_once(sandbox: Sandbox, client: httpx.Client) -> None:
    entered = threading.Semaphore(0)

    @sandbox.workflow("sleeper")
    def sleeper(context: RunContext) -> None:
        entered.release()
        context.sleep(60)

    @sandbox.workflow("coroutine")
    async def coroutine(context: RunContext) -> None:
        entered.release()
        await asyncio.sleep(60)

    for slug in ("sleeper", "coroutine"):
        run_id = started(client, f"workflows.{slug}")
        assert entered.acquire(timeout=5)
        client.post(f"/runs/{run_id}/cancel")
        assert ended(client, run_id)["execution"]["status"] == "cancelled"


def test_a_function_that_ignores_the_request_is_cancelled_when_it_returns(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    entered, leave = threading.Event(), threading.Event()

    @sandbox.workflow("deaf")
    def deaf(context: RunContext) -> dict[str, Any]:
        entered.set()
        leave.wait(10)
        try:
            context.checkpoint()
        except Exception:  # noqa: BLE001 - what careless functions do; a cancellation must get through
            return {"swallowed": True}
        return {}

    run_id = started(client, "workflows.deaf")
    assert entered.wait(5)
    client.post(f"/runs/{run_id}/cancel")
    leave.set()

    assert ended(client, run_id)["execution"]["status"] == "cancelled"


def test_a_finished_run_stays_as_it_is(client: httpx.Client) -> None:
    run = finished(client, "workflows.extract-invoice")

    verdict = client.post(f"/runs/{run['id']}/cancel").json()

    assert verdict["cancellation"] == {"state": "already_terminal", "wasStatus": "failed"}
    assert client.get(f"/runs/{run['id']}").json() == run


def test_a_waiting_client_sees_the_cancelled_run(sandbox: Sandbox, client: httpx.Client) -> None:
    gate = Gate(sandbox)
    answers: list[httpx.Response] = []
    waiter = threading.Thread(
        target=lambda: answers.append(client.post("/runs?wait_for_completion=30", json={"target": "workflows.gate"}))
    )
    waiter.start()
    assert gate.entered.wait(5)
    (row,) = client.get("/runs").json()["runs"]
    client.post(f"/runs/{row['id']}/cancel")
    gate.leave.set()
    waiter.join(5)

    assert (answers[0].status_code, answers[0].json()["execution"]["status"]) == (200, "cancelled")


# Repeating


def test_a_rerun_has_the_input_metadata_and_files_of_its_source(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.workflow("copy")
    def copy(context: RunContext) -> dict[str, Any]:
        document = context.files["doc"]
        assert not isinstance(document, list)
        return {"input": context.input, "metadata": context.metadata, "text": document.read_text()}

    form = {"target": "workflows.copy", "input": '{"a": 1}', "metadata": '{"m": 2}'}
    first = client.post("/runs?wait_for_completion=5", data=form, files={"files.doc": ("d.txt", b"content")}).json()

    again = client.post(f"/runs/{first['id']}/rerun?wait_for_completion=5")

    assert again.status_code == 200
    assert again.json()["id"] != first["id"]
    assert again.json()["output"] == first["output"] == {"input": {"a": 1}, "metadata": {"m": 2}, "text": "content"}


def test_a_rerun_takes_the_latest_version_or_that_of_its_source(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("move", version="1.0.0")(lambda context: {"v": 1})
    first = finished(client, "workflows.move")
    sandbox.workflow("move", version="2.0.0")(lambda context: {"v": 2})

    def again(version: str | None) -> Any:
        query = "" if version is None else f"&version={version}"
        return client.post(f"/runs/{first['id']}/rerun?wait_for_completion=5{query}").json()["output"]["v"]

    assert (again(None), again("latest"), again("original"), again("1.0.0")) == (2, 2, 1, 1)
    assert client.post(f"/runs/{first['id']}/rerun?version=9.9.9").status_code == 404


def test_a_rerun_answers_201_and_202_like_a_start(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("quick")(lambda context: {})
    first = finished(client, "workflows.quick")
    assert client.post(f"/runs/{first['id']}/rerun").status_code == 201
    sandbox.run_latency = 30
    assert client.post(f"/runs/{first['id']}/rerun?wait_for_completion=1").status_code == 202
    assert client.post(f"/runs/{first['id']}/rerun?wait_for_completion=700").status_code == 400


@pytest.mark.parametrize("path", ["", "/definition", "/artifacts", "/artifacts/output/a", "/files-zip"])
def test_a_run_that_does_not_exist_is_a_404(client: httpx.Client, path: str) -> None:
    assert client.get(f"/runs/exec_none{path}").status_code == 404
    for action in ("cancel", "rerun"):
        assert client.post(f"/runs/exec_none/{action}").status_code == 404


def test_tenants_do_not_see_each_others_runs(sandbox: Sandbox, client: httpx.Client) -> None:
    run = finished(client, "workflows.extract-invoice")
    with connect(sandbox, sandbox.add_key("other")) as other:
        assert other.get("/runs").json()["runs"] == []
        for path in ("", "/artifacts", "/definition"):
            assert other.get(f"/runs/{run['id']}{path}").status_code == 404
        assert other.post(f"/runs/{run['id']}/cancel").status_code == 404
        assert other.post(f"/runs/{run['id']}/rerun").status_code == 404
        own = finished(other, "workflows.extract-invoice")
    assert own["trigger"]["by"]["name"] == "other"
    assert client.get(f"/runs/{own['id']}").status_code == 404
    assert sandbox.add_key("other", "eig_test_second") == "eig_test_second"
    with connect(sandbox, "eig_test_second") as same:
        assert same.get(f"/runs/{own['id']}").status_code == 200
