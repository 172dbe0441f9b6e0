"""POST /runs: JSON, multipart, older layouts, waiting, overrides, refusals."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import RunContext, Sandbox

Echo = dict[str, Any]


@pytest.fixture(autouse=True)
def echo(sandbox: Sandbox) -> None:
    """A workflow and an agent that give back what they got."""

    @sandbox.workflow("tools/echo", steps=("look", "tell"))
    @sandbox.agent("echo", model="none")
    def echo(context: RunContext) -> Echo:
        files = {
            name: [(file.name, file.content_type, file.size, file.read_text()) for file in one]
            if isinstance(one, list)
            else (one.name, one.content_type, one.size, one.read_text())
            for name, one in context.files.items()
        }
        with context.step("look") as step:
            if not step.overridden:
                step.output = {"seen": sorted(files)}
        return {"input": context.input, "files": files, "metadata": context.metadata, "look": step.output}


def finished(client: httpx.Client, **request: Any) -> dict[str, Any]:
    """Start a run, wait for its end and return it."""
    response = client.post("/runs", params={"wait_for_completion": 10, **request.pop("params", {})}, **request)
    assert response.status_code == 200, response.text
    run: dict[str, Any] = response.json()
    return run


def refused(response: httpx.Response, status: int, field: str) -> dict[str, Any]:
    """Check a refusal and return its envelope."""
    envelope: dict[str, Any] = response.json()
    assert (response.status_code, envelope["issues"][0]["field"]) == (status, field)
    return envelope


def test_a_start_without_a_wait_answers_201_with_a_receipt(client: httpx.Client) -> None:
    response = client.post("/runs", json={"target": "workflows.tools.echo"})

    assert response.status_code == 201
    assert response.json().keys() == {"id", "type", "finished", "source"}
    assert response.json()["id"].startswith("exec_")


def test_a_run_that_ends_inside_the_wait_answers_200_with_the_whole_run(client: httpx.Client) -> None:
    run = finished(client, json={"target": "workflows.tools.echo", "input": {"language": "en"}, "metadata": {"a": 1}})

    assert run["finished"] is True
    assert run["output"]["input"] == {"language": "en"}
    assert run["output"]["metadata"] == {"a": 1}
    assert run["execution"]["status"] == "completed"


def test_a_wait_that_runs_out_answers_202_with_a_receipt(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.run_latency = 30

    response = client.post("/runs?wait_for_completion=1", json={"target": "workflows.tools.echo"})

    assert response.status_code == 202
    assert response.json()["finished"] is False


def test_the_client_that_waits_may_go_away_and_the_run_goes_on(sandbox: Sandbox, client: httpx.Client) -> None:
    entered, leave = threading.Event(), threading.Event()

    @sandbox.workflow("slow")
    def slow(context: RunContext) -> dict[str, Any]:
        entered.set()
        leave.wait(10)
        return {"done": True}

    with pytest.raises(httpx.ReadTimeout):
        client.post("/runs?wait_for_completion=60", json={"target": "workflows.slow"}, timeout=0.3)
    assert entered.wait(5)
    leave.set()
    (row,) = client.get("/runs").json()["runs"]
    while not client.get(f"/runs/{row['id']}").json()["finished"]:
        pass
    assert client.get(f"/runs/{row['id']}").json()["output"] == {"done": True}


@pytest.mark.parametrize("target", ["workflows.tools.echo", "workflows.tools/echo", "agents.echo"])
def test_nested_slugs_have_dots_or_slashes(client: httpx.Client, target: str) -> None:
    run = finished(client, json={"target": target})

    assert run["source"]["name"] == ("echo" if "agents" in target else "tools/echo")


def test_a_target_may_name_the_id(client: httpx.Client) -> None:
    workflow = client.get("/workflows", params={"name": "tools.echo"}).json()["data"][0]

    assert finished(client, json={"target": f"workflows.{workflow['id']}"})["source"]["id"] == workflow["id"]


def test_agent_runs_show_their_git_origin(client: httpx.Client) -> None:
    run = finished(client, json={"target": "agents.echo"})

    assert run["id"].startswith("aex_")
    assert run["source"]["git"]["resolvedTag"] == "agents.echo@1.0.0"
    assert len(run["source"]["git"]["commitSha"]) == 40
    assert run["source"]["model"] == "none"


def test_multipart_files_arrive_under_their_input_names_and_repeated_parts_as_a_list(client: httpx.Client) -> None:
    run = finished(
        client,
        data={"target": "workflows.tools.echo", "input": '{"language": "en"}', "metadata": '{"ticket": "T-17"}'},
        files=[
            ("files.contract", ("c.txt", b"contract", "text/plain")),
            ("files.pages", ("p.txt", b"one", "text/plain")),
            ("files.pages", ("p.txt", b"second", "text/plain")),
        ],
    )

    assert run["output"]["files"] == {
        "contract": ["c.txt", "text/plain", 8, "contract"],
        "pages": [["p.txt", "text/plain", 3, "one"], ["p.txt", "text/plain", 6, "second"]],
    }
    assert run["output"]["input"] == {"language": "en"}
    assert run["output"]["metadata"] == {"ticket": "T-17"}


def test_a_json_part_may_carry_a_file_name_and_a_media_type(client: httpx.Client) -> None:
    run = finished(
        client,
        files=[
            ("target", (None, b"workflows.tools.echo")),
            ("input", ("input.json", b'{"a": 1}', "application/json")),
        ],
    )

    assert run["output"]["input"] == {"a": 1}
    assert run["output"]["files"] == {}


def test_an_empty_file_and_strange_names_are_files_all_the_same(client: httpx.Client) -> None:
    run = finished(
        client,
        data={"target": "workflows.tools.echo"},
        files=[
            ("files.empty", ("empty.txt", b"")),
            ("files.path", ("../../etc/passwd", b"x", "text/plain")),
            ("files.umlaut", ("Übersicht für März.txt", b"x", "text/plain")),
            ("files.dots", ("..", b"x", "text/plain")),
        ],
    )

    files = run["output"]["files"]
    assert files["empty"] == ["empty.txt", "text/plain", 0, ""]
    assert files["path"][0] == "passwd"
    assert files["umlaut"][0] == "Übersicht für März.txt"
    assert files["dots"][0] == "dots"


def test_the_layout_of_older_clients_is_understood(client: httpx.Client) -> None:
    run = finished(
        client,
        data={
            "target": "workflows.tools.echo",
            "_json": '{"language": "en"}',
            "_metadata": '{"m": 1}',
            "_overrides": '{"steps": {"look": {"seen": "nothing"}}}',
        },
        files={"contract": ("c.txt", b"bare", "text/plain")},
    )

    assert run["output"]["files"]["contract"][3] == "bare"
    assert run["output"]["input"] == {"language": "en"}
    assert run["output"]["metadata"] == {"m": 1}
    assert run["output"]["look"] == {"seen": "nothing"}


def test_older_names_inside_the_input_are_understood(client: httpx.Client) -> None:
    body = {"target": "workflows.tools.echo", "input": {"a": 1, "_overrides": {"steps": {"look": {"x": 1}}}}}

    output = finished(client, json=body)["output"]

    assert (output["input"], output["look"]) == ({"a": 1}, {"x": 1})


def test_an_overridden_step_is_skipped_and_its_given_output_used(client: httpx.Client) -> None:
    body = {"target": "workflows.tools.echo", "overrides": {"steps": {"look": {"seen": ["given"]}}}}

    run = finished(client, json=body)

    assert run["output"]["look"] == {"seen": ["given"]}
    expanded = client.get(f"/runs/{run['id']}", params={"expand": "execution"}).json()
    (step,) = expanded["execution"]["steps"]
    assert (step["status"], step["overrideMode"], step["outputData"]) == ("skipped", "skipped", {"seen": ["given"]})


def test_a_file_of_an_earlier_run_can_be_given_by_reference(sandbox: Sandbox, client: httpx.Client) -> None:
    first = finished(client, data={"target": "workflows.tools.echo"}, files={"files.doc": ("a.txt", b"kept")})
    (stored,) = sandbox.files(first["id"])
    reference = {"fileId": stored.id, "filename": "b.txt", "mimeType": "text/markdown"}

    run = finished(client, json={"target": "workflows.tools.echo", "files": {"one": reference, "two": [reference] * 2}})

    assert run["output"]["files"]["one"] == ["b.txt", "text/markdown", 4, "kept"]
    assert len(run["output"]["files"]["two"]) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.target"),
        ({"target": None}, "body.target"),
        ({"target": 5}, "body.target"),
        ({"target": ""}, "body.target"),
        ({"target": "tools.echo"}, "body.target"),
        ({"target": "workflows."}, "body.target"),
        ({"target": "workflows.tools.echo@1.0.0"}, "body.target"),
        ({"target": "workflows.tools.echo", "input": []}, "body.input"),
        ({"target": "workflows.tools.echo", "metadata": "x"}, "body.metadata"),
        ({"target": "workflows.tools.echo", "overrides": [1]}, "body.overrides"),
        ({"target": "workflows.tools.echo", "overrides": {"steps": 1}}, "body.overrides.steps"),
        ({"target": "workflows.tools.echo", "overrides": {"steps": {"look": 1}}}, "body.overrides.steps.look"),
        ({"target": "workflows.tools.echo", "overrides": {"steps": {"leap": {}}}}, "body.overrides.steps.leap"),
        ({"target": "agents.echo", "overrides": {"steps": {"look": {}}}}, "body.overrides"),
        ({"target": "workflows.tools.echo", "files": {"a": {"fileId": "file_none"}}}, "body.files.a"),
        ({"target": "workflows.tools.echo", "files": {"a": {"id": "x"}}}, "body.files.a"),
        ({"target": "workflows.tools.echo", "files": {"a": {"fileId": "x", "filename": 1}}}, "body.files.a"),
        ([1], "<root>"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_and_starts_nothing(client: httpx.Client, body: Any, field: str) -> None:
    refused(client.post("/runs", json=body), 400, field)

    assert client.get("/runs").json()["runs"] == []


@pytest.mark.parametrize("target", ["workflows.nothing", "agents.nothing", "agents.tools.echo", "workflows.wf_unknown"])
def test_an_unknown_target_is_a_404(client: httpx.Client, target: str) -> None:
    refused(client.post("/runs", json={"target": target}), 404, "body.target")


@pytest.mark.parametrize("wait", ["601", "-1", "soon", "1.5", "99999999999999999999"])
def test_a_wait_outside_of_0_to_600_seconds_is_refused(client: httpx.Client, wait: str) -> None:
    response = client.post("/runs", params={"wait_for_completion": wait}, json={"target": "workflows.tools.echo"})

    refused(response, 400, "query.wait_for_completion")


def test_a_wait_of_zero_is_no_wait(client: httpx.Client) -> None:
    assert client.post("/runs?wait_for_completion=0", json={"target": "workflows.tools.echo"}).status_code == 201


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b'{"target": "workflows.tools.echo", "input": {"a": NaN}}', b"\xff"]
)
def test_a_body_that_is_not_json_is_refused(client: httpx.Client, body: bytes) -> None:
    refused(client.post("/runs", content=body, headers={"content-type": "application/json"}), 400, "<root>")


def test_json_nested_beyond_reason_is_refused_and_not_a_crash(client: httpx.Client) -> None:
    response = client.post("/runs", content=b"[" * 200_000, headers={"content-type": "application/json"})

    refused(response, 400, "<root>")


def test_a_body_of_another_type_is_refused(client: httpx.Client) -> None:
    response = client.post("/runs", content=b"<run/>", headers={"content-type": "text/xml"})

    refused(response, 415, "header.content-type")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"no boundary here"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="files.a"; filename="a"\r\n\r\ncut',
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nnameless\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="input"\r\n\r\n{\r\n--x--\r\n',
        ),
    ],
)
def test_a_broken_form_is_refused_and_leaves_no_file_behind(
    sandbox: Sandbox, client: httpx.Client, content_type: str, body: bytes
) -> None:
    response = client.post("/runs", content=body, headers={"content-type": content_type})

    assert response.status_code == 400
    assert sandbox.data_folder is not None
    assert list((sandbox.data_folder / "blobs").iterdir()) == []


def test_a_refused_start_deletes_the_files_that_came_with_it(sandbox: Sandbox, client: httpx.Client) -> None:
    response = client.post("/runs", data={"target": "workflows.nothing"}, files={"files.a": ("a.txt", b"x" * 10_000)})

    assert response.status_code == 404
    assert sandbox.data_folder is not None
    assert list((sandbox.data_folder / "blobs").iterdir()) == []


@pytest.mark.parametrize(("sent", "kept"), [(None, "api"), ("api", "api"), ("cli", "cli")])
def test_the_trigger_header_is_kept(client: httpx.Client, sent: str | None, kept: str) -> None:
    headers = {} if sent is None else {"x-eigenpal-trigger": sent}

    run = finished(client, json={"target": "workflows.tools.echo"}, headers=headers)

    assert run["trigger"]["type"] == kept
    assert run["trigger"]["by"]["email"] == "default@sandbox.local"


def test_an_unknown_trigger_is_refused(client: httpx.Client) -> None:
    response = client.post("/runs", json={"target": "workflows.tools.echo"}, headers={"x-eigenpal-trigger": "moon"})

    refused(response, 400, "header.x-eigenpal-trigger")


def test_a_target_with_its_api_trigger_off_is_a_403(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("closed", api_enabled=False)(lambda context: {})

    envelope = refused(client.post("/runs", json={"target": "workflows.closed"}), 403, "<root>")

    assert envelope["issues"][0]["code"] == "api_trigger_disabled"


def test_versions_are_found_by_number_id_and_latest(sandbox: Sandbox, client: httpx.Client) -> None:
    for version in ("1.9.0", "1.10.0", "0.5.0"):
        sandbox.workflow("many", version=version)(lambda context, version=version: {"version": version})
    rows = client.get("/workflows/many/versions").json()["data"]
    assert [row["version"] for row in rows] == ["1.10.0", "1.9.0", "0.5.0"]
    assert [row["isCurrent"] for row in rows] == [True, False, False]

    def started(version: str | None) -> str:
        params = {} if version is None else {"version": version}
        run = finished(client, json={"target": "workflows.many"}, params=params)
        assert run["output"]["version"] == run["source"]["version"]
        return str(run["source"]["version"])

    assert started(None) == started("latest") == "1.10.0"
    assert started("1.9.0") == "1.9.0"
    assert started(rows[2]["id"]) == "0.5.0"
    refused(client.post("/runs?version=7.7.7", json={"target": "workflows.many"}), 404, "query.version")


@pytest.mark.parametrize(
    ("ref", "version"),
    [("main", "2.1.0"), ("1.x", "1.4.0"), ("1.3.x", "1.3.9"), ("1.3.0", "1.3.0"), ("latest", "2.1.0")],
)
def test_agents_take_ranges_branches_and_commits(
    sandbox: Sandbox, client: httpx.Client, ref: str, version: str
) -> None:
    for number in ("1.3.0", "1.3.9", "1.4.0", "2.1.0"):
        sandbox.agent("many", version=number)(lambda context: {})

    git = finished(client, json={"target": "agents.many"}, params={"version": ref})["source"]["git"]
    by_commit = finished(client, json={"target": "agents.many"}, params={"version": git["commitSha"]})

    assert (git["requestedRef"], git["resolvedRef"]) == (ref, version)
    assert by_commit["source"]["git"]["resolvedRef"] == version


def test_a_run_can_be_rejected_before_it_starts(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.workflow("picky", admit=lambda arguments: None if arguments.get("please") else "Ask nicely.")(
        lambda context: {}
    )

    rejected = finished(client, json={"target": "workflows.picky"})
    accepted = finished(client, json={"target": "workflows.picky", "input": {"please": True}})

    assert (rejected["execution"]["status"], rejected["error"]) == ("rejected", "Ask nicely.")
    assert rejected["timing"]["startedAt"] is None
    assert accepted["execution"]["status"] == "completed"


def test_starts_at_the_same_time_all_get_a_run(client: httpx.Client) -> None:
    ids: list[str] = []

    def start() -> None:
        ids.append(client.post("/runs", json={"target": "workflows.tools.echo"}).json()["id"])

    threads = [threading.Thread(target=start) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(set(ids)) == 30
    assert {row["id"] for row in client.get("/runs").json()["runs"]} == set(ids)


def test_input_comes_back_as_it_was_sent(client: httpx.Client) -> None:
    value = {"text": "Grüße 🚀 \ud800", "number": 1e300, "big": 2**70, "null": None, "deep": [{"a": [[]]}]}

    run = finished(client, content=json.dumps({"target": "workflows.tools.echo", "input": value}))

    assert client.get(f"/runs/{run['id']}?expand=input").json()["input"]["args"] == value
