"""A sandbox that plays a server of generation 0.6, on the wire: older paths, bodies, words and status codes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import RunContext, RunFailed, Sandbox
from eigenpal.sandbox.operations import GENERATION_07
from eigenpal.sandbox.operations.generations import GENERATIONS
from tests.sandbox.conftest import connect
from tests.sandbox.contract import description
from tests.sandbox.older_contract import connect_older, older_errors


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(generation="0.6") as running:

        @running.workflow("echo", steps=("read",))
        def echo(context: RunContext) -> dict[str, Any]:
            with context.step("read") as step:
                step.output = {"read": True}
            if context.input.get("fail"):
                raise RunFailed("told to")
            context.write_artifact("a.csv", "a,b\n")
            files = {name: _contents(file) for name, file in context.files.items()}
            return {"input": dict(context.input), "files": files, "step": step.output}

        @running.agent("writer", version="0.3.1", model="m1")
        def writer(context: RunContext) -> dict[str, Any]:
            context.write_artifact("report.md", "# Report")
            return {"total": 1}

        yield running


def _contents(file: Any) -> list[str]:
    return [one.read_text() for one in (file if isinstance(file, list) else [file])]


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect_older(sandbox.url, sandbox.api_key) as connected:
        yield connected


def finished(client: httpx.Client, target: str, /, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/run/{target}?wait_for_completion=5", json=body)
    assert answer.status_code == 200, answer.text
    assert older_errors("LegacyRunStartResponse", answer.json()) == []
    found: dict[str, Any] = answer.json()
    return found


def summary(client: httpx.Client, run_id: str, include: str = "") -> dict[str, Any]:
    answer = client.get(f"/runs/{run_id}", params={"include": include} if include else {})
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"run"}
    found: dict[str, Any] = answer.json()["run"]
    return found


# Starting


@pytest.mark.parametrize(("target", "status"), [("workflows.echo", 201), ("agents.writer", 202)])
def test_a_start_without_a_wait_answers_by_kind(client: httpx.Client, target: str, status: int) -> None:
    answer = client.post(f"/run/{target}", json={})

    assert answer.status_code == status
    assert older_errors("LegacyRunStartResponse", answer.json()) == []
    assert (answer.json()["status"], "output" in answer.json()) == ("pending", False)


def test_a_run_that_ends_in_time_comes_with_its_result(client: httpx.Client) -> None:
    run = finished(client, "workflows.echo", language="en")
    assert (run["type"], run["status"], run["error"]) == ("workflow", "completed", None)
    assert run["output"]["input"] == {"language": "en"}
    assert run["cost"]["creditsCharged"] == 0
    failed = finished(client, "workflows.echo", fail=True)
    assert (failed["status"], failed["error"], failed["output"]) == ("failed", "told to", None)


def test_a_wait_that_runs_out_says_so(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.run_latency = 30
    answer = client.post("/run/workflows.echo?wait_for_completion=1", json={})
    assert (answer.status_code, answer.json()["status"]) == (202, "timeout")


def test_the_body_is_the_input_and_only_overrides_are_reserved(client: httpx.Client) -> None:
    body = {"target": "t", "input": 1, "metadata": None, "files": [], "_metadata": {"a": 1}}
    overrides = {"steps": {"read": {"given": 1}}}
    run = finished(client, "workflows.echo", **body, _overrides=overrides)

    assert run["output"]["input"] == body
    assert run["output"]["step"] == {"given": 1}


def test_files_are_parts_under_their_bare_names(client: httpx.Client) -> None:
    parts: list[Any] = [
        ("input", ("a.txt", b"one")),
        ("pages", ("b.txt", b"two")),
        ("pages", ("b.txt", b"three")),
        ("target", ("c.txt", b"four")),
    ]
    data = {"_json": '{"language": "en"}', "_overrides": '{"steps": {"read": {"given": 1}}}'}
    answer = client.post("/run/workflows.echo?wait_for_completion=5", data=data, files=parts)

    output = answer.json()["output"]
    assert output["files"] == {"input": ["one"], "pages": ["two", "three"], "target": ["four"]}
    assert (output["input"], output["step"]) == ({"language": "en"}, {"given": 1})


def test_targets_are_ids_too_and_versions_are_in_the_query(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("echo", version="2.0.0")(lambda context: {"v": 2})
    workflow_id = client.get("/workflows/echo").json()["id"]

    assert finished(client, f"workflows.{workflow_id}")["output"] == {"v": 2}
    older = client.post("/run/workflows.echo?wait_for_completion=5&version=1.0.0", json={}).json()
    assert "step" in older["output"]


@pytest.mark.parametrize(
    ("target", "content", "status", "field"),
    [
        ("echo", b"{}", 400, "path.target"),
        ("workflows.none", b"{}", 404, "path.target"),
        ("workflows.echo@1.0.0", b"{}", 400, "path.target"),
        ("workflows.echo", b"[]", 400, "<root>"),
        ("workflows.echo", b"{", 400, "<root>"),
        ("workflows.echo", b'{"_overrides": 1}', 400, "body._overrides"),
        ("workflows.echo", b'{"_overrides": {"steps": {"none": {}}}}', 400, "body.overrides.steps.none"),
        ("agents.writer", b'{"_overrides": {"steps": {}}}', 400, "body.overrides"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(
    client: httpx.Client, target: str, content: bytes, status: int, field: str
) -> None:
    answer = client.post(f"/run/{target}", content=content, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["issues"][0]["field"]) == (status, field)
    assert client.get("/runs").json()["runs"] == []


# Reading


def test_a_run_is_a_flat_summary_inside_of_run(client: httpx.Client) -> None:
    run_id = finished(client, "agents.writer")["runId"]
    run = summary(client, run_id)

    assert older_errors("LegacyRunSummary", run) == []
    assert (run["status"], run["agentSlug"], run["resolvedGitRef"]) == ("completed", "writer", "0.3.1")
    assert run["resolvedGitTag"] == "agents.writer@0.3.1"
    assert (run["retryNumber"], run["previousExecutionId"]) == (0, None)
    assert client.get("/runs").json() == {"runs": [run], "nextCursor": None}


def test_what_is_included_is_what_was_asked_for(client: httpx.Client) -> None:
    run_id = finished(client, "workflows.echo", language="en")["runId"]
    client.patch(f"/runs/{run_id}/feedback", json={"expected": {"total": 1}})
    client.post(f"/runs/{run_id}/expected", json={"outputFileName": "a.csv"})
    plain = summary(client, run_id).keys()

    def added(include: str) -> set[str]:
        return set(summary(client, run_id, include)) - plain

    assert added("detail") == {"input", "stepExecutions", "output", "resultFiles"}
    assert added("output") == {"output"}
    assert added("files") == {"resultFiles"}
    assert added("expected") == {"expected", "expectedFiles"}
    run = summary(client, run_id, "detail,files,output,expected")
    assert (run["input"], run["expected"], run["expectedFiles"]) == (
        {"language": "en"},
        {"total": 1},
        [{"name": "a.csv"}],
    )
    assert [step["stepName"] for step in run["stepExecutions"]] == ["read"]
    assert [file["path"] for file in run["resultFiles"]] == ["output/a.csv"]


def test_an_unknown_include_is_refused_and_expand_means_nothing_yet(client: httpx.Client) -> None:
    run_id = finished(client, "workflows.echo")["runId"]
    assert client.get(f"/runs/{run_id}?include=cost").status_code == 400
    assert client.get(f"/runs/{run_id}?expand=nothing").status_code == 200


def test_pages_follow_each_other(sandbox: Sandbox, client: httpx.Client) -> None:
    ids = [finished(client, "workflows.echo")["runId"] for _ in range(3)]
    sandbox.annotate(ids[0], batch_id="evb_1", example="first", example_id="ex_1", score=0.5, passed=True)
    first = client.get("/runs?limit=2").json()
    second = client.get(f"/runs?limit=2&cursor={first['nextCursor']}").json()

    rows = [*first["runs"], *second["runs"]]
    assert [row["id"] for row in rows] == ids[::-1]
    assert [older_errors("LegacyRunSummary", row) for row in rows] == [[], [], []]
    judged = rows[-1]
    assert (judged["evalScore"], judged["evalPassed"], judged["exampleName"], judged["batchId"]) == (
        0.5,
        True,
        "first",
        "evb_1",
    )
    assert client.get("/runs?limit=0").status_code == 400


def test_cancelling_answers_in_three_words(sandbox: Sandbox, client: httpx.Client) -> None:
    over = finished(client, "workflows.echo")["runId"]
    assert client.post(f"/runs/{over}/cancel").json() == {
        "executionId": over,
        "status": "already-terminal",
        "wasStatus": "completed",
    }
    sandbox.run_latency = 30
    running = client.post("/run/workflows.echo", json={}).json()["runId"]
    while summary(client, running)["status"] != "running":
        pass
    verdict = client.post(f"/runs/{running}/cancel").json()
    assert (verdict["status"], verdict["wasStatus"]) == ("cancellation-requested", "running")


# Running again


def test_a_rerun_takes_its_version_from_the_body(sandbox: Sandbox, client: httpx.Client) -> None:
    first = finished(client, "workflows.echo")["runId"]
    sandbox.workflow("echo", version="2.0.0")(lambda context: {"v": 2})
    url = f"/runs/{first}/rerun?wait_for_completion=5"

    latest = client.post(url, json={})
    original = client.post(url, json={"sourceRef": "original"})
    bare = client.post(url)
    for answer in (latest, original, bare):
        assert answer.status_code == 200
        assert older_errors("LegacyRunRerunResponse", answer.json()) == []
        assert answer.json()["executionId"] == answer.json()["runId"]
    assert latest.json()["output"] == bare.json()["output"] == {"v": 2}
    assert "step" in original.json()["output"]
    assert summary(client, latest.json()["runId"])["previousExecutionId"] == first
    assert client.post(f"/runs/{first}/rerun").status_code == 201


def test_workflow_runs_are_repeated_as_the_latest_or_the_original(client: httpx.Client) -> None:
    run_id = finished(client, "workflows.echo")["runId"]
    answer = client.post(f"/runs/{run_id}/rerun", json={"sourceRef": "1.0.0"})
    assert (answer.status_code, answer.json()["issues"][0]["field"]) == (400, "body.sourceRef")
    agent = finished(client, "agents.writer")["runId"]
    assert client.post(f"/runs/{agent}/rerun", json={"sourceRef": "0.3.x"}).status_code == 202


# Artifacts, workflows, agents, what was not there


def test_artifacts_of_agents_are_under_the_singular_path(client: httpx.Client) -> None:
    run_id = finished(client, "agents.writer")["runId"]
    assert client.get(f"/runs/{run_id}/artifact/output/report.md").content == b"# Report"
    assert client.get(f"/runs/{run_id}/artifact/output/..%2Fx").status_code == 400
    workflow_run = finished(client, "workflows.echo")["runId"]
    assert client.get(f"/runs/{workflow_run}/artifact/output/a.csv").status_code == 404
    assert client.get(f"/runs/{workflow_run}/files").json()["outputsByStep"]["output"][0]["filename"] == "a.csv"


def test_workflows_and_agents_have_no_switches_and_no_folders(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("filed", folder_id="fldr_1")(lambda context: {})
    listed = client.get("/workflows?folderId=null").json()
    assert listed["total"] == 3  # the parameter came later, so it filters nothing
    agents = client.get("/agents").json()["data"]
    documents = [
        *listed["data"],
        client.get("/workflows/echo").json(),
        *agents,
        client.get("/agents/writer").json()["agent"],
    ]
    for document in documents:
        assert {"apiEnabled", "triggers"}.isdisjoint(document)
    assert client.get("/workflows?search=fil&limit=1").json()["total"] == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/runs", 405),
        ("GET", "/runs/exec_1/artifacts", 404),
        ("GET", "/runs/exec_1/artifacts/output/a", 404),
        ("GET", "/runs/exec_1/definition", 404),
    ],
)
def test_what_came_later_is_not_there(client: httpx.Client, method: str, path: str, status: int) -> None:
    assert client.request(method, path).status_code == status


def test_the_generations_differ_where_the_description_says_so() -> None:
    legacy = description()["x-legacy-generation"]
    older = {route.name: (route.method, route.path.replace(":path}", "}")) for route in GENERATIONS["0.6"]}
    today = {route.name: (route.method, route.path.replace(":path}", "}")) for route in GENERATION_07}
    moved: dict[str, tuple[str, str] | None] = {}
    for difference in legacy["differing"]:
        place = re.match(r"(GET|POST) /api/v1([^\s?]+)", difference["old"] or "")
        if place or difference["old"] is None:
            moved[difference["operation"]] = (place[1], place[2]) if place else None
    assert {name: older.get(name) for name in moved} == moved
    assert len(moved) == 6
    assert {name: place for name, place in today.items() if name not in moved} == {
        name: place for name, place in older.items() if name not in moved
    }


def test_one_data_folder_serves_both_generations(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path, generation="0.6") as sandbox, connect_older(sandbox.url, sandbox.api_key) as client:
        run_id = finished(client, "workflows.extract-invoice")["runId"]
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as today:
        assert today.get(f"/runs/{run_id}").json()["execution"]["status"] == "failed"
        assert json.loads(today.get("/runs").content)["runs"][0]["id"] == run_id


def test_a_generation_that_never_was_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.5.*0\.7 or 0\.6"):
        Sandbox(generation="0.5")  # type: ignore[arg-type]  # what a user may write all the same
