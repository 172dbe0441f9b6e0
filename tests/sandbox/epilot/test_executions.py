"""Executions of the emulator: functions really run, approvals really wait, limits hold, and the end is the end."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.epilot import PreviewAction, PreviewEntity, ToolPreview
from eigenpal.sandbox import Sandbox
from eigenpal.sandbox.epilot import ExecutionFailed
from tests.sandbox.epilot.conftest import connect, execute, until

PREVIEW = ToolPreview(
    action=PreviewAction(type="move", verb="Move mail"),
    source=PreviewEntity(type="inbox", id="i1", name="Info"),
    target=PreviewEntity(type="inbox", id="i2", name="Service"),
    summary="It is a complaint",
)


@pytest.fixture
def mover(sandbox: Sandbox) -> str:
    """Return the id of an agent that asks to move a mail, and then to label it."""

    @sandbox.epilot.agent("Mover", execution_mode="approval", tools=["message.move"])
    def move(context: Any) -> str:
        context.think("It belongs to the service team")
        moved = context.act(
            "message.move", {"to": "i2"}, lambda: {"moved": True}, description="Move it", preview=PREVIEW
        )
        context.add_usage(input_tokens=100, output_tokens=20, cost_usd=0.002)
        context.act("label.add", {"label": "complaint"}, lambda: "added")
        context.think("Done")
        return f"moved: {moved['moved']}"

    return sandbox.epilot.id_of("Mover")


def test_an_execution_waits_for_each_approval_and_then_goes_on(client: httpx.Client, mover: str) -> None:
    execution_id = execute(client, mover, input={"entity_id": "m1", "entity_schema": "message"})
    waiting = until(client, execution_id, "waiting_approval")
    assert waiting["pending_action"] == {
        "tool": "message.move",
        "input": {"to": "i2"},
        "description": "Move it",
        "preview": PREVIEW.to_dict(),
    }
    assert client.post(f"/executions/{execution_id}/approve").json()["pending_action"] is None
    assert until(client, execution_id, "waiting_approval")["pending_action"]["tool"] == "label.add"
    client.post(f"/executions/{execution_id}/approve", json={"reason": "fine"})
    done = until(client, execution_id, "completed")
    assert done["result"] == {"response": "moved: True"}
    assert done["input"] == {"entity_id": "m1", "entity_schema": "message"}
    metrics = {name: value for name, value in done["metrics"].items() if name != "duration_ms"}
    assert metrics == {
        "total_tokens": 120,
        "input_tokens": 100,
        "output_tokens": 20,
        "total_cost_usd": 0.002,
        "iteration_count": 3,
    }


def test_the_trace_tells_thoughts_tools_and_what_came_of_them(client: httpx.Client, mover: str) -> None:
    execution_id = execute(client, mover)
    until(client, execution_id, "waiting_approval")
    trace = client.get(f"/executions/{execution_id}/trace").json()
    assert [step["observation"] for step in trace["iterations"]] == [None]
    for _ in range(2):
        until(client, execution_id, "waiting_approval")
        client.post(f"/executions/{execution_id}/approve")
    done = until(client, execution_id, "completed")
    trace = client.get(f"/executions/{execution_id}/trace").json()
    steps = [(step.get("thought"), step["action"], step["observation"]) for step in trace["iterations"]]
    assert steps == [
        ("It belongs to the service team", {"tool": "message.move", "input": {"to": "i2"}}, {"moved": True}),
        (None, {"tool": "label.add", "input": {"label": "complaint"}}, {"result": "added"}),
        ("Done", None, None),
    ]
    assert trace["iterations"][1]["tokens_used"] == 0
    assert [(label["index"], label["tool"], label["status"]) for label in done["iterations"]] == [
        (0, "message.move", "completed"),
        (1, "label.add", "completed"),
        (2, None, "completed"),
    ]


def test_a_rejection_ends_it_with_the_reason(client: httpx.Client, mover: str) -> None:
    execution_id = execute(client, mover)
    until(client, execution_id, "waiting_approval")
    bad: list[Any] = [{}, {"reason": 7}, []]
    for body in bad:
        assert client.post(f"/executions/{execution_id}/reject", json=body).status_code == 400
    rejected = client.post(f"/executions/{execution_id}/reject", json={"reason": "wrong team"}).json()
    assert (rejected["status"], rejected["error"]) == ("failed", {"code": "REJECTED", "message": "wrong team"})
    assert rejected["completed_at"] is not None
    assert client.get(f"/executions/{execution_id}").json()["status"] == "failed"


def test_nothing_can_be_decided_where_nothing_is_pending(client: httpx.Client, mover: str) -> None:
    execution_id = execute(client, mover, execution_mode_override="automatic")
    until(client, execution_id, "completed")
    decisions: dict[str, dict[str, str]] = {"approve": {}, "reject": {"reason": "no"}}
    for call, body in decisions.items():
        answer = client.post(f"/executions/{execution_id}/{call}", json=body)
        assert (answer.status_code, answer.json()["details"]["code"]) == (400, "invalid_state")
        assert client.post(f"/executions/{mover}/{call}", json=body).status_code == 404


def test_the_mode_of_one_execution_wins_over_that_of_the_agent(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.epilot.agent("Free")
    def free(context: Any) -> str:
        context.act("a")
        context.act("b", requires_approval=True)
        return str(context.mode)

    agent = sandbox.epilot.id_of("Free")
    execution_id = execute(client, agent)
    assert until(client, execution_id, "waiting_approval")["pending_action"]["tool"] == "b"
    execution_id = execute(client, agent, execution_mode_override="approval")
    assert until(client, execution_id, "waiting_approval")["pending_action"]["tool"] == "a"


# ------------------------------------------------------------------------------------------------ ends


@pytest.fixture
def endless(sandbox: Sandbox) -> tuple[str, threading.Event]:
    """Return the id of an agent that goes on until it is ended, and the event of its end."""
    ended = threading.Event()

    @sandbox.epilot.agent("Endless")
    def go_on(context: Any) -> None:
        try:
            while True:
                context.sleep(0.002)
        finally:
            ended.set()

    return sandbox.epilot.id_of("Endless"), ended


def test_a_cancel_ends_what_runs_and_what_waits_and_nothing_twice(
    client: httpx.Client, endless: tuple[str, threading.Event], mover: str
) -> None:
    agent, ended = endless
    running, waiting = execute(client, agent), execute(client, mover)
    until(client, running, "running")
    until(client, waiting, "waiting_approval")
    for execution_id in (running, waiting):
        cancelled = client.delete(f"/executions/{execution_id}").json()
        assert (cancelled["status"], cancelled["pending_action"]) == ("cancelled", None)
        answer = client.delete(f"/executions/{execution_id}")
        assert (answer.status_code, "cancelled can't cancel" in answer.json()["message"]) == (400, True)
    assert ended.wait(5)
    assert client.delete(f"/executions/{agent}").status_code == 404


def test_the_time_that_an_execution_may_take_is_a_limit(
    client: httpx.Client, endless: tuple[str, threading.Event]
) -> None:
    agent, ended = endless
    failed = until(client, execute(client, agent, timeout_ms=20), "failed")
    assert failed["error"] == {"code": "TIMEOUT", "message": "The execution took longer than 20 ms."}
    assert ended.wait(5)
    for timeout in (300_001, 1.5, "1"):
        assert client.post(f"/agents/{agent}/execute", json={"timeout_ms": timeout}).status_code == 400


def test_the_time_stands_still_while_a_human_decides(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.epilot.agent("Patient", execution_mode="approval")
    async def patient(context: Any) -> str:
        await context.act_async("a")
        return "ok"

    execution_id = execute(client, sandbox.epilot.id_of("Patient"), timeout_ms=500)
    until(client, execution_id, "waiting_approval")
    time.sleep(0.6)
    client.post(f"/executions/{execution_id}/approve")
    until(client, execution_id, "completed")


def failing(context: Any) -> Any:
    return FAILURES[context.input["entity_id"]](context)


def _raise(error: BaseException) -> Any:
    raise error


FAILURES: Mapping[str, Any] = {
    "crash": lambda context: _raise(ValueError("no entity")),
    "said": lambda context: _raise(ExecutionFailed("the model is away", code="LLM_ERROR", details={"try": 2})),
    "tool": lambda context: context.act("a", {}, lambda: _raise(KeyError("x"))),
    "tool said": lambda context: context.act("a", {}, lambda: _raise(ExecutionFailed("bad", code="INVALID_OUTPUT"))),
    "endless": lambda context: [context.act("a") for _ in range(4)],
    "number": lambda context: 7,
    "no json": lambda context: {"a": object()},
    "bad input": lambda context: context.act("a", {"a": object()}),
    "bad code": lambda context: _raise(ExecutionFailed("x", code="OOPS")),
    "exit": lambda context: _raise(SystemExit(3)),
    "cancelled": lambda context: _raise(asyncio.CancelledError("by itself")),
}
WANTED = {
    "crash": ("INTERNAL_ERROR", "ValueError: no entity"),
    "said": ("LLM_ERROR", "the model is away"),
    "tool": ("TOOL_EXECUTION_FAILED", "The tool a failed: KeyError: 'x'"),
    "tool said": ("INVALID_OUTPUT", "bad"),
    "endless": ("MAX_ITERATIONS_EXCEEDED", "The agent took its 3 steps without coming to an end."),
    "number": ("INVALID_OUTPUT", "The function returned int; it must return a text, a mapping or nothing."),
    "no json": ("INTERNAL_ERROR", "The output can't be written as JSON"),
    "bad input": ("INTERNAL_ERROR", "The input of a can't be written as JSON"),
    "bad code": ("INTERNAL_ERROR", "ValueError: 'OOPS' is not a valid ExecutionErrorCode"),
    "exit": ("INTERNAL_ERROR", "SystemExit: 3"),
    "cancelled": ("INTERNAL_ERROR", "CancelledError"),
}


@pytest.mark.parametrize("problem", WANTED)
def test_whatever_a_function_does_wrong_is_the_error_of_its_execution(
    shared_sandbox: Sandbox, shared_client: httpx.Client, problem: str
) -> None:
    shared_sandbox.epilot.agent("Failing", max_iterations=3)(failing)
    agent = shared_sandbox.epilot.id_of("Failing")
    failed = until(shared_client, execute(shared_client, agent, input={"entity_id": problem}), "failed")
    code, message = WANTED[problem]
    assert failed["error"]["code"] == code
    assert message in failed["error"]["message"]
    assert failed["error"].get("details") == ({"try": 2} if problem == "said" else None)


def test_an_agent_that_nothing_works_for_fails_with_what_to_do(client: httpx.Client) -> None:
    members = {"name": "Mine", "system_prompt": "x", "execution_pattern": "direct"}
    agent = client.post("/agents", json=members).json()["agent_id"]
    failed = until(client, execute(client, agent), "failed")
    assert "@sandbox.epilot.agent('Mine')" in failed["error"]["message"]


def test_an_agent_made_over_the_api_is_executed_by_the_function_of_its_name(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    sandbox.epilot.agent("Mine")(lambda context: f"for {context.agent['description']}")
    members = {"name": "Mine", "system_prompt": "x", "execution_pattern": "direct", "description": "me"}
    agent = client.post("/agents", json=members).json()["agent_id"]
    assert until(client, execute(client, agent), "completed")["result"] == {"response": "for me"}


# ------------------------------------------------------------------------------------------------ functions


def test_a_direct_agent_returns_data_and_has_no_tools(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.epilot.agent("Direct", execution_pattern="direct", output_schema={"type": "object"})
    async def direct(context: Any) -> dict[str, Any]:
        context.think("hm")
        if context.input.get("entity_id"):
            await context.act_async("a")
        return {"total": 3}

    agent = sandbox.epilot.id_of("Direct")
    execution_id = execute(client, agent)
    done = until(client, execution_id, "completed")
    assert done["result"] == {"response": '{"total": 3}', "structured_output": {"total": 3}}
    assert client.get(f"/executions/{execution_id}/trace").json()["iterations"] == []
    failed = until(client, execute(client, agent, input={"entity_id": "e"}), "failed")
    assert "has no tools" in failed["error"]["message"]


def test_async_functions_act_without_blocking_the_server(sandbox: Sandbox, client: httpx.Client) -> None:
    async def looked_up() -> dict[str, int]:
        return {"hits": 3}

    @sandbox.epilot.agent("Async", execution_mode="approval")
    async def work(context: Any) -> str:
        hits = await context.act_async("entity.search", {}, looked_up)
        plain = await context.act_async("b", {}, lambda: 1)
        return f"{hits['hits']} {plain}"

    executions = [execute(client, sandbox.epilot.id_of("Async")) for _ in range(5)]
    for execution_id in executions * 2:
        until(client, execution_id, "waiting_approval")
        client.post(f"/executions/{execution_id}/approve")
    assert {until(client, one, "completed")["result"]["response"] for one in executions} == {"3 1"}


def test_acting_as_in_a_thread_inside_of_the_loop_is_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.epilot.agent("Mistaken", execution_mode="approval")
    async def mistaken(context: Any) -> None:
        context.act("a")

    failed = until(client, execute(client, sandbox.epilot.id_of("Mistaken")), "failed")
    assert "await context.act_async" in failed["error"]["message"]


def test_an_execution_may_be_over_when_its_start_is_answered(
    sandbox: Sandbox, client: httpx.Client, mover: str
) -> None:
    sandbox.epilot.agent("Quick")(lambda context: "done")
    sandbox.epilot.hold_seconds = 5.0
    quick = client.post(f"/agents/{sandbox.epilot.id_of('Quick')}/execute").json()
    assert (quick["status"], quick["execution_context"], quick["parameters"]) == ("completed", "api", {})
    sandbox.epilot.hold_seconds = 0.01
    slow = client.post(f"/agents/{mover}/execute", json={"execution_context": "flows"}).json()
    assert (slow["completed_at"], slow["execution_context"]) == (None, "flows")


def test_executions_are_listed_newest_first_with_filters_and_pages(
    sandbox: Sandbox, client: httpx.Client, mover: str
) -> None:
    sandbox.epilot.agent("Quick")(lambda context: "done")
    quick = sandbox.epilot.id_of("Quick")
    done = [execute(client, quick) for _ in range(3)]
    for execution_id in done:
        until(client, execution_id, "completed")
    waiting = execute(client, mover)
    until(client, waiting, "waiting_approval")

    def listed(**query: Any) -> Any:
        return client.get("/executions", params=query).json()

    def ids(page: Any) -> list[str]:
        return [row["execution_id"] for row in page["executions"]]

    assert ids(listed()) == [waiting, *done[::-1]]
    assert ids(listed(status="waiting_approval")) == [waiting]
    assert listed(status="waiting_approval")["executions"][0]["pending_action"]["tool"] == "message.move"
    assert ids(listed(agent_id=quick)) == done[::-1]
    first = listed(agent_id=quick, limit=2)
    second = listed(agent_id=quick, limit=2, cursor=first["next_cursor"])
    assert (ids(first) + ids(second), second["next_cursor"]) == (done[::-1], None)
    for query in ({"limit": 0}, {"limit": "x"}, {"status": "done"}, {"cursor": "x"}):
        assert client.get("/executions", params=query).status_code == 400


# ------------------------------------------------------------------------------------------------ callbacks, restarts


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is told."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.told.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()
        self.server.heard.set()  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_whoever_wants_to_know_is_told_of_the_end(
    sandbox: Sandbox, client: httpx.Client, endless: tuple[str, threading.Event]
) -> None:
    with HTTPServer(("127.0.0.1", 0), Hook) as hook:
        hook.told, hook.heard = [], threading.Event()  # type: ignore[attr-defined]
        serving = threading.Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            url = f"http://127.0.0.1:{hook.server_port}/finished"
            execution_id = execute(client, endless[0], callback_url=url)
            client.delete(f"/executions/{execution_id}")
            assert hook.heard.wait(5)  # type: ignore[attr-defined]
        finally:
            hook.shutdown()
            serving.join()
        (told,) = hook.told  # type: ignore[attr-defined]
    assert (told["execution_id"], told["status"]) == (execution_id, "cancelled")


@pytest.mark.parametrize("url", ["finished", "ftp://127.0.0.1/x", "http://[", "http://höst/"])
def test_an_address_that_is_none_is_refused(shared_client: httpx.Client, url: str) -> None:
    answer = shared_client.post("/agents/skill:x/execute", json={"callback_url": url})
    assert answer.status_code == 404
    members = {"name": "Callback", "system_prompt": "x", "execution_pattern": "direct"}
    agent = shared_client.post("/agents", json=members).json()["agent_id"]
    assert shared_client.post(f"/agents/{agent}/execute", json={"callback_url": url}).status_code == 400


def test_after_a_restart_what_was_is_there_and_what_was_in_flight_has_failed(tmp_path: Path) -> None:
    def sandbox() -> Sandbox:
        made = Sandbox(data=tmp_path, api_key="eig_test_key-of-a-restart")
        made.epilot.agent("Quick")(lambda context: "done")
        made.epilot.agent("Asking", execution_mode="approval")(lambda context: context.act("a"))
        return made

    with sandbox() as first, connect(first) as client:
        members = {"name": "Mine", "system_prompt": "x", "execution_pattern": "react"}
        agent = client.post("/agents", json=members).json()
        done = until(client, execute(client, first.epilot.id_of("Quick")), "completed")
        waiting = execute(client, first.epilot.id_of("Asking"))
        until(client, waiting, "waiting_approval")
    with sandbox() as second, connect(second) as client:
        assert client.get(f"/agents/{agent['agent_id']}").json() == agent
        assert client.get(f"/executions/{done['execution_id']}").json() == done
        failed = client.get(f"/executions/{waiting}").json()
        assert (failed["status"], failed["error"]["code"]) == ("failed", "INTERNAL_ERROR")
        assert "stopped while this execution was in flight" in failed["error"]["message"]
        assert failed["pending_action"] is None
        assert client.post(f"/executions/{waiting}/approve").status_code == 400


def test_stopping_ends_functions_that_wait(endless: tuple[str, threading.Event], sandbox: Sandbox) -> None:
    agent, ended = endless
    with connect(sandbox) as client:
        until(client, execute(client, agent), "running")
    sandbox.stop()
    assert ended.wait(5)
