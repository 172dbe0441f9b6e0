"""Feedback on runs and what they should have produced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import ManualClock, RunContext, Sandbox
from tests.sandbox.conftest import connect
from tests.sandbox.test_runs import finished

EMPTY: dict[str, Any] = {"feedback": None, "expected": None, "expectedFiles": []}


@pytest.fixture
def run_id(sandbox: Sandbox, client: httpx.Client) -> str:
    return written(sandbox, client)


def written(sandbox: Sandbox, client: httpx.Client, kind: str = "workflow") -> str:
    """Run something that writes two files and return the id of the run."""
    register = sandbox.workflow if kind == "workflow" else sandbox.agent

    @register("writer")
    def writer(context: RunContext) -> dict[str, Any]:
        context.write_artifact("report.csv", "a,b\n")
        context.write_artifact("deep/note.txt", "hm")
        return {"total": 100}

    return str(finished(client, f"{kind}s.writer")["id"])


def change(client: httpx.Client, run_id: str, **body: Any) -> dict[str, Any]:
    answer = client.patch(f"/runs/{run_id}/feedback", json=body)
    assert answer.status_code == 200, answer.text
    detail: dict[str, Any] = answer.json()
    return detail


def blobs(sandbox: Sandbox) -> int:
    assert sandbox.data_folder is not None
    return len(list((sandbox.data_folder / "blobs").iterdir()))


def test_a_run_begins_without_feedback(client: httpx.Client, run_id: str) -> None:
    assert client.get(f"/runs/{run_id}/feedback").json() == EMPTY


def test_what_is_given_changes_null_clears_and_the_rest_stays(client: httpx.Client, run_id: str) -> None:
    change(client, run_id, body="Total is wrong", rating="fail", expected={"total": 120})
    change(client, run_id, rating="partial")
    kept = change(client, run_id, body=None)

    assert (kept["feedback"]["rating"], kept["feedback"]["body"], kept["feedback"]["status"]) == ("partial", "", "open")
    assert kept["expected"] == {"total": 120}
    assert client.get(f"/runs/{run_id}/feedback").json() == kept
    assert change(client, run_id) == kept
    assert change(client, run_id, expected=None)["expected"] is None
    assert change(client, run_id, rating=None, status=None) == EMPTY


@pytest.mark.parametrize("expected", [{"a": [1, None]}, [], 0, False, "text", {}])
def test_anything_may_be_expected(client: httpx.Client, run_id: str, expected: Any) -> None:
    detail = change(client, run_id, expected=expected)

    assert (detail["expected"], detail["feedback"]) == (expected, None)
    assert client.get(f"/runs/{run_id}/expected").json() == {"expected": expected, "files": []}


def test_the_names_of_older_clients_work_and_the_short_ones_win(client: httpx.Client, run_id: str) -> None:
    older = change(client, run_id, feedback="old", feedbackRating="pass", feedbackStatus="ignored")["feedback"]
    assert (older["body"], older["rating"], older["status"]) == ("old", "pass", "ignored")
    assert change(client, run_id, feedback="old", body="new")["feedback"]["body"] == "new"


def test_stamps_say_who_and_when() -> None:
    clock = ManualClock()
    with Sandbox(clock=clock) as sandbox, connect(sandbox) as client:
        run_id = written(sandbox, client)
        first = change(client, run_id, rating="fail")["feedback"]
        clock.advance(1)
        resolved = change(client, run_id, status="resolved")["feedback"]
        clock.advance(1)
        ignored = change(client, run_id, status="ignored")["feedback"]
        reopened = change(client, run_id, status="open")["feedback"]

    assert first["createdAt"] == first["updatedAt"] == "2026-01-01T00:00:00.000Z"
    assert first["createdBy"].startswith("user_")
    assert first["createdByEmail"] == "default@sandbox.local"
    assert (first["status"], first["resolvedAt"], first["resolvedBy"]) == ("open", None, None)
    assert (resolved["createdAt"], resolved["updatedAt"]) == (first["createdAt"], "2026-01-01T00:00:01.000Z")
    assert (resolved["resolvedAt"], resolved["resolvedByEmail"]) == (resolved["updatedAt"], "default@sandbox.local")
    assert (ignored["resolvedAt"], ignored["updatedAt"]) == (resolved["resolvedAt"], "2026-01-01T00:00:02.000Z")
    assert (reopened["resolvedAt"], reopened["resolvedBy"], reopened["resolvedByEmail"]) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rating": "good"}, "body.rating"),
        ({"feedbackRating": ""}, "body.feedbackRating"),
        ({"status": "done"}, "body.status"),
        ({"rating": 1}, "body.rating"),
        ({"body": {"a": 1}}, "body.body"),
        ({"body": "x" * 10_001}, "body.body"),
        ({"body": "\ud800"}, "body.body"),
        ([], "<root>"),
        ("text", "<root>"),
        (None, "<root>"),
    ],
)
def test_feedback_that_makes_no_sense_is_refused_and_changes_nothing(
    client: httpx.Client, run_id: str, body: Any, field: str
) -> None:
    kept = change(client, run_id, rating="fail", body="a", expected=1)
    headers = {"content-type": "application/json"}
    answer = client.patch(f"/runs/{run_id}/feedback", content=json.dumps(body), headers=headers)

    assert (answer.status_code, answer.json()["issues"][0]["field"]) == (400, field)
    assert client.get(f"/runs/{run_id}/feedback").json() == kept


def test_clearing_removes_the_feedback_the_expected_output_and_every_expected_file(
    sandbox: Sandbox, client: httpx.Client, run_id: str
) -> None:
    change(client, run_id, rating="fail", expected={"total": 1})
    client.post(f"/runs/{run_id}/expected", files={"file": ("a.txt", b"a")})
    client.post(f"/runs/{run_id}/expected", json={"outputFileName": "report.csv"})
    before = blobs(sandbox)
    answer = client.delete(f"/runs/{run_id}/feedback")

    assert (answer.status_code, answer.json()) == (200, EMPTY)
    assert client.get(f"/runs/{run_id}/feedback").json() == EMPTY
    assert client.get(f"/runs/{run_id}/expected/a.txt").status_code == 404
    assert blobs(sandbox) == before - 1  # the copy shared its bytes with the output
    assert client.get(f"/runs/{run_id}/artifacts/output/report.csv").content == b"a,b\n"


# Expected files


def test_an_output_becomes_an_expected_file(sandbox: Sandbox, client: httpx.Client, run_id: str) -> None:
    for body in (
        {"outputFileName": "report.csv"},
        {"outputFileName": "output/deep/note.txt"},
        {"outputFileName": "deep/note.txt", "expectedName": "note.txt"},
    ):
        answer = client.post(f"/runs/{run_id}/expected", json=body)
        assert answer.status_code == 201

    names = [file["name"] for file in client.get(f"/runs/{run_id}/expected").json()["files"]]
    assert names == ["report.csv", "deep/note.txt", "note.txt"]
    answer = client.get(f"/runs/{run_id}/expected/deep%2Fnote.txt")
    assert (answer.content, answer.headers["content-type"]) == (b"hm", "text/plain")
    assert client.get(f"/runs/{run_id}/artifacts/expected/report.csv").content == b"a,b\n"
    assert client.get(f"/runs/{run_id}/feedback").json()["expectedFiles"] == [{"name": name} for name in names]
    assert [file["path"] for file in client.get(f"/runs/{run_id}/artifacts").json()["artifacts"]] == [
        "output/report.csv",
        "output/deep/note.txt",
    ]


def test_an_uploaded_file_is_expected_under_its_name_or_another_and_replaces_one(
    sandbox: Sandbox, client: httpx.Client, run_id: str
) -> None:
    url = f"/runs/{run_id}/expected"
    before = blobs(sandbox)
    assert client.post(url, files={"file": ("a.pdf", b"%PDF")}).json() == {"name": "a.pdf"}
    assert client.post(url, files={"file": ("a.pdf", b"%PDF-2")}).status_code == 201
    assert client.post(url, files={"file": ("b", b"", "text/x-own")}, data={"name": "sub/c.txt"}).status_code == 201

    assert client.get(f"{url}/a.pdf").content == b"%PDF-2"
    assert client.get(f"{url}/sub%2Fc.txt").headers["content-type"] == "text/x-own"
    assert client.get(f"{url}/a.pdf", headers={"range": "bytes=1-3"}).content == b"PDF"
    assert blobs(sandbox) == before + 2


def test_an_expected_file_is_renamed_and_deleted(sandbox: Sandbox, client: httpx.Client, run_id: str) -> None:
    url = f"/runs/{run_id}/expected"
    for name in ("a.txt", "b.txt"):
        client.post(url, files={"file": (name, name.encode())})
    before = blobs(sandbox)

    assert client.patch(f"{url}/a.txt", json={"name": "c/d é.txt"}).json() == {"name": "c/d é.txt"}
    assert client.get(f"{url}/a.txt").status_code == 404
    assert client.get(f"{url}/c%2Fd%20%C3%A9.txt").content == b"a.txt"
    taken = client.patch(f"{url}/b.txt", json={"name": "c/d é.txt"})
    assert (taken.status_code, taken.json()["issues"][0]["field"]) == (400, "body.name")
    assert client.patch(f"{url}/b.txt", json={"name": "b.txt"}).status_code == 200

    gone = client.delete(f"{url}/b.txt")
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.delete(f"{url}/b.txt").status_code == 404
    assert client.patch(f"{url}/b.txt", json={"name": "e"}).status_code == 404
    assert client.get(url).json()["files"] == [{"name": "c/d é.txt"}]
    assert blobs(sandbox) == before - 1


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a//b", "a\\b", ".", "..", "a/../b", "line\nbreak", "x" * 256])
def test_names_that_lead_elsewhere_are_refused_and_keep_nothing(
    sandbox: Sandbox, client: httpx.Client, run_id: str, name: str
) -> None:
    url = f"/runs/{run_id}/expected"
    client.post(url, files={"file": ("a.txt", b"a")})
    before = blobs(sandbox)
    path = "".join(f"%{byte:02X}" for byte in name.encode())

    answers = [
        client.post(url, files={"file": ("b.txt", b"b")}, data={"name": name}),
        client.post(url, json={"outputFileName": "report.csv", "expectedName": name}),
        client.patch(f"{url}/a.txt", json={"name": name}),
    ]
    for method in ("GET", "DELETE"):
        request = client.build_request(method, f"{url}/x")
        request.url = request.url.copy_with(raw_path=f"/api/v1{url}/{path}".encode())
        answers.append(client.send(request))

    assert [answer.status_code for answer in answers] == [400] * 5
    assert client.get(url).json()["files"] == [{"name": "a.txt"}]
    assert blobs(sandbox) == before


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "body.outputFileName"),
        ({"outputFileName": " "}, 400, "body.outputFileName"),
        ({"outputFileName": 1}, 400, "body.outputFileName"),
        ({"outputFileName": "none.txt"}, 404, "body.outputFileName"),
        ({"outputFileName": "report.csv", "expectedName": 3}, 400, "body.expectedName"),
        ([], 400, "<root>"),
    ],
)
def test_a_copy_that_makes_no_sense_is_refused(
    client: httpx.Client, run_id: str, body: Any, status: int, field: str
) -> None:
    answer = client.post(f"/runs/{run_id}/expected", json=body)

    assert (answer.status_code, answer.json()["issues"][0]["field"]) == (status, field)
    assert client.get(f"/runs/{run_id}/expected").json()["files"] == []


# What a run shows of it


def test_a_workflow_run_shows_the_expected_output(client: httpx.Client, run_id: str) -> None:
    assert "expected" not in client.get(f"/runs/{run_id}?expand=execution").json()["execution"]
    change(client, run_id, expected={"total": 1})
    assert client.get(f"/runs/{run_id}?expand=execution").json()["execution"]["expected"] == {"total": 1}


def test_an_agent_run_shows_feedback_expected_output_and_files(sandbox: Sandbox, client: httpx.Client) -> None:
    run_id = written(sandbox, client, "agent")
    detail = change(client, run_id, rating="pass", expected=[1])
    client.post(f"/runs/{run_id}/expected", json={"outputFileName": "report.csv"})
    execution = client.get(f"/runs/{run_id}?expand=execution").json()["execution"]

    assert execution["feedback"] == detail["feedback"]
    assert execution["expected"] == {"output": [1], "files": [{"name": "report.csv"}]}
    assert execution["files"] == {"output": [{"name": "report.csv"}, {"name": "deep/note.txt"}]}


def test_all_of_it_stays_over_a_restart(tmp_path: Path) -> None:
    def snapshot(client: httpx.Client) -> list[Any]:
        return [
            client.get(f"/runs/{run_id}/feedback").json(),
            client.get(f"/runs/{run_id}/expected").json(),
            client.get(f"/runs/{run_id}/expected/a.txt").content,
            client.get(f"/runs/{run_id}/expected/report.csv").content,
        ]

    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        run_id = written(sandbox, client)
        change(client, run_id, rating="fail", status="resolved", body="é", expected={"total": 1})
        client.post(f"/runs/{run_id}/expected", files={"file": ("a.txt", b"a")})
        client.post(f"/runs/{run_id}/expected", json={"outputFileName": "report.csv"})
        before = snapshot(client)
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        assert snapshot(client) == before
    assert before[2:] == [b"a", b"a,b\n"]


def test_nobody_else_sees_or_changes_it(sandbox: Sandbox, client: httpx.Client, run_id: str) -> None:
    client.post(f"/runs/{run_id}/expected", files={"file": ("a.txt", b"a")})
    with connect(sandbox, sandbox.add_key("other")) as other:
        answers = [
            other.get(f"/runs/{run_id}/feedback"),
            other.patch(f"/runs/{run_id}/feedback", json={"rating": "fail"}),
            other.delete(f"/runs/{run_id}/feedback"),
            other.get(f"/runs/{run_id}/expected"),
            other.post(f"/runs/{run_id}/expected", json={"outputFileName": "report.csv"}),
            other.post(f"/runs/{run_id}/expected", files={"file": ("b.txt", b"b")}),
            other.get(f"/runs/{run_id}/expected/a.txt"),
            other.patch(f"/runs/{run_id}/expected/a.txt", json={"name": "b"}),
            other.delete(f"/runs/{run_id}/expected/a.txt"),
        ]

    assert [answer.status_code for answer in answers] == [404] * 9
    assert client.get(f"/runs/{run_id}/feedback").json() == {**EMPTY, "expectedFiles": [{"name": "a.txt"}]}
