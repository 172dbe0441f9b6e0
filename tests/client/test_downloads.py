"""Artifacts as bytes, as a stream, and as files that are there only when they are whole."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from eigenpal.client import AsyncEigenpalClient
from eigenpal.errors import (
    EigenpalConnectionError,
    EigenpalDecodeError,
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalServerError,
)
from eigenpal.sandbox import Sandbox
from tests.client.conftest import Connect, RetryTime, one_wire, when_stored
from tests.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.anyio

TYPES = {
    "report.pdf": "application/pdf",
    "all.zip": "application/zip",
    "rows.csv": "text/csv",
    "data.json": "application/json",
    "blob.bin": "application/octet-stream",
    "folder/empty.txt": "text/plain",
}
LARGE = bytes(range(256)) * 10_000  # 2.5 MB: several buffers and several writes to disk


def content_of(name: str) -> bytes:
    return b"" if "empty" in name else b"\xff\x00" + name.encode() * 100


async def finished_run(sandbox: Sandbox, client: AsyncEigenpalClient) -> str:
    @sandbox.agent("writer")
    def write(context: Any) -> dict[str, Any]:
        for name, media_type in TYPES.items():
            context.write_artifact(name, content_of(name), content_type=media_type)
        context.write_artifact("large.bin", LARGE)
        return {}

    run = await client.run("agents.writer", wait_for_completion=10)
    assert run.status == "completed", run.error
    return run.id


async def test_every_media_type_is_given_as_it_is(sandbox: Sandbox, connect: Connect, tmp_path: Path) -> None:
    async with connect(sandbox.url) as client:
        run_id = await finished_run(sandbox, client)
        listed = {artifact.path: artifact.size for artifact in await client.runs.artifacts.list(run_id)}
        for name, media_type in TYPES.items():
            content = content_of(name)
            path = f"output/{name}"
            assert listed[path] == len(content)
            assert await client.runs.artifacts.download(run_id, path) == content
            saved = await client.runs.artifacts.save(run_id, path, to=tmp_path)
            assert saved == tmp_path / name.rpartition("/")[2]
            assert saved.read_bytes() == content
            async with client.runs.artifacts.stream(run_id, path) as download:
                assert (download.content_type or "").startswith(media_type)
                assert download.size == len(content)
                assert b"".join([chunk async for chunk in download.chunks()]) == content


async def test_a_zip_has_the_files_that_were_asked_for(sandbox: Sandbox, connect: Connect, tmp_path: Path) -> None:
    async with connect(sandbox.url) as client:
        run_id = await finished_run(sandbox, client)
        some = await client.runs.artifacts.download_zip(run_id, files=["report.pdf", "rows.csv"])
        path = await client.runs.artifacts.save_zip(run_id, to=tmp_path)
    assert sorted(zipfile.ZipFile(io.BytesIO(some)).namelist()) == ["report.pdf", "rows.csv"]
    assert path == tmp_path / f"{run_id}.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.read("large.bin") == LARGE


@pytest.mark.parametrize("times", [1, 3])
async def test_a_download_into_memory_whose_body_breaks_is_asked_for_again(
    sandbox: Sandbox, connect: Connect, times: int
) -> None:
    async with connect(sandbox.url) as client:
        run_id = await finished_run(sandbox, client)
        fault = sandbox.faults.add("*/large.bin", drop="mid_response", times=times)
        assert await client.runs.artifacts.download(run_id, "output/large.bin") == LARGE
    assert fault.fired == times


async def test_a_download_into_memory_that_always_breaks_says_how_often(sandbox: Sandbox, connect: Connect) -> None:
    async with connect(sandbox.url, max_retries=2) as client:
        run_id = await finished_run(sandbox, client)
        fault = sandbox.faults.add("*/large.bin", drop="mid_response", times=None)
        with pytest.raises(EigenpalConnectionError) as caught:
            await client.runs.artifacts.download(run_id, "output/large.bin")
    assert (fault.fired, caught.value.retries_taken) == (3, 2)


async def test_a_broken_download_goes_on_where_it_stopped(
    sandbox: Sandbox, connect: Connect, tmp_path: Path, retry_time: RetryTime
) -> None:
    seen: list[tuple[int, int | None]] = []
    async with connect(sandbox.url) as client:
        run_id = await finished_run(sandbox, client)
        sandbox.faults.add("*/large.bin", drop="mid_response", times=3)
        saved = await client.runs.artifacts.save(
            run_id,
            "output/large.bin",
            to=tmp_path / "a.bin",
            on_progress=lambda done, whole: seen.append((done, whole)),
        )
    assert saved.read_bytes() == LARGE
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    asked = [request.headers for request in sandbox.requests if request.path.endswith("large.bin")]
    starts = [int(headers.get("range", "bytes=0-")[6:-1]) for headers in asked]
    assert len(starts) == 4
    assert starts == sorted(set(starts)), "each goes on after the one before"
    assert {headers.get("if-range") is not None for headers in asked[1:]} == {True}
    assert {headers["accept-encoding"] for headers in asked} == {"identity"}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (len(LARGE), len(LARGE))
    assert len(retry_time.slept) == 3


async def test_a_later_call_goes_on_with_what_an_earlier_one_left(
    sandbox: Sandbox, connect: Connect, tmp_path: Path
) -> None:
    async with connect(sandbox.url, max_retries=0) as client:
        run_id = await finished_run(sandbox, client)
        sandbox.faults.add("*/large.bin", drop="mid_response")
        with pytest.raises(EigenpalConnectionError):
            await client.runs.artifacts.save(run_id, "output/large.bin", to=tmp_path)
        assert not (tmp_path / "large.bin").exists()
    async with connect(sandbox.url) as client:
        saved = await client.runs.artifacts.save(run_id, "output/large.bin", to=tmp_path)
    assert saved.read_bytes() == LARGE
    assert "range" in sandbox.requests[-1].headers
    assert list(tmp_path.iterdir()) == [saved]


async def test_a_download_that_changed_meanwhile_begins_anew(connect: Connect, tmp_path: Path) -> None:
    stored = threading.Event()
    new = b"a new version of the file"

    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if not stored.is_set():
                peer.send(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 10\r\n\r\nold')
                stored.wait(5)
                return
            assert request.headers["if-range"] == '"1"'
            peer.answer(new, headers={"ETag": '"2"'})

    with scripted_server(script) as server:
        async with connect(server.url) as client:
            saved = await client.runs.artifacts.save(
                "exec_1", "output/a.txt", to=tmp_path, on_progress=when_stored(stored)
            )
    assert saved.read_bytes() == new


async def test_bytes_that_do_not_follow_are_not_glued_together(connect: Connect, tmp_path: Path) -> None:
    stored = threading.Event()

    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if "range" not in request.headers and not stored.is_set():
                peer.send(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 10\r\n\r\n01234')
                stored.wait(5)
                return
            if "range" in request.headers:  # the wrong part, and of something longer
                peer.answer(b"6789", status=206, headers={"ETag": '"1"', "Content-Range": "bytes 6-9/10"})
            else:
                peer.answer(b"0123456789", headers={"ETag": '"1"'})

    with scripted_server(script) as server:
        async with connect(server.url) as client:
            saved = await client.runs.artifacts.save(
                "exec_1", "output/a.txt", to=tmp_path, on_progress=when_stored(stored)
            )
        assert len(server.requests) == 3
    assert saved.read_bytes() == b"0123456789"


async def test_an_existing_file_is_kept_unless_it_may_be_replaced(
    sandbox: Sandbox, connect: Connect, tmp_path: Path
) -> None:
    target = tmp_path / "rows.csv"
    target.write_bytes(b"mine")
    async with connect(sandbox.url) as client:
        run_id = await finished_run(sandbox, client)
        sandbox.requests.clear()
        with pytest.raises(EigenpalInputError, match="overwrite=True"):
            await client.runs.artifacts.save(run_id, "output/rows.csv", to=tmp_path)
        assert target.read_bytes() == b"mine"
        assert list(sandbox.requests) == []
        await client.runs.artifacts.save(run_id, "output/rows.csv", to=tmp_path, overwrite=True)
    assert target.read_bytes() == content_of("rows.csv")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("failing", ["not found", "server error"])
async def test_a_download_that_fails_leaves_what_was_there(
    sandbox: Sandbox, connect: Connect, tmp_path: Path, failing: str
) -> None:
    target = tmp_path / "rows.csv"
    target.write_bytes(b"mine")
    async with connect(sandbox.url) as client:
        run_id = await finished_run(sandbox, client)
        if failing == "server error":
            sandbox.faults.add("*/artifacts/*", status=500, times=None)
        kind = EigenpalServerError if failing == "server error" else EigenpalNotFoundError
        with pytest.raises(kind):
            await client.runs.artifacts.save(run_id, "output/nothing.csv", to=target, overwrite=True)
    assert target.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [target]


@one_wire
@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "output/../../secret",
        "/etc/passwd",
        "output//a",
        "",
        "output/",
        "output/./a",
        "output/..",
        "%2e%2e/a",
        "a\\..\\b",
        "a\nb",
    ],
)
async def test_a_hostile_path_is_refused_before_anything_is_sent(
    sandbox: Sandbox, connect: Connect, tmp_path: Path, path: str
) -> None:
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalInputError):
            await client.runs.artifacts.download("exec_1", path)
        with pytest.raises(EigenpalInputError):
            await client.runs.artifacts.save("exec_1", path, to=tmp_path)
    assert list(sandbox.requests) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "sent", "name"),
    [
        ("output/50% off?#1.pdf", "output/50%25%20off%3F%231.pdf", "50% off_#1.pdf"),
        ("output/é ü.csv", "output/%C3%A9%20%C3%BC.csv", "é ü.csv"),
        ("output/.bashrc", "output/.bashrc", "_bashrc"),
        ("output/con.txt", "output/con.txt", "_con.txt"),
        ("output/a:b|c.txt", "output/a%3Ab%7Cc.txt", "a_b_c.txt"),
    ],
)
async def test_a_name_reaches_the_server_as_it_is_and_the_disk_made_safe(
    connect: Connect, tmp_path: Path, path: str, sent: str, name: str
) -> None:
    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(b"content")

    with scripted_server(script) as server:
        async with connect(server.url) as client:
            saved = await client.runs.artifacts.save("exec_1", path, to=tmp_path)
        assert server.requests[0].target == f"/api/v1/runs/exec_1/artifacts/{sent}"
    assert saved == tmp_path / name


async def test_a_folder_to_save_in_is_made(sandbox: Sandbox, connect: Connect, tmp_path: Path) -> None:
    async with connect(sandbox.url) as client:
        run_id = await finished_run(sandbox, client)
        one = await client.runs.artifacts.save(run_id, "output/rows.csv", to=f"{tmp_path}/new/deep/")
        two = await client.runs.artifacts.save(run_id, "output/rows.csv", to=tmp_path / "other" / "name.csv")
    assert one == tmp_path / "new" / "deep" / "rows.csv"
    assert two == tmp_path / "other" / "name.csv"
    assert one.read_bytes() == two.read_bytes() == content_of("rows.csv")


async def test_a_body_shorter_than_promised_is_never_a_file(connect: Connect, tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        if peer.read_request() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")

    with scripted_server(script) as server:
        async with connect(server.url, max_retries=1) as client:
            with pytest.raises(EigenpalConnectionError) as caught:
                await client.runs.artifacts.save("exec_1", "output/a.txt", to=tmp_path)
            with pytest.raises(EigenpalConnectionError):
                async with client.runs.artifacts.stream("exec_1", "output/a.txt") as download:
                    async for _ in download.chunks():
                        pass
        assert caught.value.retries_taken == 1
    assert list(tmp_path.iterdir()) == []


async def test_leaving_a_stream_early_gives_its_place_back(sandbox: Sandbox, connect: Connect) -> None:
    async with connect(sandbox.url, max_concurrency=1) as client:
        run_id = await finished_run(sandbox, client)
        for _ in range(3):
            async with client.runs.artifacts.stream(run_id, "output/large.bin") as download:
                async for _chunk in download.chunks():
                    break
            async with client.runs.artifacts.stream(run_id, "output/large.bin"):
                pass
        assert (await client.runs.get(run_id)).finished


async def test_what_is_no_file_is_a_typed_error(connect: Connect, tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    with scripted_server(script) as server:
        async with connect(server.url) as client:
            with pytest.raises(EigenpalDecodeError, match="204"):
                await client.runs.artifacts.save("exec_1", "output/a.txt", to=tmp_path)
    assert list(tmp_path.iterdir()) == []
