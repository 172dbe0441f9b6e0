"""`save_artifacts`: the files of every run, each in a folder of its key, whole, and loaded once."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigenpal.errors import EigenpalDecodeError, EigenpalError, EigenpalInputError
from eigenpal.fanout.folders import file_path, folder_name
from eigenpal.sandbox import Sandbox
from tests.fanout.conftest import Connect

pytestmark = pytest.mark.anyio


@pytest.fixture
def writer(sandbox: Sandbox) -> Sandbox:
    """A sandbox with the workflow `write`, which makes two files."""

    @sandbox.workflow("write")
    async def write(context: Any) -> dict[str, Any]:
        context.write_artifact("a.txt", f"a of {context.input['n']}".encode())
        context.write_artifact("b.txt", b"b" * 100_000)
        return {}

    return sandbox


def downloads(sandbox: Sandbox) -> int:
    return sum("/artifacts/" in request.path for request in sandbox.requests)


async def test_files_lie_in_a_folder_for_each_key(connect: Connect, writer: Sandbox, tmp_path: Path) -> None:
    keys = ["first", "../../etc/passwd", "a/b", "a_b", "CON"]
    inputs = {key: {"n": key} for key in keys}
    async with connect() as client:
        outcomes = [
            outcome async for outcome in client.run_many("workflows.write", inputs, save_artifacts=tmp_path / "out")
        ]
    assert all(outcome.ok for outcome in outcomes)
    for outcome in outcomes:
        assert len(outcome.files) == 2
        assert all(file.is_relative_to(tmp_path / "out") and ".." not in file.parts for file in outcome.files)
        assert outcome.files[0].read_bytes() == f"a of {outcome.key}".encode()
        assert outcome.files[1].stat().st_size == 100_000
    assert len(list((tmp_path / "out").iterdir())) == len(keys)
    assert (tmp_path / "out" / "first" / "output" / "a.txt").exists()


async def test_what_is_there_already_is_not_loaded_again(connect: Connect, writer: Sandbox, tmp_path: Path) -> None:
    inputs, journal = {"k": {"n": 1}}, tmp_path / "batch.db"
    async with connect() as client:

        async def again() -> Any:
            (outcome,) = [
                it
                async for it in client.run_many(
                    "workflows.write", inputs, save_artifacts=tmp_path / "out", journal=journal
                )
            ]
            return outcome

        first = await again()
        assert downloads(writer) == 2
        second = await again()
        assert downloads(writer) == 2
        assert second.files == first.files
        second.files[1].write_bytes(b"cut")
        third = await again()
    assert downloads(writer) == 3
    assert third.restored
    assert third.files[1].stat().st_size == 100_000


async def test_a_file_of_another_size_than_promised_is_an_error_with_the_run(
    connect: Connect, writer: Sandbox, tmp_path: Path
) -> None:
    writer.faults.add("*/artifacts/output/b.txt", body=b"short", times=None)
    journal = tmp_path / "batch.db"
    async with connect() as client:
        arguments: Any = ("workflows.write", {"k": {"n": 1}})
        options: Any = {"save_artifacts": tmp_path / "out", "journal": journal}
        (outcome,) = [it async for it in client.run_many(*arguments, **options)]
        assert not outcome.ok
        assert isinstance(outcome.error, EigenpalDecodeError)
        assert outcome.run is not None
        assert not (tmp_path / "out" / "k" / "output" / "b.txt").exists()
        writer.faults.clear()
        (outcome,) = [it async for it in client.run_many(*arguments, **options)]
    assert outcome.ok
    assert len(outcome.files) == 2


async def test_a_download_that_breaks_goes_on_where_it_broke(connect: Connect, writer: Sandbox, tmp_path: Path) -> None:
    writer.faults.add("*/artifacts/output/b.txt", drop="mid_response")
    async with connect() as client:
        (outcome,) = [
            it async for it in client.run_many("workflows.write", {"k": {"n": 1}}, save_artifacts=tmp_path / "out")
        ]
    assert outcome.ok
    assert outcome.files[1].read_bytes() == b"b" * 100_000


async def test_a_place_that_can_not_be_written_is_an_error_of_each(
    connect: Connect, writer: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("a file where the folder should be", encoding="utf-8")
    async with connect() as client:
        (outcome,) = [
            it async for it in client.run_many("workflows.write", {"k": {"n": 1}}, save_artifacts=tmp_path / "out")
        ]
    assert isinstance(outcome.error, EigenpalError)
    assert outcome.run is not None


async def test_keys_that_differ_by_case_alone_would_share_a_folder(
    connect: Connect, writer: Sandbox, tmp_path: Path
) -> None:
    inputs = {"key": {"n": 1}, "KEY": {"n": 2}}
    async with connect() as client:
        first, second = [
            it async for it in client.run_many("workflows.write", inputs, ordered=True, save_artifacts=tmp_path / "out")
        ]
    assert first.ok
    assert isinstance(second.error, EigenpalInputError)
    assert second.run_id is None


KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=120) | st.text(string.ascii_letters + "./\\~ ")


@given(KEYS)
def test_any_key_makes_a_folder_name(key: str) -> None:
    name = folder_name(key)
    assert 0 < len(name.encode()) <= 255
    assert name not in {".", ".."}
    assert not set(name) & set('/\\:*?"<>|\0')
    assert name == name.strip(" .") or name.startswith("_")


@given(st.sets(KEYS, min_size=2, max_size=5))
def test_keys_that_are_not_the_same_have_folders_that_are_not(keys: set[str]) -> None:
    assert len({folder_name(key) for key in keys}) == len(keys)


def test_plain_keys_are_their_own_folders() -> None:
    for key in ["a", "INV-2026_001", "invoice.pdf", "été", "a b"]:
        assert folder_name(key) == key


def test_files_whose_names_would_meet_are_told_apart() -> None:
    taken: set[str] = set()
    paths = [file_path(path, taken) for path in ["output/a:b.txt", "output/a_b.txt", "output/A_B.TXT", "../x", "/x"]]
    assert len({str(path).casefold() for path in paths}) == 5
    assert all(not path.is_absolute() and ".." not in path.parts for path in paths)
    assert all(path.suffix.lower() == ".txt" for path in paths[:3])
