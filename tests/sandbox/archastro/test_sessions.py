"""Sessions of the emulator: their life, their inbox, their limits, their stream, and what their lists show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from eigenpal.sandbox.archastro.states import RUNS, SESSIONS, Event, after
from eigenpal.sandbox.transitions import InvalidTransition
from tests.sandbox.archastro.conftest import connect, create, until
from tests.sandbox.archastro.contract import schema_errors
from tests.spec.strategies import document


@pytest.mark.parametrize(("table", "schema"), [(SESSIONS, "AgentSessionStatus"), (RUNS, "AgentRoutineRunStatus")])
def test_the_table_of_a_life_is_that_of_the_description(table: Any, schema: str) -> None:
    declared = document("archastro")["components"]["schemas"][schema]
    reached = {status for row in table.values() for status in row.values()}
    assert set(table) == set(declared["enum"]) - set(declared["x-terminal"])
    assert reached <= set(declared["enum"])
    for status in declared["x-terminal"]:
        for event in Event:
            with pytest.raises(InvalidTransition):
                after(table, status, event)


def test_a_session_goes_from_pending_to_its_end(client: httpx.Client, sandbox: Sandbox) -> None:
    made = create(client, sandbox, "quick", metadata={"a": [1]}, name="n", max_turns=3)
    assert (made["status"], made["started_at"], made["max_turns"], made["max_tokens"]) == ("pending", None, 3, 20000)
    done = until(client, f"/agent_sessions/{made['id']}", "completed")
    assert done["result"] == {"text": "did do it"}
    assert None not in (done["started_at"], done["completed_at"])
    assert done["metadata"] == {"a": [1]}


def test_a_message_takes_up_a_session_that_waits(client: httpx.Client, sandbox: Sandbox) -> None:
    made = create(client, sandbox, "adder", start_idle=True)
    path = f"/agent_sessions/{made['id']}"
    assert (made["status"], made["started_at"]) == ("waiting", None)
    first = client.post(f"{path}/message", json={"content": "3", "metadata": {"n": 1}}).json()
    assert first["status"] in ("running", "waiting")
    waiting = until(client, path, "waiting")
    assert [(message["role"], message["content"]) for message in waiting["inbox"]] == [
        ("user", "3"),
        ("assistant", "so far 3"),
    ]
    client.post(f"{path}/message", json={"content": "stop", "role": "tool"})
    assert until(client, path, "completed")["result"] == {"total": 3}
    refused = client.post(f"{path}/message", json={"content": "more"})
    assert refused.status_code == 422


def test_messages_to_a_session_at_work_are_read_in_their_order(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.run_latency = 0.1
    try:
        made = create(client, sandbox, "adder")
        path = f"/agent_sessions/{made['id']}"
        for content in ("1", "2", "stop"):
            assert client.post(f"{path}/message", json={"content": content}).status_code == 200
    finally:
        sandbox.run_latency = 0.0
    assert until(client, path, "completed")["result"] == {"total": 3}


def test_a_cancelled_session_is_so_at_once_and_stays_so(client: httpx.Client, sandbox: Sandbox) -> None:
    path = f"/agent_sessions/{create(client, sandbox, 'endless')['id']}"
    until(client, path, "running")
    assert client.delete(path).status_code == 422
    cancelled = client.post(f"{path}/cancel").json()
    assert (cancelled["status"], cancelled["completed_at"] is None) == ("cancelled", False)
    assert client.post(f"{path}/cancel").json() == cancelled
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("limits", "says"), [({"max_turns": 2}, "all of its turns"), ({"max_tokens": 5}, "all of its tokens")]
)
def test_limits_end_a_session(client: httpx.Client, sandbox: Sandbox, limits: dict[str, int], says: str) -> None:
    @sandbox.archastro.agent("spender")
    def spend(context: Any) -> None:
        while True:
            context.spend(2)
            context.receive()

    path = f"/agent_sessions/{create(client, sandbox, 'spender', **limits)['id']}"
    for _ in range(2):
        until(client, path, "waiting")
        client.post(f"{path}/message", json={"content": "on"})
    assert says in until(client, path, "failed")["error"]


def test_an_async_agent_waits_for_messages_too(client: httpx.Client, sandbox: Sandbox) -> None:
    @sandbox.archastro.agent("async-echo")
    async def echo(context: Any) -> dict[str, str]:
        with pytest.raises(RuntimeError, match="receive_async"):
            context.receive()
        return {"said": (await context.receive_async())["content"]}

    path = f"/agent_sessions/{create(client, sandbox, 'async-echo')['id']}"
    until(client, path, "waiting")
    client.post(f"{path}/message", json={"content": "hello"})
    assert until(client, path, "completed")["result"] == {"said": "hello"}


def test_the_stream_has_the_state_now_each_change_and_nothing_after_the_end(
    client: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.archastro.keepalive_seconds = 0.02
    try:
        path = f"/agent_sessions/{create(client, sandbox, 'adder', start_idle=True)['id']}"
        text = ""
        with client.stream("GET", f"{path}/stream") as answer:
            for piece in answer.iter_text():
                text += piece
                if text.count(": keepalive") == 1:
                    client.post(f"{path}/message", json={"content": "stop"})
                    text += ": keepalive counted\n\n"
    finally:
        sandbox.archastro.keepalive_seconds = 15.0
    frames = [frame for frame in text.split("\n\n") if frame.startswith("event:")]
    names, documents = zip(*(_parsed(frame) for frame in frames), strict=True)
    assert set(names) == {"session_update"}
    assert [document["status"] for document in documents] == ["waiting", "running", "completed"]
    assert [error for one in documents for error in schema_errors("/components/schemas/AgentSession", one)] == []


def _parsed(frame: str) -> tuple[str, Any]:
    event, data = frame.split("\n")
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_lists_are_newest_first_and_filtered(client: httpx.Client, sandbox: Sandbox) -> None:
    ids = [create(client, sandbox, "adder", start_idle=True)["id"] for _ in range(3)]
    adder = sandbox.archastro.agent_id("adder")

    def listed(query: str) -> list[str]:
        return [row["id"] for row in client.get(f"/agent_sessions?{query}").json()["data"]]

    assert listed(f"agent={adder}&status[]=waiting&limit=3") == ids[::-1]
    assert listed(f"agent[]={adder}&agent[]=x&status=waiting,running&limit=2") == ids[:0:-1]
    assert listed("agent=nobody") == []
    assert ids[0] in listed("status=completed&status=waiting&limit=100")  # of a bare repeated key the last one counts
    assert set(ids) <= set(listed("exclude_system=true&limit=100"))
    for query in ("status[]=asleep", "limit=0", "limit=101", "exclude_system=maybe"):
        assert client.get(f"/agent_sessions?{query}").status_code in (400, 422), query


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "agent"),
        ({"agent": "agi_x"}, "instructions"),
        ({"agent": "agi_x", "instructions": " "}, "instructions"),
        ({"agent": "agi_x", "instructions": "a", "max_turns": 0}, "max_turns"),
        ({"agent": "agi_x", "instructions": "a", "metadata": []}, "metadata"),
        ({"agent": "agi_x", "instructions": "a", "start_idle": "yes"}, "start_idle"),
    ],
)
def test_a_body_that_breaks_a_rule_is_a_422_that_names_the_field(
    client: httpx.Client, body: dict[str, Any], field: str
) -> None:
    refused = client.post("/agent_sessions", json=body)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "validation_error"
    assert [one["field"] for one in refused.json()["error"]["fields"]] == [field]


def test_what_is_not_there_or_not_json_is_refused(client: httpx.Client, sandbox: Sandbox) -> None:
    assert client.post("/agent_sessions", json={"agent": "agi_x", "instructions": "a"}).status_code == 404
    assert client.post("/agent_sessions", content=b"{").status_code == 422
    for path in ("/agent_sessions/ase_x", "/agent_routines/arn_x", "/agent_routines/runs/arr_x", "/agent_sessions/a/b"):
        assert client.get(path).status_code == 404
    assert client.put("/agent_sessions").status_code == 405
    with httpx.Client(base_url=f"{sandbox.archastro.url}/api/v1", trust_env=False, verify=False) as nobody:
        assert nobody.get("/agent_sessions").status_code == 401


def test_metadata_is_replaced_in_any_state(client: httpx.Client, sandbox: Sandbox) -> None:
    path = f"/agent_sessions/{create(client, sandbox, 'quick', metadata={'a': 1})['id']}"
    until(client, path, "completed")
    assert client.patch(path, json={}).json()["metadata"] == {"a": 1}
    assert client.patch(path, json={"metadata": {"b": 2}}).json()["metadata"] == {"b": 2}


def test_faults_have_the_envelope_of_the_service(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("/archastro/api/v1/agent_sessions", status=402)
    with httpx.Client(headers=client.headers, trust_env=False, verify=False) as unchecked:
        refused = unchecked.get(f"{sandbox.archastro.url}/api/v1/agent_sessions")
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "plan_not_entitled")


def test_secrets_are_masked_in_what_is_recorded(client: httpx.Client, sandbox: Sandbox) -> None:
    client.get("/agent_routines/presets")
    assert sandbox.requests[-1].headers["x-archastro-api-key"] == "***"


def test_sessions_outlive_a_restart_and_those_at_work_fail(tmp_path: Path) -> None:
    sandbox = Sandbox(data=tmp_path, api_key="kept")

    @sandbox.archastro.agent("adder")
    def add(context: Any) -> dict[str, str]:
        return {"said": context.receive()["content"]}

    with sandbox, connect(sandbox) as client:
        idle, at_work, done = (create(client, sandbox, "adder", start_idle=idle) for idle in (True, False, True))
        until(client, f"/agent_sessions/{at_work['id']}", "waiting")
        client.post(f"/agent_sessions/{done['id']}/message", json={"content": "x"})
        until(client, f"/agent_sessions/{done['id']}", "completed")
    with sandbox, connect(sandbox) as client:
        statuses = [client.get(f"/agent_sessions/{one['id']}").json()["status"] for one in (idle, at_work, done)]
        assert statuses == ["waiting", "failed", "completed"]
        client.post(f"/agent_sessions/{idle['id']}/message", json={"content": "y"})
        assert until(client, f"/agent_sessions/{idle['id']}", "completed")["result"] == {"said": "y"}
