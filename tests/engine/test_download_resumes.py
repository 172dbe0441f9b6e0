"""Broken downloads: continued where that is safe, begun anew where it is not, and never a file that is a mix."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from eigenpal.engine.downloads import save
from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalConnectionError,
    EigenpalDecodeError,
    EigenpalError,
    EigenpalTimeoutError,
)
from tests.engine.download_server import Answer, Server

CONTENT = bytes(range(256)) * 4
OTHER = bytes(reversed(CONTENT))
NAME = "output/report.pdf"
PART = [".report.pdf.part", ".report.pdf.part.json"]


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.anyio
async def test_a_broken_body_is_continued_where_it_broke(tmp_path: Path) -> None:
    server = Server(CONTENT, cuts=[100, 200, 0])
    seen: list[tuple[int, int | None]] = []
    saved = await save(
        server.open, tmp_path, name=NAME, sleep=server.sleep, on_progress=lambda *step: seen.append(step)
    )
    assert saved.read_bytes() == CONTENT
    assert server.requests == [
        {},
        {"Range": "bytes=100-", "If-Range": '"v1"'},
        {"Range": "bytes=300-", "If-Range": '"v1"'},
        {"Range": "bytes=300-", "If-Range": '"v1"'},
    ]
    assert len(server.slept) == 3
    assert all(0 <= seconds <= 0.5 * 2**number for number, seconds in enumerate(server.slept))
    assert (seen[0], seen[-1]) == ((0, 1024), (1024, 1024))
    assert seen == sorted(seen)
    assert listed(tmp_path) == ["report.pdf"]


@pytest.mark.anyio
async def test_a_stalled_body_is_continued_too(tmp_path: Path) -> None:
    server = Server(CONTENT, cuts=[100], error=lambda: EigenpalTimeoutError("stalled"))
    await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert server.requests[1]["Range"] == "bytes=100-"


@pytest.mark.anyio
async def test_after_the_last_resume_the_error_is_raised_and_the_next_call_goes_on(tmp_path: Path) -> None:
    server = Server(CONTENT, cuts=[100, 100, 100, None])
    with pytest.raises(EigenpalConnectionError) as raised:
        await save(server.open, tmp_path, name=NAME, sleep=server.sleep, max_resumes=2)
    assert raised.value.retries_taken == 2
    assert listed(tmp_path) == PART
    await save(server.open, tmp_path, name=NAME)
    assert server.requests[3] == {"Range": "bytes=300-", "If-Range": '"v1"'}
    assert (tmp_path / "report.pdf").read_bytes() == CONTENT
    assert listed(tmp_path) == ["report.pdf"]


@pytest.mark.anyio
@settings(max_examples=20, deadline=None)
@given(
    size=st.integers(0, 300),
    cuts=st.lists(st.integers(0, 310), max_size=5),
    changes=st.sets(st.integers(1, 6)),
    chunk_bytes=st.integers(1, 400),
    headers=st.sampled_from([{"etag": '"v"'}, {"etag": 'W/"v"'}, {}, {"last-modified": "x"}]),
    max_resumes=st.integers(0, 3),
)
async def test_wherever_it_breaks_and_whenever_it_changes_a_file_is_one_whole_version(
    size: int, cuts: list[int], changes: set[int], chunk_bytes: int, headers: dict[str, str], max_resumes: int
) -> None:
    """Calls until one succeeds, as a user would; the content changes, to one as long, before some of the requests."""
    versions = [bytes((number + offset) % 251 for offset in range(size)) for number in range(9)]
    server = Server(versions[0], cuts=[*cuts], chunk_bytes=chunk_bytes)

    def publish(version: int) -> None:
        server.content = versions[version]
        server.headers = {
            "date": "Wed, 01 Jul 2026 10:00:00 GMT",
            **{name: f"Wed, 01 Jul 2026 09:00:0{version} GMT" for name in headers if name == "last-modified"},
            **{name: value.replace("v", f"v{version}") for name, value in headers.items() if name == "etag"},
        }

    def before(number: int) -> None:
        if number in changes:
            publish(number)

    publish(0)
    server.before = before
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(20):
            try:
                saved = await save(server.open, folder + "/", name=NAME, sleep=server.sleep, max_resumes=max_resumes)
            except EigenpalConnectionError:
                assert "report.pdf" not in listed(Path(folder))
            else:
                break
        else:
            pytest.fail("never done")
        assert saved.read_bytes() == server.content
        assert listed(Path(folder)) == ["report.pdf"]


@pytest.mark.anyio
async def test_a_cancelled_download_is_continued_by_the_next_call(tmp_path: Path) -> None:
    server = Server(CONTENT)
    with anyio.CancelScope() as scope:
        await save(server.open, tmp_path, name=NAME, on_progress=lambda done, _: scope.cancel() if done >= 70 else None)
    assert scope.cancelled_caught
    assert (listed(tmp_path), server.opened) == (PART, 0)
    await save(server.open, tmp_path, name=NAME)
    assert server.requests[1]["Range"] == "bytes=70-"
    assert listed(tmp_path) == ["report.pdf"]


# --------------------------------------------------------------------------------------------- when it is not continued


@pytest.mark.anyio
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"etag": 'W/"weak"'},
        {"etag": "unquoted"},
        {"etag": '"é"'},
        {"etag": 'W/"weak"', "last-modified": "Wed, 01 Jul 2026 09:00:00 GMT", "date": "Wed, 01 Jul 2026 10:00:00 GMT"},
        {"last-modified": "Wed, 01 Jul 2026 09:00:00 GMT"},
        {"last-modified": "Wed, 01 Jul 2026 09:00:00 GMT", "date": "Wed, 01 Jul 2026 09:00:00 GMT"},
        {"last-modified": "yesterday", "date": "Wed, 01 Jul 2026 09:00:00 GMT"},
        {"etag": '"v1"', "content-encoding": "gzip"},
    ],
    ids=str,
)
async def test_without_a_strong_validator_a_broken_body_is_loaded_anew(tmp_path: Path, headers: dict[str, str]) -> None:
    server = Server(CONTENT, headers=headers, cuts=[100, 100])
    saved = await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert saved.read_bytes() == CONTENT
    assert server.requests == [{}, {}, {}]


@pytest.mark.anyio
async def test_without_a_strong_validator_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(EigenpalConnectionError):
        await save(Server(CONTENT, headers={}, cuts=[100]).open, tmp_path, name=NAME, max_resumes=0)
    assert listed(tmp_path) == []


@pytest.mark.anyio
async def test_a_date_that_is_surely_older_serves_where_there_is_no_etag(tmp_path: Path) -> None:
    modified = "Wed, 01 Jul 2026 09:00:00 GMT"
    server = Server(CONTENT, {"last-modified": modified, "date": "Wed, 01 Jul 2026 09:00:01 GMT"}, cuts=[100])
    await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert server.requests[1] == {"Range": "bytes=100-", "If-Range": modified}


def altered(number: int, **headers: str | None) -> Callable[[int, Answer], Answer]:
    def answers(at: int, answer: Answer) -> Answer:
        status, head, body = answer
        if at != number:
            return answer
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return status, {name: value for name, value in (head | changed).items() if value is not None}, body

    return answers


@pytest.mark.anyio
@pytest.mark.parametrize(
    "headers",
    [
        {"content_range": "bytes 99-1023/1024", "content_length": None},
        {"content_range": "bytes 100-1023/1024", "content_length": "923"},
        {"content_range": "bytes 100-1023/1025"},
        {"content_range": "bytes 100-1022/1024", "content_length": "924"},
        {"content_range": "bytes 100-99/1024", "content_length": None},
        {"content_range": "bytes 100-1024/1024", "content_length": None},
        {"content_range": "items 100-1023/1024"},
        {"content_range": None},
        {"etag": '"v2"'},
        {"content_encoding": "gzip"},
    ],
    ids=str,
)
async def test_a_range_that_does_not_follow_on_what_is_there_is_not_used(
    tmp_path: Path, headers: dict[str, str | None]
) -> None:
    server = Server(CONTENT, cuts=[100], answers=altered(1, **headers))
    saved = await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert saved.read_bytes() == CONTENT
    assert server.requests[2:] == [{}]


@pytest.mark.anyio
async def test_a_server_that_fumbles_ranges_is_not_asked_for_one_twice(tmp_path: Path) -> None:
    def fumble(_number: int, answer: Answer) -> Answer:
        return (206, {}, answer[2]) if answer[0] == 206 else answer

    server = Server(CONTENT, cuts=[100, None, 100, 100], answers=fumble)
    saved = await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert saved.read_bytes() == CONTENT
    assert ["Range" in request for request in server.requests] == [False, True, False, False, False]


@pytest.mark.anyio
async def test_a_range_that_lies_about_its_end_is_refused(tmp_path: Path) -> None:
    lie = altered(1, content_range="bytes 100-1022/1024", content_length=None)
    server = Server(CONTENT, cuts=[100], answers=lie)
    with pytest.raises(EigenpalDecodeError, match="longer than the 1023 bytes"):
        await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert listed(tmp_path) == []


@pytest.mark.anyio
async def test_a_range_shorter_than_asked_for_is_used_and_the_rest_asked_for(tmp_path: Path) -> None:
    def answers(number: int, answer: Answer) -> Answer:
        if number != 1:
            return answer
        head = {"content-range": "bytes 100-299/1024", "content-length": "200", "etag": '"v1"'}
        return 206, head, CONTENT[100:300]

    server = Server(CONTENT, cuts=[100], answers=answers)
    saved = await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert saved.read_bytes() == CONTENT
    assert server.requests[2]["Range"] == "bytes=300-"


@pytest.mark.anyio
async def test_a_server_that_ignores_ranges_is_taken_from_the_start(tmp_path: Path) -> None:
    def ignore(_number: int, answer: Answer) -> Answer:
        return (200, {"content-length": "1024", "etag": '"v1"'}, CONTENT) if answer[0] == 206 else answer

    server = Server(CONTENT, cuts=[100, 50], answers=ignore)
    saved = await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert saved.read_bytes() == CONTENT
    assert len(server.requests) == 3


@pytest.mark.anyio
async def test_a_range_that_can_not_be_satisfied_is_answered_by_one_new_start(tmp_path: Path) -> None:
    server = Server(CONTENT, cuts=[100], answers=lambda number, answer: (416, {}, b"") if number == 1 else answer)
    saved = await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert saved.read_bytes() == CONTENT
    assert [set(request) for request in server.requests] == [set(), {"Range", "If-Range"}, set()]


@pytest.mark.anyio
async def test_416_without_a_range_asked_for_is_the_callers(tmp_path: Path) -> None:
    server = Server(CONTENT, cuts=[100], answers=lambda number, answer: (416, {}, b"") if number else answer)
    with pytest.raises(EigenpalAPIError) as raised:
        await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert raised.value.status == 416
    assert len(server.requests) == 3
    assert listed(tmp_path) == []


@pytest.mark.anyio
async def test_an_error_status_while_resuming_is_raised_and_what_came_is_kept(tmp_path: Path) -> None:
    server = Server(CONTENT, cuts=[100], answers=lambda number, answer: (500, {}, b"") if number == 1 else answer)
    with pytest.raises(EigenpalAPIError):
        await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert listed(tmp_path) == PART
    await save(server.open, tmp_path, name=NAME)
    assert server.requests[2]["Range"] == "bytes=100-"


# ------------------------------------------------------------------------------------------------------ failing to open


def fails_to_open(*numbers: int, error: Callable[[], EigenpalError]) -> Callable[[int], None]:
    def before(number: int) -> None:
        if number in numbers:
            raise error()

    return before


@pytest.mark.anyio
async def test_a_download_that_can_not_begin_is_not_repeated_here(tmp_path: Path) -> None:
    server = Server(CONTENT, before=fails_to_open(0, error=lambda: EigenpalConnectionError("refused")))
    with pytest.raises(EigenpalConnectionError, match="refused"):
        await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert (server.slept, listed(tmp_path)) == ([], [])


@pytest.mark.anyio
async def test_a_resume_that_can_not_connect_counts_as_one(tmp_path: Path) -> None:
    server = Server(CONTENT, cuts=[100], before=fails_to_open(1, 2, error=lambda: EigenpalConnectionError("refused")))
    saved = await save(server.open, tmp_path, name=NAME, sleep=server.sleep, max_resumes=3)
    assert saved.read_bytes() == CONTENT
    assert len(server.slept) == 3


# ---------------------------------------------------------------------------------------------------- what lies on disk


async def left_behind(folder: Path, *, source: str | None = None, **server: object) -> Server:
    broken = Server(CONTENT, cuts=[100], **server)  # type: ignore[arg-type]  # passed on as given
    with pytest.raises(EigenpalConnectionError):
        await save(broken.open, folder, name=NAME, source=source, max_resumes=0)
    assert listed(folder) == PART
    return broken


@pytest.mark.anyio
async def test_bytes_of_another_source_are_not_continued(tmp_path: Path) -> None:
    await left_behind(tmp_path, source="GET /runs/1/artifacts/output/report.pdf")
    server = Server(OTHER)  # the same ETag: it is unique only within one address
    saved = await save(server.open, tmp_path, name=NAME, source="GET /runs/2/artifacts/output/report.pdf")
    assert server.requests == [{}]
    assert saved.read_bytes() == OTHER


@pytest.mark.anyio
async def test_the_note_beside_the_bytes_tells_nothing_of_the_source(tmp_path: Path) -> None:
    await left_behind(tmp_path, source="GET https://example.com/secret-token")
    assert "secret" not in (tmp_path / PART[1]).read_text()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 8000,
        b'{"source": "x", "validator": "\\"v1\\"", "total": 1024}',
        *(json.dumps({"source": None, "validator": bad, "total": None}).encode() for bad in ("a\r\nX: 1", "", 5, None)),
        *(json.dumps({"source": None, "validator": '"v1"', "total": bad}).encode() for bad in (100, 5, "1024", 1.5)),
    ],
    ids=lambda note: note[:60].decode("latin-1"),
)
async def test_a_note_that_does_not_vouch_for_the_bytes_means_a_new_start(tmp_path: Path, note: bytes) -> None:
    await left_behind(tmp_path)
    honest = json.loads((tmp_path / PART[1]).read_bytes())
    (tmp_path / PART[1]).write_bytes(note.replace(b'"source": null', b'"source": "%s"' % honest["source"].encode()))
    server = Server(CONTENT)
    saved = await save(server.open, tmp_path, name=NAME)
    assert server.requests == [{}]
    assert saved.read_bytes() == CONTENT
    assert listed(tmp_path) == ["report.pdf"]


@pytest.mark.anyio
@pytest.mark.parametrize("missing", PART)
async def test_half_of_what_was_left_behind_means_a_new_start(tmp_path: Path, missing: str) -> None:
    await left_behind(tmp_path)
    (tmp_path / missing).unlink()
    server = Server(CONTENT)
    await save(server.open, tmp_path, name=NAME)
    assert server.requests == [{}]
    assert listed(tmp_path) == ["report.pdf"]


@pytest.mark.anyio
async def test_a_new_version_is_not_mixed_with_what_was_left_behind(tmp_path: Path) -> None:
    await left_behind(tmp_path)
    server = Server(OTHER, headers={"etag": '"v2"'}, cuts=[300])
    saved = await save(server.open, tmp_path, name=NAME, sleep=server.sleep)
    assert saved.read_bytes() == OTHER
    assert server.requests == [
        {"Range": "bytes=100-", "If-Range": '"v1"'},
        {"Range": "bytes=300-", "If-Range": '"v2"'},
    ]


def test_a_killed_process_leaves_what_the_next_one_goes_on_with(tmp_path: Path) -> None:
    program = """
