"""`run_many` of the blocking client: an iterator, whose inputs and callbacks belong to the caller's thread."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eigenpal import EigenpalClient, Progress
from eigenpal.errors import EigenpalInputError
from eigenpal.sandbox import Sandbox
from tests.fanout.conftest import KEY, Books, hurried


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[EigenpalClient]:
    with EigenpalClient(KEY, base_url=sandbox.url) as made:
        hurried(made._async)
        yield made


def test_outcomes_are_iterated_over(client: EigenpalClient, books: Books) -> None:
    outcomes = list(client.run_many("workflows.count", ({"n": n} for n in range(20))))
    assert sorted(outcome.index for outcome in outcomes) == list(range(20))
    assert all(outcome.ok for outcome in outcomes)
    assert sorted(books.seen) == list(range(20))


def test_many_runs_at_once_need_no_threads(client: EigenpalClient, sandbox: Sandbox) -> None:
    arrived, everyone = 0, asyncio.Event()

    @sandbox.workflow("together")
    async def wait_for_the_others(context: Any) -> dict[str, Any]:
        nonlocal arrived
        arrived += 1
        if arrived == 60:
            everyone.set()
        await everyone.wait()
        return {}

    most = before = threading.active_count()

    def look(progress: Progress) -> None:
        nonlocal most
        most = max(most, threading.active_count())

    inputs: list[dict[str, Any]] = [{}] * 60
    assert all(outcome.ok for outcome in client.run_many("workflows.together", inputs, on_progress=look))
    assert most <= before + 10  # that of the loop, and the sandbox's own


def test_inputs_are_read_on_the_callers_thread(client: EigenpalClient, tmp_path: Path) -> None:
    """A cursor of SQLite may be used in no other."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE numbers (n INTEGER)")
    database.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(10)])
    rows = database.execute("SELECT n FROM numbers")
    outcomes = list(client.run_many("workflows.count", ((f"row-{n}", {"n": n}) for (n,) in rows), concurrency=3))
    assert {outcome.key for outcome in outcomes} == {f"row-{n}" for n in range(10)}
    database.close()


def test_inputs_that_block_hold_up_nobody_else(client: EigenpalClient) -> None:
    """While one batch waits for its next input, other work of the process goes on."""
    go_on = threading.Event()

    def blocking() -> Iterator[dict[str, Any]]:
        yield {"n": 0}
        assert go_on.wait(20)
        yield {"n": 1}

    def other() -> None:
        client.run_and_wait("workflows.count", {"n": 2})
        go_on.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert len(list(client.run_many("workflows.count", blocking()))) == 2
    thread.join()


def test_progress_is_told_on_the_callers_thread(client: EigenpalClient) -> None:
    told: list[tuple[int, int]] = []
    list(
        client.run_many(
            "workflows.count",
            [{"n": 0}, {"n": 1}],
            on_progress=lambda it: told.append((threading.get_ident(), it.done)),
        )
    )
    assert {ident for ident, _ in told} == {threading.get_ident()}
    assert told[-1][1] == 2


def test_what_the_inputs_raise_is_raised_where_the_outcomes_are_read(client: EigenpalClient) -> None:
    def failing() -> Iterator[dict[str, Any]]:
        yield {"n": 0}
        raise ZeroDivisionError("of the input")

    seen = []
    with pytest.raises(ZeroDivisionError, match="of the input"):
        for outcome in client.run_many("workflows.count", failing()):
            seen.append(outcome.index)  # noqa: PERF401 - what came before the error counts
    assert seen == [0]


@pytest.mark.parametrize("way", ["break", "close", "with", "forget"])
def test_leaving_early_ends_the_batch(client: EigenpalClient, sandbox: Sandbox, way: str) -> None:
    taken = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal taken
        while True:
            taken += 1
            yield {"n": taken}

    outcomes = client.run_many("workflows.count", endless(), concurrency=2)
    if way == "with":
        with outcomes:
            next(outcomes)
    else:
        assert next(outcomes).ok
    if way == "close":
        outcomes.close()
    del outcomes
    gc.collect()
    client.close()  # waits for what goes on with it
    assert taken <= 6


def test_a_bar_without_what_draws_it_is_refused_by_name(
    client: EigenpalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(EigenpalInputError, match=r"eigenpal\[cli\]"):
        next(client.run_many("workflows.count", [], progress=True))


def test_a_journal_goes_on_where_the_blocking_client_left(client: EigenpalClient, books: Books, tmp_path: Path) -> None:
    inputs = [{"n": n} for n in range(12)]
    with client.run_many("workflows.count", inputs, journal=tmp_path / "b.db", concurrency=2) as outcomes:
        next(outcomes)
    assert len(list(client.run_many("workflows.count", inputs, journal=tmp_path / "b.db"))) == 12
    assert sorted(books.seen) == list(range(12))
