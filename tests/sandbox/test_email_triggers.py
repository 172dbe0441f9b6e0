"""Email triggers of agents and their aliases: kept, checked and switched; no mail is delivered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from tests.sandbox.conftest import connect
from tests.sandbox.test_agents import create, issue

TRIGGER = "/agents/mail-sorter/triggers/email"


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client of a sandbox with an agent."""
    sandbox.agent("mail-sorter")(lambda context: {})
    with connect(sandbox) as connected:
        yield connected


@pytest.fixture(scope="module")
def still(shared_sandbox: Sandbox, shared_client: httpx.Client) -> httpx.Client:
    """A client of a sandbox with an agent and, after each test, no alias."""
    shared_sandbox.agent("mail-sorter")(lambda context: {})
    return shared_client


def add(client: httpx.Client, **members: Any) -> dict[str, Any]:
    answer = client.post(TRIGGER, json=members)
    assert answer.status_code == 201, answer.text
    alias: dict[str, Any] = answer.json()["email"]
    return alias


def test_the_trigger_is_switched_and_shows_on_the_agent(client: httpx.Client) -> None:
    client.patch("/agents/mail-sorter", json={"config": {"model": "x"}})
    assert client.get(TRIGGER).json() == {"trigger": {"enabled": False}, "emails": []}

    assert client.patch(TRIGGER, json={"enabled": True}).json() == {"trigger": {"enabled": True}}

    assert client.get(TRIGGER).json()["trigger"] == {"enabled": True}
    agent = client.get("/agents/mail-sorter").json()["agent"]
    assert agent["triggers"]["email"] is True
    assert agent["config"] == {"model": "x", "triggers": {"email": {"enabled": True}}}
    assert client.patch(TRIGGER, json={"enabled": False}).json() == {"trigger": {"enabled": False}}


@pytest.mark.parametrize("body", [{}, {"enabled": None}, {"enabled": "yes"}, {"enabled": 1}, []])
def test_a_switch_is_true_or_false(still: httpx.Client, body: Any) -> None:
    assert still.patch(TRIGGER, json=body).status_code == 400


def test_an_alias_is_created_with_all_that_was_given(client: httpx.Client) -> None:
    alias = add(
        client,
        email="Sort-Me@Example.com",
        label="Sorting",
        allowlist=["anna@example.com", "example.org"],
        replyConfig={"on": "always", "mode": "sender", "subject": "Re"},
    )

    assert alias["id"].startswith("aea_")
    assert {name: value for name, value in alias.items() if name not in ("id", "agentId")} == {
        "alias": "sort-me@example.com",
        "status": "active",
        "label": "Sorting",
        "allowlist": ["anna@example.com", "example.org"],
        "requireSenderAuth": False,
        "replyConfig": {"on": "always", "mode": "sender", "subject": "Re"},
    }
    assert client.get(TRIGGER).json()["emails"] == [alias]


def test_a_name_without_a_domain_gets_that_of_the_organisation(client: httpx.Client) -> None:
    assert add(client, alias="sort-me", allow=["example.com"])["alias"] == "sort-me@default.sandbox.local"
    assert client.get(TRIGGER).json()["emails"][0]["allowlist"] == ["example.com"]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "body.email", "required"),
        ({"email": "a@b.c", "alias": "d@e.f"}, "body.email", "invalid_value"),
        ({"email": "two words@example.com"}, "body.email", "invalid_value"),
        ({"email": "a@localhost"}, "body.email", "invalid_value"),
        ({"email": "a@b@c.d"}, "body.email", "invalid_value"),
        ({"email": "@example.com"}, "body.email", "invalid_value"),
        ({"email": f"{'a' * 65}@example.com"}, "body.email", "invalid_value"),
        ({"email": "a\r\nbcc: b@c.d"}, "body.email", "invalid_value"),
        ({"email": 7}, "body.email", "invalid_value"),
        ({"email": "a", "label": None}, "body.label", "invalid_value"),
        ({"email": "a", "allowlist": "example.com"}, "body.allowlist", "invalid_value"),
        ({"email": "a", "allowlist": ["example.com", "nobody"]}, "body.allowlist[1]", "invalid_value"),
        ({"email": "a", "allow": [7]}, "body.allow[0]", "invalid_value"),
        ({"email": "a", "allowlist": ["a.b"], "allow": ["c.d"]}, "body.allowlist", "invalid_value"),
        ({"email": "a", "replyConfig": []}, "body.replyConfig", "invalid_value"),
        ({"email": "a", "replyConfig": {"on": "sometimes"}}, "body.replyConfig.on", "invalid_value"),
        ({"email": "a", "replyConfig": {"mode": "some"}}, "body.replyConfig.mode", "invalid_value"),
    ],
)
def test_a_bad_alias_is_refused_and_not_kept(still: httpx.Client, body: Any, field: str, code: str) -> None:
    assert issue(still.post(TRIGGER, json=body)) == (field, code)
    assert still.get(TRIGGER).json()["emails"] == []


