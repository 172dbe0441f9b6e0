"""Finding files among input values, and the multipart body they travel in."""

from __future__ import annotations

import io
import tempfile
from collections import OrderedDict
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from python_multipart.multipart import MultipartParser, parse_options_header

from eigenpal.engine.files import CHUNK_BYTES
from eigenpal.engine.uploads import FileInput, FileSource, MultipartBody, file_source, is_file, split_files
from eigenpal.errors import EigenpalInputError
from tests.engine.loop_watch import disk_calls_of_this_thread


async def collected(source: FileSource | MultipartBody) -> bytes:
    return b"".join([chunk async for chunk in source.chunks()])


def parts_of(content_type: str, body: bytes) -> list[tuple[str, str | None, str | None, bytes]]:
    """Read a multipart body the way a server does: name, file name, media type and content of each part."""
    parts: list[tuple[str, str | None, str | None, bytes]] = []
    headers: dict[bytes, bytes] = {}
    name, value, content = bytearray(), bytearray(), bytearray()

    def header_end() -> None:
        headers[bytes(name).lower()] = bytes(value)
        name.clear()
        value.clear()

    def part_end() -> None:
        _, options = parse_options_header(headers[b"content-disposition"])
        filename, media_type = options.get(b"filename"), headers.get(b"content-type")
        parts.append(
            (
                options[b"name"].decode(),
                None if filename is None else filename.decode(),
                None if media_type is None else media_type.decode(),
                bytes(content),
            )
        )
        headers.clear()
        content.clear()

    parser = MultipartParser(
        content_type.partition("boundary=")[2],
        {
            "on_header_field": lambda data, start, end: name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: value.extend(data[start:end]),
            "on_header_end": header_end,
            "on_part_data": lambda data, start, end: content.extend(data[start:end]),
            "on_part_end": part_end,
        },
    )
    parser.write(body)
    parser.finalize()
    return parts


def test_the_watch_sees_a_file_that_is_read_here(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with disk_calls_of_this_thread() as calls:
        path.write_bytes(b"x")
        path.read_bytes()
        path.stat()
    assert {"open", "read", "stat", "write"} <= set(calls)


# ------------------------------------------------------------------------------------------------ what counts as a file


@pytest.mark.parametrize(
    "value",
    [
        Path("never-looked-at"),
        anyio.Path("never-looked-at"),
        io.BytesIO(b""),
        {"content": b"", "filename": "a"},
        {"content": bytearray(b""), "filename": "a", "mime_type": "text/plain"},
        OrderedDict(content=memoryview(b""), filename="a", mimeType="text/plain"),
        {"content": Path("a"), "filename": "renamed"},
        {"content": io.BytesIO(), "filename": "renamed"},
    ],
)
def test_paths_readable_objects_and_mappings_with_content_are_files(value: object) -> None:
    assert is_file(value)


@pytest.mark.parametrize(
    "value",
    [
        "c.pdf",
        b"bytes",
        1,
        None,
        True,
        [],
        {},
        {"content": "text", "filename": "a"},
        {"content": b"bytes"},
        {"content": b"", "filename": None},
        object(),
    ],
)
def test_other_values_are_not_files(value: object) -> None:
    assert not is_file(value)


@pytest.mark.anyio
async def test_files_and_lists_of_files_are_told_from_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "page.pdf"
    page.write_bytes(b"page")
    plain = {"language": "en", "limits": [1, 2], "empty": [], "nested": {"content": "text", "filename": "a"}}
    values, files = await split_files({"contract": page, **plain, "pages": (page, io.BytesIO(b"scan")), "last": page})
    assert values == plain
    assert [(name, source.filename) for name, source in files] == [
        ("contract", "page.pdf"),
        ("pages", "page.pdf"),
        ("pages", "file"),
        ("last", "page.pdf"),
    ]


@pytest.mark.anyio
async def test_without_files_nothing_is_handed_to_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise AssertionError("a thread was asked")

    monkeypatch.setattr("anyio.to_thread.run_sync", refused)
    assert await split_files({"a": [1, {"b": "c"}], "d": None}) == ({"a": [1, {"b": "c"}], "d": None}, [])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("input", "message"),
    [
        ({"contract": {"pages": [Path("a.pdf")]}}, r"input\.contract\.pages\[0\] is a file inside another value"),
        ({"a": [[io.BytesIO()]]}, r"input\.a\[0\]\[0\] is a file inside"),
        ({"a": [{"file": {"content": b"", "filename": "x"}}]}, r"input\.a\[0\]\.file is a file inside"),
        ({"a": [Path("a.pdf"), "text"]}, r"input\.a mixes files and other values"),
        ({"a": b"bytes"}, r'input\.a is plain bytes.*"content"'),
        ({"a": {"b": (1, bytearray())}}, r"input\.a\.b\[1\] is plain bytes"),
        ([Path("a.pdf")], r"input is list; give a mapping"),
        (Path("a.pdf"), r"input is \w*Path; give a mapping"),
    ],
)
async def test_what_can_not_be_sent_is_refused_with_its_path(input: Any, message: str) -> None:
    with pytest.raises(EigenpalInputError, match=message):
        await split_files(input)


