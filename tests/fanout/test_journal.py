"""The journal: what is kept, what is refused, and that a batch goes on where it was."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from eigenpal.errors import (
    EigenpalAuthError,
    EigenpalConnectionError,
    EigenpalError,
    EigenpalInputError,
    EigenpalTimeoutError,
    EigenpalValidationError,
)
from eigenpal.fanout.journal import MOST_BOUND, Journal, JournalError, State
from tests.fanout.fake_service import FakeService, all_of, batch

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "batch.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path, "a test")
    yield opened
    opened.close()


def plan(journal: Journal, key: str, fingerprint: str = "f", service: str = "fake") -> Any:
    (row,) = journal.apply([lambda: journal.plan(key, 0, service, fingerprint, f"token of {key}")])
    return row


def reopened(journal: Journal) -> Journal:
    journal.close()
    return Journal(journal.path, "a test")


def test_a_row_goes_from_state_to_state_and_is_there_again(journal: Journal) -> None:
    assert plan(journal, "a").state is State.PLANNED
    journal.apply([lambda: journal.starting("a", 100.0, 1)])
    journal.apply([lambda: journal.starting("a", 200.0, 2)])
    journal = reopened(journal)
    row = plan(journal, "a")
    assert (row.state, row.began, row.sent, row.attempts, row.token) == (State.STARTING, 100.0, 200.0, 2, "token of a")
    journal.apply([lambda: journal.started("a", "id-1")])
    journal = reopened(journal)
    row = plan(journal, "a")
    assert (row.state, row.id) == (State.STARTED, "id-1")
    journal.apply([lambda: journal.finished("a", ok=True, seconds=2.5, result=lambda: {"x": "\ud800 é"})])
    journal = reopened(journal)
    row = plan(journal, "a")
    assert (row.state, row.ok, row.seconds, row.error) == (State.FINISHED, True, 2.5, None)
    assert row.result == '{"x": "\\ud800 \\u00e9"}'
    journal.close()


def test_what_was_not_started_after_all_is_planned_again(journal: Journal) -> None:
    plan(journal, "a")
    journal.apply([lambda: journal.starting("a", 100.0, 1)])
    journal.apply([lambda: journal.planned("a")])
    journal = reopened(journal)
    assert plan(journal, "a").state is State.PLANNED
    journal.close()


def test_ids_are_known_however_many_are_asked_for(journal: Journal) -> None:
    for number in range(3):
        plan(journal, str(number))
        journal.apply([partial(journal.started, str(number), f"id-{number}")])
    asked = [f"id-{number}" for number in range(2 * MOST_BOUND + 1)]
    assert journal.apply([lambda: journal.known(asked)]) == [{"id-0", "id-1", "id-2"}]


def test_a_key_may_be_used_once_in_a_batch(journal: Journal) -> None:
    plan(journal, "a")
    assert isinstance(plan(journal, "a"), EigenpalInputError)
    journal = reopened(journal)
    assert plan(journal, "a").state is State.PLANNED
    journal.close()


def test_steps_are_committed_together_or_not_at_all(journal: Journal) -> None:
    def broken() -> None:
        raise sqlite3.OperationalError("disk full")

    with pytest.raises(JournalError, match="can't be written: disk full"):
        journal.apply([lambda: journal.plan("a", 0, "fake", "f", "t"), broken])
    assert plan(journal, "a").token == "token of a"


def test_a_second_user_of_a_journal_is_refused(journal: Journal, path: Path) -> None:
    with pytest.raises(EigenpalInputError, match="in use"):
        Journal(path, "a test")
    assert plan(journal, "a").state is State.PLANNED


def test_a_second_process_is_refused_until_the_first_has_ended(journal: Journal, path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from eigenpal.fanout.journal import Journal\n"
        "try: Journal(Path(sys.argv[1]), 'a test')\nexcept ValueError as error: print(error)\nelse: print('open')"
    )
    command = [sys.executable, "-c", program, str(path)]
    there = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert "in use" in there.stdout


def test_the_journal_of_another_batch_is_refused(journal: Journal, path: Path) -> None:
    journal.close()
    with pytest.raises(EigenpalInputError, match=r"of another batch \(a test\), not of this one \(another test\)"):
        Journal(path, "another test")
    Journal(path, "a test").close()


@pytest.mark.parametrize("content", [b"hello, this is a text" * 99, b"\0" * 100])
def test_a_file_that_is_no_database_is_refused_and_stays_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(EigenpalInputError, match="is not a journal"):
        Journal(path, "a test")
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE cats (name TEXT)")
    other.close()
    with pytest.raises(EigenpalInputError, match="something else"):
        Journal(path, "a test")


def test_a_journal_of_a_later_format_is_refused(journal: Journal, path: Path) -> None:
    journal.close()
    later = sqlite3.connect(path)
    later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(EigenpalInputError, match="format 99"):
        Journal(path, "a test")


@pytest.mark.parametrize("name", ["missing/batch.db", "."])
def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EigenpalInputError, match="can't be opened"):
        Journal(tmp_path / name, "a test")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are another thing there")
def test_a_journal_is_for_its_owner_alone(journal: Journal, path: Path) -> None:
    plan(journal, "a")
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


# ---------------------------------------------------------------------------------------------------- in a batch


async def test_a_finished_batch_comes_from_the_disk_without_a_request(path: Path) -> None:
    first = FakeService()
    before = await all_of(batch(first, range(20), journal=path, ordered=True))
    second = FakeService()
    after = await all_of(batch(second, range(20), journal=path, ordered=True))
    assert second.starts == []
    assert second.most_at_work == 0
    assert [(it.key, it.id, it.ok, it.value, it.attempts) for it in after] == [
        (it.key, it.id, it.ok, it.value, it.attempts) for it in before
    ]
    assert [outcome.seconds for outcome in after] == pytest.approx([outcome.seconds for outcome in before], abs=0.5)
    assert [outcome.restored for outcome in [*before, *after]] == [False] * 20 + [True] * 20


async def test_a_batch_that_was_left_goes_on_where_it_was(path: Path) -> None:
    service = FakeService()
    async with batch(service, range(50), journal=path) as outcomes:
        for _ in range(10):
            await anext(outcomes)
    assert len(service.made) < 50
    assert len(await all_of(batch(service, range(50), journal=path))) == 50
    assert len(service.made) == 50
    assert len(service.starts) == 50


async def test_another_input_under_a_known_key_ends_the_batch(path: Path) -> None:
    service = FakeService()
    await all_of(batch(service, [("a", 1), ("b", 2)], journal=path))
    with pytest.raises(EigenpalInputError, match="another input, target or file under the key 'b'"):
        await all_of(batch(service, [("a", 1), ("b", 3), ("c", 4)], journal=path, concurrency=1))
    assert 3 not in service.starts
    assert 4 not in service.starts


async def test_a_key_that_comes_twice_is_an_error_of_the_second(path: Path) -> None:
    outcomes = await all_of(batch(FakeService(), [("a", 1), ("a", 1)], journal=path, ordered=True, concurrency=1))
    assert [outcome.ok for outcome in outcomes] == [True, False]
    assert isinstance(outcomes[1].error, EigenpalInputError)


async def test_two_batches_on_one_journal_the_second_is_refused(path: Path) -> None:
    service = FakeService(on_wait=lambda _: anyio.sleep_forever())
    first = batch(service, range(2), journal=path)
    async with first, anyio.create_task_group() as group:
        group.start_soon(all_of, first)
        while not service.at_work:  # noqa: ASYNC110 - the service knows no events
            await anyio.sleep(0.001)
        with pytest.raises(EigenpalInputError, match="in use"):
            await all_of(batch(FakeService(), range(2), journal=path))
        group.cancel_scope.cancel()
    service.on_wait = None
    assert len(await all_of(batch(service, range(2), journal=path))) == 2


async def test_a_refused_input_is_remembered_with_its_typed_error(path: Path) -> None:
    async def refuse(request: Any) -> None:
        raise EigenpalValidationError("body.n: is wrong", status=400, request_id="req_1", envelope={"issues": []})

    service = FakeService(on_start=refuse)
    await all_of(batch(service, [0], journal=path))
    (outcome,) = await all_of(batch(service, [0], journal=path))
    assert len(service.starts) == 1
    assert type(outcome.error) is EigenpalValidationError
    assert (outcome.error.message, outcome.error.status, outcome.error.request_id) == ("body.n: is wrong", 400, "req_1")
    assert outcome.error.envelope == {"issues": []}


@pytest.mark.parametrize(
    "problem", [EigenpalAuthError("a wrong key", status=401), EigenpalInputError("no such file"), KeyError("a bug")]
)
async def test_what_could_not_be_started_is_tried_again_the_next_time(path: Path, problem: Exception) -> None:
    async def fail(request: Any) -> None:
        raise problem

    service = FakeService(on_start=fail)
    (before,) = await all_of(batch(service, [0], journal=path, on_unknown="skip"))
    assert before.error is not None
    service.on_start = None
    (after,) = await all_of(batch(service, [0], journal=path))
    assert after.ok
    assert after.attempts == 2


async def test_what_did_not_end_in_time_is_waited_for_the_next_time(path: Path) -> None:
    async def too_slow(request: Any) -> None:
        raise EigenpalTimeoutError("did not end in time")

    service = FakeService(on_wait=too_slow)
    (before,) = await all_of(batch(service, [0], journal=path))
    assert isinstance(before.error, EigenpalTimeoutError)
    assert before.id is not None
    service.on_wait = None
    (after,) = await all_of(batch(service, [0], journal=path))
    assert after.ok
    assert after.id == before.id
    assert len(service.starts) == 1


async def test_a_journal_that_can_not_be_written_ends_the_batch_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = FakeService()
    real = Journal.starting

    def full(journal: Journal, key: str, sent: float, attempts: int) -> None:
        if key == "5":
            raise sqlite3.OperationalError("database or disk is full")
        real(journal, key, sent, attempts)

    monkeypatch.setattr(Journal, "starting", full)
    with pytest.raises(EigenpalError, match="can't be written: database or disk is full"):
        await all_of(batch(service, range(100), journal=path))
    assert 5 not in service.starts
    assert len(service.starts) < 10
    monkeypatch.setattr(Journal, "starting", real)
    assert len(await all_of(batch(service, range(100), journal=path))) == 100
    assert len(service.made) == len(set(service.made)) == 100


async def test_commits_are_shared(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = 0
    real = Journal.apply

    def counted(journal: Journal, steps: Any) -> list[Any]:
        nonlocal commits
        commits += 1
        return real(journal, steps)

    monkeypatch.setattr(Journal, "apply", counted)
    await all_of(batch(FakeService(), range(200), journal=path, concurrency=50))
    assert commits < 200  # of 800 steps


def test_errors_of_a_type_that_is_gone_are_still_errors() -> None:
    from eigenpal.fanout.outcome import error_as_json, error_from_json

    error = error_from_json({"kind": "KeyError", "message": "m", "status": 7})
    assert (type(error), error.message, error.status) == (EigenpalError, "m", 7)
    kept = EigenpalConnectionError("broke", maybe_started=True, url="https://example.com")
    again = error_from_json(error_as_json(kept))
    assert (type(again), again.maybe_started, again.url) == (EigenpalConnectionError, True, "https://example.com")
