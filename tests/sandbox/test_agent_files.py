"""Source files of agents: browsing them at a ref, pushing them, and the writes that the API refuses."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from eigenpal.sandbox.repository import MAX_FILE_BYTES
from tests.sandbox.conftest import connect
from tests.sandbox.test_agents import create, issue

BAD_PATHS = ["/etc/passwd", "../a", "a/../../b", "a//b", "a/", "./a", "a\\b", "a\n", ".git/hooks/x", "a" * 501]
FILES = "/agents/mail-sorter/files"


@pytest.fixture
def agent(client: httpx.Client) -> dict[str, Any]:
    return create(client, "mail-sorter")


def contents(folder: Path | None) -> set[str]:
    assert folder is not None
    return {path.name for path in (folder / "blobs").iterdir()}


@pytest.fixture(scope="module")
def still(shared_client: httpx.Client) -> httpx.Client:
    """A client of a sandbox in which nothing is written any more."""
    create(shared_client, "mail-sorter")
    return shared_client


# Reading


@pytest.mark.usefixtures("agent")
def test_files_are_listed_under_a_prefix_and_read_at_a_ref(sandbox: Sandbox, client: httpx.Client) -> None:
    released = sandbox.source.push("mail-sorter", {"prompts/sort.md": "v1", "logo.bin": b"\xff\x00"}, version="1.0.0")
    sandbox.source.push("mail-sorter", {"prompts/sort.md": "v2 é", "prompts/new.md": "n", "logo.bin": None})

    def text(ref: str) -> str:
        content: str = client.get(FILES, params={"path": "prompts/sort.md", "ref": ref}).json()["content"]
        return content

    listed = client.get(FILES, params={"prefix": "prompts/"}).json()
    assert listed == {"files": ["prompts/new.md", "prompts/sort.md"]}
    assert client.get(FILES).json()["files"] == ["README.md", "agent.yaml", "prompts/new.md", "prompts/sort.md"]
    assert text("main") == "v2 é"
    refs = ("latest", "1.0.0", "1.x", "agents.mail-sorter@1.0.0", released)
    assert {text(ref) for ref in refs} == {"v1"}
    binary = client.get(FILES, params={"path": "logo.bin", "ref": "1.0.0"}).json()
    assert binary == {
        "path": "logo.bin",
        "contentType": "application/octet-stream",
        "contentBase64": base64.b64encode(b"\xff\x00").decode(),
    }


def test_a_function_has_its_manifest(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.agent("mail-sorter", inputs={"mail": {"type": "file"}})(lambda context: {})

    assert client.get(FILES).json() == {"files": ["agent.yaml"]}
    manifest = client.get(FILES, params={"path": "agent.yaml"}).json()
    assert manifest["contentType"] == "application/yaml"
    assert manifest["content"] == client.get("/source/raw?path=agents/mail-sorter/agent.yaml").json()["content"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"path": "none.md"}, 404),
        ({"ref": "none"}, 404),
        ({"ref": "agents.other@0.1.0"}, 404),
        ({"path": "README.md", "prefix": "prompts/"}, 404),
        *[({"path": path}, 400) for path in BAD_PATHS[:7]],
    ],
)
def test_what_is_not_there_or_leads_away_is_refused(still: httpx.Client, query: dict[str, str], status: int) -> None:
    assert still.get(FILES, params=query).status_code == status


# Writing over the API


@pytest.mark.usefixtures("agent")
def test_writes_are_refused_because_the_source_is_in_git(shared_sandbox: Sandbox, shared_client: httpx.Client) -> None:
    before = contents(shared_sandbox.data_folder)
    put = shared_client.put(FILES, params={"path": "a.md"}, json={"content": "a"})
    posted = shared_client.post(FILES, json={"files": [{"path": "a.md", "content": "a"}]})

    for refused in (put, posted):
        assert refused.status_code == 409
        assert "held in Git" in refused.json()["error"]
    assert shared_client.get(FILES).json()["files"] == ["README.md", "agent.yaml"]
    assert contents(shared_sandbox.data_folder) == before


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_leads_out_of_the_package_is_refused_and_nothing_is_stored(
    shared_sandbox: Sandbox, still: httpx.Client, path: str
) -> None:
    before = contents(shared_sandbox.data_folder)

    assert issue(still.put(FILES, params={"path": path}, json={"content": "a"}))[0] == "query.path"
    assert issue(still.post(FILES, json={"files": [{"path": path, "content": "a"}]}))[0] == "body.files"
    with pytest.raises(ValueError, match="can't be the path"):
        shared_sandbox.source.push("mail-sorter", {"fine.md": "a", path: "b"})
    assert contents(shared_sandbox.data_folder) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.content"),
        ({"content": "a", "contentBase64": "YQ=="}, "body.content"),
        ({"contentBase64": "not base64!"}, "body.contentBase64"),
        ({"contentBase64": "é"}, "body.contentBase64"),
        ({"content": 7}, "body.content"),
        ({"content": "a", "contentType": "text/plain\r\nx: y"}, "body.contentType"),
        ({"content": "x" * (MAX_FILE_BYTES + 1)}, "query.path"),
    ],
)
def test_content_that_can_not_be_written_is_refused(still: httpx.Client, body: Any, field: str) -> None:
    assert issue(still.put(FILES, params={"path": "a.md"}, json=body))[0] == field


@pytest.mark.usefixtures("agent")
def test_a_write_names_what_it_is_missing(client: httpx.Client) -> None:
    assert issue(client.put(FILES, json={"content": "a"})) == ("query.path", "required")
    assert issue(client.post(FILES, json={})) == ("body.files", "required")
    twice = {"files": [{"path": "a", "content": "1"}, {"path": "a", "content": "2"}]}
    assert issue(client.post(FILES, json=twice))[0] == "body.files[1].path"
    assert issue(client.put(FILES, params={"path": "a", "ref": "0.1.0"}, json={"content": "a"}))[0] == "query.ref"
    assert issue(client.put(FILES, params={"path": "a", "prefix": "b/"}, json={"content": "a"}))[0] == "query.path"
    assert client.put("/agents/none/files?path=a", json={"content": "a"}).status_code == 404


def test_a_server_from_before_git_takes_writes_as_commits() -> None:
    with Sandbox(writable_sources=True) as sandbox, connect(sandbox) as client:
        created = create(client, "mail-sorter")
        plain = httpx.Client(base_url=client.base_url, headers=client.headers, trust_env=False)  # 200 is not of today
        with plain:
            put = plain.put(FILES, params={"path": "a.md"}, json={"contentBase64": "YQ==", "contentType": "text/x"})
            files = [{"path": "b.md", "content": "b"}, {"path": "c/d.md", "content": "d"}]
            posted = plain.post(FILES, json={"files": files})
            clash = plain.post(FILES, json={"files": [{"path": "a.md/b", "content": "b"}]})

        assert (put.status_code, put.json()) == (200, {"ok": True, "path": "a.md"})
        assert (posted.status_code, posted.json()) == (200, {"ok": True, "files": ["b.md", "c/d.md"]})
        assert issue(clash)[0] == "body.files"
        assert client.get(FILES).json()["files"] == ["README.md", "a.md", "agent.yaml", "b.md", "c/d.md"]
        written = client.get(FILES, params={"path": "a.md"}).json()
        assert (written["content"], written["contentType"]) == ("a", "text/x")
        assert client.get(FILES, params={"ref": created["latestCommit"]}).json()["files"] == ["README.md", "agent.yaml"]
        assert client.get("/agents/mail-sorter").json()["agent"]["latestVersion"] == "0.1.0"


# Pushing


@pytest.mark.usefixtures("agent")
def test_a_push_is_taken_wholly_or_not_at_all(sandbox: Sandbox, client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "logo.bin").write_bytes(b"\x00logo")
    first = sandbox.source.push("agents.mail-sorter", {"logo.bin": tmp_path / "logo.bin"})
    before = contents(sandbox.data_folder)

    for files, version in (
        ({"a.md": "a", "missing.md": None}, None),
        ({"a.md": "a"}, "0.1.0"),  # taken by the scaffold
        ({"a.md": "a"}, "one"),
        ({"logo.bin/inside": "a"}, None),
        ({"large": b"x" * (MAX_FILE_BYTES + 1)}, None),
        ({f"{number}": "" for number in range(1001)}, None),
    ):
        with pytest.raises(ValueError, match=r"no file|has a release|can't be a version|lie in|more than|at most"):
            sandbox.source.push("mail-sorter", files, version=version)
    with pytest.raises(KeyError):
        sandbox.source.push("none", {"a": "a"})
    assert contents(sandbox.data_folder) == before
    assert client.get(FILES, params={"ref": first}).json() == client.get(FILES).json()


def test_a_version_of_the_function_can_not_be_pushed_again(sandbox: Sandbox) -> None:
    sandbox.agent("mail-sorter", version="1.0.0")(lambda context: {})
    with pytest.raises(ValueError, match=r"has a release 1\.0\.0 already"):
        sandbox.source.push("mail-sorter", {"a": "a"}, version="1.0.0")


def test_a_push_needs_a_running_sandbox() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        Sandbox().source.push("mail-sorter", {"a": "a"})


def test_tenants_have_histories_of_their_own(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.agent("mail-sorter")(lambda context: {})
    key = sandbox.add_key("other")
    sandbox.source.push("mail-sorter", {"prompt.md": "theirs"}, version="3.0.0", tenant="other")

    with connect(sandbox, key) as stranger:
        assert stranger.get(FILES).json()["files"] == ["agent.yaml", "prompt.md"]
    assert client.get(FILES).json()["files"] == ["agent.yaml"]
    assert client.get("/agents/mail-sorter").json()["agent"]["latestVersion"] == "1.0.0"
