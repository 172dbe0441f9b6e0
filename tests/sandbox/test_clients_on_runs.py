"""Everything below a run through the clients, async and blocking, and clients of generation 0.6 at such a server."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eigenpal import (
    AsyncEigenpalClient,
    EigenpalClient,
    EigenpalError,
    EigenpalNotFoundError,
    EigenpalUnsupportedError,
    EigenpalValidationError,
)
from eigenpal.models.executions import AgentRunExecution, WorkflowRunExecution
from eigenpal.sandbox import InputFile, RunContext, RunFailed, Sandbox


def equip(sandbox: Sandbox) -> None:
    """Register an agent that writes a file, and a workflow that reads one and fails once for each chain."""

    @sandbox.agent("writer")
    def writer(context: RunContext) -> dict[str, Any]:
        context.trace({"type": "thought", "message": "hm"})
        context.write_artifact("report.csv", "a,b\n")
        return {"total": context.input.get("total", 100)}

    failed: set[str] = set()

    @sandbox.workflow("flaky", steps=("read",), retries=1)
    def flaky(context: RunContext) -> dict[str, Any]:
        document = context.files["doc"]
        assert isinstance(document, InputFile)
        with context.step("read") as step:
            step.output = {"text": document.read_text()}
        if document.name not in failed:
            failed.add(document.name)
            raise RunFailed("once")
        return {"text": document.read_text()}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(max_running=1) as running:
        equip(running)
        yield running


@pytest.fixture
def older() -> Iterator[Sandbox]:
    with Sandbox(generation="0.6") as running:
        equip(running)
        yield running


@pytest.mark.anyio
async def test_a_review_from_the_first_word_to_the_last(sandbox: Sandbox, tmp_path: Path) -> None:
    async with AsyncEigenpalClient(sandbox.api_key, base_url=sandbox.url) as client:
        runs = client.runs
        run = await client.run_and_wait("agents.writer", input={})
        await runs.feedback.update(run.id, rating="fail", body="The tax is missing.", expected={"total": 119})
        detail = await runs.feedback.update(run.id, body=None)
        assert detail.feedback is not None
        assert (detail.feedback.rating, detail.feedback.body, detail.expected) == ("fail", "", {"total": 119})
        resolved = (await runs.feedback.resolve(run.id, body="done")).feedback
        assert resolved is not None
        assert (resolved.status, resolved.body, resolved.resolved_at is not None) == ("resolved", "done", True)

        assert (await runs.expected.copy_output(run.id, output_file_name="report.csv")).name == "report.csv"
        letter = tmp_path / "letter.pdf"
        letter.write_bytes(b"%PDF")
        assert (await runs.expected.upload(run.id, letter, name="in/letter.pdf")).name == "in/letter.pdf"
        assert (await runs.expected.rename(run.id, "in/letter.pdf", name="cover.pdf")).name == "cover.pdf"
        assert await runs.expected.download(run.id, "cover.pdf") == b"%PDF"
        saved = await runs.expected.save(run.id, "cover.pdf", to=tmp_path / "saved")
        assert saved.read_bytes() == b"%PDF"
        listed = await runs.expected.list(run.id)
        assert (listed.expected, [file.name for file in listed.files]) == ({"total": 119}, ["report.csv", "cover.pdf"])

        execution = (await runs.get(run.id, expand="execution")).execution
        assert isinstance(execution, AgentRunExecution)
        assert execution.expected is not None
        assert execution.feedback == resolved
        judged = await runs.compare(run.id, run.id)
        kept = await runs.comparison.get(run.id)
        assert judged.status == kept["status"] == "fail"
        assert judged.missing_files == kept["missingFiles"] == ["cover.pdf"]
        assert [one.path for one in judged.json_differences] == [one["path"] for one in kept["jsonDifferences"]]

        await runs.expected.delete(run.id, "cover.pdf")
        right = await client.run_and_wait("agents.writer", input={"total": 119})
        assert (await runs.compare(run.id, right.id)).passed
        assert (await runs.feedback.clear(run.id)).to_dict() == {
            "feedback": None,
            "expected": None,
            "expectedFiles": [],
        }
        with pytest.raises(EigenpalNotFoundError):
            await runs.comparison.get(run.id)
        with pytest.raises(EigenpalValidationError, match="rating"):
            await runs.feedback.update(run.id, rating="good")  # type: ignore[arg-type]  # what a user may write


@pytest.mark.anyio
async def test_a_chain_of_retries_and_the_files_trace_and_connection_of_its_runs(sandbox: Sandbox) -> None:
    entered, leave = threading.Event(), threading.Event()

    @sandbox.workflow("hold")
    def hold(context: RunContext) -> None:
        entered.set()
        assert leave.wait(10)

    async with AsyncEigenpalClient(sandbox.api_key, base_url=sandbox.url) as client:
        runs = client.runs
        await client.run("workflows.hold")
        while not entered.is_set():
            await runs.list(limit=1)
        first = await client.run("workflows.flaky", input={"doc": {"content": b"hello", "filename": "a.txt"}})
        unwanted = await runs.files.upload(first.id, b"never mind", filename="b.txt")
        assert unwanted.id is not None
        assert [file.filename for file in (await runs.files.list(first.id)).inputs] == ["a.txt", "b.txt"]
        await runs.files.delete(first.id, unwanted.id)
        assert (await runs.connect(first.id))["connected"] is True
        leave.set()

        failed = await runs.wait(first.id)
        assert failed.execution.retry is not None
        assert failed.execution.retry.next_run is not None
        last = await runs.wait(failed.execution.retry.next_run.id)
        assert (failed.error, last.output) == ("once", {"text": "hello"})
        assert last.execution.retry is not None
        assert (last.execution.retry.number, last.execution.retry.previous_run_id) == (1, first.id)
        events = [(event.type, event.phase or event.step_name, event.status) for event in await runs.trace.get(last.id)]
        assert events[-1] == ("step", "read", "success")
        with pytest.raises(EigenpalValidationError, match="completed"):
            await runs.files.upload(last.id, b"too late")


def test_a_review_with_the_blocking_client(sandbox: Sandbox, tmp_path: Path) -> None:
    with EigenpalClient(sandbox.api_key, base_url=sandbox.url) as client:
        run = client.run_and_wait("agents.writer", input={})
        detail = client.runs.feedback.update(run.id, rating="fail", expected={"total": 100})
        assert detail.feedback is not None
        client.runs.expected.copy_output(run.id, output_file_name="report.csv", expected_name="r.csv")
        client.runs.expected.upload(run.id, b"x", filename="x.bin")
        client.runs.expected.rename(run.id, "r.csv", name="report.csv")
        client.runs.expected.delete(run.id, "x.bin")
        assert client.runs.expected.download(run.id, "report.csv") == b"a,b\n"
        assert client.runs.comparison.get(run.id)["status"] == "pass"
        assert [event.message for event in client.runs.trace.get(run.id)] == ["hm"]
        assert client.runs.connect(run.id)["connected"] is False
        token = sandbox.download_token(run.id)
        with zipfile.ZipFile(io.BytesIO(client.runs.artifacts.download_zip(run.id, token=token))) as archive:
            assert archive.namelist() == ["report.csv"]
        client.runs.feedback.clear(run.id)
        assert client.runs.expected.list(run.id).files == []


@pytest.mark.anyio
async def test_a_client_of_0_6_at_a_server_of_0_6(older: Sandbox, tmp_path: Path) -> None:
    async with AsyncEigenpalClient(older.api_key, base_url=older.url, api_generation="0.6") as client:
        runs = client.runs
        document = {"content": b"hello", "filename": "a.txt"}
        failed = await client.run_and_wait("workflows.flaky", input={"doc": document, "language": "en"})
        assert (failed.status, failed.error) == ("failed", "once")
        rows = [row async for row in runs.iterate(limit=1)]
        assert [row.status for row in rows][1:] == ["failed"]
        last = await runs.wait(rows[0].id)
        assert last.output == {"text": "hello"}
        assert last.execution.retry is not None
        assert (last.execution.retry.number, last.execution.retry.previous_run_id) == (1, failed.id)
        assert isinstance(last.execution, WorkflowRunExecution)
        assert [step.output_data for step in last.execution.steps] == [{"text": "hello"}]
        expanded = await runs.get(last.id, expand=["input", "execution"])
        assert expanded.input is not None
        assert expanded.input.args == {"language": "en"}
        again = await client.rerun(last.id, version="original", wait_for_completion=5)
        assert (again.finished, again["output"]) == (True, {"text": "hello"})
        overridden = await client.run(
            "workflows.flaky@1.0.0",
            {"doc": document},
            overrides={"steps": {"read": {"text": ""}}},
            wait_for_completion=5,
        )
        assert overridden.finished
        assert (await runs.compare(last.id, again.id)).passed
        assert not (await runs.compare(last.id, overridden.id)).passed
        assert (await runs.cancel(last.id)).cancellation.state == "already_terminal"

        agent = await client.run_and_wait("agents.writer", input={"total": 1})
        await runs.feedback.update(agent.id, expected={"total": 2})
        await runs.expected.copy_output(agent.id, output_file_name="report.csv")
        judged = await runs.compare(agent.id, agent.id)
        assert [one.path for one in judged.json_differences] == ["$.total"]
        assert (agent.source.slug, [file.path for file in agent.files]) == ("writer", ["output/report.csv"])
        assert await runs.artifacts.download(agent.id, "output/report.csv") == b"a,b\n"
        assert (await runs.artifacts.save(agent.id, "output/report.csv", to=tmp_path)).read_bytes() == b"a,b\n"

        assert [workflow.name for workflow in await client.workflows.list()] == ["extract-invoice", "flaky"]
        assert (await client.workflows.get("flaky")).api_enabled is None
        assert [one.slug async for one in client.agents.iterate()] == ["writer"]
        with pytest.raises(EigenpalUnsupportedError):
            await runs.definition(last.id)
        with pytest.raises(EigenpalNotFoundError):
            await client.run("workflows.none")


def test_the_blocking_client_of_0_6_at_a_server_of_0_6(older: Sandbox) -> None:
    with EigenpalClient(older.api_key, base_url=older.url, api_generation="0.6") as client:
        run = client.run_and_wait("agents.writer", input={"total": 1})
        assert (run.output, [file.path for file in run.files]) == ({"total": 1}, ["output/report.csv"])
        assert client.rerun(run.id, wait_for_completion=5)["output"] == {"total": 1}
        assert [row.finished for row in client.runs.iterate()] == [True, True]


@pytest.mark.anyio
async def test_a_client_of_another_generation_than_its_server_is_told(older: Sandbox, sandbox: Sandbox) -> None:
    async with AsyncEigenpalClient(older.api_key, base_url=older.url, max_retries=0) as client:
        with pytest.raises(EigenpalError) as refused:
            await client.run("agents.writer")
    assert refused.value.status == 405
    async with AsyncEigenpalClient(sandbox.api_key, base_url=sandbox.url, api_generation="0.6") as client:
        with pytest.raises(EigenpalNotFoundError, match="No such path"):
            await client.run("agents.writer")
