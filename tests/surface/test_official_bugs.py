"""What the official client of this generation gets wrong on the surface, done right; one test for each.

What concerns retries, timeouts, connections and waiting is tested with the engine.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal import (
    AsyncEigenpalClient,
    EigenpalAuthError,
    EigenpalError,
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalServerError,
    EigenpalValidationError,
    Run,
    RunAccepted,
)
from eigenpal.models.executions import AgentRunExecution, WorkflowRunExecution
from tests.surface.scripted import RECEIPT, RUN, scripted

pytestmark = pytest.mark.anyio

FEEDBACK: dict[str, Any] = {"feedback": None, "expected": None, "expectedFiles": []}
MEDIA_TYPES = ["application/pdf", "application/zip", "text/csv", "text/plain", "text/html", "application/octet-stream"]


@pytest.mark.parametrize("media_type", [*MEDIA_TYPES, "application/json"])
async def test_artifacts_of_any_media_type_are_downloaded(media_type: str) -> None:
    client, _ = scripted(httpx.Response(200, content=b"\x00\xff{", headers={"content-type": media_type}))
    assert await client.runs.artifacts.download("exec_1", "output/a") == b"\x00\xff{"
    assert await client.runs.artifacts.download_zip("aex_1") == b"\x00\xff{"


async def test_an_expected_file_is_returned_and_not_none() -> None:
    client, _ = scripted(httpx.Response(200, content=b"a,b", headers={"content-type": "text/csv"}))
    assert await client.runs.expected.download("exec_1", "summary.csv") == b"a,b"


async def test_copy_output_sends_its_body() -> None:
    client, script = scripted(httpx.Response(201, json={"name": "b.csv"}))
    made = await client.runs.expected.copy_output("exec_1", output_file_name="a.csv", expected_name="b.csv")
    assert script.sent[0].body == {"outputFileName": "a.csv", "expectedName": "b.csv"}
    assert made.name == "b.csv"


async def test_a_rerun_that_waited_keeps_output_timing_and_status() -> None:
    client, script = scripted(RUN)
    run = await client.rerun("exec_0", wait_for_completion=30)
    assert isinstance(run, Run)
    assert (run.output, run.timing.duration_ms, run.status) == ({"total": 118.5}, 450, "completed")
    assert script.sent[0].query == {"wait_for_completion": "30"}


async def test_expanding_the_execution_keeps_steps_files_feedback_and_expected() -> None:
    slim: Any = RUN["execution"]
    steps = {**RUN, "execution": {**slim, "steps": [{"stepName": "extract", "outputData": 1}], "expected": {"a": 1}}}
    agent = {"files": {"output": [{"name": "a.pdf"}]}, "feedback": {"rating": "fail"}, "expected": {"output": 2}}
    client, _ = scripted(steps, {**RUN, "type": "agent", "execution": {**slim, **agent}})
    workflow_run = await client.runs.get("exec_1", expand="execution")
    agent_run = await client.runs.get("aex_1", expand="execution")
    assert isinstance(workflow_run.execution, WorkflowRunExecution)
    assert [step.step_name for step in workflow_run.execution.steps] == ["extract"]
    assert workflow_run.execution.expected == {"a": 1}
    assert isinstance(agent_run.execution, AgentRunExecution)
    assert agent_run.execution.files is not None
    assert [file.name for file in agent_run.execution.files.output] == ["a.pdf"]
    assert agent_run.execution.feedback is not None
    assert agent_run.execution.feedback.rating == "fail"
    assert agent_run.execution.expected is not None
    assert agent_run.execution.expected.output == 2


async def test_unknown_members_do_not_vanish() -> None:
    timing: Any = RUN["timing"]
    client, _ = scripted({**RUN, "newMember": 1, "timing": {**timing, "queuedMs": 5}})
    run: Any = await client.runs.get("exec_1")
    assert (run["newMember"], run.new_member, run.timing.queued_ms) == (1, 1, 5)


async def test_unknown_values_of_enumerations_come_through() -> None:
    client, _ = scripted({**RUN, "type": "pipeline", "execution": {"status": "paused"}})
    run = await client.runs.get("exec_1")
    assert (run.type, run.status) == ("pipeline", "paused")


async def test_an_unknown_kind_of_workflow_is_left_to_the_server() -> None:
    client, script = scripted({"data": [], "total": 0, "limit": 50, "offset": 0})
    await client.workflows.list(kind="template")
    assert script.sent[0].query == {"kind": "template"}


@pytest.mark.parametrize("section", ["eval", "input", "debug", "usage", "output", "files"])
async def test_a_section_that_is_null_reads_as_nothing(section: str) -> None:
    client, _ = scripted({**RUN, section: None})
    run = await client.runs.get("exec_1")
    assert getattr(run, section) in (None, [])


@pytest.mark.parametrize(
    ("status", "kind"), [(401, EigenpalAuthError), (404, EigenpalNotFoundError), (400, EigenpalValidationError)]
)
@pytest.mark.parametrize(
    "body", [b"", b"<html>Not here</html>", b'{"error": "no"}', b"[]", b'"no"', b"{", b"null", b'{"issues": null}']
)
async def test_an_error_body_that_is_no_envelope_still_gives_the_error_of_its_status(
    status: int, kind: type[EigenpalError], body: bytes
) -> None:
    client, _ = scripted(httpx.Response(status, content=body, headers={"x-request-id": "req_1"}))
    with pytest.raises(kind) as caught:
        await client.workflows.get("wf_1")
    assert (caught.value.status, caught.value.request_id) == (status, "req_1")


async def test_a_status_outside_the_standard_list_is_a_server_error() -> None:
    client, _ = scripted(httpx.Response(520, content=b"<html>"), max_retries=0)
    with pytest.raises(EigenpalServerError) as caught:
        await client.workflows.get("wf_1")
    assert caught.value.status == 520


async def test_there_is_an_async_client() -> None:
    client, _ = scripted(RUN)
    async with client:
        assert isinstance(client, AsyncEigenpalClient)
        assert (await client.runs.get("exec_1")).finished


async def test_parameters_that_the_facade_hides_are_sent() -> None:
    client, script = scripted({"runs": [], "nextCursor": None}, RECEIPT, trigger="cli")
    await client.runs.list(cursor="c", ids=["a", "b"], trigger="api", triggered_by="__system__")
    reference: Any = {"contract": {"fileId": "file_1"}}
    await client.run("workflows.a", metadata={"ticket": "T-17"}, files=reference, version="1.4.0")
    assert script.sent[0].query == {"cursor": "c", "ids": "a,b", "trigger": "api", "triggeredBy": "__system__"}
    assert script.sent[1].query == {"version": "1.4.0"}
    assert script.sent[1].body["metadata"] == {"ticket": "T-17"}
    assert script.sent[1].body["files"] == reference
    assert script.sent[1].headers["x-eigenpal-trigger"] == "cli"


async def test_the_next_cursor_leads_to_the_next_page() -> None:
    row = {name: value for name, value in RUN.items() if name not in {"output", "files"}}
    client, script = scripted({"runs": [row], "nextCursor": "c2"}, {"runs": [{**row, "id": "exec_2"}]})
    assert [run.id async for run in client.runs.iterate()] == ["exec_1", "exec_2"]
    assert [sent.query for sent in script.sent] == [{}, {"cursor": "c2"}]


async def test_an_upload_is_not_read_into_memory(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    sizes: list[int] = []

    async def measure(request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        sizes.extend([len(chunk) async for chunk in request.stream])
        return httpx.Response(201, json={"id": "file_1"})

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return await measure(request)

    async with AsyncEigenpalClient("k", transport=Transport()) as client:
        await client.runs.files.upload("exec_1", large)
    assert sum(sizes) > 64 * 1024 * 1024
    assert max(sizes) <= 1024 * 1024


async def test_a_download_can_be_streamed() -> None:
    pieces = [b"a" * 1000] * 3

    class Pieces(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Pieces())

    async with (
        AsyncEigenpalClient("k", transport=Transport()) as client,
        client.runs.artifacts.stream("exec_1", "output/a.csv") as download,
    ):
        assert b"".join([chunk async for chunk in download.chunks()]) == b"".join(pieces)


async def test_streams_without_a_name_and_files_in_lists_are_uploaded() -> None:
    client, script = scripted(RECEIPT)
    await client.run("workflows.a", {"one": io.BytesIO(b"1"), "many": [io.BytesIO(b"2"), io.BytesIO(b"3")]})
    body = script.sent[0].body
    assert (body["files.one"], body["files.many"]) == (b"1", [b"2", b"3"])
    assert json.loads(body["input"]) == {}


async def test_feedback_can_be_cleared_member_by_member() -> None:
    client, script = scripted(FEEDBACK)
    await client.runs.feedback.update("exec_1", body=None, rating=None, status=None)
    assert script.sent[0].body == {"body": None, "rating": None, "status": None}


@pytest.mark.parametrize("statuses", [["failed", "cancelled"], ("failed", "cancelled")])
async def test_a_tuple_of_statuses_is_sent_like_a_list(statuses: Any) -> None:
    client, script = scripted({"runs": [], "nextCursor": None})
    await client.runs.list(status=statuses)
    assert script.sent[0].query == {"status": "failed,cancelled"}


async def test_an_empty_list_of_sections_is_not_sent() -> None:
    client, script = scripted(RUN)
    await client.runs.get("exec_1", expand=[])
    assert script.sent[0].query == {}


async def test_a_bare_target_name_is_refused_before_anything_is_sent() -> None:
    client, script = scripted(RECEIPT)
    with pytest.raises(EigenpalInputError, match=r"workflows\.<slug or id>"):
        await client.run("invoice-intake")
    assert script.sent == []


async def test_a_slug_that_has_its_root_is_not_rooted_twice() -> None:
    client, script = scripted(RECEIPT)
    await client.run({"type": "workflow", "slug": "workflows.invoice-intake", "version": "1.4.0"})
    assert script.sent[0].body["target"] == "workflows.invoice-intake"
    assert script.sent[0].query == {"version": "1.4.0"}


async def test_what_run_and_wait_returns_has_finished_and_all_the_rest() -> None:
    client, _ = scripted(RECEIPT, RUN)
    run = await client.workflows.executions.run_and_wait("invoice-intake", poll_interval_seconds=0.01)
    assert (run["finished"], run["id"], run["status"], run["output"]) == (True, "exec_1", "completed", {"total": 118.5})
    assert run["error"] is None


async def test_there_is_one_style_of_result_with_attributes_and_items() -> None:
    client, _ = scripted(RUN, FEEDBACK, {"events": []})
    for result, member in [
        (await client.runs.get("exec_1"), "finished"),
        (await client.runs.feedback.get("exec_1"), "feedback"),
        (await client.runs.trace.get("exec_1"), "events"),
    ]:
        assert result[member] == getattr(result, member)


async def test_attributes_have_plain_names_and_timestamps_are_moments() -> None:
    client, _ = scripted({**RUN, "eval": {"example": "a", "score": 1, "passed": True}, "input": {"args": {"a": 1}}})
    run = await client.runs.get("exec_1")
    assert run.eval is not None
    assert run.input is not None
    assert (run.type, run.eval.passed, run.input.args) == ("workflow", True, {"a": 1})
    assert run.timing.created_at.year == 2026


async def test_comparing_tells_of_steps_that_only_the_second_run_has() -> None:
    slim: Any = RUN["execution"]

    def with_steps(*names: str) -> Any:
        return {**RUN, "execution": {**slim, "steps": [{"stepName": name, "output": [1]} for name in names]}}

    client, _ = scripted(with_steps("extract"), with_steps("extract", "export"))
    comparison = await client.runs.compare("exec_1", "exec_2")
    assert "export" in str(comparison)
    assert comparison["status"] == "pass"


async def test_the_slashes_of_an_artifact_path_stay_slashes() -> None:
    client, script = scripted({})
    await client.runs.artifacts.download("exec_1", "output/2026/a b.pdf")
    assert script.lines == ["GET /api/v1/runs/exec_1/artifacts/output/2026/a%20b.pdf"]


async def test_default_headers_go_with_every_request() -> None:
    client, script = scripted(RUN, default_headers={"X-Team": "billing"})
    await client.runs.get("exec_1")
    assert script.sent[0].headers["x-team"] == "billing"


async def test_no_repr_shows_the_key() -> None:
    client, _ = scripted(RUN)
    for thing in (client, client.runs, client.with_raw_response, client.runs.artifacts, client._session):
        assert "eig_live_key" not in repr(thing)


async def test_receipt_and_run_have_the_same_names() -> None:
    client, _ = scripted(RECEIPT, RUN)
    for run in (await client.run("workflows.a"), await client.run("workflows.a", wait_for_completion=5)):
        assert isinstance(run, Run | RunAccepted)
        assert (run.id, run["finished"], run.error, run["error"]) == ("exec_1", run.finished, None, None)


@pytest.mark.parametrize(
    ("answer", "files", "content"),
    [
        ({"files": [{"path": "agent.yaml"}]}, [{"path": "agent.yaml"}], None),
        (["agent.yaml"], ["agent.yaml"], None),
        ({"files": {"agent.yaml": 12}}, {"agent.yaml": 12}, None),
        ({"path": "agent.yaml", "content": "name: a"}, None, "name: a"),
        ("name: a", None, "name: a"),
        (None, None, None),
    ],
    ids=["listing", "bare listing", "mapping", "one file", "text", "null"],
)
async def test_a_listing_of_source_files_may_have_any_shape(answer: Any, files: Any, content: Any) -> None:
    client, _ = scripted(answer if answer is not None else httpx.Response(200, content=b"null"))
    listing = await client.agents.list_files("sorter")
    assert (listing.files, listing.content) == (files, content)