@pytest.mark.anyio
async def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append({"again": loop})
    with pytest.raises(EigenpalInputError, match="contains itself"):
        await split_files({"a": loop})


@pytest.mark.anyio
async def test_paths_in_errors_begin_where_the_caller_says() -> None:
    with pytest.raises(EigenpalInputError, match=r"^arguments\.a is plain bytes"):
        await split_files({"a": b""}, where="arguments")


# ------------------------------------------------------------------------------------------------------------- the body


@pytest.mark.anyio
async def test_the_body_is_exactly_what_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "c.pdf"
    path.write_bytes(b"%PDF")
    body = MultipartBody(
        [("files.c", await file_source(path, "input.c")), ("input", '{"a": 1}'), ("target", "x")], boundary="B"
    )
    assert body.content_type == "multipart/form-data; boundary=B"
    expected = (
        b'--B\r\nContent-Disposition: form-data; name="input"\r\n\r\n{"a": 1}\r\n'
        b'--B\r\nContent-Disposition: form-data; name="target"\r\n\r\nx\r\n'
        b'--B\r\nContent-Disposition: form-data; name="files.c"; filename="c.pdf"\r\n'
        b"Content-Type: application/pdf\r\n\r\n%PDF\r\n"
        b"--B--\r\n"
    )
    assert await collected(body) == expected
    assert body.length == len(expected)


@pytest.mark.anyio
async def test_names_are_escaped_as_browsers_do() -> None:
    source = await file_source({"content": b"", "filename": 'r"e\r\nport é %22.txt'}, "file")
    body = await collected(MultipartBody([('na"me\n', source)], boundary="B"))
    assert 'name="na%22me%0A"; filename="r%22e%0D%0Aport é %22.txt"\r\n'.encode() in body


@pytest.mark.anyio
async def test_a_file_name_that_is_no_unicode_is_sent_as_unicode() -> None:
    source = await file_source({"content": b"", "filename": "a\udcff.txt"}, "file")
    body = await collected(MultipartBody([("file", source)], boundary="B"))
    assert "a\ufffd" in body.decode()


def test_boundaries_are_random_and_checked() -> None:
    assert MultipartBody([]).content_type != MultipartBody([]).content_type
    with pytest.raises(EigenpalInputError, match="boundary"):
        MultipartBody([], boundary="a\r\nb")


@pytest.mark.anyio
async def test_the_length_is_unknown_as_soon_as_one_file_has_none() -> None:
    known = await file_source(io.BytesIO(b"known"), "a")
    unknown = await file_source(anyio.wrap_file(Unseekable(b"unknown")), "b")
    assert MultipartBody([("a", known)]).length is not None
    body = MultipartBody([("a", known), ("b", unknown)])
    assert body.length is None
    assert not body.replayable
    assert [part[3] for part in parts_of(body.content_type, await collected(body))] == [b"known", b"unknown"]


class Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='\r\n"\0'), min_size=1, max_size=20)
fields = st.lists(
    st.one_of(
        st.tuples(names, st.text(st.characters(exclude_categories=["Cs"]))),
        st.tuples(
            names,
            st.fixed_dictionaries(
                {"content": st.one_of(st.binary(), st.just(b"\r\n--B")), "filename": names},
                optional={"mime_type": st.sampled_from(["text/plain", "text/html; charset=utf-8"])},
            ),
        ),
    ),
    max_size=6,
)


