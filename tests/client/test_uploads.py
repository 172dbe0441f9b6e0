"""Files as users give them, and as the server sees them."""

from __future__ import annotations

import email
import email.policy
import io
import json
import os
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import anyio
import pytest

from eigenpal.errors import EigenpalInputError
from eigenpal.sandbox import Sandbox
from tests.client.conftest import Connect, one_wire, posts

pytestmark = pytest.mark.anyio

PDF = b"%PDF-1.7\r\n--boundary\r\n\x00\xff" * 50


def parts_of(body: bytes, content_type: str) -> list[EmailMessage]:
    """Read a multipart body with the parser of the standard library, which knows nothing of ours."""
    message = email.message_from_bytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP
    )
    return [part for part in message.iter_parts() if isinstance(part, EmailMessage)]


def summary(part: EmailMessage) -> tuple[str, str | None, str, bytes]:
    name, payload = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return str(name), part.get_filename(), part.get_content_type(), payload


async def test_every_way_to_give_a_file_arrives_as_given(sandbox: Sandbox, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "résumé of May.pdf"
    path.write_bytes(PDF)
    (tmp_path / "b.csv").write_bytes(b"a,b\n")
    seen: dict[str, Any] = {}

    @sandbox.workflow("files", steps=["extract"])
    def files(context: Any) -> dict[str, Any]:
        for name, value in context.files.items():
            several = value if isinstance(value, list) else [value]
            seen[name] = [(file.name, file.content_type, file.read_bytes()) for file in several]
        seen["input"], seen["metadata"] = dict(context.input), dict(context.metadata)
        return {}

    with (tmp_path / "b.csv").open("rb") as handle:
        async with connect(sandbox.url) as client:
            run = await client.run(
                "workflows.files",
                {
                    "path": path,
                    "handle": handle,
                    "memory": io.BytesIO(b"in memory"),
                    "content": {"content": b"<a/>", "filename": "a.xml"},
                    "typed": {"content": b"?", "filename": "x", "mime_type": "application/x-own"},
                    "renamed": {"content": path, "filename": "other.pdf"},
                    "many": [path, {"content": b"2", "filename": "two.txt"}],
                    "language": "en",
                    "nested": {"a": [1, None, "é"]},
                },
                metadata={"batch": 7},
                overrides={"steps": {"extract": {"x": 1}}},
                wait_for_completion=5,
            )
    assert run.status == "completed", run.error
    assert seen == {
        "path": [(path.name, "application/pdf", PDF)],
        "handle": [("b.csv", "text/csv", b"a,b\n")],
        "memory": [("file", "application/octet-stream", b"in memory")],
        "content": [("a.xml", "application/xml", b"<a/>")],
        "typed": [("x", "application/x-own", b"?")],
        "renamed": [("other.pdf", "application/pdf", PDF)],
        "many": [(path.name, "application/pdf", PDF), ("two.txt", "text/plain", b"2")],
        "input": {"language": "en", "nested": {"a": [1, None, "é"]}},
        "metadata": {"batch": 7},
    }
    [request] = posts(sandbox)
    parts = [summary(part) for part in parts_of(request.body, request.headers["content-type"])]
    texts = {name: payload for name, filename, _, payload in parts if filename is None}
    assert texts.pop("target") == b"workflows.files"
    assert {name: json.loads(text) for name, text in texts.items()} == {
        "input": {"language": "en", "nested": {"a": [1, None, "é"]}},
        "metadata": {"batch": 7},
        "overrides": {"steps": {"extract": {"x": 1}}},
    }
    assert [name for name, filename, _, _ in parts if filename is not None] == [
        f"files.{name}" for name in ("path", "handle", "memory", "content", "typed", "renamed", "many", "many")
    ]
    assert request.query == {"wait_for_completion": "5"}
    assert int(request.headers["content-length"]) == request.body_size


async def test_a_file_name_can_not_break_out_of_its_part(sandbox: Sandbox, connect: Connect) -> None:
    name = 'a"; name="target"\r\nX-Evil: 1\r\n\r\n.pdf'
    async with connect(sandbox.url) as client:
        await client.run("workflows.echo", {'in"put\r\n': {"content": PDF, "filename": name}, "b": 1})
    [request] = posts(sandbox)
    parts = parts_of(request.body, request.headers["content-type"])
    assert [len(part.items()) for part in parts] == [1, 1, 2]
    assert parts[-1].get_payload(decode=True) == PDF
    assert "\r" not in str(parts[-1]["content-disposition"])


@one_wire
@pytest.mark.skipif(os.name == "nt", reason="permissions and pipes as POSIX has them")
@pytest.mark.parametrize("kind", ["missing", "folder", "unreadable", "pipe", "closed", "text", "dangling link"])
async def test_a_file_that_can_not_be_read_fails_before_anything_is_sent(
    sandbox: Sandbox, connect: Connect, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "x.pdf"
    given: Any = place
    if kind == "folder":
        place.mkdir()
    elif kind == "unreadable":
        place.write_bytes(PDF)
        place.chmod(0)
        if os.access(place, os.R_OK):
            place.unlink()  # root may read it all the same; a folder on the way that is a file stops root as well
            (tmp_path / "file").write_bytes(b"")
            given = tmp_path / "file" / "x.pdf"
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "dangling link":
        place.symlink_to(tmp_path / "nothing")
    elif kind == "closed":
        given = io.BytesIO(b"")
        given.close()
    elif kind == "text":
        given = io.StringIO("text")
    async with connect(sandbox.url) as client:
        for value in (given, [{"content": b"", "filename": "a"}, given], {"content": given, "filename": "b.pdf"}):
            with pytest.raises(EigenpalInputError, match="input.document"):
                await client.run_and_wait("workflows.echo", {"document": value})
    assert list(sandbox.requests) == []


@one_wire
@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"bytes", "plain bytes"),
        ({"deep": {"er": io.BytesIO(b"")}}, "input.x.deep.er is a file inside another value"),
        ([io.BytesIO(b""), "text"], "mixes files and other values"),
        ({1, 2, object()}, "JSON"),
        (float("nan"), "JSON"),
    ],
)
async def test_a_value_that_can_not_be_sent_is_refused_before_anything_is_sent(
    sandbox: Sandbox, connect: Connect, value: Any, says: str
) -> None:
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalInputError, match=says):
            await client.run("workflows.echo", {"x": value})
    assert list(sandbox.requests) == []