def test_an_address_is_taken_once_in_an_organisation(sandbox: Sandbox, client: httpx.Client) -> None:
    create(client, "other-agent")
    add(client, email="sort@example.com")

    for target in (TRIGGER, "/agents/other-agent/triggers/email"):
        assert issue(client.post(target, json={"alias": "SORT@example.com"})) == ("body.email", "invalid_value")
    with connect(sandbox, sandbox.add_key("other")) as stranger:
        assert stranger.get("/agents/triggers/email").json() == {"emails": []}
        add(stranger, email="sort@example.com")


def test_a_change_leaves_what_is_not_given_and_null_clears_the_label(client: httpx.Client) -> None:
    alias = add(client, email="a@example.com", label="A", allowlist=["example.com"])
    path = f"{TRIGGER}/{alias['id']}"

    assert client.patch(path, json={}).json()["email"] == alias
    changed = client.patch(path, json={"status": "disabled", "requireSenderAuth": True}).json()["email"]
    assert changed == {**alias, "status": "disabled", "requireSenderAuth": True}
    changed = client.patch(path, json={"label": None, "allow": [], "replyConfig": {"on": "never"}}).json()["email"]
    assert (changed["label"], changed["allowlist"], changed["replyConfig"]) == (None, [], {"on": "never"})
    assert client.get(TRIGGER).json()["emails"] == [changed]


@pytest.mark.parametrize(
    "body",
    [
        {"status": "paused"},
        {"status": None},
        {"label": 7},
        {"allowlist": None},
        {"requireSenderAuth": "yes"},
        {"requireSenderAuth": None},
        {"replyConfig": None},
    ],
)
def test_a_bad_change_changes_nothing(still: httpx.Client, body: Any) -> None:
    alias = add(still, email="a@example.com", label="A")
    path = f"{TRIGGER}/{alias['id']}"
    assert still.patch(path, json={"label": "B", **body}).status_code == 400
    assert still.get(TRIGGER).json()["emails"] == [alias]
    still.delete(path)


def test_a_removed_alias_is_gone_and_its_address_free(client: httpx.Client) -> None:
    alias = add(client, email="a@example.com")
    path = f"{TRIGGER}/{alias['id']}"

    assert client.delete(path).json() == {"removed": True}
    assert client.delete(path).status_code == 404
    assert client.patch(path, json={"label": "x"}).status_code == 404
    assert add(client, email="a@example.com")["id"] != alias["id"]


def test_an_alias_belongs_to_its_agent_and_tenant(sandbox: Sandbox, client: httpx.Client) -> None:
    create(client, "other-agent")
    alias = add(client, email="a@example.com")

    assert client.delete(f"/agents/other-agent/triggers/email/{alias['id']}").status_code == 404
    assert client.get("/agents/none/triggers/email").status_code == 404
    with connect(sandbox, sandbox.add_key("other")) as stranger:
        assert stranger.delete(f"{TRIGGER}/{alias['id']}").status_code == 404
    assert client.get("/agents/triggers/email").json() == {"emails": [alias]}


def test_triggers_and_aliases_survive_a_restart(tmp_path: Path) -> None:
    def state(client: httpx.Client) -> list[Any]:
        return [client.get(TRIGGER).json(), client.get("/agents/triggers/email").json()]

    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        create(client, "mail-sorter")
        for name in ("b", "a"):
            add(client, email=f"{name}@example.com")
        client.patch(TRIGGER, json={"enabled": True})
        before = state(client)
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        assert state(client) == before
    assert [alias["alias"] for alias in before[1]["emails"]] == ["b@example.com", "a@example.com"]
