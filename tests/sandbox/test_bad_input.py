"""Requests that make no sense: the right envelope, and nothing of them is kept, in no table and in no folder."""

from __future__ import annotations

import gzip
import io
import socket
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import RunContext, Sandbox
from tests.sandbox.conftest import connect
from tests.sandbox.test_runs import ended, finished, started

BOUNDARY = "b0undary"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
LIMIT = 100_000


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(max_body_bytes=LIMIT, max_running=1) as running:

        @running.workflow("write")
        def write(context: RunContext) -> dict[str, Any]:
            context.write_artifact("a.txt", "a")
            return {}

        yield running


def kept(sandbox: Sandbox) -> tuple[dict[str, list[Any]], list[str]]:
    """Return every row of every table, and the names of all blobs."""
    assert sandbox.data_folder is not None
    with sqlite3.connect(sandbox.data_folder / "sandbox.sqlite3") as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {table: sorted(map(repr, database.execute(f"SELECT * FROM {table}"))) for table in tables}
    database.close()
    return rows, sorted(path.name for path in (sandbox.data_folder / "blobs").iterdir())


def part(name: str, content: bytes = b"x", *, filename: str | None = None, lines: str = "") -> bytes:
    disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n{lines}\r\n".encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FILE = part("file", b"content", filename="a.txt")
TARGET = part("target", b"workflows.write")
INPUT = part("files.doc", b"content", filename="a.txt")

BROKEN_FORMS: dict[str, bytes] = {
    "empty": b"",
    "no part": END,
    "cut in the head of a part": f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="fi'.encode(),
    "cut in a file": FILE[:-4],
    "without its end": TARGET + INPUT + FILE,
    "another boundary": b"--other\r\n\r\nx\r\n--other--\r\n",
    "a part without a name": f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n".encode() + INPUT + END,
    "a part without a head": f"--{BOUNDARY}\r\n\r\nx\r\n".encode() + INPUT + END,
    "too many parts": INPUT * 1001 + END,
    "junk": bytes(range(256)) * 4,
}


@pytest.fixture
def paths(client: httpx.Client) -> dict[str, str]:
    """Where forms are taken: a start, an expected file, an input file of a run that waits its turn."""
    run_id = finished(client, "workflows.write")["id"]
    return {"start": "/runs", "expected": f"/runs/{run_id}/expected", "files": f"/runs/{run_id}/files"}


@pytest.mark.parametrize("case", BROKEN_FORMS)
@pytest.mark.parametrize("place", ["start", "expected"])
def test_a_broken_form_is_refused_and_leaves_nothing(
    sandbox: Sandbox, client: httpx.Client, paths: dict[str, str], place: str, case: str
) -> None:
    before = kept(sandbox)
    answer = client.post(paths[place], content=BROKEN_FORMS[case], headers=FORM)

    assert answer.status_code == (413 if len(BROKEN_FORMS[case]) > LIMIT else 400), answer.text
    assert kept(sandbox) == before


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (part("name", b"a.txt") + END, "body.file"),
        (FILE + FILE + END, "body.file"),
        (FILE + INPUT + END, "body.file"),
        (part("other", filename="a.txt") + END, "body.file"),
        (FILE + part("name", b"../up") + END, "body.name"),
        (part("file", filename=".." + "%2f" * 100) + part("name", b"x" * 300) + END, "body.name"),
    ],
)
def test_an_upload_that_is_not_one_file_under_a_good_name_is_refused(
    sandbox: Sandbox, client: httpx.Client, paths: dict[str, str], form: bytes, field: str
) -> None:
    before = kept(sandbox)
    answer = client.post(paths["expected"], content=form, headers=FORM)

    assert (answer.status_code, answer.json()["issues"][0]["field"]) == (400, field)
    assert kept(sandbox) == before


