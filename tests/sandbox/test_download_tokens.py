"""Tokens that stand in for the key at the zip of one run, until they expire."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import httpx
import pytest

from eigenpal.sandbox import ManualClock, RunContext, Sandbox
from tests.sandbox.conftest import connect


def agent_run(sandbox: Sandbox, client: httpx.Client) -> str:
    @sandbox.agent("writer")
    def writer(context: RunContext) -> None:
        context.write_artifact("report.md", "# Report")

    return str(client.post("/runs?wait_for_completion=5", json={"target": "agents.writer"}).json()["id"])


def fetch(sandbox: Sandbox, run_id: str, token: str, key: str | None = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    url = f"{sandbox.url}/api/v1/runs/{run_id}/files-zip"
    # Plain http; loading certificates would take longer than the test.
    return httpx.get(url, params={"token": token}, headers=headers, trust_env=False, verify=False)


def test_a_token_fetches_the_zip_of_its_run_without_a_key(sandbox: Sandbox, client: httpx.Client) -> None:
    run_id = agent_run(sandbox, client)
    answer = fetch(sandbox, run_id, sandbox.download_token(run_id))

    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read("report.md") == b"# Report"


def test_a_token_works_beside_the_key_of_another_tenant(sandbox: Sandbox, client: httpx.Client) -> None:
    run_id = agent_run(sandbox, client)
    stranger = sandbox.add_key("stranger")

    assert fetch(sandbox, run_id, sandbox.download_token(run_id), stranger).status_code == 200
    assert fetch(sandbox, run_id, "0.no", stranger).status_code == 404
    assert fetch(sandbox, run_id, "0.no", sandbox.api_key).status_code == 200  # the key is enough


def test_a_token_is_good_for_nothing_else(sandbox: Sandbox, client: httpx.Client) -> None:
    one, other = agent_run(sandbox, client), agent_run(sandbox, client)
    token = sandbox.download_token(one)
    paths = [f"runs/{other}/files-zip", f"runs/{one}", f"runs/{one}/artifacts", "runs", "nowhere"]

    for path in paths:
        answer = httpx.get(f"{sandbox.url}/api/v1/{path}", params={"token": token}, trust_env=False, verify=False)
        assert (answer.status_code, path) == (401, path)


def test_a_token_that_was_changed_is_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    run_id = agent_run(sandbox, client)
    expires, _, signature = sandbox.download_token(run_id).partition(".")

    later = f"{int(expires) + 1}.{signature}"
    for token in (later, f"{expires}.{'0' * 64}", signature, "", "x", f"{expires}.{signature}é", "9" * 5000):
        assert fetch(sandbox, run_id, token).status_code == 401


def test_a_token_expires_and_outlives_a_restart(tmp_path: Path) -> None:
    clock = ManualClock()
    with Sandbox(data=tmp_path, clock=clock) as sandbox, connect(sandbox) as client:
        run_id = agent_run(sandbox, client)
        token = sandbox.download_token(run_id, valid_seconds=60)
    clock.advance(59)
    with Sandbox(data=tmp_path, clock=clock) as sandbox:
        assert fetch(sandbox, run_id, token).status_code == 200
        clock.advance(1)
        assert fetch(sandbox, run_id, token).status_code == 401


def test_there_is_no_token_for_a_run_that_is_not_there(sandbox: Sandbox) -> None:
    with pytest.raises(KeyError):
        sandbox.download_token("aex_none")
