"""Agents: functions and what the API created, side by side in one list; reading, changing and running them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from eigenpal.sandbox import ManualClock, RunContext, Sandbox
from tests.sandbox.conftest import connect


def create(client: httpx.Client, slug: str, **members: Any) -> dict[str, Any]:
    answer = client.post("/agents", json={"name": slug.title(), "slug": slug, **members})
    assert answer.status_code == 201, answer.text
    agent: dict[str, Any] = answer.json()["agent"]
    return agent


def run(client: httpx.Client, target: str, query: str = "", **members: Any) -> dict[str, Any]:
    answer = client.post(f"/runs?wait_for_completion=5{query}", json={"target": target, **members})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def issue(answer: httpx.Response, status: int = 400) -> tuple[str, str]:
    assert answer.status_code == status, answer.text
    (only,) = answer.json()["issues"]
    return only["field"], only["code"]


# Lists


@pytest.fixture(scope="module")
def some(shared_sandbox: Sandbox, shared_client: httpx.Client) -> httpx.Client:
    """A client of a sandbox with functions, created agents and an archived one."""
    sandbox, client = shared_sandbox, shared_client
    sandbox.agent("mail-sorter", name="Mail sorter", description="Sorts what arrives.")(lambda context: {})
    sandbox.agent("team/triage")(lambda context: {})
    create(client, "invoice-agent", description="Reads INVOICES.")
    create(client, "old-one")
    sandbox.source.archive("old-one")
    return client


@pytest.mark.parametrize(
    ("params", "slugs"),
    [
        ({}, ["invoice-agent", "mail-sorter", "team/triage"]),
        ({"includeArchived": "true"}, ["invoice-agent", "mail-sorter", "old-one", "team/triage"]),
        ({"includeArchived": "false"}, ["invoice-agent", "mail-sorter", "team/triage"]),
        ({"search": "sorts"}, ["mail-sorter"]),
        ({"search": "MAIL S"}, ["mail-sorter"]),
        ({"search": "invoices"}, ["invoice-agent"]),
        ({"search": "%"}, []),
        ({"slug": "team.triage"}, ["team/triage"]),
        ({"slug": "triage"}, []),
        ({"slug": "old-one"}, []),
        ({"slug": "old-one", "includeArchived": "true"}, ["old-one"]),
    ],
)
def test_one_list_has_functions_and_created_agents(
    some: httpx.Client, params: dict[str, str], slugs: list[str]
) -> None:
    page = some.get("/agents", params=params).json()

    assert [row["slug"] for row in page["data"]] == slugs
    assert page["total"] == len(slugs)


def test_pages_say_where_they_are(some: httpx.Client) -> None:
    page = some.get("/agents?limit=2&offset=1").json()

    assert [row["slug"] for row in page["data"]] == ["mail-sorter", "team/triage"]
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 1)
    assert some.get("/agents").json()["limit"] == 50


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "offset=-1", "includeArchived=maybe"])
def test_values_that_make_no_sense_are_refused(shared_client: httpx.Client, query: str) -> None:
    assert shared_client.get(f"/agents?{query}").status_code == 400


def test_a_function_becomes_an_agent_with_all_its_members(client: httpx.Client, sandbox: Sandbox) -> None:
    @sandbox.agent("mail-sorter", version="1.2.0", name="Mail sorter")
    def mail_sorter(context: RunContext) -> None:
        """Sorts mail."""

    agent = client.get("/agents/mail-sorter").json()["agent"]

    assert agent["id"].startswith("awf_")
    assert (agent["name"], agent["description"], agent["latestVersion"]) == ("Mail sorter", "Sorts mail.", "1.2.0")
    assert agent["triggers"] == {"api": True, "email": False, "manual": True, "cron": False}
    assert agent["sourceIntegrity"] == "healthy"
    assert len(agent["latestCommit"]) == 40
    assert agent["stats"] == {
        "exampleCount": 0,
        "totalExecutions": 0,
        "lastExecutionAt": None,
        "avgDurationMs": None,
        "avgCredits": None,
    }
    assert client.get(f"/agents/{agent['id']}").json()["agent"] == agent


def test_statistics_count_the_runs_of_the_agent_and_tenant(client: httpx.Client, sandbox: Sandbox) -> None:
    @sandbox.agent("mail-sorter")
    def mail_sorter(context: RunContext) -> None:
        context.add_usage(credits=context.input["credits"])

    sandbox.agent("other")(lambda context: {})
    first, second = (run(client, "agents.mail-sorter", input={"credits": amount}) for amount in (1, 2))
    run(client, "agents.other")
    sandbox.annotate(first["id"], example_id="ex_1", example="Spam")
    sandbox.annotate(second["id"], example_id="ex_1", example="Spam")
    with connect(sandbox, sandbox.add_key("other")) as stranger:
        run(stranger, "agents.mail-sorter", input={"credits": 100})

    agent = client.get("/agents/mail-sorter?include=dataset").json()["agent"]

    durations = [one["timing"]["durationMs"] for one in (first, second)]
    assert agent["stats"] == {
        "exampleCount": 1,
        "totalExecutions": 2,
        "lastExecutionAt": second["timing"]["createdAt"],
        "avgDurationMs": sum(durations) / 2,
        "avgCredits": 1.5,
    }
    assert agent["dataset"] == {"examples": [{"id": "ex_1", "name": "Spam"}]}


@pytest.mark.parametrize("path", ["/agents/none", "/agents/awf_x", "/agents/none/versions", "/agents/extract-invoice"])
def test_an_unknown_agent_is_a_404(shared_client: httpx.Client, path: str) -> None:
    assert shared_client.get(path).status_code == 404


def test_an_unknown_section_is_refused(client: httpx.Client) -> None:
    create(client, "a")
    assert issue(client.get("/agents/a?include=files,secrets")) == ("query.include", "invalid_value")
    assert "files" in client.get("/agents/a?include=files,%20dataset").json()["agent"]


# Creating and changing


def test_a_created_agent_has_a_scaffold_and_a_release_by_its_creator(client: httpx.Client) -> None:
    answer = client.post(
        "/agents", json={"name": "Mail: sorter", "slug": "mail-sorter", "description": "Sorts."}
    ).json()
    agent = answer["agent"]

    assert (answer["sourceRecovered"], answer["recoveryKind"]) == (False, "minimal_scaffold")
    assert (agent["latestVersion"], agent["sourceIntegrity"]) == ("0.1.0", "healthy")
    (version,) = client.get("/agents/mail-sorter/versions").json()["versions"]
    assert version["latest"] is True
    assert version["createdByUser"]["name"] == "default"
    assert (version["tag"], version["commit"]) == ("agents.mail-sorter@0.1.0", agent["latestCommit"])
    manifest = client.get("/agents/mail-sorter/files?path=agent.yaml").json()["content"]
    assert yaml.safe_load(manifest) == {
        "name": "Mail: sorter",
        "slug": "mail-sorter",
        "version": "0.1.0",
        "description": "Sorts.",
    }


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"slug": "a"}, "body.name", "required"),
        ({"name": "A"}, "body.slug", "required"),
        ({"name": " ", "slug": "a"}, "body.name", "required"),
        ({"name": "A", "slug": "Upper"}, "body.slug", "invalid_value"),
        ({"name": "A", "slug": "../a"}, "body.slug", "invalid_value"),
        ({"name": "A", "slug": "a" * 101}, "body.slug", "invalid_value"),
        ({"name": "A", "slug": "triggers"}, "body.slug", "invalid_value"),
        ({"name": "A" * 201, "slug": "a"}, "body.name", "invalid_value"),
        ({"name": 7, "slug": "a"}, "body.name", "invalid_value"),
        ({"name": "\ud800", "slug": "a"}, "body.name", "invalid_value"),
        ({"name": "A", "slug": "a", "description": None}, "body.description", "invalid_value"),
        ({"name": "A", "slug": "a", "config": []}, "body.config", "invalid_value"),
        ({"name": "A", "slug": "a", "config": {"a": "x" * 300_000}}, "body.config", "invalid_value"),
        ({"name": "A", "slug": "a", "color": "red"}, "body.color", "invalid_value"),
        (["a"], "<root>", "invalid_value"),
    ],
)
def test_a_bad_agent_is_refused_and_nothing_is_stored(
    shared_sandbox: Sandbox, shared_client: httpx.Client, body: Any, field: str, code: str
) -> None:
    def state() -> tuple[Any, set[Path]]:
        assert shared_sandbox.data_folder is not None
        blobs = set((shared_sandbox.data_folder / "blobs").iterdir())
        return shared_client.get("/agents?includeArchived=true").json(), blobs

    before = state()
    content = json.dumps(body)  # the client would refuse half of a surrogate pair
    assert issue(shared_client.post("/agents", content=content)) == (field, code)
    assert state() == before


def test_a_configuration_that_is_too_deep_is_refused(client: httpx.Client) -> None:
    config: dict[str, Any] = {}
    for _ in range(150):
        config = {"inner": config}
    body = {"name": "A", "slug": "a", "config": config}
    assert issue(client.post("/agents", json=body)) == ("body.config", "invalid_value")


@pytest.mark.parametrize("slug", ["taken", "function", "team.one"])
def test_a_slug_is_unique_among_functions_and_created_agents(sandbox: Sandbox, client: httpx.Client, slug: str) -> None:
    sandbox.agent("function")(lambda context: {})
    create(client, "taken")
    create(client, "team/one")
    assert issue(client.post("/agents", json={"name": "A", "slug": slug})) == ("body.slug", "invalid_value")


def test_of_many_creations_at_once_one_succeeds(sandbox: Sandbox, client: httpx.Client) -> None:
    def status(_: int) -> int:
        return client.post("/agents", json={"name": "A", "slug": "a"}).status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(status, range(8))) == [201, *[400] * 7]
    assert len(client.get("/agents/a/versions").json()["versions"]) == 1
    assert sandbox.data_folder is not None
    assert len(list((sandbox.data_folder / "blobs").iterdir())) == 2


def test_a_body_that_is_no_json_is_refused(client: httpx.Client) -> None:
    assert client.post("/agents", content=b"<a/>", headers={"content-type": "text/xml"}).status_code == 415
    assert client.post("/agents", content=b"{", headers={"content-type": "application/json"}).status_code == 400


def test_a_change_leaves_what_is_not_given(client: httpx.Client) -> None:
    create(client, "a", description="Old.", config={"model": "x"})

    changed = client.patch("/agents/a", json={"name": "New"}).json()["agent"]
    assert (changed["name"], changed["description"], changed["config"]) == ("New", "Old.", {"model": "x"})
    assert client.patch("/agents/a", json={}).json()["agent"] == changed
    assert client.patch("/agents/a", json={"description": ""}).json()["agent"]["description"] == ""
    for bad in ({"name": ""}, {"description": None}, {"config": 1}):
        assert client.patch("/agents/a", json=bad).status_code == 400


def test_a_function_can_be_changed_for_one_tenant(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.agent("mail-sorter", name="Mail sorter", description="Sorts.")(lambda context: {})

    changed = client.patch("/agents/mail-sorter", json={"name": "Post"}).json()["agent"]
    assert (changed["name"], changed["description"]) == ("Post", "Sorts.")
    with connect(sandbox, sandbox.add_key("other")) as stranger:
        assert stranger.get("/agents/mail-sorter").json()["agent"]["name"] == "Mail sorter"


def test_the_configuration_switches_the_api_trigger(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.agent("mail-sorter")(lambda context: {})
    off = {"config": {"triggers": {"api": {"enabled": False}, "cron": {"enabled": True}}}}

    changed = client.patch("/agents/mail-sorter", json=off).json()["agent"]
    assert changed["apiEnabled"] is False
    assert changed["triggers"] == {"api": False, "email": False, "manual": True, "cron": True}
    refused = client.post("/runs", json={"target": "agents.mail-sorter"})
    assert issue(refused, 403) == ("<root>", "api_trigger_disabled")
    client.patch("/agents/mail-sorter", json={"config": {"triggers": "odd"}})
    assert run(client, "agents.mail-sorter")["execution"]["status"] == "completed"


# Runs


def test_a_run_without_a_function_fails_and_says_what_to_do(client: httpx.Client) -> None:
    create(client, "mail-sorter")
    failed = run(client, "agents.mail-sorter")

    assert failed["execution"]["status"] == "failed"
    assert failed["error"] == (
        "No function is registered for the agent 'mail-sorter': add one with @sandbox.agent(\"mail-sorter\")."
    )


def test_a_created_agent_runs_the_function_of_its_slug(sandbox: Sandbox, client: httpx.Client) -> None:
    created = create(client, "mail-sorter")
    sandbox.agent("mail-sorter", version="0.1.0")(lambda context: {"folder": "inbox"})
    sandbox.agent("mail-sorter", version="0.2.0")(lambda context: {"folder": "other"})

    assert run(client, "agents.mail-sorter")["output"] == {"folder": "other"}
    assert run(client, "agents.mail-sorter", "&version=0.1.0")["output"] == {"folder": "inbox"}
    assert run(client, f"agents.{created['id']}")["output"] == {"folder": "other"}
    assert client.get("/agents/mail-sorter").json()["agent"]["id"] == created["id"]


def test_a_function_reads_the_source_of_the_version_that_runs(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.agent("mail-sorter")
    def mail_sorter(context: RunContext) -> dict[str, Any]:
        prompt = context.source.get("prompt.md")
        return {"files": list(context.source), "prompt": prompt and prompt.read_text()}

    sandbox.source.push("mail-sorter", {"prompt.md": "Sort."}, version="1.1.0")
    sandbox.source.push("mail-sorter", {"prompt.md": "Sort better."})

    prompts = [
        run(client, "agents.mail-sorter", f"&version={version}")["output"]["prompt"]
        for version in ("main", "1.1.0", "1.0.0")
    ]
    assert prompts == ["Sort better.", "Sort.", None]
    assert run(client, "agents.mail-sorter")["output"]["files"] == ["agent.yaml", "prompt.md"]


def test_a_function_registered_under_a_committed_number_runs_with_that_source(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    commit = create(client, "mail-sorter")["latestCommit"]
    for version in ("0.1.0", "0.0.1"):
        sandbox.agent("mail-sorter", version=version)(
            lambda context, version=version: {"version": version, "files": list(context.source)}
        )

    done = run(client, "agents.mail-sorter")

    assert done["output"] == {"version": "0.1.0", "files": ["README.md", "agent.yaml"]}
    assert done["source"]["git"]["commitSha"] == commit
    assert len(client.get("/agents/mail-sorter/versions").json()["versions"]) == 2


def test_runs_resolve_the_versions_that_were_pushed(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.agent("mail-sorter", version="0.1.0")(lambda context: {})
    released = sandbox.source.push("mail-sorter", {"prompt.md": "a"}, version="0.1.1", notes="First.")
    head = sandbox.source.push("mail-sorter", {"prompt.md": "b"})

    def git(version: str) -> tuple[str, str | None, str]:
        found = run(client, "agents.mail-sorter", f"&version={version}")["source"]["git"]
        return found["resolvedRef"], found["resolvedTag"], found["commitSha"]

    tag = "agents.mail-sorter@0.1.1"
    assert git("latest") == git("0.1.x") == git("0.1.1") == git(released) == ("0.1.1", tag, released)
    assert git("main") == git(head) == ("main", None, head)
    assert git("0.1.0")[0] == "0.1.0"
    assert client.post("/runs?version=9.9.9", json={"target": "agents.mail-sorter"}).status_code == 404
    versions = client.get("/agents/mail-sorter/versions").json()["versions"]
    assert [(one["version"], one["notes"], one["latest"]) for one in versions] == [
        ("0.1.1", "First.", True),
        ("0.1.0", None, False),
    ]


def test_the_original_version_of_a_rerun_is_its_commit(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.agent("mail-sorter")(lambda context: {})
    head = sandbox.source.push("mail-sorter", {"prompt.md": "a"})
    first = run(client, "agents.mail-sorter", "&version=main")
    sandbox.source.push("mail-sorter", {"prompt.md": "b"})

    again = client.post(f"/runs/{first['id']}/rerun?version=original&wait_for_completion=5").json()

    assert again["source"]["git"]["commitSha"] == head


def test_an_agent_run_keeps_its_lockfile(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.agent("mail-sorter", dependencies=["workflows.extract-invoice@1.0.0"])(lambda context: {})
    done = run(client, "agents.mail-sorter")

    lock = client.get(f"/runs/{done['id']}/artifacts/eigenpal.lock").json()

    assert lock["root"]["commit"] == done["source"]["git"]["commitSha"]
    assert [one["packagePath"] for one in lock["root"]["dependencies"]] == ["workflows/extract-invoice"]
    assert lock == client.get("/source/lockfile?packageRef=agents/mail-sorter").json()


# Tenants and restarts


def test_created_agents_belong_to_one_tenant(sandbox: Sandbox, client: httpx.Client) -> None:
    agent = create(client, "mail-sorter")
    with connect(sandbox, sandbox.add_key("other")) as stranger:
        assert stranger.get("/agents").json()["total"] == 0
        for name in ("mail-sorter", agent["id"]):
            assert stranger.get(f"/agents/{name}").status_code == 404
            assert stranger.patch(f"/agents/{name}", json={"name": "Mine"}).status_code == 404
            assert stranger.post("/runs", json={"target": f"agents.{name}"}).status_code == 404
        create(stranger, "mail-sorter", description="Another one.")
    assert client.get("/agents/mail-sorter").json()["agent"] == agent


def test_agents_survive_a_restart(tmp_path: Path) -> None:
    clock = ManualClock()

    def state(client: httpx.Client) -> list[Any]:
        return [
            client.get("/agents?includeArchived=true").json(),
            [client.get(f"/agents/{slug}/versions").json() for slug in ("made", "function")],
            [client.get(f"/agents/{slug}/files?path=prompt.md").json() for slug in ("made", "function")],
        ]

    with Sandbox(data=tmp_path, clock=clock) as sandbox, connect(sandbox) as client:
        sandbox.agent("function")(lambda context: {})
        create(client, "made", config={"a": 1})
        create(client, "gone")
        sandbox.source.archive("gone")
        client.patch("/agents/function", json={"name": "Changed"})
        for slug in ("made", "function"):
            sandbox.source.push(slug, {"prompt.md": slug}, version="2.0.0")
        before = state(client)
        kept = {path.name for path in (tmp_path / "blobs").iterdir()}
        (tmp_path / "blobs" / "blob_cut_short").write_bytes(b"half a file")
    clock.advance(60)
    with Sandbox(data=tmp_path, clock=clock) as sandbox, connect(sandbox) as client:
        assert client.get("/agents").json()["total"] == 1  # the function is not there yet
        sandbox.agent("function")(lambda context: {})
        assert state(client) == before
        assert {path.name for path in (tmp_path / "blobs").iterdir()} == kept


def test_a_package_that_is_there_already_is_taken_over(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path) as sandbox:
        sandbox.agent("mail-sorter")(lambda context: {})
        head = sandbox.source.push("mail-sorter", {"prompt.md": "Sort.", "agent.yaml": "name: mine\n"})
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        answer = client.post("/agents", json={"name": "Mail sorter", "slug": "mail-sorter"}).json()

        assert (answer["sourceRecovered"], answer["recoveryKind"]) == (True, "existing")
        assert client.get("/agents/mail-sorter/files").json()["files"] == ["README.md", "agent.yaml", "prompt.md"]
        assert client.get("/agents/mail-sorter/files?path=agent.yaml").json()["content"] == "name: mine\n"
        assert client.get(f"/agents/mail-sorter/files?ref={head}").json()["files"] == ["agent.yaml", "prompt.md"]