@pytest.mark.anyio
@settings(max_examples=30, deadline=None)
@given(fields=fields)
async def test_a_server_reads_what_was_given_and_the_length_is_exact(fields: list[tuple[str, Any]]) -> None:
    sources = [(name, value if isinstance(value, str) else await file_source(value, name)) for name, value in fields]
    body = MultipartBody(sources)
    sent = await collected(body)
    assert len(sent) == body.length
    assert await collected(body) == sent
    expected: list[tuple[str, str | None, str | None, bytes]] = []
    expected += [(name, None, None, value.encode()) for name, value in sources if isinstance(value, str)]
    for (name, value), (_, source) in zip(fields, sources, strict=True):
        if not isinstance(source, str):
            expected.append((name, value["filename"], source.content_type, value["content"]))
    received = parts_of(body.content_type, sent) if fields else []
    # The parser takes `\` for an escape, as old browsers meant it; current ones, and this client, do not escape it.
    assert [part[2:] for part in received] == [part[2:] for part in expected]
    if not any("\\" in text for part in expected for text in part[:2] if text):
        assert received == expected


# ---------------------------------------------------------------------------------------------------------- media types


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("filename", "media_type"),
    [
        ("a.pdf", "application/pdf"),
        ("A.PDF", "application/pdf"),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.csv", "text/csv"),
        ("a.gif", "image/gif"),
        ("a.csv.gz", "application/gzip"),
        ("a.tar.bz2", "application/x-bzip2"),
        ("data:text/html,a", "application/octet-stream"),
        ("noextension", "application/octet-stream"),
    ],
)
async def test_the_media_type_follows_from_the_name(filename: str, media_type: str) -> None:
    assert (await file_source({"content": b"", "filename": filename}, "file")).content_type == media_type


@pytest.mark.anyio
@pytest.mark.parametrize("key", ["mime_type", "mimeType"])
async def test_a_given_media_type_wins(key: str) -> None:
    value: Any = {"content": b"", "filename": "a.pdf", key: "text/csv; charset=utf-8"}
    assert (await file_source(value, "file")).content_type == "text/csv; charset=utf-8"


@pytest.mark.anyio
@pytest.mark.parametrize("mime_type", ["text/plain\r\nX-Evil: 1", "text/plain;\x00", "pdf", "text/plain; \x7f", 5])
async def test_a_media_type_that_is_none_is_refused(mime_type: Any) -> None:
    with pytest.raises(EigenpalInputError, match=r"input\.a has the mime_type"):
        await split_files({"a": {"content": b"", "filename": "a", "mime_type": mime_type}})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"content": b"", "filename": ""}, "empty filename"),
        ({"content": b"", "filename": "a", "mimetype": "text/plain"}, "unknown key 'mimetype'"),
        ("c.pdf", r"file is str, not a file: give a Path"),
        (b"bytes", "file is bytes, not a file"),
    ],
)
async def test_a_single_file_that_is_none_is_refused(value: Any, message: str) -> None:
    with pytest.raises(EigenpalInputError, match=message):
        await file_source(value, "file")


# ---------------------------------------------------------------------------------------------------------------- paths


@pytest.mark.anyio
async def test_a_missing_file_fails_before_anything_is_sent_and_names_file_and_input(tmp_path: Path) -> None:
    with pytest.raises(EigenpalInputError, match=r"gone\.pdf \(input\.pages\[1\]\) does not exist") as raised:
        await split_files({"pages": [io.BytesIO(), tmp_path / "gone.pdf"]})
    assert isinstance(raised.value.__cause__, FileNotFoundError)


@pytest.mark.anyio
async def test_a_folder_and_a_path_with_a_nul_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EigenpalInputError, match="not a regular file"):
        await file_source(tmp_path, "file")
    with pytest.raises(EigenpalInputError, match="can't be read"):
        await file_source(Path("a\0b"), "file")


