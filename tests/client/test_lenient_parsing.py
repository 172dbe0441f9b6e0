"""What a server adds, leaves out or says in words of its own does not break a client (`Responses never crash`)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from eigenpal.errors import EigenpalDecodeError
from eigenpal.models.executions import WorkflowRunExecution
from eigenpal.models.runs import Run, RunAccepted
from tests.client.conftest import Connect, one_wire
from tests.client.failures import answering

pytestmark = [pytest.mark.anyio, one_wire]

LEAST: dict[str, Any] = {
    "id": "exec_1",
    "type": "workflow",
    "finished": True,
    "timing": {"createdAt": "2026-01-02T03:04:05.678Z"},
    "source": {"id": "wf_1"},
    "trigger": {},
    "execution": {"status": "completed"},
}


def served(value: Any, status: int = 200) -> Any:
    return answering(status, json.dumps(value).encode())()


async def read_run(connect: Connect, **members: Any) -> Run:
    with served({**LEAST, **members}) as url:
        async with connect(url) as client:
            run: Run = await client.runs.get("exec_1")
            return run


async def test_a_run_with_nothing_but_the_necessary_is_read(connect: Connect) -> None:
    run = await read_run(connect)
    assert (run.output, run.error, run.files, run.usage, run.eval) == (None, None, [], None, None)
    assert run.timing.created_at == datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert run.source.name is None


@pytest.mark.parametrize("member", ["output", "files", "error", "eval", "input", "usage", "debug"])
async def test_null_where_something_was_promised_reads_as_nothing(connect: Connect, member: str) -> None:
    run = await read_run(connect, **{member: None})
    assert getattr(run, member) == ([] if member == "files" else None)
    assert run[member] is None


async def test_null_members_inside_of_a_run_read_as_nothing(connect: Connect) -> None:
    run = await read_run(
        connect,
        timing={"createdAt": "2026-01-02T03:04:05Z", "startedAt": None, "completedAt": None, "durationMs": None},
        source={"id": "wf_1", "name": None, "version": None, "git": None},
        trigger={"type": None, "by": None, "email": None},
        execution={"status": "completed", "schemaValid": None, "steps": None, "retry": None, "expected": None},
        input={"args": None, "files": None, "metadata": None},
        usage={"tokens": None, "creditsCharged": None, "durationMs": None},
        eval={"example": None, "score": None, "passed": None},
    )
    assert isinstance(run.execution, WorkflowRunExecution)
    assert run.execution.steps == []
    assert run.input is not None
    assert run.input.files == []


async def test_members_of_another_time_are_kept(connect: Connect) -> None:
    run = await read_run(connect, newMember={"a": [1]}, execution={"status": "completed", "mood": "calm"})
    assert run["newMember"] == {"a": [1]}
    assert run.to_dict()["execution"]["mood"] == "calm"


@pytest.mark.parametrize("member", ["type", "status"])
async def test_a_value_of_another_time_comes_through_as_text(connect: Connect, member: str) -> None:
    run = await read_run(connect, **{**LEAST, "type": "swarm", "execution": {"status": "pondering"}})
    assert getattr(run, member) == {"type": "swarm", "status": "pondering"}[member]


@pytest.mark.parametrize("moment", ["2026-01-02T03:04:05", "2026-01-02T03:04:05+00:00", "2026-01-02T05:04:05+02:00"])
async def test_timestamps_always_have_a_zone(connect: Connect, moment: str) -> None:
    run = await read_run(connect, timing={"createdAt": moment})
    assert run.timing.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"finished": "yes"}, "$.finished"),
        ({"timing": None}, "$.timing"),
        ({"timing": {"createdAt": "yesterday"}}, "$.timing.createdAt"),
        ({"execution": {"status": 3}}, "$.execution.status"),
        ({"files": [{"name": "a", "path": "b"}, {"name": "a"}]}, "$.files[1]"),
        ({"output": [1]}, "$.output"),
    ],
)
async def test_what_is_needed_and_wrong_is_named_with_its_place(
    connect: Connect, change: dict[str, Any], path: str
) -> None:
    with pytest.raises(EigenpalDecodeError) as caught:
        await read_run(connect, **change)
    assert f"{path} should be" in str(caught.value)
    assert "runs.get" in str(caught.value)


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_start_is_told_by_its_body_and_not_by_its_status(connect: Connect, status: int) -> None:
    for body, kind in ((LEAST, Run), ({"id": "exec_1", "type": "agent", "finished": False, "more": 1}, RunAccepted)):
        with served(body, status) as url:
            async with connect(url) as client:
                run = await client.run("workflows.x")
                assert type(run) is kind
                assert (run.id, run.output, run.files, run.error) == ("exec_1", None, [], None)


async def test_lists_may_be_null_or_leave_out_the_cursor(connect: Connect) -> None:
    bodies: list[dict[str, Any]] = [{"runs": None}, {"runs": []}, {"runs": [], "nextCursor": None, "total": 9}]
    for body in bodies:
        with served(body) as url:
            async with connect(url) as client:
                page = await client.runs.list()
                assert (list(page), page.has_more) == ([], False)
                assert [run async for run in client.runs.iterate()] == []


async def test_pages_that_go_in_a_circle_are_an_error_and_no_endless_loop(connect: Connect) -> None:
    with served({"runs": [LEAST], "nextCursor": "same"}) as url:
        async with connect(url) as client:
            with pytest.raises(EigenpalDecodeError, match="circle"):
                assert len([run async for run in client.runs.iterate()]) < 5


async def test_a_byte_order_mark_and_other_media_types_do_no_harm(connect: Connect) -> None:
    for media_type in ("text/plain", "application/problem+json", "application/json; charset=utf-8"):
        with answering(200, b"\xef\xbb\xbf" + json.dumps(LEAST).encode(), Content_Type=media_type)() as url:
            async with connect(url) as client:
                assert (await client.runs.get("exec_1")).id == "exec_1"