@pytest.mark.parametrize("change", ["shrinks", "grows", "goes away"])
async def test_a_file_that_changes_while_it_is_sent_is_no_start(
    sandbox: Sandbox, connect: Connect, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * 2_000_000)

    class Meddler(io.BytesIO):
        """The first file of the two; when it is read, the second one changes."""

        def read(self, size: int | None = -1, /) -> bytes:
            if change == "goes away":
                path.unlink(missing_ok=True)
            else:
                os.truncate(path, 1_000_000 if change == "shrinks" else 3_000_000)
            return super().read(size)

    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalInputError, match=r"log\.txt") as caught:
            await client.run("workflows.echo", {"first": Meddler(b"first"), "second": path})
        assert (caught.value.retries_taken, caught.value.maybe_started) == (0, False)
        # The connection that was cut in the middle of a body is not used again.
        assert (await client.runs.list()).runs == []


async def test_a_stream_of_unknown_length_is_sent_in_chunks(sandbox: Sandbox, connect: Connect, tmp_path: Path) -> None:
    received: list[bytes] = []

    @sandbox.workflow("read")
    def read(context: Any) -> dict[str, Any]:
        received.append(context.files["document"].read_bytes())
        return {}

    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
        sink.write(b"from a pipe " * 1000)
        sink.close()
        async with connect(sandbox.url) as client:
            await client.run("workflows.read", {"document": source}, wait_for_completion=5)
    assert received == [b"from a pipe " * 1000]
    assert posts(sandbox)[0].headers["transfer-encoding"] == "chunked"


async def test_one_open_file_may_be_sent_by_many_calls_at_once(sandbox: Sandbox, connect: Connect) -> None:
    received: list[bytes] = []

    @sandbox.workflow("read")
    def read(context: Any) -> dict[str, Any]:
        received.append(context.files["document"].read_bytes())
        return {}

    content = bytes(range(256)) * 8000
    file = io.BytesIO(content)
    async with connect(sandbox.url) as client, anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(lambda: client.run("workflows.read", {"document": file}, wait_for_completion=5))
    assert received == [content] * 8
    assert not file.closed
    assert file.tell() == 0


async def test_an_upload_that_the_server_was_asked_to_hold_may_take_as_long(sandbox: Sandbox, connect: Connect) -> None:
    sandbox.run_latency = 0.4
    async with connect(sandbox.url, timeout_seconds=0.2) as client:
        for value in (io.BytesIO(b"1"), "en"):
            run = await client.run("workflows.echo", {"value": value}, wait_for_completion=5)
            assert run.finished