@pytest.mark.anyio
async def test_a_file_that_can_not_be_opened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.pdf"
    path.touch()

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)  # the tests may run as root, who may read everything
    with pytest.raises(EigenpalInputError, match=r"secret\.pdf \(file\) can't be read: Permission denied") as raised:
        await file_source(path, "file")
    assert isinstance(raised.value.__cause__, PermissionError)


@pytest.mark.anyio
async def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os = pytest.importorskip("posix")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EigenpalInputError, match="not a regular file"):
        await file_source(tmp_path / "pipe", "file")


@pytest.mark.anyio
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
async def test_a_path_is_sent_whole_as_often_as_needed(tmp_path: Path, size: int) -> None:
    content = bytes(size)
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    source = await file_source(path, "file")
    assert (source.length, source.replayable) == (size, True)
    for _ in range(2):
        chunks = [chunk async for chunk in source.chunks()]
        assert b"".join(chunks) == content
        assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)


@pytest.mark.anyio
@pytest.mark.parametrize("size", [10, CHUNK_BYTES, 2 * CHUNK_BYTES])
@pytest.mark.parametrize(("change", "word"), [(-1, "shrank"), (1, "grew"), (CHUNK_BYTES, "grew")])
async def test_a_file_that_changed_its_size_is_never_sent_to_its_end(
    tmp_path: Path, size: int, change: int, word: str
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(size))
    body = MultipartBody([("file", await file_source(path, "input.a"))])
    path.write_bytes(bytes(size + change))
    sent = bytearray()

    async def send() -> None:
        async for chunk in body.chunks():
            sent.extend(chunk)

    with pytest.raises(EigenpalInputError, match=rf"a\.bin \(input\.a\) {word} while"):
        await send()
    assert body.length is not None
    assert len(sent) < body.length


@pytest.mark.anyio
async def test_a_file_that_grows_in_the_middle_of_being_sent_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(bytes(3 * CHUNK_BYTES))
    source = await file_source(path, "input.a")

    async def send_while_it_is_written() -> None:
        async for _ in source.chunks():
            with path.open("ab") as file:
                file.write(b"more")

    with pytest.raises(EigenpalInputError, match="grew"):
        await send_while_it_is_written()


@pytest.mark.anyio
async def test_a_file_that_vanished_is_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.touch()
    source = await file_source(path, "input.a")
    path.unlink()
    with pytest.raises(EigenpalInputError, match=r"a\.bin \(input\.a\) could not be read") as raised:
        await collected(source)
    assert isinstance(raised.value.__cause__, FileNotFoundError)


@pytest.mark.anyio
async def test_the_event_loop_never_touches_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(2 * CHUNK_BYTES))
    with path.open("rb") as handle:
        await anyio.to_thread.run_sync(bool)  # the first hop makes the thread
        with disk_calls_of_this_thread() as calls:
            _, files = await split_files({"path": path, "handle": handle, "bytes": {"content": b"", "filename": "a.x"}})
            assert len(await collected(MultipartBody(files))) > 4 * CHUNK_BYTES
    assert calls == []


@pytest.mark.anyio
async def test_memory_stays_flat(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    body = MultipartBody([("file", await file_source(path, "file"))])
    tracemalloc.start()
    try:
        async for _ in body.chunks():
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * CHUNK_BYTES


@pytest.mark.anyio
@pytest.mark.parametrize("leave", ["break", "cancel"])
async def test_a_file_of_ours_is_closed_when_a_pass_ends_early(
    tmp_path: Path, leave: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(3 * CHUNK_BYTES))
    body = MultipartBody([("file", await file_source(path, "file"))])
    opened: list[Any] = []
    really_open = open

    def recording(*arguments: Any, **options: Any) -> Any:
        opened.append(really_open(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr("builtins.open", recording)
    with anyio.CancelScope() as scope:
        async with aclosing(body.chunks()) as chunks:
            async for chunk in chunks:
                if len(chunk) == CHUNK_BYTES:
                    if leave == "break":
                        break
                    scope.cancel()
    assert [file.closed for file in opened] == [True]


def test_the_alias_is_for_annotations() -> None:
    def takes(file: FileInput) -> FileInput:
        return file

    with tempfile.TemporaryFile() as handle:
        assert all(map(is_file, [takes(Path("a")), takes(handle), takes({"content": b"", "filename": "a"})]))
