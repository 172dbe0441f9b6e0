"""Routines of the emulator: changing them, switching them, invoking them, and the sessions that their runs make."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from tests.sandbox.archastro.conftest import connect, until


@pytest.fixture
def routine(sandbox: Sandbox, request: pytest.FixtureRequest) -> str:
    """Path of a routine of the test's own."""
    name = f"for {request.node.name}"
    return f"/agent_routines/{sandbox.archastro.preset_routine(name, agent='quick')}"


def invoke(client: httpx.Client, routine: str, **body: Any) -> Any:
    """Invoke a routine and return its run once it is over."""
    answer = client.post(f"{routine}/invoke", json={"message": "go", **body})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "pending"
    return until(client, f"/agent_routines/runs/{answer.json()['id']}", "completed", "failed")


def test_presets_and_runs_win_over_the_id_of_a_routine(client: httpx.Client) -> None:
    assert [preset["name"] for preset in client.get("/agent_routines/presets").json()] == [
        "do_task",
        "send_message",
        "participate",
    ]
    assert client.get("/agent_routines/runs").status_code == 404


def test_routines_are_listed_by_agent_and_event(client: httpx.Client, sandbox: Sandbox, routine: str) -> None:
    quick = sandbox.archastro.agent_id("quick")

    def listed(query: str) -> list[str]:
        return [f"/agent_routines/{row['id']}" for row in client.get(f"/agent_routines?{query}").json()["data"]]

    assert routine in listed("")
    assert routine in listed(f"agent={quick}&event_type=agentroutine.invoked")
    assert listed("event_type=schedule.cron") == []
    assert client.get("/agent_routines?agent=agi_x").status_code == 404


def test_a_change_keeps_what_it_does_not_name(client: httpx.Client, routine: str) -> None:
    before = client.get(routine).json()
    wanted: dict[str, Any] = {
        "description": "d",
        "metadata": {"a": 1},
        "schedule": "0 * * * *",
        "preset_config": {"instructions": "i", "llm": {"model": "m"}, "session_mode": "stateless"},
        "event_config": {"thread.session.join": {"filters": {"x": 1}, "dedupe_key_path": "$.id"}},
        "message_policy": {"visibility": "private", "recipients": ["usr_1"]},
        "user": "usr_2",
        "trigger_context": "chat_session",
    }
    changed = client.patch(routine, json=wanted).json()
    assert {name: changed[name] for name in wanted} == wanted
    assert changed["name"] == before["name"]
    assert client.patch(routine, json={"user": None}).json()["user"] is None
    assert client.patch(routine, json={"user": ""}).json()["user"] is None


def test_a_chain_has_its_steps(client: httpx.Client, routine: str) -> None:
    steps = [
        {"handler_type": "preset", "preset_name": "do_task", "name": "a", "on_error": "retry", "inputs": {"x": "y"}}
    ]
    changed = client.patch(routine, json={"handler_type": "chain", "steps": steps}).json()
    assert (changed["handler_type"], changed["steps"]) == ("chain", steps)


