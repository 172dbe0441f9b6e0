"""What every answer has in common: keys, request ids, envelopes, limits; and what the sandbox recorded of requests."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from eigenpal.sandbox.operations import GENERATION_07
from eigenpal.sandbox.recording import MAX_BODY_BYTES, MAX_REQUESTS
from tests.sandbox.conftest import connect
from tests.sandbox.contract import description


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "An API key is required."),
        ("", "An API key is required."),
        ("Bearer", "An API key is required."),
        ("Bearer wrong", "The API key is not valid."),
        ("Basic {key}", "The API key is not valid."),
        ("{key}", "An API key is required."),
    ],
)
def test_without_a_good_key_everything_is_a_401(shared_sandbox: Sandbox, header: str | None, message: str) -> None:
    with connect(shared_sandbox) as client:
        del client.headers["authorization"]
        if header is not None:
            client.headers["authorization"] = header.format(key=shared_sandbox.api_key)
        for path in ("/runs", "/workflows", "/nothing"):
            response = client.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.json()["issues"][0] == {
                "field": "<root>",
                "message": message,
                "code": "unauthorized",
                "severity": "error",
            }


def test_the_word_bearer_may_be_written_in_any_case(sandbox: Sandbox, client: httpx.Client) -> None:
    assert client.get("/runs", headers={"authorization": f"bearer  {sandbox.api_key}"}).status_code == 200


def test_every_answer_has_a_request_id_of_its_own(client: httpx.Client) -> None:
    ids = {client.get(path).headers["x-request-id"] for path in ("/runs", "/runs", "/nothing", "/runs/exec_none")}

    assert len(ids) == 4


@pytest.mark.parametrize("path", ["/nothing", "/runs/a/b/c", "/runs/", "/run/x", "//runs", "/workflows/a/b"])
def test_an_unknown_path_is_a_404(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("url", ["/api", "/api/v1", "/api/v2/runs", "/v1/runs"])
def test_paths_outside_of_the_prefix_are_404s(sandbox: Sandbox, client: httpx.Client, url: str) -> None:
    assert client.get(sandbox.url + url).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/runs", "GET, POST"),
        ("PUT", "/workflows", "GET"),
        ("GET", "/runs/x/cancel", "POST"),
        ("HEAD", "/runs", "GET, POST"),
    ],
)
def test_a_method_that_is_not_there_is_a_405(sandbox: Sandbox, method: str, path: str, allowed: str) -> None:
    with connect(sandbox) as client:
        client.event_hooks = {}  # the answer to HEAD has no body to check
        response = client.request(method, path)

    assert (response.status_code, response.headers["allow"]) == (405, allowed)


def test_a_body_above_the_limit_is_a_413_whether_its_length_is_known_or_not() -> None:
    with Sandbox(max_body_bytes=100_000) as sandbox, connect(sandbox) as client:
        known = client.post(
            "/runs", files={"files.a": ("a", b"x" * 200_000)}, data={"target": "workflows.extract-invoice"}
        )
        chunks = (b'{"target": "' + b"x" * 50_000 for _ in range(4))
        unknown = client.post("/runs", content=chunks, headers={"content-type": "application/json"})
        after = client.post("/runs", json={"target": "workflows.extract-invoice"})

    assert [known.status_code, unknown.status_code, after.status_code] == [413, 413, 201]


def test_json_above_its_own_limit_is_a_413(client: httpx.Client) -> None:
    response = client.post(
        "/runs", content=b'"' + b"x" * 17_000_000 + b'"', headers={"content-type": "application/json"}
    )

    assert response.status_code == 413


def test_a_failure_of_the_sandbox_itself_is_a_500_and_not_the_end(
    sandbox: Sandbox, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.workflow("quick", admit=lambda arguments: 1 / 0)(lambda context: {})  # type: ignore[arg-type, return-value]

    response = client.post("/runs", json={"target": "workflows.quick"})

    assert response.status_code == 500
    assert response.json()["issues"][0]["code"] == "internal_error"
    assert "ZeroDivisionError" in caplog.text
    assert client.get("/runs").status_code == 200


def test_bytes_that_are_not_http_do_not_hurt(sandbox: Sandbox, client: httpx.Client) -> None:
    port = httpx.URL(sandbox.url).port
    for nonsense in (
        b"\x16\x03\x01\x02\x00",
        b"GET /api/v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"",
    ):
        with socket.create_connection(("127.0.0.1", port or 0), timeout=5) as connection:
            connection.sendall(nonsense)
    assert client.get("/runs").status_code == 200


def test_an_upload_that_breaks_off_leaves_no_file_behind(sandbox: Sandbox, client: httpx.Client) -> None:
    folder = sandbox.data_folder
    assert folder is not None
    head = (
        "POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nAuthorization: Bearer {}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="files.a"; filename="a"\r\n\r\nhalf'
    )
    with socket.create_connection(("127.0.0.1", httpx.URL(sandbox.url).port or 0), timeout=5) as connection:
        connection.sendall(head.format(sandbox.api_key).encode())
        while not list((folder / "blobs").iterdir()):
            pass
    while list((folder / "blobs").iterdir()):
        pass
    assert client.get("/runs").json()["runs"] == []


def test_every_operation_of_the_description_is_served_and_no_other() -> None:
    declared = {
        (method.upper(), path.removeprefix("/api/v1"), operation["operationId"])
        for path, methods in description()["paths"].items()
        for method, operation in methods.items()
    }
    served = {(route.method, route.path.replace(":path}", "}"), route.name) for route in GENERATION_07}

    assert served == declared
    assert len(served) == 47


# Recording


def test_requests_are_recorded_before_their_answer_is_seen(sandbox: Sandbox, client: httpx.Client) -> None:
    client.get("/runs?limit=1&status=failed&status=completed")
    client.post("/runs", json={"target": "workflows.none", "input": {"a": 1}})

    listing, start = sandbox.requests
    assert (listing.method, listing.path, listing.status) == ("GET", "/api/v1/runs", 200)
    assert listing.query == {"limit": "1", "status": "completed"}
    assert listing.headers["authorization"] == "***"
    assert sandbox.api_key not in str(listing.headers)
    assert listing.json is None
    assert (start.status, start.json) == (404, {"target": "workflows.none", "input": {"a": 1}})
    assert start.body_size == len(start.body or b"")
    assert sandbox.requests[-1] is start


def test_raw_paths_are_kept_as_sent(sandbox: Sandbox, client: httpx.Client) -> None:
    client.get("/workflows/a%2Fb")

    assert (sandbox.requests[0].raw_path, sandbox.requests[0].path) == (
        "/api/v1/workflows/a%2Fb",
        "/api/v1/workflows/a/b",
    )


def test_memory_for_requests_is_bounded(sandbox: Sandbox, client: httpx.Client) -> None:
    client.post("/runs", content=b" " * (MAX_BODY_BYTES + 1), headers={"content-type": "application/json"})
    large = sandbox.requests[0]
    assert (large.body, large.json, large.body_size) == (None, None, MAX_BODY_BYTES + 1)
    for _ in range(MAX_REQUESTS + 5):
        sandbox.requests.add(large)
    assert len(sandbox.requests) == MAX_REQUESTS
    sandbox.requests.clear()
    assert len(sandbox.requests) == 0


def test_the_record_can_be_read_while_requests_come_in(sandbox: Sandbox, client: httpx.Client) -> None:
    done = threading.Event()

    def ask() -> None:
        for _ in range(20):
            client.get("/workflows/none")
        done.set()

    thread = threading.Thread(target=ask)
    thread.start()
    while not done.is_set():
        assert all(request.method == "GET" for request in sandbox.requests)
    thread.join()
