"""Open files of users: read from where they stand, never closed, never moved for good, shared without mixing."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from eigenpal.engine.files import CHUNK_BYTES
from eigenpal.engine.uploads import FileSource, file_source
from eigenpal.errors import EigenpalInputError

CONTENT = b"0123456789" * CHUNK_BYTES
SIZE = len(CONTENT)


async def collected(source: FileSource) -> bytes:
    return b"".join([chunk async for chunk in source.chunks()])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(CONTENT)
    return path


def opened_small(tmp_path: Path) -> dict[str, Callable[[], Any]]:
    path = tmp_path / "a.txt"
    path.write_bytes(b"0123456789")
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(b"0123456789")

    def temporary() -> Any:
        file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - the test closes it
        file.write(b"0123456789")
        file.seek(0)
        return file

    return {
        "buffered": lambda: path.open("rb"),
        "raw": lambda: path.open("rb", buffering=0),
        "read-write": lambda: path.open("r+b"),
        "memory": lambda: io.BytesIO(b"0123456789"),
        "gzip": lambda: gzip.open(tmp_path / "a.gz", "rb"),
        "temporary": temporary,
    }


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["buffered", "raw", "read-write", "memory", "gzip", "temporary"])
async def test_a_handle_is_sent_from_where_it_stands_as_often_as_needed_and_left_there(
    tmp_path: Path, kind: str
) -> None:
    with opened_small(tmp_path)[kind]() as handle:
        handle.seek(3)
        source = await file_source(handle, "file")
        assert (source.length, source.replayable) == (7, True)
        assert [await collected(source), await collected(source)] == [b"3456789"] * 2
        assert not handle.closed
        assert handle.tell() == 3


@pytest.mark.anyio
async def test_a_handle_past_its_end_has_nothing_to_send() -> None:
    handle = io.BytesIO(b"ab")
    handle.seek(5)
    source = await file_source(handle, "file")
    assert (source.length, await collected(source)) == (0, b"")


@pytest.mark.anyio
async def test_one_handle_given_to_many_calls_at_once_is_whole_in_each(path: Path) -> None:
    bodies: list[bytes] = []

    async def send() -> None:
        source = await file_source(handle, "file")
        bodies.append(await collected(source))

    with path.open("rb") as handle:
        handle.seek(5)
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(send)
        assert handle.tell() == 5
    assert [body == CONTENT[5:] for body in bodies] == [True] * 4


@pytest.mark.anyio
async def test_a_call_that_comes_while_another_is_reading_starts_where_that_one_did(path: Path) -> None:
    with path.open("rb") as handle:
        handle.seek(5)
        first = await file_source(handle, "file")
        async for _ in first.chunks():
            assert handle.tell() != 5
            second = await file_source(handle, "file")
            assert second.length == first.length
        handle.seek(7)
        third = await file_source(handle, "file")
        assert first.length is not None
        assert third.length == first.length - 2


@pytest.mark.anyio
async def test_a_cancelled_pass_leaves_the_handle_where_it_was(path: Path) -> None:
    with path.open("rb") as handle:
        handle.seek(5)
        source = await file_source(handle, "file")
        with anyio.CancelScope() as scope:
            async for _ in source.chunks():
                scope.cancel()
        assert scope.cancelled_caught
        assert handle.tell() == 5
        assert len(await collected(source)) == source.length


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "expected"),
    [("/a/b/c.pdf", "c.pdf"), (b"/a/b.pdf", "b.pdf"), ("<stdin>", "file"), (7, "file"), (None, "file"), ("", "file")],
)
async def test_a_handle_is_named_after_its_file(name: object, expected: str) -> None:
    handle = io.BytesIO()
    handle.name = name
    assert (await file_source(handle, "file")).filename == expected


@pytest.mark.anyio
async def test_a_temporary_file_without_a_name_is_called_file() -> None:
    with tempfile.TemporaryFile() as handle:
        source = await file_source(handle, "file")
    assert (source.filename, source.content_type) == ("file", "application/octet-stream")


@pytest.mark.anyio
async def test_a_path_or_handle_can_be_given_another_name(path: Path) -> None:
    source = await file_source({"content": path, "filename": "scan.png"}, "file")
    assert (source.filename, source.content_type, source.length) == ("scan.png", "image/png", SIZE)
    source = await file_source({"content": io.BytesIO(b"x"), "filename": "scan.png"}, "file")
    assert (source.filename, await collected(source)) == ("scan.png", b"x")


@pytest.mark.anyio
async def test_text_files_are_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    with (
        path.open() as plain,
        codecs.open(str(path), encoding="utf-8") as old,
        tempfile.NamedTemporaryFile("w+") as temporary,
        tempfile.SpooledTemporaryFile(mode="w+") as spooled,
    ):
        for handle in (plain, io.StringIO(), old, temporary, spooled, anyio.wrap_file(plain)):
            with pytest.raises(EigenpalInputError, match='file is a file opened as text; open it with "rb"'):
                await file_source(handle, "file")  # type: ignore[arg-type]  # that is the point


class Reads:
    """The least a readable object can be."""

    def __init__(self, *answers: Any) -> None:
        self.answers = [*answers]

    def read(self, size: int, /) -> Any:
        answer = self.answers.pop(0) if self.answers else b""
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.anyio
async def test_anything_that_reads_is_streamed_once() -> None:
    source = await file_source(Reads(b"ab", bytearray(b"c"), memoryview(b"d")), "file")
    assert (source.length, source.replayable, source.filename) == (None, False, "file")
    assert await collected(source) == b"abcd"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "message"),
    [("text", 'gives text.*"rb"'), (None, "gave NoneType"), (RuntimeError("odd"), "could not be read: odd")],
    ids=str,
)
async def test_what_a_readable_object_gets_wrong_is_a_typed_error(answer: Any, message: str) -> None:
    source = await file_source(Reads(b"ab", answer), "input.a")
    with pytest.raises(EigenpalInputError, match=rf"file \(input\.a\).*{message}"):
        await collected(source)


@pytest.mark.anyio
async def test_closed_handles_are_refused_and_one_closed_later_is_a_typed_error(path: Path) -> None:
    handle = path.open("rb")
    source = await file_source(handle, "file")
    handle.close()
    with pytest.raises(EigenpalInputError, match="already closed"):
        await file_source(handle, "file")
    with pytest.raises(EigenpalInputError, match="could not be read"):
        await collected(source)


@pytest.mark.anyio
async def test_a_handle_that_only_claims_to_seek_is_streamed() -> None:
    class Claims(Reads):
        def seekable(self) -> bool:
            return True

    source = await file_source(Claims(b"ab"), "file")
    assert not source.replayable
    assert await collected(source) == b"ab"


@pytest.mark.anyio
async def test_asynchronous_files_work(path: Path) -> None:
    async with await anyio.open_file(path, "rb") as handle:
        source = await file_source(handle, "file")
        assert (source.filename, source.length) == ("report.pdf", SIZE)
        assert len(await collected(source)) == source.length


@pytest.mark.anyio
async def test_asynchronous_objects_that_hide_their_file_are_streamed_once() -> None:
    class Upload:
        filename = "upload.csv"

        def __init__(self) -> None:
            self.left = [b"a;b", b"c"]

        async def read(self, _size: int, /) -> bytes:
            await anyio.lowlevel.checkpoint()
            return self.left.pop(0) if self.left else b""

    class Deferred(Upload):
        def read(self, size: int, /) -> Any:  # a plain function that returns an awaitable
            return super().read(size)

    assert await collected(await file_source(Deferred(), "file")) == b"a;bc"
    source = await file_source(Upload(), "file")
    assert (source.filename, source.content_type, source.replayable) == ("upload.csv", "text/csv", False)
    assert await collected(source) == b"a;bc"


@pytest.mark.anyio
async def test_an_upload_of_a_web_framework_can_be_passed_on() -> None:
    datastructures = pytest.importorskip("starlette.datastructures")
    source = await file_source(datastructures.UploadFile(io.BytesIO(b"abc"), filename="in.pdf"), "file")
    assert (source.filename, source.length, source.replayable) == ("in.pdf", 3, True)
    assert await collected(source) == b"abc"


@pytest.mark.anyio
async def test_a_pipe_is_streamed_to_its_end() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb", buffering=0) as reader:
        with os.fdopen(write_end, "wb", buffering=0) as writer:
            writer.write(b"all")
        source = await file_source(reader, "file")
        assert (source.length, source.replayable, source.filename) == (None, False, "file")
        assert await collected(source) == b"all"


@pytest.mark.anyio
async def test_a_cancelled_read_that_never_ends_is_left_behind() -> None:
    reading, go_on, done = threading.Event(), threading.Event(), threading.Event()

    class Endless(Reads):
        def read(self, size: int, /) -> bytes:
            reading.set()
            go_on.wait(5)
            done.set()
            return b""

    source = await file_source(Endless(), "file")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collected, source)
        await anyio.to_thread.run_sync(reading.wait, 5)
        tasks.cancel_scope.cancel()
    assert not done.is_set()
    go_on.set()


@pytest.mark.anyio
async def test_a_read_that_ends_after_the_pass_was_given_up_closes_the_file_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What asyncio's own cancelling does: it leaves the thread behind, still reading."""
    from eigenpal.engine.filereaders import _OwnFile

    reading, go_on = threading.Event(), threading.Event()
    opened: list[Any] = []

    class Slow(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            reading.set()
            go_on.wait(5)
            return super().read(size)

    def slow_open(path: Path, *_: object, **__: object) -> Slow:
        opened.append(Slow(path))
        return opened[-1]  # type: ignore[no-any-return]  # one list for both

    monkeypatch.setattr("builtins.open", slow_open)
    file = _OwnFile(path)
    thread = threading.Thread(target=file.read, args=(4,))
    thread.start()
    reading.wait(5)
    file.close()
    assert not opened[0].closed
    go_on.set()
    thread.join(5)
    assert opened[0].closed
    assert file.read(4) == b""