@pytest.mark.parametrize(
    ("form", "status", "field"),
    [
        (INPUT + END, 400, "body.target"),
        (TARGET + INPUT + part("input", b"{") + END, 400, "body.input"),
        (TARGET + INPUT + part("input", b"[]") + END, 400, "body.input"),
        (TARGET + INPUT + part("metadata", b"1") + END, 400, "body.metadata"),
        (TARGET + INPUT + part("overrides", b'{"steps": {"a": 1}}') + END, 400, "body.overrides.steps.a"),
        (part("target", b"workflows.none") + INPUT + END, 404, "body.target"),
        (part("target", b"neither.nor") + INPUT + END, 400, "body.target"),
        (TARGET + part("files.", b"x", filename="a.txt") + INPUT + END, 400, "body.files."),
    ],
)
def test_a_start_with_a_good_file_and_a_bad_part_keeps_neither(
    sandbox: Sandbox, client: httpx.Client, form: bytes, status: int, field: str
) -> None:
    before = kept(sandbox)
    answer = client.post("/runs", content=form, headers=FORM)

    assert (answer.status_code, answer.json()["issues"][0]["field"]) == (status, field)
    assert kept(sandbox) == before


@pytest.mark.parametrize("query", ["?version=9.9.9", "?wait_for_completion=601", "?wait_for_completion=x"])
def test_a_start_with_a_bad_query_keeps_nothing_of_its_body(sandbox: Sandbox, client: httpx.Client, query: str) -> None:
    before = kept(sandbox)
    assert client.post(f"/runs{query}", content=TARGET + INPUT + END, headers=FORM).status_code in (400, 404)
    assert kept(sandbox) == before


def test_a_body_above_the_limit_is_refused_and_leaves_nothing(
    sandbox: Sandbox, client: httpx.Client, paths: dict[str, str]
) -> None:
    large = part("file", b"x" * LIMIT, filename="a.bin") + END
    before = kept(sandbox)

    def pieces() -> Iterator[bytes]:
        yield from (large[start : start + 8192] for start in range(0, len(large), 8192))

    for place in ("start", "expected"):
        assert client.post(paths[place], content=large, headers=FORM).status_code == 413
        assert client.post(paths[place], content=pieces(), headers=FORM).status_code == 413
    feedback = paths["expected"].replace("expected", "feedback")
    assert client.patch(feedback, json={"body": "x" * LIMIT}).status_code == 413
    assert kept(sandbox) == before


def test_an_upload_whose_client_goes_away_leaves_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    before = kept(sandbox)
    run_id = finished(client, "workflows.write")["id"]
    with_run = kept(sandbox)
    assert with_run != before
    host, _, port = sandbox.url.removeprefix("http://").partition(":")
    for path in (f"/api/v1/runs/{run_id}/expected", "/api/v1/runs"):
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {sandbox.api_key}\r\n"
        head += f"content-type: {FORM['content-type']}\r\ncontent-length: 50000\r\n\r\n"
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + TARGET + FILE[:-4] + b"x" * 1000)
            while kept(sandbox) == with_run:  # until the server has begun to write
                pass
        while kept(sandbox) != with_run:
            pass


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (gzip.compress(b'{"target": "workflows.write"}', mtime=0), {"content-encoding": "gzip"}),
        (b"\x00\xff", {}),
        (b'{"target": "workflows.write", "input": {"a": NaN}}', {}),
        (b'{"target": "workflows.write", "input": ' + b"[" * 40_000 + b"]" * 40_000 + b"}", {}),
        (b'{"target": "workflows.write", "files": {"doc": {"fileId": "\\ud800"}}}', {}),
        (b'{"target": "workflows.write", "files": {"doc": {"fileId": "file_a", "filename": "\\ud800"}}}', {}),
        (b'{"target": "workflows.write", "files": {"doc": [1]}}', {}),
    ],
)
def test_a_json_body_that_makes_no_sense_is_refused(
    sandbox: Sandbox, client: httpx.Client, body: bytes, headers: dict[str, str]
) -> None:
    before = kept(sandbox)
    answer = client.post("/runs", content=body, headers={"content-type": "application/json", **headers})

    assert answer.status_code == 400, answer.text
    assert kept(sandbox) == before