import os, sys, anyio
from tests.engine.download_server import Server
from eigenpal.engine import downloads
downloads.WRITE_BYTES = 100
kill = lambda done, whole: os._exit(9) if done >= 500 else None
server = Server(bytes(range(256)) * 4, chunk_bytes=50)
anyio.run(lambda: downloads.save(server.open, sys.argv[1], name="output/report.pdf", on_progress=kill))
"""
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=root, timeout=30, check=False)
    assert ended.returncode == 9
    assert listed(tmp_path) == PART
    server = Server(CONTENT)
    anyio.run(lambda: save(server.open, tmp_path, name=NAME))
    assert server.requests[0]["Range"] in {"bytes=400-", "bytes=500-"}
    assert (tmp_path / "report.pdf").read_bytes() == CONTENT
    assert listed(tmp_path) == ["report.pdf"]


# ---------------------------------------------------------------------------------------------------------------- sizes


@pytest.mark.anyio
@pytest.mark.parametrize("expected", [1023, 1025])
async def test_a_promised_size_other_than_expected_is_refused_at_once(tmp_path: Path, expected: int) -> None:
    server = Server(CONTENT)
    with pytest.raises(EigenpalDecodeError, match=f"is 1024 bytes long, but should be {expected}"):
        await save(server.open, tmp_path, name=NAME, expected_size=expected)
    assert (len(server.requests), listed(tmp_path)) == (1, [])


@pytest.mark.anyio
async def test_a_body_shorter_than_promised_is_a_broken_one(tmp_path: Path) -> None:
    server = Server(CONTENT, answers=altered(0, content_length="2000"))
    with pytest.raises(EigenpalConnectionError, match="ended after 1024 of 2000 bytes"):
        await save(server.open, tmp_path, name=NAME, max_resumes=0)
    assert "report.pdf" not in listed(tmp_path)


@pytest.mark.anyio
async def test_a_body_longer_than_promised_is_refused_and_dropped(tmp_path: Path) -> None:
    server = Server(CONTENT, answers=altered(0, content_length="1000"))
    with pytest.raises(EigenpalDecodeError, match="longer than the 1000 bytes"):
        await save(server.open, tmp_path, name=NAME)
    assert (listed(tmp_path), server.opened) == ([], 0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("expected", "error"), [(None, None), (1024, None), (1025, EigenpalConnectionError), (1023, EigenpalDecodeError)]
)
async def test_without_a_promised_size_the_expected_one_decides(
    tmp_path: Path, expected: int | None, error: type[EigenpalError] | None
) -> None:
    server = Server(CONTENT, answers=lambda _number, answer: (answer[0], {}, answer[2]))
    if error is None:
        assert (await save(server.open, tmp_path, name=NAME, expected_size=expected)).read_bytes() == CONTENT
    else:
        with pytest.raises(error):
            await save(server.open, tmp_path, name=NAME, expected_size=expected, sleep=server.sleep)
        assert listed(tmp_path) == []


@pytest.mark.anyio
async def test_the_size_of_a_compressed_body_is_not_compared_with_what_comes_out(tmp_path: Path) -> None:
    server = Server(CONTENT, headers={"content-length": "10", "content-encoding": "gzip"})
    saved = await save(server.open, tmp_path, name=NAME, expected_size=1024)
    assert saved.read_bytes() == CONTENT
