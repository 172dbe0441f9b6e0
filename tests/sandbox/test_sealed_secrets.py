"""Sealing and opening secrets: what was sealed opens for its tenant, path, name and run, and for nothing else."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from eigenpal.sandbox.ids import derived_id
from tests.sandbox.conftest import connect
from tests.sandbox.test_agents import issue, run

TEXT = "hunter2-é-\u2603"
PLACE = {"sourcePath": "agents/mail-sorter", "secretName": "SMTP_PASSWORD"}


@pytest.fixture(scope="module")
def client(shared_sandbox: Sandbox, shared_client: httpx.Client) -> httpx.Client:
    """A client of a sandbox with an agent that uses another one."""
    for slug, uses in (("mail-sorter", ["agents.helper"]), ("helper", []), ("stranger", [])):
        shared_sandbox.agent(slug, dependencies=uses)(lambda context: {})
    return shared_client


@pytest.fixture(scope="module")
def run_id(client: httpx.Client) -> str:
    found: str = run(client, "agents.mail-sorter")["id"]
    return found


def seal(client: httpx.Client, **members: Any) -> dict[str, str]:
    answer = client.post("/source/secrets/encrypt", json={**PLACE, "plaintext": TEXT, **members})
    assert answer.status_code == 200, answer.text
    sealed: dict[str, str] = answer.json()["encrypted"]
    return sealed


def opened(client: httpx.Client, encrypted: Any, **members: Any) -> httpx.Response:
    return client.post("/source/secrets/decrypt", json={**PLACE, "encrypted": encrypted, **members})


def test_a_secret_opens_for_a_run_that_uses_it(client: httpx.Client, run_id: str) -> None:
    sealed = seal(client)

    assert opened(client, sealed, executionId=run_id).json() == {"plaintext": TEXT}
    assert TEXT not in json.dumps(sealed)
    assert sealed["algorithm"] == "aes-256-gcm"
    sizes = [len(base64.b64decode(sealed[name])) for name in ("nonce", "ciphertext", "tag")]
    assert sizes == [12, len(TEXT.encode()), 16]


def test_no_two_seals_are_alike(client: httpx.Client) -> None:
    first, second = seal(client), seal(client)
    assert first["keyId"] == second["keyId"]
    assert all(first[name] != second[name] for name in ("nonce", "ciphertext", "tag"))


@pytest.mark.parametrize("part", ["nonce", "ciphertext", "tag"])
@pytest.mark.parametrize("change", ["flip", "cut", "noise", "empty"])
def test_a_secret_that_was_changed_does_not_open(client: httpx.Client, run_id: str, part: str, change: str) -> None:
    sealed = seal(client)
    data = base64.b64decode(sealed[part])
    changed = {
        "flip": base64.b64encode(bytes([data[0] ^ 1]) + data[1:]).decode(),
        "cut": base64.b64encode(data[:-1]).decode(),
        "noise": "not base64!",
        "empty": "",
    }

    refused = opened(client, {**sealed, part: changed[change]}, executionId=run_id)

    assert issue(refused)[0] == "body.encrypted"
    assert "hunter2" not in refused.text


@pytest.mark.parametrize("member", [{"sourcePath": "agents/helper"}, {"secretName": "IMAP_PASSWORD"}])
def test_a_secret_opens_at_its_own_path_and_name_only(
    client: httpx.Client, run_id: str, member: dict[str, str]
) -> None:
    assert issue(opened(client, seal(client), executionId=run_id, **member))[0] == "body.encrypted"


def test_a_secret_of_another_tenant_is_foreign(shared_sandbox: Sandbox, client: httpx.Client, run_id: str) -> None:
    with connect(shared_sandbox, shared_sandbox.add_key("other")) as stranger:
        theirs = run(stranger, "agents.mail-sorter")["id"]
        assert issue(opened(stranger, seal(client), executionId=theirs), 403)[0] == "body.encrypted"
        assert issue(opened(stranger, seal(stranger), executionId=run_id), 404)[0] == "body.executionId"
    batch = {"secrets": [{**PLACE, "encrypted": {**seal(client), "keyId": "key_other"}}]}
    assert issue(client.post("/source/secrets/decrypt", json=batch), 403)[0] == "body.secrets[0].encrypted"


def test_an_organisation_is_named_only_by_its_own_keys(client: httpx.Client, run_id: str) -> None:
    for name in (derived_id("org", "default"), "default"):
        assert opened(client, seal(client, organizationId=name), executionId=run_id).status_code == 200
    body = {**PLACE, "plaintext": TEXT, "organizationId": "org_other"}
    assert issue(client.post("/source/secrets/encrypt", json=body), 403)[0] == "body.organizationId"


def test_one_secret_is_checked_against_the_lockfile_of_the_run(client: httpx.Client, run_id: str) -> None:
    helper = {"sourcePath": "agents/helper/mail/smtp.yaml"}
    assert opened(client, seal(client, **helper), executionId=run_id, **helper).json() == {"plaintext": TEXT}

    for path in ("agents/stranger", "agents/mail-sorter-2", "agents"):
        place = {"sourcePath": path}
        assert issue(opened(client, seal(client, **place), executionId=run_id, **place), 403)[0] == "body.sourcePath"
    commit = client.get(f"/runs/{run_id}").json()["source"]["git"]["commitSha"]
    for given, status in ((commit, 200), (commit[:7], 200), (commit[:6], 403), ("0" * 40, 403)):
        assert opened(client, seal(client), executionId=run_id, sourceCommit=given).status_code == status


def test_a_secret_of_a_workflow_opens_for_its_run(client: httpx.Client) -> None:
    failed = client.post("/runs?wait_for_completion=5", json={"target": "workflows.extract-invoice"}).json()["id"]
    place = {"sourcePath": "workflows/extract-invoice"}
    assert opened(client, seal(client, **place), executionId=failed, **place).json() == {"plaintext": TEXT}


def test_one_secret_needs_a_run(client: httpx.Client) -> None:
    assert issue(opened(client, seal(client))) == ("body.executionId", "required")
    assert issue(opened(client, seal(client), executionId="exec_none"), 404)[0] == "body.executionId"


def test_several_secrets_go_by_name_and_need_no_run(client: httpx.Client) -> None:
    plain = [{**PLACE, "secretName": name, "plaintext": name.lower()} for name in ("A", "B_2")]
    sealed = client.post("/source/secrets/encrypt", json={"secrets": plain}).json()["secrets"]

    assert list(sealed) == ["A", "B_2"]
    items = [{**PLACE, "secretName": name, "encrypted": encrypted} for name, encrypted in sealed.items()]
    answer = client.post("/source/secrets/decrypt", json={"secrets": items}).json()
    assert answer == {"secrets": {"A": "a", "B_2": "b_2"}}
    assert client.post("/source/secrets/encrypt", json={"secrets": []}).json() == {"secrets": {}}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.sourcePath"),
        ({"sourcePath": "agents/a"}, "body.secretName"),
        (PLACE, "body.plaintext"),
        ({**PLACE, "plaintext": 7}, "body.plaintext"),
        ({**PLACE, "plaintext": "x" * 70_000}, "body.plaintext"),
        ({**PLACE, "plaintext": "\ud800"}, "body.plaintext"),
        ({**PLACE, "plaintext": "a", "secretName": "lower"}, "body.secretName"),
        ({**PLACE, "plaintext": "a", "secretName": "A-B"}, "body.secretName"),
        ({**PLACE, "plaintext": "a", "sourcePath": "../a"}, "body.sourcePath"),
        ({**PLACE, "plaintext": "a", "secrets": []}, "body.sourcePath"),
        ({"secrets": {}}, "body.secrets"),
        ({"secrets": ["a"]}, "body.secrets[0]"),
        ({"secrets": [{**PLACE, "plaintext": "a"}] * 2}, "body.secrets[1].secretName"),
        ({"secrets": [{"secretName": "A"}]}, "body.secrets[0].sourcePath"),
        ([], "<root>"),
    ],
)
def test_a_seal_that_makes_no_sense_is_refused(client: httpx.Client, body: Any, field: str) -> None:
    answer = client.post("/source/secrets/encrypt", content=json.dumps(body))
    assert issue(answer)[0] == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"algorithm": "rot13"}, "body.encrypted.algorithm"),
        ({"algorithm": None}, "body.encrypted.algorithm"),
        ({"nonce": 7}, "body.encrypted.nonce"),
        ({"extra": "x"}, "body.encrypted.extra"),
    ],
)
def test_a_sealed_form_has_exactly_its_members(
    client: httpx.Client, run_id: str, change: dict[str, Any], field: str
) -> None:
    assert issue(opened(client, {**seal(client), **change}, executionId=run_id))[0] == field
    assert issue(opened(client, "text", executionId=run_id))[0] == "body.encrypted"
    missing = {name: value for name, value in seal(client).items() if name != "tag"}
    assert issue(opened(client, missing, executionId=run_id)) == ("body.encrypted.tag", "required")


# The key


def test_a_sealed_secret_opens_after_a_restart_and_nowhere_else(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = []

    def answer(folder: Path) -> httpx.Response:
        with Sandbox(data=folder) as sandbox, connect(sandbox) as client:
            if not items:
                items.append({**PLACE, "encrypted": seal(client)})
            return client.post("/source/secrets/decrypt", json={"secrets": items})

    assert answer(tmp_path / "a").json() == answer(tmp_path / "a").json() == {"secrets": {"SMTP_PASSWORD": TEXT}}
    assert issue(answer(tmp_path / "b"), 403)[0] == "body.secrets[0].encrypted"
    for path in (tmp_path / "a").rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes()


def test_the_key_is_for_its_owner_only_and_is_never_guessed(tmp_path: Path) -> None:
    file = tmp_path / "secrets.key"
    with Sandbox(data=tmp_path):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = file.read_bytes()
    file.chmod(0o644)  # as a copy of the folder may have made it
    with Sandbox(data=tmp_path) as sandbox:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert key.hex() not in repr(sandbox)
    assert file.read_bytes() == key
    file.write_bytes(key[:-1])
    with pytest.raises(ValueError, match=r"secrets\.key does not hold the key"):
        Sandbox(data=tmp_path).start()
    assert file.read_bytes() == key[:-1]
