"""Stored files of runs, and changing the inputs of a run that has not begun to execute."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import RunContext, Sandbox
from tests.sandbox.conftest import connect
from tests.sandbox.test_runs import ended, finished, started


class Queue:
    """A sandbox that executes one run at a time; the first holds the others until it is let go."""

    def __init__(self, sandbox: Sandbox, client: httpx.Client) -> None:
        self.sandbox, self.client = sandbox, client
        self.leave = threading.Event()
        entered = threading.Event()

        @sandbox.workflow("hold")
        def hold(context: RunContext) -> None:
            entered.set()
            assert self.leave.wait(10)

        @sandbox.workflow("read")
        def read(context: RunContext) -> dict[str, Any]:
            files = {name: file if isinstance(file, list) else [file] for name, file in context.files.items()}
            return {name: [[one.name, one.read_text()] for one in many] for name, many in files.items()}

        started(client, "workflows.hold")
        assert entered.wait(5)

    def blobs(self) -> int:
        assert self.sandbox.data_folder is not None
        return len(list((self.sandbox.data_folder / "blobs").iterdir()))


@pytest.fixture
def queue() -> Iterator[Queue]:
    with Sandbox(max_running=1) as sandbox, connect(sandbox) as client:
        made = Queue(sandbox, client)
        yield made
        made.leave.set()


def test_a_run_that_waits_its_turn_takes_more_files_and_fewer(queue: Queue) -> None:
    client = queue.client
    form = {"target": "workflows.read"}
    sent = {"files.doc": ("a.txt", b"first")}
    run_id = client.post("/runs", data=form, files=sent).json()["id"]
    before = queue.blobs()
    row = client.post(f"/runs/{run_id}/files", files={"file": ("a.txt", b"second")})
    client.post(f"/runs/{run_id}/files", files={"file": ("b.txt", b"third", "text/x-own")})
    unwanted = client.post(f"/runs/{run_id}/files", files={"file": ("c.txt", b"fourth")}).json()["id"]

    assert row.status_code == 201
    assert row.json()["id"].startswith("file_")
    assert {name: row.json()[name] for name in ("filename", "contentType", "size", "inputName")} == {
        "filename": "a.txt",
        "contentType": "text/plain",
        "size": 6,
        "inputName": "file",
    }
    gone = client.delete(f"/runs/{run_id}/files/{unwanted}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.delete(f"/runs/{run_id}/files/{unwanted}").status_code == 404
    assert queue.blobs() == before + 2
    inputs = client.get(f"/runs/{run_id}/files").json()["inputs"]
    assert [(file["filename"], file["contentType"]) for file in inputs] == [
        ("a.txt", "text/plain"),
        ("a.txt", "text/plain"),
        ("b.txt", "text/x-own"),
    ]

    queue.leave.set()
    expected = {"doc": [["a.txt", "first"]], "file": [["a.txt", "second"], ["b.txt", "third"]]}
    assert ended(client, run_id)["output"] == expected
    assert client.get(f"/runs/{run_id}/artifacts/input/a-2.txt").content == b"second"


def test_a_run_that_has_begun_keeps_its_files_as_they_are(queue: Queue) -> None:
    client = queue.client
    run_id = client.post("/runs", data={"target": "workflows.read"}, files={"files.doc": ("a", b"x")}).json()["id"]
    (file,) = client.get(f"/runs/{run_id}/files").json()["inputs"]
    queue.leave.set()
    ended(client, run_id)
    before = queue.blobs()

    upload = client.post(f"/runs/{run_id}/files", files={"file": ("b", b"y")})
    removal = client.delete(f"/runs/{run_id}/files/{file['id']}")
    assert [answer.status_code for answer in (upload, removal)] == [400, 400]
    assert "completed" in upload.json()["issues"][0]["message"]
    assert len(client.get(f"/runs/{run_id}/files").json()["inputs"]) == 1
    assert queue.blobs() == before


def test_a_run_that_begins_while_a_file_arrives_does_not_take_it(queue: Queue) -> None:
    client = queue.client
    run_id = started(client, "workflows.read")
    before = queue.blobs()

    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf'
        queue.leave.set()
        with connect(queue.sandbox) as other:
            ended(other, run_id)
        yield b" and half\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post(f"/runs/{run_id}/files", content=body(), headers=headers)

    assert answer.status_code == 400
    assert client.get(f"/runs/{run_id}/files").json()["inputs"] == []
    assert queue.blobs() == before


def test_an_uploaded_file_can_be_given_to_later_runs_by_its_id(queue: Queue) -> None:
    client = queue.client
    first = started(client, "workflows.read")
    file_id = client.post(f"/runs/{first}/files", files={"file": ("a.txt", b"shared")}).json()["id"]
    second = started(client, "workflows.read", files={"doc": {"fileId": file_id, "filename": "b.txt"}})
    shared = queue.blobs()
    assert client.delete(f"/runs/{first}/files/{file_id}").status_code == 204
    assert queue.blobs() == shared  # the other run still needs the bytes

    queue.leave.set()
    assert ended(client, second)["output"] == {"doc": [["b.txt", "shared"]]}
    refused = client.post("/runs", json={"target": "workflows.read", "files": {"doc": {"fileId": file_id}}})
    assert (refused.status_code, refused.json()["issues"][0]["code"]) == (400, "not_found")


def test_outputs_are_listed_by_the_step_that_wrote_them(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.workflow("write")
    def write(context: RunContext) -> None:
        with context.step("export"):
            context.write_artifact("a.csv", "a")
            context.write_artifact("b.csv", "b")
        context.write_artifact("c.csv", "c")

    run = finished(client, "workflows.write")
    listed = client.get(f"/runs/{run['id']}/files").json()

    names = {step: [file["filename"] for file in files] for step, files in listed["outputsByStep"].items()}
    assert names == {"export": ["a.csv", "b.csv"], "output": ["c.csv"]}
    assert listed["inputs"] == []
    file_id = listed["outputsByStep"]["export"][0]["id"]
    again = client.post("/runs", json={"target": "workflows.write", "files": {"in": {"fileId": file_id}}})
    assert again.status_code == 201


def test_an_output_can_not_be_deleted_and_agents_keep_theirs(queue: Queue) -> None:
    sandbox, client = queue.sandbox, queue.client

    @sandbox.agent("writer")
    def writer(context: RunContext) -> None:
        context.write_artifact("a.md", "a")

    run_id = client.post("/runs", data={"target": "agents.writer"}, files={"files.doc": ("in.txt", b"x")}).json()["id"]
    listed = client.get(f"/runs/{run_id}/files").json()
    assert [file["filename"] for file in listed["inputs"]] == ["in.txt"]
    assert client.post(f"/runs/{run_id}/files", files={"file": ("a", b"x")}).status_code == 400
    assert client.delete(f"/runs/{run_id}/files/{listed['inputs'][0]['id']}").status_code == 400
    queue.leave.set()
    ended(client, run_id)
    assert client.get(f"/runs/{run_id}/files").json()["outputsByStep"] == {}


def test_files_of_others_are_not_there(queue: Queue) -> None:
    run_id, other_id = started(queue.client, "workflows.read"), started(queue.client, "workflows.read")
    file_id = queue.client.post(f"/runs/{run_id}/files", files={"file": ("a", b"x")}).json()["id"]
    assert queue.client.delete(f"/runs/{other_id}/files/{file_id}").status_code == 404
    with connect(queue.sandbox, queue.sandbox.add_key("other")) as other:
        assert other.get(f"/runs/{run_id}/files").status_code == 404
        assert other.post(f"/runs/{run_id}/files", files={"file": ("a", b"x")}).status_code == 404
        assert other.delete(f"/runs/{run_id}/files/{file_id}").status_code == 404
        stolen = {"target": "workflows.read", "files": {"doc": {"fileId": file_id}}}
        assert other.post("/runs", json=stolen).status_code == 400


def test_an_upload_outlives_a_restart(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path, max_running=1) as sandbox, connect(sandbox) as client:
        queue = Queue(sandbox, client)
        run_id = started(client, "workflows.read")
        file_id = client.post(f"/runs/{run_id}/files", files={"file": ("a.txt", b"kept")}).json()["id"]
        queue.leave.set()
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        assert [file["id"] for file in client.get(f"/runs/{run_id}/files").json()["inputs"]] == [file_id]
        assert client.get(f"/runs/{run_id}/artifacts/input/a.txt").content == b"kept"
