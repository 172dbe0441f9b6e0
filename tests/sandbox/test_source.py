"""The organisation's repository as the API shows it: files, releases, lockfiles; and syncing the registry with it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import yaml

from eigenpal._version import __version__
from eigenpal.sandbox import Sandbox
from tests.sandbox.conftest import connect
from tests.sandbox.test_agents import create, issue


@pytest.fixture(scope="module")
def house(shared_sandbox: Sandbox, shared_client: httpx.Client) -> httpx.Client:
    """A client of a sandbox whose packages depend on each other."""
    sandbox = shared_sandbox
    sandbox.workflow("invoices/intake", version="1.0.0")(lambda context: {})
    sandbox.workflow("invoices/intake", version="1.1.0")(lambda context: {})
    sandbox.agent("reader", version="2.0.0", dependencies=["workflows/extract-invoice"])(lambda context: {})
    sandbox.agent("sorter", dependencies=["agents.reader@2.x", "workflows.invoices.intake@1.0.0"])(lambda context: {})
    sandbox.agent("ping", dependencies=["agents.pong"])(lambda context: {})
    sandbox.agent("pong", dependencies=["agents.ping"])(lambda context: {})
    sandbox.agent("broken", dependencies=["agents.missing"])(lambda context: {})
    for level in range(1, 12):
        below = [f"agents.wide-{level - 1}"] * 2
        sandbox.agent(f"wide-{level}", dependencies=below)(lambda context: {})
    sandbox.agent("wide-0")(lambda context: {})
    create(shared_client, "made")
    sandbox.source.push("made", {"prompt.md": "Sort: é", "logo.bin": b"\xff"}, version="0.2.0")
    sandbox.source.push("made", {"prompt.md": "Sort better."})
    return shared_client


def lockfile(client: httpx.Client, package_ref: str) -> dict[str, Any]:
    answer = client.get("/source/lockfile", params={"packageRef": package_ref})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_each_organisation_has_a_remote_of_its_own(sandbox: Sandbox, client: httpx.Client) -> None:
    with connect(sandbox, sandbox.add_key("Acme & Söhne")) as stranger:
        assert stranger.get("/source/repository").json()["gitRepositoryPath"] == "Acme-S-hne"
    remote = client.get("/source/repository").json()
    assert remote == {"gitRepositoryPath": "default", "remoteUrl": f"{sandbox.url}/orgs/default.git"}


@pytest.mark.parametrize(
    ("path", "ref", "content"),
    [
        ("agents/made/prompt.md", None, "Sort better."),
        ("agents/made/prompt.md", "main", "Sort better."),
        ("agents/made/prompt.md", "latest", "Sort: é"),
        ("agents/made/prompt.md", "agents.made@0.2.0", "Sort: é"),
    ],
)
def test_a_file_is_read_at_a_ref(house: httpx.Client, path: str, ref: str | None, content: str) -> None:
    params = {"path": path} if ref is None else {"path": path, "ref": ref}
    file = house.get("/source/raw", params=params).json()
    assert file == {"ref": ref or "main", "path": path, "contentType": "text/markdown", "content": content}


def test_a_workflow_has_its_definition_at_each_version(house: httpx.Client) -> None:
    for ref, version in (("main", "1.1.0"), ("1.0.0", "1.0.0"), ("workflows.invoices.intake@1.0.0", "1.0.0")):
        params = {"path": "workflows/invoices/intake/workflow.yaml", "ref": ref}
        manifest = yaml.safe_load(house.get("/source/raw", params=params).json()["content"])
        assert manifest == {"name": "invoices/intake", "version": version}


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 400),
        ({"path": "../agents/made/agent.yaml"}, 400),
        ({"path": "/agents/made/agent.yaml"}, 400),
        ({"path": "agents/made/logo.bin"}, 400),
        ({"path": "agents/made"}, 404),
        ({"path": "agents/made/none.md"}, 404),
        ({"path": "agents/none/agent.yaml"}, 404),
        ({"path": "elsewhere/agent.yaml"}, 404),
        ({"path": "README.md"}, 404),
        ({"path": "agents/made/prompt.md", "ref": "0.1.0"}, 404),
        ({"path": "agents/made/prompt.md", "ref": "dev"}, 404),
    ],
)
def test_what_can_not_be_read_is_refused(house: httpx.Client, params: dict[str, str], status: int) -> None:
    assert house.get("/source/raw", params=params).status_code == status


def test_releases_are_listed_newest_first(house: httpx.Client) -> None:
    for package in ("agents/made", "agents.made"):
        found = house.get("/source/releases", params={"packagePath": package}).json()
        assert found["packagePath"] == "agents/made"
        assert [(one["version"], one["tag"]) for one in found["releases"]] == [
            ("0.2.0", "agents.made@0.2.0"),
            ("0.1.0", "agents.made@0.1.0"),
        ]
    only = {"packagePath": "workflows/invoices/intake", "version": "1.0.0"}
    (release,) = house.get("/source/releases", params=only).json()["releases"]
    assert release["version"] == "1.0.0"
    assert house.get("/source/releases", params={**only, "version": "9.0.0"}).json()["releases"] == []


@pytest.mark.parametrize(
    ("package", "status"),
    [("", 400), ("made", 400), ("blocks/made", 400), ("agents/", 400), ("agents/none", 404), ("workflows/made", 404)],
)
def test_an_unknown_package_is_refused(house: httpx.Client, package: str, status: int) -> None:
    assert house.get("/source/releases", params={"packagePath": package}).status_code == status
    assert house.get("/source/lockfile", params={"packageRef": package}).status_code == status


def test_an_id_is_no_package(house: httpx.Client) -> None:
    agent_id = house.get("/agents/made").json()["agent"]["id"]
    assert house.get("/source/releases", params={"packagePath": f"agents/{agent_id}"}).status_code == 404


def test_a_lockfile_is_the_whole_tree_at_exact_commits(house: httpx.Client) -> None:
    lock = lockfile(house, "agents.sorter")

    assert (lock["lockfileVersion"], lock["eigenpalVersion"]) == (1, __version__)
    assert len(lock["inputHash"]) == 64
    root = lock["root"]
    assert (root["packagePath"], root["requestedRef"], root["resolvedRef"]) == ("agents/sorter", "latest", "1.0.0")
    reader, intake = root["dependencies"]
    assert (reader["requestedRef"], reader["resolvedRef"], reader["resolvedTag"]) == (
        "2.x",
        "2.0.0",
        "agents.reader@2.0.0",
    )
    assert [one["packagePath"] for one in reader["dependencies"]] == ["workflows/extract-invoice"]
    (release,) = house.get(
        "/source/releases", params={"packagePath": "workflows/invoices/intake", "version": "1.0.0"}
    ).json()["releases"]
    assert (intake["commit"], intake["dependencies"]) == (release["commit"], [])


def test_a_lockfile_says_which_commit_main_is(house: httpx.Client) -> None:
    released, head = (lockfile(house, f"agents/made{ref}") for ref in ("", "@main"))

    assert released["root"]["resolvedTag"] == "agents.made@0.2.0"
    assert (head["root"]["requestedRef"], head["root"]["resolvedRef"]) == ("main", "main")
    assert "resolvedTag" not in head["root"]
    assert lockfile(house, f"agents/made@{head['root']['commit']}")["root"]["resolvedRef"] == "main"
    assert released["inputHash"] != head["inputHash"]
    assert released == lockfile(house, "agents/made")


@pytest.mark.parametrize(
    ("package_ref", "status", "words"),
    [
        ("agents/ping", 400, "agents/ping -> agents/pong -> agents/ping"),
        ("agents/broken", 404, "missing"),
        ("agents/made@9.9.9", 404, "no ref '9.9.9'"),
        ("agents/wide-11", 400, "more than 1000 packages"),
    ],
)
def test_a_lockfile_that_can_not_be_made_says_why(
    house: httpx.Client, package_ref: str, status: int, words: str
) -> None:
    answer = house.get("/source/lockfile", params={"packageRef": package_ref})
    assert issue(answer, status)[0] == "query.packageRef"
    assert words in answer.json()["issues"][0]["message"]


# Syncing


@pytest.mark.parametrize(
    "name", ["agents.made", "agents%2Fmade", "made", "workflows.invoices.intake", "invoices.intake", "extract-invoice"]
)
def test_a_sync_finds_what_a_name_means(house: httpx.Client, name: str) -> None:
    synced = house.post(f"/automations/{name}/sync").json()["automation"]

    assert synced["slug"] in name.replace("invoices.intake", "invoices/intake")
    again = house.post(f"/automations/{synced['id']}/sync").json()["automation"]
    assert again == synced


def test_a_sync_reports_the_newest_release_and_what_is_wrong(sandbox: Sandbox, client: httpx.Client) -> None:
    create(client, "made")
    released = sandbox.source.push("made", {"a": "1"}, version="1.0.0")
    sandbox.source.push("made", {"a": "2"})
    sandbox.source.archive("made")

    synced = client.post("/automations/agents.made/sync").json()

    assert synced["release"] == {"version": "1.0.0", "tag": "agents.made@1.0.0", "commit": released}
    assert (synced["automation"]["type"], synced["automation"]["status"]) == ("agent", "archived")
    assert len(synced["warnings"]) == 2
    sandbox.agent("made")(lambda context: {})
    sandbox.source.push("made", {}, version="1.1.0")
    assert client.post("/automations/agents.made/sync").json()["warnings"] == []
    assert client.get("/runs").json()["runs"] == []


@pytest.mark.parametrize("name", ["none", "agents.none", "workflows.made", "agents.", "wf_x"])
def test_an_unknown_automation_is_a_404(house: httpx.Client, name: str) -> None:
    assert house.post(f"/automations/{name}/sync").status_code == 404