@pytest.mark.parametrize("depth", [101, 900, 30_000])
def test_an_expected_output_nested_beyond_reason_is_refused(
    sandbox: Sandbox, client: httpx.Client, depth: int, paths: dict[str, str]
) -> None:
    before = kept(sandbox)
    url = paths["expected"].replace("expected", "feedback")
    body = b'{"expected": ' + b"[" * depth + b"]" * depth + b"}"
    answer = client.patch(url, content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert kept(sandbox) == before


@pytest.mark.parametrize("cursor", ["x", "%00", "ZXZpbA", "cnVuOjE6Mg==%", "cnVuOi0xOi0x", "é", "9" * 5000])
def test_a_cursor_that_was_made_up_is_refused(shared_client: httpx.Client, cursor: str) -> None:
    answer = shared_client.get("/runs", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["issues"][0]["field"]) == (400, "query.cursor")


@pytest.mark.parametrize("name", ["from", "to", "createdAfter", "createdBefore", "completedAfter", "completedBefore"])
@pytest.mark.parametrize(
    "text", ["yesterday", "now()-", "now()-7", "now()-7y", "now()+1d", "now()-999999999w", "2026-13-01"]
)
def test_a_time_that_is_none_is_refused(shared_client: httpx.Client, name: str, text: str) -> None:
    answer = shared_client.get("/runs", params={name: text})
    assert (answer.status_code, answer.json()["issues"][0]["field"]) == (400, f"query.{name}")


def test_archives_among_inputs_are_files_like_others(sandbox: Sandbox, client: httpx.Client) -> None:
    """Nothing on the server's side unpacks: a bomb is kept as the few bytes it has, and comes back as them."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("../../etc/passwd", b"\0" * 50_000_000)
    sent = archive.getvalue()
    assert len(sent) < LIMIT
    run_id = started(client, "workflows.write")
    ended(client, run_id)
    client.post(f"/runs/{run_id}/expected", files={"file": ("bomb.zip", sent)})
    form = {"target": "workflows.write"}
    second = client.post("/runs?wait_for_completion=5", data=form, files={"files.doc": ("bomb.zip", sent)}).json()

    assert client.get(f"/runs/{run_id}/expected/bomb.zip").content == sent
    assert client.get(f"/runs/{second['id']}/artifacts/input/bomb.zip").content == sent
    assert sandbox.data_folder is not None
    stored = sum(path.stat().st_size for path in (sandbox.data_folder / "blobs").iterdir())
    assert stored < 2 * len(sent) + 10


def test_an_invoice_that_inflates_beyond_reason_fails_its_run_and_not_the_server(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    content = zlib.compress(zlib.compress(bytes(80_000_000), 1), 9)  # filters may be nested; pypdf stops at 75 MB
    filters = "[/FlateDecode /FlateDecode]"
    assert len(content) < LIMIT
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << >> >>",
        f"<< /Length {len(content)} /Filter {filters} >>\nstream\n".encode() + content + b"\nendstream",
    ]
    document, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(document))
        document += f"{number} 0 obj\n".encode() + one + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    start = len(document)
    document += f"xref\n0 5\n0000000000 65535 f \n{table}trailer << /Size 5 /Root 1 0 R >>\n".encode()
    document += f"startxref\n{start}\n%%EOF\n".encode()
    form = {"target": "workflows.extract-invoice"}
    files = {"files.invoice": ("a.pdf", document)}
    run = client.post("/runs?wait_for_completion=9", data=form, files=files).json()

    assert run["execution"]["status"] == "failed"
    assert "Limit reached while decompressing" in run["error"]
    assert client.get("/runs?limit=1").status_code == 200


def test_what_a_tenant_may_not_see_it_can_not_change_either(sandbox: Sandbox, client: httpx.Client) -> None:
    run_id = finished(client, "workflows.write")["id"]
    before = kept(sandbox)
    with connect(sandbox, sandbox.add_key("other")) as other:
        for method, path, body in (
            ("PATCH", "feedback", {"json": {"rating": "fail"}}),
            ("DELETE", "feedback", {}),
            ("POST", "expected", {"content": FILE + END, "headers": FORM}),
            ("POST", "files", {"content": FILE + END, "headers": FORM}),
        ):
            arguments: dict[str, Any] = body
            assert other.request(method, f"/runs/{run_id}/{path}", **arguments).status_code == 404
    assert kept(sandbox) == before
