"""Agents of the emulator: made, read, changed, deleted, listed; bad ones refused; organisations apart."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from eigenpal.epilot import InputParameter, InputParameters
from eigenpal.sandbox import Sandbox
from tests.sandbox.epilot.conftest import connect, execute, until
from tests.spec.strategies import document

NEW: dict[str, Any] = document("epilot")["components"]["schemas"]["CreateAgentRequest"]["examples"][0]


def create(client: httpx.Client, **members: Any) -> dict[str, Any]:
    answer = client.post("/agents", json={**NEW, **members})
    assert answer.status_code == 201, answer.text
    agent: dict[str, Any] = answer.json()
    return agent


def test_an_agent_is_made_read_changed_and_deleted(client: httpx.Client) -> None:
    made = create(client, model_config={"model_id": "m", "temperature": 0.5}, max_iterations=3)
    path = f"/agents/{made['agent_id']}"
    assert (made["source"], made["version"], made["max_iterations"]) == ("custom", 1, 3)
    assert client.get(path).json() == made
    changed = client.put(path, json={"description": "sorts", "max_iterations": 20}).json()
    assert (changed["version"], changed["description"], changed["name"]) == (2, "sorts", "Sorter")
    assert changed["created_at"] == made["created_at"]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == client.put(path, json={}).status_code == 404
    assert client.delete(path).status_code == client.post(f"{path}/execute").status_code == 404


BAD: dict[str, Any] = {
    "no object": [],
    "a text": "agent",
    "nothing": None,
    "no name": {key: value for key, value in NEW.items() if key != "name"},
    "no prompt": {key: value for key, value in NEW.items() if key != "system_prompt"},
    "no pattern": {key: value for key, value in NEW.items() if key != "execution_pattern"},
    "an empty name": {**NEW, "name": ""},
    "a long name": {**NEW, "name": "x" * 101},
    "a long description": {**NEW, "description": "x" * 1001},
    "an unknown pattern": {**NEW, "execution_pattern": "loop"},
    "an unknown mode": {**NEW, "execution_mode": "always"},
    "too many iterations": {**NEW, "max_iterations": 21},
    "half an iteration": {**NEW, "max_iterations": 1.5},
    "a flag for a number": {**NEW, "max_iterations": True},
    "no list of tools": {**NEW, "tools": "entity.search"},
    "a number among the tools": {**NEW, "tools": [1]},
    "a hot model": {**NEW, "model_config": {"temperature": 2}},
    "too many tokens": {**NEW, "model_config": {"max_tokens": 8193}},
    "no object of a schema": {**NEW, "output_schema": []},
    "a map of parameters": {**NEW, "input_parameters_schema": {"type": "object", "parameters": {}}},
    "another type of parameters": {**NEW, "input_parameters_schema": {"type": "array", "parameters": []}},
    "a parameter without a label": {
        **NEW,
        "input_parameters_schema": {"type": "object", "parameters": [{"name": "a", "type": "text"}]},
    },
    "half a surrogate pair": {**NEW, "name": "\ud800"},
}


@pytest.mark.parametrize("problem", BAD)
def test_an_agent_that_the_service_would_refuse_is_refused_and_not_kept(
    shared_client: httpx.Client, problem: str
) -> None:
    before = shared_client.get("/agents").json()
    answer = shared_client.post("/agents", content=json.dumps(BAD[problem]))
    assert answer.status_code == 400
    assert answer.json()["error"] == "BadRequest"
    assert shared_client.get("/agents").json() == before


@pytest.mark.parametrize("body", [b"", b"{", b'{"name": NaN}', b"\xff"])
def test_a_body_that_is_no_json_is_refused(shared_client: httpx.Client, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert shared_client.post("/agents", content=body, headers=headers).status_code == 400
    assert shared_client.post("/agents", content=body, headers={"content-type": "text/plain"}).status_code == 400


def test_registered_agents_are_there_and_system_skills_can_not_be_changed(sandbox: Sandbox) -> None:
    @sandbox.epilot.agent("Categorizer", skill="email-categorizer", category="message", availability=["flows"])
    def categorize(context: Any) -> str:
        """Sort the mail.

        It looks at the subject.
        """
        return "spam"

    with connect(sandbox) as client:
        skill = client.get("/agents/skill%3Aemail-categorizer").json()
        assert skill == client.get("/agents/skill:email-categorizer").json()
        assert (skill["source"], skill["description"]) == ("system", "Sort the mail.")
        assert client.put("/agents/skill:email-categorizer", json={}).status_code == 400
        assert client.delete("/agents/skill:email-categorizer").status_code == 400
        assert until(client, execute(client, "skill:email-categorizer"), "completed")["agent_source"] == "system"


def test_lists_are_filtered_by_all_that_is_given(sandbox: Sandbox) -> None:
    @sandbox.epilot.agent("Flows", skill="flows", availability=["flows"], allowed_entity_schemas=["message"])
    @sandbox.epilot.agent("Everywhere", skill="everywhere", availability=["all"], allowed_entity_schemas=["contact"])
    def work(context: Any) -> None: ...

    with connect(sandbox) as client:
        create(client, name="Mine")

        def names(**query: str) -> list[str]:
            return [agent["name"] for agent in client.get("/agents", params=query).json()["agents"]]

        assert names() == ["Mine", "Flows", "Everywhere"]  # the newest first
        assert names(source="system") == ["Flows", "Everywhere"]
        assert names(source="custom") == ["Mine"]
        assert names(availability="copilot") == ["Mine", "Everywhere"]
        assert names(entity_schema="message") == ["Mine", "Flows"]
        assert names(source="system", availability="flows", entity_schema="contact") == ["Everywhere"]
        for query in ({"source": "mine"}, {"availability": "here"}, {"cursor": "nonsense"}):
            assert client.get("/agents", params=query).status_code == 400


def test_long_lists_have_pages(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eigenpal.sandbox.epilot.operations.AGENTS_PAGE", 2)
    with connect(sandbox) as client:
        made = [create(client, name=f"a{number}")["name"] for number in range(5)]
        found, cursor = [], None
        while True:
            page = client.get("/agents", params={} if cursor is None else {"cursor": cursor}).json()
            found += [agent["name"] for agent in page["agents"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert found == made[::-1]


def test_organisations_do_not_see_each_other(sandbox: Sandbox) -> None:
    with connect(sandbox) as client, connect(sandbox, sandbox.add_key("other")) as other:
        made = create(client)
        execution = execute(client, made["agent_id"])
        assert made["org_id"] == "default"
        assert other.get(f"/agents/{made['agent_id']}").status_code == 404
        assert other.get(f"/executions/{execution}").status_code == 404
        assert other.get("/executions").json()["executions"] == []


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic eDp5"}])
def test_a_call_without_a_good_token_is_refused(shared_sandbox: Sandbox, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{shared_sandbox.epilot.url}/v1/agents", headers=headers, trust_env=False, verify=False)
    assert answer.status_code == 401
    assert answer.json()["error"] == "Unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_paths_and_methods_that_are_not_there_have_the_same_envelope(shared_client: httpx.Client) -> None:
    assert shared_client.get("/conversations").json()["error"] == "NotFound"
    answer = shared_client.patch("/agents/x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, PUT")


def test_a_fault_speaks_as_the_service_does(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults.add("/epilot/v1/*", status=429, retry_after=3)
    answer = client.get("/agents")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json()["error"] == "TooManyRequests"


def test_a_definition_that_the_service_would_refuse_is_refused_at_once(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"agent\.execution_mode: This must be one of"):
        sandbox.epilot.agent("Bad", execution_mode="sometimes")(lambda context: None)


def test_a_registration_that_changes_is_a_new_version_and_one_that_was_deleted_stays_so(sandbox: Sandbox) -> None:
    def work(context: Any) -> None: ...

    sandbox.epilot.agent("Worker", description="one")(work)
    path = f"/agents/{sandbox.epilot.id_of('Worker')}"
    with connect(sandbox) as client:
        assert client.get(path).json()["version"] == 1
        sandbox.epilot.agent("Worker", description="one")(work)
        assert client.get(path).json()["version"] == 1
        sandbox.epilot.agent("Worker", description="two")(work)
        changed = client.get(path).json()
        assert (changed["version"], changed["description"]) == (2, "two")
        client.delete(path)
        sandbox.epilot.agent("Other")(work)
        assert client.get(path).status_code == 404


# ------------------------------------------------------------------------------------------------ parameters

PARAMETERS = InputParameters(
    parameters=[
        InputParameter(name="language", label="Language", type="select", enum=["de", "en"]),
        InputParameter(name="retries", label="Retries", type="number", minimum=0, maximum=5, default=2),
        InputParameter(name="fields", label="Fields", type="entity-attribute", multi=True),
        InputParameter(name="loud", label="Loud", type="boolean"),
        InputParameter(name="title", label="Title", type="text", min_length=2, max_length=4),
        InputParameter(name="rules", label="Rules", type="matching-criteria"),
    ],
    required=["language"],
)


def test_parameters_that_fit_reach_the_function_with_their_defaults(sandbox: Sandbox) -> None:
    @sandbox.epilot.agent("Picky", input_parameters=PARAMETERS)
    def picky(context: Any) -> str:
        return repr(sorted(context.parameters.items()))

    with connect(sandbox) as client:
        given = {"language": "de", "fields": ["a"], "loud": True, "title": "abc", "rules": {"any": ["JSON"]}}
        execution = until(client, execute(client, sandbox.epilot.id_of("Picky"), parameters=given), "completed")
    assert execution["parameters"] == {**given, "retries": 2}
    assert "('retries', 2)" in execution["result"]["response"]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"language": "fr"},
        {"language": "de", "retries": 6},
        {"language": "de", "retries": "1"},
        {"language": "de", "fields": "a"},
        {"language": "de", "fields": [1]},
        {"language": "de", "loud": "yes"},
        {"language": "de", "title": "a"},
        {"language": "de", "title": "abcde"},
        {"language": "de", "unknown": 1},
    ],
    ids=str,
)
def test_parameters_that_do_not_fit_are_refused(sandbox: Sandbox, parameters: dict[str, Any]) -> None:
    sandbox.epilot.agent("Picky", input_parameters=PARAMETERS)(lambda context: "")
    with connect(sandbox) as client:
        path = f"/agents/{sandbox.epilot.id_of('Picky')}/execute"
        answer = client.post(path, json={"parameters": parameters})
        assert answer.status_code == 400
        assert answer.json()["details"]["field"].startswith("body.parameters.")
        assert client.get("/executions").json()["executions"] == []
