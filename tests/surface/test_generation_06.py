"""Everything that servers of generation 0.6 do otherwise: what is sent to them, and how their answers read today."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import eigenpal
from eigenpal import EigenpalInputError, EigenpalUnsupportedError, RunAccepted, generations
from eigenpal.engine.checks import Mismatch
from eigenpal.engine.codec import structure
from eigenpal.models.executions import AgentRunExecution, WorkflowRunExecution
from eigenpal.models.runs import CancelledRun, Run, RunsPage, StartedRun
from tests.spec.strategies import any_json, description
from tests.surface.scripted import RUN, scripted

pytestmark = pytest.mark.anyio

OLD = {"api_generation": "0.6"}
FILE = {"content": b"%PDF-1.7", "filename": "contract.pdf"}

SUMMARY: dict[str, Any] = {
    "id": "exec_1",
    "type": "workflow",
    "status": "completed",
    "triggerType": "api",
    "createdAt": "2026-06-14T09:00:00.000Z",
    "startedAt": "2026-06-14T09:00:01.000Z",
    "completedAt": "2026-06-14T09:00:05.000Z",
    "durationMs": 4000,
    "error": None,
    "batchId": "evb_1",
    "previousExecutionId": "exec_0",
    "retryNumber": 1,
    "schemaValid": True,
    "evalPassed": True,
    "evalScore": 0.5,
    "exampleId": "ex_1",
    "exampleName": "first",
    "triggeredBy": {"id": "user_1", "name": None, "email": "dev@example.com"},
    "version": "1.4.0",
    "requestedSourceRef": "latest",
    "resolvedGitRef": "1.4.0",
    "resolvedGitTag": "workflows.invoice-intake@1.4.0",
    "resolvedCommitSha": "3f9c1d7a5e2b8046c9d0e1f2a3b4c5d6e7f80912",
    "sourceId": "wf_1",
    "sourceName": "invoice-intake",
    "agentSlug": None,
}
STEP = {"id": "step_1", "stepName": "extract", "status": "completed", "outputData": {"total": 1}}
DETAIL = SUMMARY | {"output": {"total": 1}, "stepExecutions": [STEP]}
AGENT = SUMMARY | {
    "type": "agent",
    "agentSlug": "mail-sorter",
    "output": {"total": 1},
    "resultFiles": [{"filename": "a.pdf", "size": 3}],
    "expected": {"total": 2},
    "expectedFiles": ["b.pdf"],
}


# ------------------------------------------------------------------------------------------------ starting


async def test_a_start_has_the_target_in_its_path_and_the_arguments_bare_in_its_body() -> None:
    client, script = scripted({"runId": "exec_1", "type": "workflow", "status": "pending"}, **OLD)
    run = await client.run("workflows.invoice-intake@1.4.0", {"language": "en"}, wait_for_completion=5)
    (sent,) = script.sent
    assert (sent.method, sent.path) == ("POST", "/api/v1/run/workflows.invoice-intake")
    assert sent.query == {"version": "1.4.0", "wait_for_completion": "5"}
    assert sent.body == {"language": "en"}
    assert isinstance(run, RunAccepted)
    assert (run.id, run.type, run.finished, run.status) == ("exec_1", "workflow", False, "pending")


async def test_a_start_without_arguments_sends_an_empty_object() -> None:
    client, script = scripted({"runId": "aex_1", "type": "agent"}, **OLD)
    run = await client.run("agents.mail-sorter")
    assert script.sent[0].body == {}
    assert (run.id, run.type, run.finished) == ("aex_1", "agent", False)


async def test_overrides_lie_among_the_arguments_under_their_reserved_name() -> None:
    client, script = scripted({"runId": "exec_1", "type": "workflow"}, **OLD)
    await client.run("workflows.a", {"language": "en"}, overrides={"steps": {"extract": {"total": 1}}})
    assert script.sent[0].body == {"language": "en", "_overrides": {"steps": {"extract": {"total": 1}}}}


async def test_files_are_parts_under_their_bare_names_beside_the_rest_as_json() -> None:
    client, script = scripted({"runId": "exec_1", "type": "workflow"}, **OLD)
    overrides = {"steps": {"extract": {"total": 1}}}
    await client.run("workflows.a", {"contract": FILE, "pages": [FILE, FILE], "language": "en"}, overrides=overrides)
    (sent,) = script.sent
    assert sent.path == "/api/v1/run/workflows.a"
    assert sent.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert sent.body.keys() == {"_json", "_overrides", "contract", "pages"}
    assert json.loads(sent.body["_json"]) == {"language": "en"}
    assert json.loads(sent.body["_overrides"]) == overrides
    assert sent.body["contract"] == FILE["content"]
    assert sent.body["pages"] == [FILE["content"]] * 2


async def test_a_run_that_ended_while_the_server_held_the_request_has_its_output() -> None:
    answer = {"runId": "exec_1", "type": "workflow", "status": "completed", "output": {"total": 1}, "cost": {"usd": 1}}
    client, _ = scripted(answer, **OLD)
    run = await client.run("workflows.a", wait_for_completion=5)
    assert (run.id, run.finished, run.status, run.output) == ("exec_1", True, "completed", {"total": 1})
    assert run["runId"] == "exec_1"
    assert run["cost"] == {"usd": 1}


@pytest.mark.parametrize("name", ["metadata", "files"])
async def test_what_a_start_could_not_have_then_is_refused_before_anything_is_sent(name: str) -> None:
    client, script = scripted(**OLD)
    argument: Any = {name: {"a": {"file_id": "file_1"}}}
    with pytest.raises(EigenpalUnsupportedError, match=name):
        await client.run("workflows.a", **argument)
    assert script.sent == []


async def test_a_rerun_has_the_version_in_its_body() -> None:
    client, script = scripted({"executionId": "exec_2", "status": "pending"}, **OLD)
    run = await client.rerun("exec_1", version="original", wait_for_completion=5)
    await client.runs.rerun("exec_1")
    first, second = script.sent
    assert (first.method, first.path) == ("POST", "/api/v1/runs/exec_1/rerun")
    assert first.query == {"wait_for_completion": "5"}
    assert first.body == {"sourceRef": "original"}
    assert (second.query, second.body) == ({}, {})
    assert (run.id, run.finished) == ("exec_2", False)


# ------------------------------------------------------------------------------------------------ reading


async def test_a_run_is_asked_for_in_detail_and_unwrapped() -> None:
    client, script = scripted({"run": DETAIL}, **OLD)
    run = await client.runs.get("exec_1")
    assert (script.sent[0].path, script.sent[0].query) == (
        "/api/v1/runs/exec_1",
        {"include": "detail,files,output"},
    )
    assert (run.id, run.type, run.finished, run.status, run.error) == ("exec_1", "workflow", True, "completed", None)
    assert run.output == {"total": 1}
    assert run.timing.duration_ms == 4000
    assert run.timing.created_at.isoformat() == "2026-06-14T09:00:00+00:00"
    assert (run.source.id, run.source.name, run.source.version) == ("wf_1", "invoice-intake", "1.4.0")
    assert run.source.git is not None
    assert (run.source.git.requested_ref, run.source.git.resolved_ref) == ("latest", "1.4.0")
    assert run.source.git.resolved_tag == "workflows.invoice-intake@1.4.0"
    assert run.source.git.commit_sha == SUMMARY["resolvedCommitSha"]
    assert run.trigger.type == "api"
    assert run.trigger.by is not None
    assert run.trigger.by.email == "dev@example.com"
    execution = run.execution
    assert (execution.batch_id, execution.schema_valid) == ("evb_1", True)
    assert execution.retry is not None
    assert (execution.retry.number, execution.retry.previous_run_id) == (1, "exec_0")
    assert isinstance(execution, WorkflowRunExecution)
    assert [(step.step_name, step.output_data) for step in execution.steps] == [("extract", {"total": 1})]
    assert run.eval is not None
    assert (run.eval.score, run.eval.passed, run.eval.example_id, run.eval.example) == (0.5, True, "ex_1", "first")


async def test_a_run_that_is_not_wrapped_reads_the_same() -> None:
    client, _ = scripted(DETAIL, {"run": DETAIL}, **OLD)
    assert await client.runs.get("exec_1") == await client.runs.get("exec_1")


async def test_an_agent_run_has_its_files_and_what_was_expected() -> None:
    client, script = scripted({"run": AGENT}, **OLD)
    run = await client.runs.get("aex_1", expand=["execution"])
    assert script.sent[0].query == {"include": "detail,files,output,expected"}
    assert [(file.name, file.path, file.size) for file in run.files] == [("a.pdf", "output/a.pdf", 3)]
    assert run.source.slug == "mail-sorter"
    assert isinstance(run.execution, AgentRunExecution)
    assert run.execution.files is not None
    assert [file.name for file in run.execution.files.output] == ["a.pdf"]
    assert run.execution.expected is not None
    assert run.execution.expected.output == {"total": 2}
    assert [file.name for file in run.execution.expected.files] == ["b.pdf"]


async def test_a_failed_run_has_its_error() -> None:
    client, _ = scripted({"run": SUMMARY | {"status": "failed", "error": "no total"}}, **OLD)
    run = await client.runs.get("exec_1")
    assert (run.finished, run.status, run.error, run.output, run.files) == (True, "failed", "no total", None, [])


async def test_a_section_that_did_not_exist_is_refused_before_anything_is_sent() -> None:
    client, script = scripted(**OLD)
    with pytest.raises(EigenpalUnsupportedError, match="usage"):
        await client.runs.get("exec_1", expand="usage")
    assert script.sent == []


async def test_list_rows_read_as_today_and_pages_follow_each_other() -> None:
    pages = [{"runs": [SUMMARY], "nextCursor": "c2"}, {"runs": [SUMMARY | {"id": "exec_2", "status": "running"}]}]
    client, script = scripted(*pages, **OLD)
    rows = [row async for row in client.runs.iterate(status=["completed", "running"])]
    assert [(row.id, row.status, row.finished) for row in rows] == [
        ("exec_1", "completed", True),
        ("exec_2", "running", False),
    ]
    assert [sent.query for sent in script.sent] == [
        {"status": "completed,running"},
        {"status": "completed,running", "cursor": "c2"},
    ]


@pytest.mark.parametrize(
    ("status", "was", "state", "now", "finished"),
    [
        ("cancelled", "pending", "cancelled", "cancelled", True),
        ("cancellation-requested", "running", "requested", "running", False),
        ("already-terminal", "failed", "already_terminal", "failed", True),
    ],
)
async def test_the_answer_to_a_cancel_request_reads_as_today(
    status: str, was: str, state: str, now: str, finished: bool
) -> None:
    client, script = scripted({"executionId": "exec_1", "status": status, "wasStatus": was}, **OLD)
    verdict = await client.runs.cancel("exec_1")
    assert script.lines == ["POST /api/v1/runs/exec_1/cancel"]
    assert (verdict.id, verdict.cancellation.state, verdict.cancellation.was_status) == ("exec_1", state, was)
    assert (verdict.status, verdict.finished) == (now, finished)


async def test_an_answer_to_a_cancel_request_in_the_form_of_today_is_left_alone() -> None:
    today = {
        "id": "exec_1",
        "type": "workflow",
        "finished": False,
        "execution": {"status": "running"},
        "cancellation": {"state": "requested", "wasStatus": "running"},
    }
    client, _ = scripted(today, **OLD)
    assert (await client.runs.cancel("exec_1")).to_dict() == today


async def test_an_artifact_lies_under_the_singular_path(tmp_path: Path) -> None:
    client, script = scripted({"any": "bytes"}, **OLD)
    await client.runs.artifacts.download("aex_1", "output/a b.pdf")
    await client.runs.artifacts.save("aex_1", "output/a b.pdf", to=tmp_path)
    assert script.lines == ["GET /api/v1/runs/aex_1/artifact/output/a%20b.pdf"] * 2
    assert (tmp_path / "a b.pdf").exists()


async def test_workflows_can_be_listed_but_not_by_folder() -> None:
    client, script = scripted({"data": [], "total": 0, "limit": 50, "offset": 0}, **OLD)
    await client.workflows.list(search="invoice")
    assert script.sent[0].query == {"search": "invoice"}
    for folder in ("fldr_1", None):
        with pytest.raises(EigenpalUnsupportedError, match="folder_id"):
            await client.workflows.list(folder_id=folder)
    assert len(script.sent) == 1


async def test_summaries_without_the_members_that_came_later_decode() -> None:
    agent = {"id": "awf_1", "slug": "a", "name": "A", "createdAt": "2026-06-14T09:00:00Z"}
    client, _ = scripted({"data": [agent], "total": 1, "limit": 50, "offset": 0}, **OLD)
    (row,) = await client.agents.list()
    assert (row.slug, row.api_enabled, row.triggers) == ("a", None, None)


@pytest.mark.parametrize(
    ("call", "replacement"),
    [
        (lambda client: client.runs.artifacts.list("exec_1"), "read run.files instead"),
        (lambda client: client.runs.definition("exec_1"), "read workflows.versions instead"),
    ],
    ids=["runs.artifacts.list", "runs.definition"],
)
async def test_an_operation_that_did_not_exist_names_its_replacement_and_sends_nothing(
    call: Any, replacement: str
) -> None:
    client, script = scripted(**OLD)
    with pytest.raises(EigenpalUnsupportedError, match=replacement) as caught:
        await call(client)
    assert caught.value.status == 0
    assert script.sent == []


# ------------------------------------------------------------------------------------------------ in one go


async def test_run_and_wait_goes_from_start_to_output() -> None:
    client, script = scripted(
        {"runId": "exec_1", "type": "workflow", "status": "pending"},
        {"run": SUMMARY | {"status": "running"}},
        {"run": DETAIL},
        **OLD,
    )
    seen: list[str] = []
    run = await client.run_and_wait(
        "workflows.a", {"language": "en"}, poll_interval_seconds=0.01, on_update=lambda run: seen.append(run.status)
    )
    assert (run.id, run.finished, run.output) == ("exec_1", True, {"total": 1})
    assert seen == ["running", "completed"]
    assert script.lines == ["POST /api/v1/run/workflows.a", "GET /api/v1/runs/exec_1", "GET /api/v1/runs/exec_1"]


async def test_two_workflow_runs_compare_step_by_step() -> None:
    other = DETAIL | {"id": "exec_2", "stepExecutions": [STEP | {"outputData": {"total": 2}}]}
    client, _ = scripted({"run": DETAIL}, {"run": other}, **OLD)
    comparison = await client.runs.compare("exec_1", "exec_2")
    assert comparison["status"] == "fail"
    assert [step["outputState"] for step in comparison["steps"]] == ["diff"]


async def test_two_agent_runs_compare_with_what_was_expected() -> None:
    good = AGENT | {"id": "aex_2", "output": {"total": 2}, "resultFiles": [{"name": "b.pdf"}]}
    client, _ = scripted({"run": AGENT}, {"run": good}, {"run": AGENT}, {"run": AGENT}, **OLD)
    assert (await client.runs.compare("aex_1", "aex_2"))["status"] == "pass"
    assert (await client.runs.compare("aex_1", "aex_1"))["status"] == "fail"


# ------------------------------------------------------------------------------------------------ as a whole


def test_every_operation_that_differs_is_in_the_table() -> None:
    differing = description()["x-legacy-generation"]["differing"]
    named = {row["operation"] for row in differing if "*" not in row["operation"]}
    table = generations.GENERATION_0_6
    assert named == table.older.keys() | table.absent.keys()
    assert {row["operation"] for row in differing if row["old"] is None} == set(table.absent)


async def test_an_operation_that_does_not_differ_is_sent_as_today() -> None:
    old, old_script = scripted({"trigger": {}, "emails": []}, **OLD)
    new, new_script = scripted({"trigger": {}, "emails": []})
    assert await old.agents.email_triggers.get("a") == await new.agents.email_triggers.get("a")
    assert old_script.lines == new_script.lines


async def test_a_generation_that_nobody_knows_is_refused() -> None:
    with pytest.raises(EigenpalInputError, match=r"0\.6"):
        scripted(api_generation="0.5")


async def test_a_server_of_today_is_not_read_as_an_older_one() -> None:
    client, script = scripted(RUN)
    await client.runs.get("exec_1", expand=["execution", "usage"])
    assert script.sent[0].query == {"expand": "execution,usage"}


@pytest.mark.parametrize(
    ("translate", "kind"),
    [
        (generations.started, StartedRun),
        (generations.run, Run),
        (generations.runs, RunsPage),
        (generations.cancelled, CancelledRun),
    ],
    ids=["started", "run", "runs", "cancelled"],
)
@settings(max_examples=60, deadline=None)
@given(wire=any_json)
def test_any_json_reads_as_something_or_is_a_mismatch(translate: Any, kind: Any, wire: Any) -> None:
    for answer in (wire, {"run": wire, "runs": [wire]}, *({name: wire} for name in ("status", "files", "wasStatus"))):
        try:
            structure(kind, translate(answer))
        except Mismatch:
            continue  # what a typed decode error is made of; anything else would reach the user


def test_nothing_outside_its_file_knows_the_older_generation() -> None:
    root = Path(eigenpal.__file__).parent
    sources = [path for folder in (root, root.parent / "eigenpal_sync") for path in folder.rglob("*.py")]
    # A server can play either, and the command says so.
    sources = [path for path in sources if not {root / "sandbox", root / "cli"} & set(path.parents)]
    assert [path.name for path in sources if any("0.6" in text for text in _texts(path))] == ["generations.py"]


def _texts(path: Path) -> list[str]:
    """Return the texts that code has, docstrings and comments apart."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    constants = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in docstrings]
    return [node.value for node in constants if isinstance(node.value, str)]
