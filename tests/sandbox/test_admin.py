"""Planning faults over HTTP: the same as from Python, for whoever sits at the machine and has a key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox

FAULTS = "/_sandbox/faults"
RUNS = "/api/v1/runs"


def connect(sandbox: Sandbox) -> httpx.Client:
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    return httpx.Client(base_url=sandbox.url, headers=headers, timeout=10, trust_env=False, verify=False)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(sandbox) as connected:
        yield connected


@pytest.fixture(scope="module")
def shared_client(shared_sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(shared_sandbox) as connected:
        yield connected


def test_a_fault_is_planned_happens_and_says_how_often(sandbox: Sandbox, client: httpx.Client) -> None:
    answer = client.post(FAULTS, json={"route": RUNS, "method": "get", "status": 503, "times": 2, "retry_after": 1.5})
    planned = answer.json()

    assert answer.status_code == 201
    assert planned == {
        "id": planned["id"],
        "route": RUNS,
        "method": "GET",
        "status": 503,
        "times": 2,
        "after": 0,
        "retry_after": 1.5,
        "headers": {},
        "body": None,
        "delay": None,
        "drop": None,
        "kind": None,
        "fired": 0,
    }
    met = client.get(RUNS)
    assert (met.status_code, met.headers["retry-after"]) == (503, "1.5")
    assert client.get(f"{FAULTS}/{planned['id']}").json() == {**planned, "fired": 1}
    assert client.get(FAULTS).json() == {"faults": [{**planned, "fired": 1}]}


def test_python_and_http_share_one_plan(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults.add(status=500, body=b"\x00\xff")
    client.post(FAULTS, json={"kind": "trickle", "delay": 0, "times": None})

    assert [fault["body"] for fault in client.get(FAULTS).json()["faults"]] == ["\x00\ufffd", None]
    assert [fault.kind for fault in sandbox.faults] == [None, "trickle"]
    assert len(sandbox.faults) == 2


def test_a_fault_can_be_taken_back_and_so_can_all(sandbox: Sandbox, client: httpx.Client) -> None:
    first, second = (client.post(FAULTS, json={"status": status}).json()["id"] for status in (500, 501))

    assert client.delete(f"{FAULTS}/{first}").status_code == 204
    assert client.delete(f"{FAULTS}/{first}").status_code == 404
    assert client.get(f"{FAULTS}/{first}").status_code == 404
    assert client.get(RUNS).status_code == 501
    assert client.delete(FAULTS).status_code == 204
    assert client.get(FAULTS).json() == {"faults": []}
    assert first != second


def test_planning_is_not_recorded_and_meets_no_fault(sandbox: Sandbox, client: httpx.Client) -> None:
    client.post(FAULTS, json={"route": "*", "status": 500, "times": None})

    assert client.get(FAULTS).status_code == 200
    assert client.delete(FAULTS).status_code == 204
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("plan", "field", "told"),
    [
        ({}, "<root>", "needs one of"),
        ({"status": 99}, "body.status", "200 to 599"),
        ({"status": 600}, "body.status", "200 to 599"),
        ({"status": "503"}, "body.status", "200 to 599"),
        ({"status": True}, "body.status", "200 to 599"),
        ({"status": 500, "times": 0}, "body.times", "from 1"),
        ({"status": 500, "times": 1.5}, "body.times", "from 1"),
        ({"status": 500, "after": -1}, "body.after", "from 0"),
        ({"status": 500, "after": None}, "body.after", "from 0"),
        ({"status": 500, "route": ""}, "body.route", "a path"),
        ({"status": 500, "route": None}, "body.route", "a path"),
        ({"status": 500, "route": ["/"]}, "body.route", "a path"),
        ({"status": 500, "method": "GET /"}, "body.method", "HTTP method"),
        ({"status": 500, "retry_after": -1}, "body.retry_after", "seconds"),
        ({"status": 500, "retry_after": "1\r\nx: y"}, "body.retry_after", "seconds"),
        ({"status": 500, "headers": ["a"]}, "body.headers", "header names"),
        ({"status": 500, "headers": {"a b": "c"}}, "body.headers", "header names"),
        ({"status": 500, "headers": {"a": "c\nd: e"}}, "body.headers", "header names"),
        ({"status": 500, "headers": {"a": 1}}, "body.headers", "header names"),
        ({"delay": -0.1}, "body.delay", "seconds"),
        ({"delay": "1"}, "body.delay", "seconds"),
        ({"delay": 10**400}, "body.delay", "seconds"),
        ({"drop": "sometimes"}, "body.drop", "on_accept"),
        ({"drop": ["on_accept"]}, "body.drop", "on_accept"),
        ({"drop": "on_accept", "status": 500}, "body.drop", "drop goes with delay only"),
        ({"kind": {}}, "body.kind", "bad_json"),
        ({"colour": "red"}, "body.colour", "no argument"),
        ({"fired": 3, "status": 500}, "body.fired", "no argument"),
        ([], "body", "JSON object"),
        ("x", "body", "JSON object"),
        (False, "body", "JSON object"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(
    shared_sandbox: Sandbox, shared_client: httpx.Client, plan: Any, field: str, told: str
) -> None:
    answer = shared_client.post(FAULTS, json=plan)

    (issue,) = answer.json()["issues"]
    assert (answer.status_code, issue["field"]) == (400, field)
    assert told in issue["message"]
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    assert len(shared_sandbox.faults) == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(shared_client: httpx.Client, content: bytes) -> None:
    assert shared_client.post(FAULTS, content=content).status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_key_is_needed(sandbox: Sandbox, method: str) -> None:
    fault = sandbox.faults.add(status=500)
    for headers in ({}, {"authorization": "Bearer wrong"}):
        with httpx.Client(base_url=sandbox.url, trust_env=False, verify=False) as stranger:
            assert stranger.request(method, FAULTS, headers=headers).status_code == 401
    assert [*sandbox.faults] == [fault]


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"x-forwarded-for": "1.2.3.4"}], ids=["another name", "a proxy"]
)
def test_only_this_machine_plans(sandbox: Sandbox, client: httpx.Client, headers: dict[str, str]) -> None:
    assert client.post(FAULTS, json={"status": 500}, headers=headers).status_code == 403
    assert len(sandbox.faults) == 0


def test_other_paths_and_methods_say_so(client: httpx.Client) -> None:
    assert client.get("/_sandbox/nothing").status_code == 404
    answer = client.put(FAULTS)
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, POST")
