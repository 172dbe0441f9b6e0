"""Faults on demand: each kind as a client meets it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox

RUNS = "/api/v1/runs"
START = {"target": "workflows.extract-invoice"}


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client that takes any answer: faults are what the description doesn't promise."""
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=10, trust_env=False, verify=False) as connected:
        yield connected


def run_count(client: httpx.Client) -> int:
    return len(client.get(RUNS).json()["runs"])


def test_a_status_comes_as_often_as_planned_and_the_fault_counts(sandbox: Sandbox, client: httpx.Client) -> None:
    fault = sandbox.faults.add(route=RUNS, method="post", status=503, times=2, retry_after=1)

    statuses = [client.post(RUNS, json=START).status_code for _ in range(3)]
    assert statuses == [503, 503, 201]
    assert (fault.fired, fault.spent) == (2, True)
    assert run_count(client) == 1


def test_a_planned_status_has_an_envelope_and_the_headers_asked_for(sandbox: Sandbox, client: httpx.Client) -> None:
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    sandbox.faults.add(status=429, retry_after=date, headers={"X-Extra": "1"})
    for seconds in (0.5, 2.0, 86_400_000):
        sandbox.faults.add(status=429, retry_after=seconds)

    answer, *others = (client.get(RUNS) for _ in range(4))

    assert (answer.headers["retry-after"], answer.headers["x-extra"]) == (date, "1")
    assert answer.json()["issues"][0]["code"] == "rate_limited"
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    assert [other.headers["retry-after"] for other in others] == ["0.5", "2", "86400000"]


@pytest.mark.parametrize(
    ("body", "content", "media_type"),
    [
        ({"error": "x"}, b'{"error": "x"}', "application/json"),
        ("plain", b"plain", "text/plain; charset=utf-8"),
        (b"\x00\x01", b"\x00\x01", "application/octet-stream"),
        ([], b"[]", "application/json"),
        ("", b"", None),
    ],
)
def test_a_body_may_be_any(
    sandbox: Sandbox, client: httpx.Client, body: Any, content: bytes, media_type: str | None
) -> None:
    sandbox.faults.add(status=500, body=body)

    answer = client.get(RUNS)

    assert (answer.status_code, answer.content) == (500, content)
    assert media_type is None or answer.headers["content-type"] == media_type


@pytest.mark.parametrize("status", [204, 304, 301, 418, 520])
def test_any_status_can_be_planned(sandbox: Sandbox, client: httpx.Client, status: int) -> None:
    sandbox.faults.add(status=status)

    assert client.get(RUNS).status_code == status
    assert client.get(RUNS).status_code == 200


def test_faults_pick_their_requests_by_path_pattern_method_and_turn(sandbox: Sandbox, client: httpx.Client) -> None:
    by_pattern = sandbox.faults.add(route=f"{RUNS}/*", status=500, times=None)
    third = sandbox.faults.add(route="/api/v1/workflows", status=502, after=2)

    assert client.get(RUNS).status_code == 200
    assert [client.get(f"{RUNS}/x").status_code for _ in range(3)] == [500, 500, 500]
    assert client.post(f"{RUNS}/x/cancel").status_code == 500
    assert [client.get("/api/v1/workflows").status_code for _ in range(4)] == [200, 200, 502, 200]
    assert (by_pattern.fired, third.fired) == (4, 1)
    sandbox.faults.clear()
    assert client.get(f"{RUNS}/x").status_code == 404


