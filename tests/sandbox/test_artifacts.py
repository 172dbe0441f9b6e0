"""Files of runs: writing, listing, downloading whole and in part, as a zip."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import RunContext, Sandbox

DATA = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def run(sandbox: Sandbox, client: httpx.Client, tmp_path: Path) -> dict[str, Any]:
    """A run with files of every kind."""
    on_disk = tmp_path / "disk.bin"
    on_disk.write_bytes(DATA)

    @sandbox.workflow("write")
    def write(context: RunContext) -> dict[str, Any]:
        with context.step("export"):
            context.write_artifact("summary.csv", "a,b\n1,2\n")
            context.write_artifact("summary.csv", "a,b\n3,4\n")
        context.write_artifact("data.bin", on_disk)
        context.write_artifact("deep/er/notes é.txt", (piece for piece in (b"x", b"y")), content_type="text/x-notes")
        context.write_artifact("empty", b"", step="by hand")
        return {}

    form = {"target": "workflows.write"}
    response = client.post("/runs?wait_for_completion=10", data=form, files={"files.doc": ("in.pdf", b"%PDF-1.4")})
    finished: dict[str, Any] = response.json()
    assert finished["execution"]["status"] == "completed", finished
    return finished


def test_outputs_are_listed_with_type_size_and_step(client: httpx.Client, run: dict[str, Any]) -> None:
    expected = [
        {
            "name": "summary.csv",
            "path": "output/summary.csv",
            "stepName": "export",
            "contentType": "text/csv",
            "size": 8,
        },
        {"name": "data.bin", "path": "output/data.bin", "contentType": "application/octet-stream", "size": len(DATA)},
        {"name": "deep/er/notes é.txt", "path": "output/deep/er/notes é.txt", "contentType": "text/x-notes", "size": 2},
        {
            "name": "empty",
            "path": "output/empty",
            "stepName": "by hand",
            "contentType": "application/octet-stream",
            "size": 0,
        },
    ]

    assert client.get(f"/runs/{run['id']}/artifacts").json() == {"artifacts": expected}
    assert run["files"] == expected


@pytest.mark.parametrize(
    ("path", "content", "media_type"),
    [
        ("output/summary.csv", b"a,b\n3,4\n", "text/csv"),
        ("output/data.bin", DATA, "application/octet-stream"),
        ("output/deep/er/notes%20%C3%A9.txt", b"xy", "text/x-notes"),
        ("output/empty", b"", "application/octet-stream"),
        ("input/in.pdf", b"%PDF-1.4", "application/pdf"),
    ],
)
def test_a_download_has_true_type_length_and_tag(
    client: httpx.Client, run: dict[str, Any], path: str, content: bytes, media_type: str
) -> None:
    response = client.get(f"/runs/{run['id']}/artifacts/{path}")

    assert (response.status_code, response.content) == (200, content)
    assert response.headers["content-type"] == media_type
    assert response.headers["content-length"] == str(len(content))
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["etag"].strip('"')


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=1048570-", 1048570, 1048575),
        ("bytes=-5", 1048571, 1048575),
        ("bytes=5-99999999", 5, 1048575),
        ("bytes=-99999999", 0, 1048575),
        ("Bytes = 7 - 9", 7, 9),
    ],
)
def test_a_range_gives_a_part(client: httpx.Client, run: dict[str, Any], header: str, first: int, last: int) -> None:
    response = client.get(f"/runs/{run['id']}/artifacts/output/data.bin", headers={"range": header})

    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {first}-{last}/{len(DATA)}"
    assert response.content == DATA[first : last + 1]


@pytest.mark.parametrize("header", ["bytes=1048576-", "bytes=9999999-10000000", "bytes=-0"])
def test_a_range_behind_the_end_is_a_416(client: httpx.Client, run: dict[str, Any], header: str) -> None:
    response = client.get(f"/runs/{run['id']}/artifacts/output/data.bin", headers={"range": header})

    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize("header", ["bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b"])
def test_what_is_not_one_range_gives_the_whole_file(client: httpx.Client, run: dict[str, Any], header: str) -> None:
    response = client.get(f"/runs/{run['id']}/artifacts/output/data.bin", headers={"range": header})

    assert (response.status_code, response.content) == (200, DATA)


def test_any_range_of_an_empty_file_is_a_416(client: httpx.Client, run: dict[str, Any]) -> None:
    response = client.get(f"/runs/{run['id']}/artifacts/output/empty", headers={"range": "bytes=0-"})

    assert response.status_code == 416


def test_a_download_resumes_only_while_the_file_is_the_same(client: httpx.Client, run: dict[str, Any]) -> None:
    url = f"/runs/{run['id']}/artifacts/output/data.bin"
    first = client.get(url)

    for validator, status in (
        (first.headers["etag"], 206),
        (first.headers["last-modified"], 206),
        ('"other"', 200),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 200),
    ):
        assert client.get(url, headers={"range": "bytes=10-", "if-range": validator}).status_code == status


def test_a_known_tag_gives_304(client: httpx.Client, run: dict[str, Any]) -> None:
    url = f"/runs/{run['id']}/artifacts/output/data.bin"
    tag = client.get(url).headers["etag"]

    response = client.get(url, headers={"if-none-match": f'"other", {tag}'})

    assert (response.status_code, response.content) == (304, b"")
    assert client.get(url, headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("output/none", 404),
        ("summary.csv", 404),
        ("output", 404),
        ("output/%2e%2e/input/in.pdf", 400),
        ("%2fetc/passwd", 400),
        ("output//summary.csv", 400),
        ("output/%2e/summary.csv", 400),
        ("output/..%5csecret", 400),
        ("output/summary.csv/", 400),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(
    sandbox: Sandbox, client: httpx.Client, run: dict[str, Any], path: str, status: int
) -> None:
    request = client.build_request("GET", f"/runs/{run['id']}/artifacts/x")
    request.url = request.url.copy_with(raw_path=f"/api/v1/runs/{run['id']}/artifacts/{path}".encode())

    assert client.send(request).status_code == status


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a\\b", ".", "line\nbreak"])
def test_a_workflow_can_not_write_outside_of_its_folder(sandbox: Sandbox, client: httpx.Client, name: str) -> None:
    @sandbox.workflow("escape")
    def escape(context: RunContext) -> None:
        context.write_artifact(name, b"x")

    run = client.post("/runs?wait_for_completion=5", json={"target": "workflows.escape"}).json()

    assert run["error"].startswith("ValueError: ")
    assert "can't be the name of an artifact" in run["error"]


def test_a_replaced_file_leaves_no_bytes_behind(sandbox: Sandbox, client: httpx.Client, run: dict[str, Any]) -> None:
    folder = sandbox.data_folder
    assert folder is not None
    assert len(list((folder / "blobs").iterdir())) == len(sandbox.files(run["id"])) == 5


@pytest.fixture
def agent_run(sandbox: Sandbox, client: httpx.Client) -> dict[str, Any]:
    @sandbox.agent("writer", version="0.3.1")
    def writer(context: RunContext) -> dict[str, Any]:
        context.trace({"type": "thought", "message": "hm"})
        context.trace({"type": "answer"})
        context.write_artifact("report.md", "# Report")
        context.write_artifact("data/a.csv", "a\n")
        return {}

    finished: dict[str, Any] = client.post("/runs?wait_for_completion=5", json={"target": "agents.writer"}).json()
    return finished


def test_an_agent_run_has_root_files(client: httpx.Client, agent_run: dict[str, Any]) -> None:
    listed = client.get(f"/runs/{agent_run['id']}/artifacts").json()["artifacts"]

    paths = ["output/report.md", "output/data/a.csv", "trace.jsonl", "issues.md", "eigenpal.lock"]
    assert [artifact["path"] for artifact in listed] == paths
    trace = client.get(f"/runs/{agent_run['id']}/artifacts/trace.jsonl")
    assert trace.text == '{"type": "thought", "message": "hm"}\n{"type": "answer"}\n'
    lock = client.get(f"/runs/{agent_run['id']}/artifacts/eigenpal.lock").json()
    assert lock["root"] == {
        "packagePath": "agents/writer",
        "requestedRef": "latest",
        "resolvedRef": "0.3.1",
        "resolvedTag": "agents.writer@0.3.1",
        "commit": agent_run["source"]["git"]["commitSha"],
        "dependencies": [],
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["report.md", "data/a.csv"]),
        ("?files=report.md", ["report.md"]),
        ("?files=output/data/a.csv,report.md", ["report.md", "data/a.csv"]),
    ],
)
def test_the_zip_holds_the_outputs_that_were_asked_for(
    client: httpx.Client, agent_run: dict[str, Any], query: str, names: list[str]
) -> None:
    response = client.get(f"/runs/{agent_run['id']}/files-zip{query}")

    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-length"] == str(len(response.content))
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == names
        assert archive.read("report.md") == b"# Report"


def test_the_zip_refuses_unknown_files_and_workflow_runs(
    client: httpx.Client, agent_run: dict[str, Any], run: dict[str, Any]
) -> None:
    assert client.get(f"/runs/{agent_run['id']}/files-zip?files=none.md").status_code == 404
    assert client.get(f"/runs/{run['id']}/files-zip").status_code == 404
