"""`client.run_many` on a real server: inputs of every form, what goes wrong, what a journal saves, lost answers."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eigenpal import RunOutcome, RunRequest
from eigenpal.errors import (
    EigenpalError,
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalRunError,
    EigenpalTimeoutError,
    EigenpalUsageError,
    EigenpalValidationError,
)
from eigenpal.sandbox import Sandbox
from tests.fanout.conftest import KEY, Books, Connect

pytestmark = pytest.mark.anyio

RUNS = "/api/v1/runs"


async def all_of(outcomes: Any) -> list[RunOutcome]:
    return [outcome async for outcome in outcomes]


def starts(sandbox: Sandbox) -> int:
    return sum(request.method == "POST" and request.path == RUNS for request in sandbox.requests)


async def test_many_runs_each_with_its_own_output(connect: Connect, books: Books) -> None:
    async with connect() as client:
        outcomes = await all_of(client.run_many("workflows.count", ({"n": n} for n in range(30)), concurrency=10))
    assert sorted(outcome.index for outcome in outcomes) == list(range(30))
    for outcome in outcomes:
        assert outcome.ok
        assert outcome.run is not None
        assert outcome.run.output == {"n": outcome.index}
        assert outcome.run_id == outcome.run.id
        assert outcome.result() is outcome.run
    assert sorted(books.seen) == list(range(30))


async def lazily() -> AsyncIterator[Any]:
    yield {"n": 0}
    yield "a", {"n": 1}


@pytest.mark.parametrize(
    ("inputs", "keys"),
    [
        ([{"n": 0}, {"n": 1}], ["0", "1"]),
        (lambda: iter([("a", {"n": 0}), (7, {"n": 1})]), ["a", "7"]),
        ({"a": {"n": 0}, "b": {"n": 1}}, ["a", "b"]),
        ([RunRequest({"n": 0}, key="a"), ("b", RunRequest({"n": 1}, key="c"))], ["a", "b"]),
        (lazily, ["0", "a"]),
    ],
    ids=["mappings", "pairs", "a mapping of keys", "requests", "an async iterator"],
)
async def test_inputs_have_many_forms(connect: Connect, inputs: Any, keys: list[str]) -> None:
    given: Any = inputs() if callable(inputs) else inputs
    async with connect() as client:
        outcomes = await all_of(client.run_many("workflows.count", given, ordered=True))
    assert [(outcome.key, outcome.run.output) for outcome in outcomes if outcome.run] == [
        (keys[0], {"n": 0}),
        (keys[1], {"n": 1}),
    ]


async def test_each_input_may_name_its_own_target_version_and_metadata(connect: Connect, sandbox: Sandbox) -> None:
    @sandbox.workflow("other", version="2.0.0")
    @sandbox.workflow("other", version="1.0.0")
    async def other(context: Any) -> dict[str, Any]:
        return {}

    requests = [
        RunRequest({"n": 0}, target="workflows.count", metadata={"of": "one"}),
        RunRequest(target="workflows.other", version="1.0.0"),
        RunRequest(target={"type": "workflow", "slug": "other"}),
        RunRequest(),
    ]
    async with connect() as client:
        first, second, third, without = await all_of(
            client.run_many(None, requests, metadata={"of": "all", "batch": 7}, ordered=True)
        )
        assert first.run_id is not None
        found = await client.runs.get(first.run_id, expand="input")
    assert found.input is not None
    assert found.input.metadata["of"] == "one"
    assert found.input.metadata["batch"] == 7
    assert second.run is not None
    assert second.run.source.version == "1.0.0"
    assert third.run is not None
    assert third.run.source.version == "2.0.0"
    assert isinstance(without.error, EigenpalInputError)


BAD = [
    (3, "an input must be a mapping"),
    ("text", "an input must be a mapping"),
    (("a", {"n": 0}, 1), "an input must be a mapping"),
    (("a", Path("x")), "an input must be a mapping"),
    (("", {"n": 0}), "a key must be"),
    (("k" * 1001, {"n": 0}), "a key must be"),
    ((True, {"n": 0}), "a key must be"),
    (("\ud800", {"n": 0}), "can't be stored"),
    ({"n": Path("missing.pdf")}, "does not exist"),
    ({"n": object()}, "JSON"),
    ({3: 3}, "names of arguments are strings"),
    (RunRequest(target="nothing"), "is not a target"),
    (RunRequest(metadata={"eigenpal_start": 1}), "eigenpal_start"),
]


@pytest.mark.parametrize("with_journal", [True, False], ids=["journal", "no journal"])
async def test_an_input_that_can_not_be_sent_is_an_outcome(
    connect: Connect, sandbox: Sandbox, tmp_path: Path, with_journal: bool
) -> None:
    inputs: list[Any] = [{"n": "first"}, *(bad for bad, _ in BAD), {"n": "last"}]
    journal = tmp_path / "batch.db" if with_journal else None
    async with connect() as client:
        first, *bad, last = await all_of(client.run_many("workflows.count", inputs, ordered=True, journal=journal))
    assert first.ok
    assert last.ok
    for outcome, (_, says) in zip(bad, BAD, strict=True):
        assert isinstance(outcome.error, EigenpalInputError)
        assert says in str(outcome.error)
        with pytest.raises(EigenpalInputError):
            outcome.result()
    assert starts(sandbox) == 2


async def test_what_the_server_refuses_is_an_outcome(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.faults.add(RUNS, "POST", status=400)
    requests = [RunRequest(), RunRequest(target="workflows.unknown"), RunRequest({"n": "bad"}), RunRequest({"n": 1})]
    async with connect() as client:
        refused, unknown, failed, good = await all_of(
            client.run_many("workflows.count", requests, ordered=True, concurrency=1)
        )
    assert isinstance(refused.error, EigenpalValidationError)
    assert isinstance(unknown.error, EigenpalNotFoundError)
    assert failed.error is None
    assert not failed.ok
    with pytest.raises(EigenpalRunError, match="a bad input") as raised:
        failed.result()
    assert raised.value.run is failed.run
    assert good.ok


async def test_a_run_that_does_not_end_in_time_is_an_outcome_with_its_id(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.run_latency = 600
    async with connect() as client:
        (outcome,) = await all_of(client.run_many("workflows.count", [{"n": 0}], timeout_seconds=0.3))
        assert isinstance(outcome.error, EigenpalTimeoutError)
        assert outcome.error.run_id == outcome.run_id is not None
        assert outcome.run is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"target": "nothing"}, "is not a target"),
        ({"concurrency": 0}, "concurrency"),
        ({"timeout_seconds": -1}, "timeout_seconds"),
        ({"poll_interval_seconds": None}, "poll_interval_seconds"),
        ({"metadata": {"eigenpal_start": 1}}, "eigenpal_start"),
        ({"metadata": 3}, "metadata"),
        ({"inputs": 3}, "iterable"),
    ],
)
async def test_what_can_not_work_for_any_input_is_refused_at_once(
    connect: Connect, arguments: dict[str, Any], says: str
) -> None:
    async with connect() as client:
        with pytest.raises(EigenpalInputError, match=says):
            client.run_many(**{"target": "workflows.count", "inputs": [], **arguments})


async def test_a_closed_client_says_so(connect: Connect) -> None:
    client = connect()
    await client.aclose()
    (outcome,) = await all_of(client.run_many("workflows.count", [{"n": 0}]))
    assert isinstance(outcome.error, EigenpalUsageError)


# -------------------------------------------------------------------------------------------------------- the journal


async def test_a_second_time_nothing_is_asked_of_the_server(connect: Connect, sandbox: Sandbox, tmp_path: Path) -> None:
    inputs: list[Any] = [{"n": 0}, {"n": "bad"}, RunRequest({"n": 1}, version="9.9.9")]
    journal = tmp_path / "batch.db"
    async with connect() as client:
        before = await all_of(client.run_many("workflows.count", inputs, journal=journal, ordered=True))
        asked = len(sandbox.requests)
        after = await all_of(client.run_many("workflows.count", inputs[:2], journal=journal, ordered=True))
    assert len(sandbox.requests) == asked
    assert [outcome.run for outcome in after] == [outcome.run for outcome in before[:2]]
    assert after[0].run is not None
    assert before[0].run is not None
    assert after[0].run.to_dict() == before[0].run.to_dict()
    assert [outcome.ok for outcome in after] == [True, False]


async def test_another_target_server_or_input_is_another_batch(
    connect: Connect, sandbox: Sandbox, tmp_path: Path
) -> None:
    journal = tmp_path / "batch.db"
    async with connect() as client:
        await all_of(client.run_many("workflows.count", {"a": {"n": 0}}, journal=journal))
        others: list[tuple[str, dict[str, Any], str]] = [
            ("workflows.extract-invoice", {"a": {"n": 0}}, "of another batch"),
            ("workflows.count@1.0.0", {"a": {"n": 0}}, "of another batch"),
            ("workflows.count", {"a": {"n": 1}}, "another input"),
            ("workflows.count", {"a": RunRequest({"n": 0}, target="workflows.other")}, "another input"),
        ]
        for target, inputs, says in others:
            with pytest.raises(EigenpalInputError, match=says):
                await all_of(client.run_many(target, inputs, journal=journal))
    assert starts(sandbox) == 1


async def test_files_are_told_apart_by_their_content_and_not_by_their_date(connect: Connect, tmp_path: Path) -> None:
    document, journal = tmp_path / "document.txt", tmp_path / "batch.db"
    document.write_bytes(b"a" * 200_000)
    inputs = {"a": {"n": 0, "document": document}}
    async with connect() as client:
        await all_of(client.run_many("workflows.count", inputs, journal=journal))
        document.write_bytes(b"a" * 200_000)
        (again,) = await all_of(client.run_many("workflows.count", inputs, journal=journal))
        assert again.restored
        for change in (b"a" * 199_999, b"b" + b"a" * 199_999, b"a" * 199_999 + b"b"):
            document.write_bytes(change)
            with pytest.raises(EigenpalInputError, match="another input"):
                await all_of(client.run_many("workflows.count", inputs, journal=journal))


async def test_neither_key_nor_inputs_are_in_the_journal(connect: Connect, tmp_path: Path) -> None:
    async with (
        connect() as client,
        client.run_many("workflows.count", [{"n": 0, "secret": "hunter2"}], journal=tmp_path / "batch.db") as outcomes,
    ):
        assert (await anext(outcomes)).ok
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"workflows.count" in content
    assert KEY.encode() not in content
    assert b"hunter2" not in content


# --------------------------------------------------------------------------------------------------- lost answers


@pytest.mark.parametrize("with_journal", [True, False], ids=["journal", "no journal"])
async def test_runs_whose_receipt_was_lost_are_found_again(
    connect: Connect, sandbox: Sandbox, books: Books, tmp_path: Path, with_journal: bool
) -> None:
    sandbox.faults.add(RUNS, "POST", drop="after_handling", times=3)
    sandbox.faults.add(RUNS, "POST", kind="bad_json", times=1)  # not handled: nothing was started
    sandbox.faults.add(RUNS, "POST", status=500, times=1)
    journal = tmp_path / "batch.db" if with_journal else None
    async with connect() as client:
        outcomes = await all_of(client.run_many("workflows.count", ({"n": n} for n in range(12)), journal=journal))
        assert [outcome.error for outcome in outcomes if not outcome.ok] == []
        assert sorted(books.seen) == list(range(12))
        assert len({outcome.run_id for outcome in outcomes}) == 12


async def test_only_runs_that_nobody_knows_are_looked_into(connect: Connect, sandbox: Sandbox) -> None:
    async with connect() as client:
        foreign = await client.run("workflows.count", {"n": "of someone else"})
        outcomes = client.run_many("workflows.count", ({"n": n} for n in range(20)), concurrency=5)
        async for outcome in outcomes:
            if outcome.index == 4:
                sandbox.faults.add(RUNS, "POST", drop="after_handling", times=1)
            assert outcome.ok
        looked_into = [
            request.path.rpartition("/")[2] for request in sandbox.requests if request.query.get("expand") == "input"
        ]
    assert foreign.id in looked_into
    assert len(looked_into) <= 2 + 5  # it, the lost one, and those whose receipt was on its way


@pytest.mark.parametrize("on_unknown", ["raise", "skip", "rerun"])
async def test_an_older_server_can_not_tell_what_was_started(
    connect: Connect, sandbox: Sandbox, on_unknown: Any
) -> None:
    """It keeps no metadata, so nothing can be found again."""
    sandbox.faults.add("/api/v1/run/*", "POST", drop="after_body", times=1)
    async with connect(api_generation="0.6") as client:
        outcomes = client.run_many("workflows.count", [{"n": 0}], on_unknown=on_unknown)
        if on_unknown == "raise":
            with pytest.raises(EigenpalError, match="can't be told") as raised:
                await all_of(outcomes)
            assert raised.value.maybe_started
            return
        (outcome,) = await all_of(outcomes)
    if on_unknown == "skip":
        assert outcome.error is not None
        assert outcome.error.maybe_started
    else:
        assert outcome.attempts == 2


# ---------------------------------------------------------------------------------------------------------- leaving


@pytest.mark.parametrize("cancel_running", [True, False])
async def test_runs_under_way_are_cancelled_when_asked_even_if_one_only_breaks(
    connect: Connect, sandbox: Sandbox, cancel_running: bool
) -> None:
    """The client waits for what it goes on with before it closes its connections."""
    go_on = threading.Event()

    @sandbox.workflow("first-ends")
    def first_ends(context: Any) -> dict[str, Any]:
        while context.input["n"] and not go_on.wait(0.01):
            context.checkpoint()
        return {}

    async with connect() as client:
        inputs = ({"n": n} for n in range(4))
        async for _ in client.run_many("workflows.first-ends", inputs, cancel_running=cancel_running):
            break
    cancels = sum(request.path.endswith("/cancel") for request in sandbox.requests)
    go_on.set()
    assert cancels == (3 if cancel_running else 0)


def test_a_batch_may_be_read_under_one_event_loop_only(sandbox: Sandbox, anyio_backend_name: str) -> None:
    """Nothing to assert but that the next loop begins anew."""
    import anyio

    from eigenpal.client import AsyncEigenpalClient

    client = AsyncEigenpalClient(KEY, base_url=sandbox.url)

    async def work() -> int:
        return len(await all_of(client.run_many("workflows.count", [{"n": 0}, {"n": 1}])))

    assert [anyio.run(work, backend=anyio_backend_name) for _ in range(2)] == [2, 2]