def test_access_is_replaced_or_changed(client: httpx.Client, routine: str) -> None:
    team = {"principal_type": "team", "principal": "tea_1", "actions": ["read"]}
    everyone = {"principal_type": "everyone", "principal": None, "actions": ["invoke"]}
    assert client.patch(routine, json={"acl": {"grants": [team]}}).json()["acl"] == {"grants": [team]}
    both = client.patch(routine, json={"acl": {"add": [everyone]}}).json()["acl"]["grants"]
    assert both == [team, everyone]
    gone = {"remove": [{"principal_type": "team", "principal": "tea_1"}]}
    assert client.patch(routine, json={"acl": gone}).json()["acl"]["grants"] == [everyone]
    assert client.patch(routine, json={"acl": {"grants": []}}).json()["acl"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"handler_type": "script"}, "script"),
        ({"handler_type": "magic"}, "handler_type"),
        ({"schedule": "* * * * *"}, "schedule"),
        ({"schedule": "daily"}, "schedule"),
        ({"acl": {"grants": [], "add": []}}, "acl.grants"),
        ({"acl": {"grants": [{"principal_type": "team", "actions": []}]}}, "acl.grants[0].actions"),
        ({"steps": [{"handler_type": "script"}]}, "steps[0].handler_type"),
        ({"message_policy": {"visibility": "private"}}, "message_policy.recipients"),
        ({"template": "unknown"}, "template"),
        ({"lookup_key": "sorter"}, "lookup_key"),
        ({"preset_config": {"instructions": "x" * 10_001}}, "preset_config.instructions"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_a_change_that_breaks_a_rule_is_refused(
    client: httpx.Client, routine: str, body: dict[str, Any], field: str
) -> None:
    before = client.get(routine).json()
    refused = client.patch(routine, json=body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["error"]["fields"][0]["field"] == field
    assert client.get(routine).json() == before


def test_only_an_active_routine_can_be_invoked(client: httpx.Client, routine: str) -> None:
    assert client.post(f"{routine}/pause").json()["status"] == "paused"
    assert client.post(f"{routine}/pause").json()["status"] == "paused"
    assert client.post(f"{routine}/invoke", json={"message": "go"}).status_code == 422
    assert client.post(f"{routine}/activate").json()["status"] == "active"
    assert invoke(client, routine)["result"] == {"text": "did go"}
    client.patch(routine, json={"event_type": "webhook.inbound"})
    assert client.post(f"{routine}/invoke", json={"message": "go"}).status_code == 422


def test_a_routine_without_what_it_does_can_not_be_activated(client: httpx.Client, sandbox: Sandbox) -> None:
    made = sandbox.archastro.preset_routine("bare", agent="quick", preset_name="", status="draft")
    assert client.post(f"/agent_routines/{made}/activate").status_code == 422


def test_a_run_says_what_came_of_it(client: httpx.Client, sandbox: Sandbox) -> None:
    sorter = f"/agent_routines/{sandbox.archastro.routine_id('sorter')}"
    delivery = {"type": "thread", "thread": "thr_1"}
    done = invoke(client, sorter, message="bills", metadata={"a": 1}, participants={"x": "agi_1"}, delivery=delivery)
    assert done["result"] == {"folder": "bills"}
    assert done["payload"] == {"message": "bills"}
    assert (done["metadata"], done["participants"]) == ({"a": 1}, {"x": "agi_1"})
    assert (done["delivery"]["type"], done["delivery"]["thread"]) == ("thread", "thr_1")
    assert done["worker"] == {"status": "completed", "attempt": 1, "max_attempts": 3}
    failed = invoke(client, sorter, message="broken")
    assert (failed["status"], failed["worker"]["status"]) == ("failed", "discarded")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": ""},
        {"message": "a", "delivery": {"type": "thread"}},
        {"message": "a", "delivery": {"type": "reply", "thread": "t"}},
        {"message": "a", "participants": {"x": 1}},
    ],
)
def test_an_invocation_that_breaks_a_rule_is_refused(client: httpx.Client, routine: str, body: dict[str, Any]) -> None:
    assert client.post(f"{routine}/invoke", json=body).status_code == 422
    assert client.get(f"{routine}/runs").json()["data"] == []


def test_a_key_is_one_run_until_it_is_completed_and_another_after_a_failure(
    client: httpx.Client, sandbox: Sandbox
) -> None:
    sorter = f"/agent_routines/{sandbox.archastro.routine_id('sorter')}"
    sandbox.run_latency = 0.1
    try:
        first, second = (
            client.post(f"{sorter}/invoke", json={"message": "a", "idempotency_key": "k1"}).json() for _ in range(2)
        )
    finally:
        sandbox.run_latency = 0.0
    assert first["id"] == second["id"]
    until(client, f"/agent_routines/runs/{first['id']}", "completed")
    assert client.post(f"{sorter}/invoke", json={"message": "a", "idempotency_key": "k1"}).status_code == 409
    failed = invoke(client, sorter, message="broken", idempotency_key="k2")
    assert invoke(client, sorter, message="b", idempotency_key="k2")["id"] != failed["id"]