def test_the_first_fault_that_fits_happens(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults.add(status=500)
    sandbox.faults.add(status=501)

    assert [client.get(RUNS).status_code for _ in range(3)] == [500, 501, 200]


def test_a_delay_alone_only_delays(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults.add(delay=0.2)

    began = time.monotonic()
    assert client.get(RUNS).status_code == 200
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(
    ("drop", "started"),
    [("on_accept", 0), ("before_body", 0), ("after_body", 0), ("after_handling", 1), ("mid_response", 1)],
)
def test_a_dropped_connection_has_no_answer_and_a_run_only_where_promised(
    sandbox: Sandbox, client: httpx.Client, drop: Any, started: int
) -> None:
    fault = sandbox.faults.add(drop=drop)

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
        client.post(RUNS, json=START)
    assert fault.fired == 1
    assert run_count(client) == started


@pytest.mark.parametrize(("drop", "read"), [("before_body", False), ("after_body", True), ("after_handling", True)])
def test_a_dropped_request_is_recorded_without_a_status(
    sandbox: Sandbox, client: httpx.Client, drop: Any, read: bool
) -> None:
    sandbox.faults.add(drop=drop)
    with pytest.raises(httpx.TransportError):
        client.post(RUNS, json=START)

    client.get(RUNS)
    dropped, _ = sandbox.requests
    assert (dropped.method, dropped.status) == ("POST", None)
    assert (dropped.json == START) is read


def test_a_large_upload_may_be_cut_before_its_body(sandbox: Sandbox, client: httpx.Client) -> None:
    fault = sandbox.faults.add(drop="before_body")

    with pytest.raises(httpx.TransportError):
        client.post(RUNS, data=START, files={"files.a": ("a", bytes(5_000_000))})
    assert fault.fired == 1
    assert client.post(RUNS, data=START, files={"files.a": ("a", b"x")}).status_code == 201


def test_a_cut_body_promises_all_and_sends_half(sandbox: Sandbox, client: httpx.Client) -> None:
    whole = client.get("/api/v1/workflows").content
    sandbox.faults.add(drop="mid_response")

    received = b""
    with pytest.raises(httpx.RemoteProtocolError), client.stream("GET", "/api/v1/workflows") as response:
        assert response.headers["content-length"] == str(len(whole))
        for piece in response.iter_bytes():
            received += piece
    assert received == whole[: len(whole) // 2]


def test_a_download_may_be_cut_and_resumed(sandbox: Sandbox, client: httpx.Client) -> None:
    data = bytes(range(256)) * 8192  # 2 MiB, more than one piece
    sandbox.workflow("write")(lambda context: {"path": context.write_artifact("a.bin", data)})
    run = client.post(f"{RUNS}?wait_for_completion=5", json={"target": "workflows.write"}).json()
    url = f"{RUNS}/{run['id']}/artifacts/output/a.bin"
    sandbox.faults.add(route="*/artifacts/*", drop="mid_response")

    received = b""
    with pytest.raises(httpx.RemoteProtocolError), client.stream("GET", url) as response:
        for piece in response.iter_bytes():
            received += piece
    rest = client.get(url, headers={"range": f"bytes={len(received)}-", "if-range": response.headers["etag"]})

    assert len(received) == len(data) // 2
    assert rest.status_code == 206
    assert received + rest.content == data


def test_answers_may_be_mangled(sandbox: Sandbox, client: httpx.Client) -> None:
    for kind in ("bad_json", "html", "empty"):
        sandbox.faults.add(kind=kind)
    sandbox.faults.add(kind="html", status=502)

    bad, page, empty, gateway = (client.get(RUNS) for _ in range(4))

    with pytest.raises(ValueError, match="Unterminated"):
        bad.json()
    assert bad.headers["content-type"] == "application/json"
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.text.startswith("<!DOCTYPE html>")
    assert (empty.status_code, empty.content, empty.headers["content-length"]) == (200, b"", "0")
    assert gateway.status_code == 502


def test_a_trickle_sends_the_true_answer_slowly(sandbox: Sandbox, client: httpx.Client) -> None:
    whole = client.get("/api/v1/workflows").content
    sandbox.faults.add(kind="trickle", delay=0.02)

    with client.stream("GET", "/api/v1/workflows") as response:
        pieces = list(response.iter_raw())

    assert b"".join(pieces) == whole
    assert len(pieces) > 1


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({}, "needs one of"),
        ({"route": "*", "retry_after": 3}, "needs one of"),
        ({"drop": "later"}, "is not one of"),
        ({"kind": "odd"}, "is not one of"),
        ({"drop": "after_body", "status": 500}, "has no answer"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(sandbox: Sandbox, plan: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sandbox.faults.add(**plan)


def test_faults_work_on_connections_that_are_reused_and_log_nothing(
    sandbox: Sandbox, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    for drop in ("before_body", "after_body", "after_handling", "mid_response"):
        client.get(RUNS)
        sandbox.faults.add(drop=drop)
        with pytest.raises(httpx.TransportError):
            client.get(RUNS)
    client.get(RUNS)
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "eigenpal", "asyncio"))] == []
