"""Downloads into files: whole or not there, where they belong, without a trace of what went wrong."""

from __future__ import annotations

import os
import stat
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from eigenpal.engine.downloads import WRITE_BYTES, read_all, save
from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalConnectionError,
    EigenpalDecodeError,
    EigenpalError,
    EigenpalInputError,
)
from tests.engine.download_server import Server, Stream
from tests.engine.loop_watch import disk_calls_of_this_thread

CONTENT = bytes(range(256)) * 4
NAME = "output/report.pdf"


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -------------------------------------------------------------------------------------------------------- where it goes


@pytest.mark.anyio
async def test_a_file_path_is_the_file_and_missing_folders_are_made(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "mine.pdf"
    assert await save(Server(CONTENT).open, target, name=NAME) == target
    assert target.read_bytes() == CONTENT
    assert listed(target.parent) == ["mine.pdf"]


@pytest.mark.anyio
@pytest.mark.parametrize("made", [True, False])
async def test_a_folder_receives_the_file_under_its_safe_name(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "out"
    if made:
        folder.mkdir()
    saved = await save(Server(CONTENT).open, folder if made else f"{folder}/", name="output/../../etc/pass:wd")
    assert saved == tmp_path / "out" / "pass_wd"
    assert listed(tmp_path) == ["out"]
    assert saved.read_bytes() == CONTENT


@pytest.mark.anyio
async def test_an_existing_file_is_left_alone_and_nothing_is_sent(tmp_path: Path) -> None:
    target = tmp_path / "report.pdf"
    target.write_bytes(b"precious")
    server = Server(CONTENT)
    for to in (target, tmp_path):
        with pytest.raises(EigenpalInputError, match=r"exists already.*overwrite=True") as raised:
            await save(server.open, to, name=NAME)
        assert isinstance(raised.value.__cause__, FileExistsError)
    assert server.requests == []
    assert (target.read_bytes(), listed(tmp_path)) == (b"precious", ["report.pdf"])


@pytest.mark.anyio
async def test_overwriting_keeps_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "report.pdf"
    target.write_bytes(b"old")
    server = Server(CONTENT, cuts=[10])
    with pytest.raises(EigenpalConnectionError):
        await save(server.open, target, name=NAME, overwrite=True, max_resumes=0)
    assert target.read_bytes() == b"old"
    await save(server.open, target, name=NAME, overwrite=True)
    assert target.read_bytes() == CONTENT
    assert listed(tmp_path) == ["report.pdf"]


@pytest.mark.anyio
async def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "report.pdf"
    server = Server(CONTENT, before=lambda _: target.write_bytes(b"someone else's"))
    with pytest.raises(EigenpalInputError, match="exists already"):
        await save(server.open, target, name=NAME)
    assert (target.read_bytes(), listed(tmp_path)) == (b"someone else's", ["report.pdf"])


@pytest.mark.anyio
async def test_a_file_that_appears_meanwhile_is_not_overwritten_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", unsupported)
    target = tmp_path / "report.pdf"
    assert await save(Server(CONTENT).open, target, name=NAME) == target
    target.unlink()
    server = Server(CONTENT, before=lambda _: target.write_bytes(b"someone else's"))
    with pytest.raises(EigenpalInputError, match="exists already"):
        await save(server.open, target, name=NAME)
    assert (target.read_bytes(), listed(tmp_path)) == (b"someone else's", ["report.pdf"])


@pytest.mark.anyio
async def test_a_path_that_is_not_there_and_has_no_ending_is_a_folder_for_a_file_with_one(tmp_path: Path) -> None:
    saved = await save(Server(CONTENT).open, Path(f"{tmp_path}/out/"), name=NAME)
    assert saved == tmp_path / "out" / "report.pdf"


@pytest.mark.anyio
async def test_a_path_without_ending_is_the_file_for_a_file_without_one(tmp_path: Path) -> None:
    saved = await save(Server(CONTENT).open, tmp_path / "notice", name="output/LICENSE")
    assert saved == tmp_path / "notice"


@pytest.mark.anyio
@pytest.mark.parametrize("overwrite", [True, False])
async def test_a_folder_in_the_place_is_refused_before_anything_is_sent(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "report.pdf").mkdir()
    server = Server(CONTENT)
    with pytest.raises(EigenpalInputError, match="is a folder"):
        await save(server.open, tmp_path, name=NAME, overwrite=overwrite)
    assert server.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize("to", ["file/report.pdf", "file/", "a\0b/report.pdf"])
async def test_a_place_that_can_not_be_written_is_refused_before_anything_is_sent(tmp_path: Path, to: str) -> None:
    (tmp_path / "file").touch()
    server = Server(CONTENT)
    with pytest.raises(EigenpalInputError, match="can't be"):
        await save(server.open, f"{tmp_path}/{to}", name=NAME)
    assert server.requests == []


@pytest.mark.anyio
async def test_the_file_has_the_mode_any_new_file_has(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        saved = await save(Server(CONTENT).open, tmp_path, name=NAME)
    finally:
        os.umask(before)
    assert stat.S_IMODE(saved.stat().st_mode) == (0o640 if os.name == "posix" else 0o666)


@pytest.mark.anyio
@pytest.mark.parametrize("length", [0, 1, 255])
async def test_names_as_long_as_a_file_system_allows_work(tmp_path: Path, length: int) -> None:
    target = tmp_path / ("x" * max(1, length))
    server = Server(CONTENT, cuts=[10])
    with pytest.raises(EigenpalConnectionError):
        await save(server.open, target, name=NAME, max_resumes=0)
    await save(server.open, target, name=NAME)
    assert server.requests[1]["Range"] == "bytes=10-"
    assert listed(tmp_path) == [target.name]


@pytest.mark.anyio
async def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    saved = await save(Server(b"").open, tmp_path, name=NAME, on_progress=lambda *step: seen.append(step))
    assert saved.read_bytes() == b""
    assert seen == [(0, 0)]


# ------------------------------------------------------------------------------------------------------------- symlinks

needs_symlinks = pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")


@needs_symlinks
@pytest.mark.anyio
async def test_a_link_in_the_place_of_the_target_is_never_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    target = tmp_path / "out.pdf"
    for pointed_at in (victim, tmp_path / "nowhere"):
        target.symlink_to(pointed_at)
        with pytest.raises(EigenpalInputError, match="exists already"):
            await save(Server(CONTENT).open, target, name=NAME)
        await save(Server(CONTENT).open, target, name=NAME, overwrite=True)
        assert not target.is_symlink()
        assert target.read_bytes() == CONTENT
        target.unlink()
    assert (victim.read_bytes(), listed(tmp_path)) == (b"precious", ["victim"])


@needs_symlinks
@pytest.mark.anyio
@pytest.mark.parametrize("planted", [".report.pdf.part", ".report.pdf.part.json"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "second name", "pipe"])
async def test_nothing_planted_in_the_place_of_the_part_file_is_written_through(
    tmp_path: Path, planted: str, kind: str
) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "out"
    victim.write_bytes(b"precious")
    folder.mkdir()
    trap = folder / planted
    match kind:
        case "link":
            trap.symlink_to(victim)
        case "dangling link":
            trap.symlink_to(tmp_path / "nowhere")
        case "second name":
            trap.hardlink_to(victim)
        case _:
            os.mkfifo(trap)
    saved = await save(Server(CONTENT).open, folder, name=NAME)
    assert saved.read_bytes() == CONTENT
    assert (listed(folder), listed(tmp_path)) == (["report.pdf"], ["out", "victim"])
    assert victim.read_bytes() == b"precious"


@needs_symlinks
@pytest.mark.anyio
async def test_a_folder_planted_in_the_place_of_the_part_file_is_worked_around(tmp_path: Path) -> None:
    (tmp_path / ".report.pdf.part").mkdir()
    saved = await save(Server(CONTENT).open, tmp_path, name=NAME)
    assert saved.read_bytes() == CONTENT
    assert listed(tmp_path) == [".report.pdf.part", "report.pdf"]


@needs_symlinks
@pytest.mark.anyio
async def test_a_part_file_of_another_user_is_not_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(CONTENT, cuts=[10])
    with pytest.raises(EigenpalConnectionError):
        await save(server.open, tmp_path, name=NAME, max_resumes=0)
    own = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: own + 1)
    await save(server.open, tmp_path, name=NAME)
    assert "Range" not in server.requests[1]


# ------------------------------------------------------------------------------------------------------------- failures


@pytest.mark.anyio
async def test_an_error_status_leaves_nothing_behind(tmp_path: Path) -> None:
    server = Server(CONTENT, answers=lambda _number, _answer: (404, {}, b""))
    with pytest.raises(EigenpalAPIError, match="404"):
        await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert (listed(tmp_path), server.slept) == ([], [])


@pytest.mark.anyio
@pytest.mark.parametrize("status", [202, 204, 206])
async def test_a_status_that_brings_no_file_is_refused(tmp_path: Path, status: int) -> None:
    server = Server(CONTENT, answers=lambda _number, answer: (status, *answer[1:]))
    with pytest.raises(EigenpalDecodeError, match=f"answered with {status}"):
        await save(server.open, tmp_path, name=NAME)
    assert listed(tmp_path) == []


@pytest.mark.anyio
async def test_a_full_disk_is_a_typed_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_write = os.write

    def full(descriptor: int, data: Any) -> int:
        if bytes(data[:4]) == CONTENT[:4]:
            raise OSError(28, "No space left on device")
        return really_write(descriptor, data)

    monkeypatch.setattr("os.write", full)
    with pytest.raises(EigenpalError, match=r"report\.pdf can't be written: No space left on device") as raised:
        await save(Server(CONTENT).open, tmp_path, name=NAME)
    assert isinstance(raised.value.__cause__, OSError)
    monkeypatch.undo()
    assert listed(tmp_path) == []


@pytest.mark.anyio
async def test_a_disk_that_takes_little_at_a_time_gets_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_write = os.write
    monkeypatch.setattr("os.write", lambda descriptor, data: really_write(descriptor, data[:100]))
    saved = await save(Server(CONTENT, chunk_bytes=999).open, tmp_path, name=NAME)
    assert saved.read_bytes() == CONTENT


@pytest.mark.anyio
async def test_an_error_of_the_progress_callback_reaches_the_caller_and_costs_nothing(tmp_path: Path) -> None:
    def on_progress(done: int, _whole: int | None) -> None:
        if done > 100:
            raise ZeroDivisionError

    server = Server(CONTENT)
    with pytest.raises(ZeroDivisionError):
        await save(server.open, tmp_path, name=NAME, on_progress=on_progress)
    assert server.opened == 0
    await save(server.open, tmp_path, name=NAME)
    assert int(server.requests[1]["Range"].removeprefix("bytes=").rstrip("-")) > 100


# ------------------------------------------------------------------------------------------------ several at one target


@pytest.mark.anyio
@pytest.mark.parametrize("overwrite", [True, False])
async def test_two_calls_for_one_target_never_mix(tmp_path: Path, overwrite: bool) -> None:
    other = bytes(reversed(CONTENT))
    results: list[str] = []

    async def load(content: bytes) -> None:
        try:
            await save(Server(content).open, tmp_path, name=NAME, overwrite=overwrite)
            results.append("saved")
        except EigenpalInputError as error:
            results.append("refused" if "exists already" in str(error) else str(error))

    async with anyio.create_task_group() as tasks:
        for content in (CONTENT, other, CONTENT, other):
            tasks.start_soon(load, content)
    assert (tmp_path / "report.pdf").read_bytes() in (CONTENT, other)
    assert listed(tmp_path) == ["report.pdf"]
    assert sorted(results) == (["saved"] * 4 if overwrite else ["refused"] * 3 + ["saved"])


@pytest.mark.anyio
async def test_a_second_call_that_fails_leaves_the_first_ones_part_file_alone(tmp_path: Path) -> None:
    first, second = Server(CONTENT, cuts=[500, None]), Server(CONTENT, cuts=[200])

    async def meanwhile(_seconds: float) -> None:
        with pytest.raises(EigenpalConnectionError):
            await save(second.open, tmp_path, name=NAME, max_resumes=0)
        assert listed(tmp_path) == [".report.pdf.part", ".report.pdf.part.json"]

    saved = await save(first.open, tmp_path, name=NAME, sleep=meanwhile)
    assert "Range" not in second.requests[0]
    assert first.requests[1]["Range"] == "bytes=500-"
    assert saved.read_bytes() == CONTENT


@needs_symlinks
@pytest.mark.anyio
async def test_a_lock_on_a_note_that_its_owner_just_removed_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    note = tmp_path / ".report.pdf.part.json"
    really_lock = fcntl.flock
    locked: list[int] = []

    def lock(descriptor: int, how: int) -> None:
        if not locked:
            note.unlink()  # another call was done, between our opening and our lock
        locked.append(descriptor)
        really_lock(descriptor, how)

    monkeypatch.setattr("fcntl.flock", lock)
    seen: list[bool] = []
    await save(Server(CONTENT).open, tmp_path, name=NAME, on_progress=lambda *_: seen.append(note.exists()))
    assert all(seen)
    assert len(locked) == 2


# -------------------------------------------------------------------------------------------------- memory and the loop


@pytest.mark.anyio
async def test_the_event_loop_never_touches_the_disk(tmp_path: Path) -> None:
    content = bytes(3 * WRITE_BYTES)
    server = Server(content, cuts=[WRITE_BYTES + 5], chunk_bytes=64 * 1024)
    await anyio.to_thread.run_sync(bool)
    with disk_calls_of_this_thread() as calls:
        await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
        with pytest.raises(EigenpalInputError):
            await save(server.open, tmp_path, name=NAME)
    assert calls == []
    assert len(server.requests) == 2


@pytest.mark.anyio
async def test_memory_stays_flat(tmp_path: Path) -> None:
    piece, pieces = bytes(64 * 1024), 1024

    class Large(Stream):
        async def chunks(self) -> AsyncIterator[bytes]:
            for _ in range(pieces):
                yield bytes(len(piece))

    class LargeServer(Server):
        pass

    server = LargeServer(b"", answers=lambda _number, _answer: (200, {"content-length": str(len(piece) * pieces)}, b""))
    opened = server.open

    def open_large(headers: Any) -> Any:
        from contextlib import asynccontextmanager

        @asynccontextmanager
        async def large() -> AsyncIterator[Stream]:
            async with opened(headers) as stream:
                yield Large(**vars(stream))

        return large()

    tracemalloc.start()
    try:
        saved = await save(open_large, tmp_path, name=NAME)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert saved.stat().st_size == len(piece) * pieces
    assert peak < 4 * WRITE_BYTES


# ---------------------------------------------------------------------------------------------------------- into memory


def stream(body: bytes, headers: dict[str, str] | None = None, cut: int | None = None) -> Stream:
    return Stream(200, headers or {}, body, cut, EigenpalConnectionError("broken"), 100)


@pytest.mark.anyio
@pytest.mark.parametrize("headers", [{}, {"content-length": "1024"}, {"content-length": "1024, 1024"}])
@pytest.mark.parametrize("limit", [None, 1024, 5000])
async def test_a_whole_body_is_read_into_memory(headers: dict[str, str], limit: int | None) -> None:
    assert await read_all(stream(CONTENT, headers), limit) == CONTENT


@pytest.mark.anyio
async def test_a_cut_body_is_a_connection_error() -> None:
    with pytest.raises(EigenpalConnectionError, match="only 1024 of 1025 bytes"):
        await read_all(stream(CONTENT, {"content-length": "1025"}))
    with pytest.raises(EigenpalConnectionError, match="broken"):
        await read_all(stream(CONTENT, cut=10))


@pytest.mark.anyio
async def test_a_body_longer_than_promised_is_not_read_to_its_end() -> None:
    with pytest.raises(EigenpalDecodeError, match="more than 1023 of 1023 bytes"):
        await read_all(stream(CONTENT, {"content-length": "1023"}))


@pytest.mark.anyio
@pytest.mark.parametrize("headers", [{}, {"content-length": "1024"}])
async def test_a_body_over_the_limit_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(EigenpalDecodeError, match="larger than the limit of 1023 bytes"):
        await read_all(stream(CONTENT, headers), 1023)


@pytest.mark.anyio
async def test_the_length_of_a_compressed_body_is_not_compared_with_what_comes_out() -> None:
    assert await read_all(stream(CONTENT, {"content-length": "10", "content-encoding": "gzip"})) == CONTENT