@pytest.mark.parametrize(
    ("scope", "one", "other"),
    [
        ("per_user", {"user": "usr_1"}, {"user": "usr_2"}),
        ("per_key", {"session_key": "a"}, {"session_key": "b"}),
        ("per_org", {}, None),
        ("global", {}, None),
    ],
)
def test_a_lasting_session_is_chosen_by_its_scope(
    client: httpx.Client, sandbox: Sandbox, scope: str, one: dict[str, str], other: dict[str, str] | None
) -> None:
    config = {"session_mode": "session", "session_scope": scope}
    made = sandbox.archastro.preset_routine(f"lasting {scope}", agent="adder", preset_config=config)
    routine = f"/agent_routines/{made}"
    runs = [invoke(client, routine, message=message, **one) for message in ("1", "2")]
    assert [run["result"]["text"] for run in runs] == ["so far 1", "so far 3"]
    assert runs[0]["result"]["session"] == runs[1]["result"]["session"]
    if other is not None:
        assert invoke(client, routine, message="5", **other)["result"]["text"] == "so far 5"
        assert client.post(f"{routine}/invoke", json={"message": "1"}).status_code == 422


def test_pages_of_runs_lead_both_ways(client: httpx.Client, routine: str) -> None:
    made = [invoke(client, routine, message=str(number))["id"] for number in range(5)]
    first = client.get(f"{routine}/runs?limit=2").json()
    assert [run["id"] for run in first["data"]] == made[:2:-1]
    assert first["after_cursor"] is None
    older = client.get(f"{routine}/runs?limit=2&before_cursor={first['before_cursor']}").json()
    oldest = client.get(f"{routine}/runs?limit=2&before_cursor={older['before_cursor']}").json()
    assert ([run["id"] for run in oldest["data"]], oldest["before_cursor"]) == ([made[0]], None)
    newer = client.get(f"{routine}/runs?limit=2&after_cursor={oldest['after_cursor']}").json()
    assert [run["id"] for run in newer["data"]] == [made[2], made[1]]
    assert client.get(f"{routine}/runs?status=failed").json() == {
        "data": [],
        "before_cursor": None,
        "after_cursor": None,
    }
    for query in ("before_cursor=x", "before_cursor=a&after_cursor=b", "status=asleep", "limit=0"):
        assert client.get(f"{routine}/runs?{query}").status_code == 400, query


def test_a_deleted_routine_is_gone_also_after_another_was_registered(
    client: httpx.Client, sandbox: Sandbox, routine: str
) -> None:
    assert client.delete(routine).status_code == 204
    assert client.delete(routine).status_code == 404
    sandbox.archastro.preset_routine("another", agent="quick")
    assert client.get(routine).status_code == 404


def test_apps_do_not_see_each_other(client: httpx.Client, sandbox: Sandbox) -> None:
    sorter = f"/agent_routines/{sandbox.archastro.routine_id('sorter')}"
    run = invoke(client, sorter)
    with connect(sandbox, f"sk_{sandbox.add_key('other')}") as other:
        assert other.get(f"/agent_routines/runs/{run['id']}").status_code == 403
        assert other.get(f"{sorter}/runs").json()["data"] == []


def test_a_routine_that_the_service_would_refuse_is_refused_where_it_is_registered(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="schedule"):
        sandbox.archastro.preset_routine("x", agent="quick", schedule="* * * * *")
    with pytest.raises(ValueError, match="status='asleep'"):
        sandbox.archastro.preset_routine("x", agent="quick", status="asleep")
