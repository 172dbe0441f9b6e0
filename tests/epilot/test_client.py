"""The clients of epilot: where the token comes from, what is checked before anything is sent, what never shows."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import anyio.lowlevel
import httpx
import pytest

from eigenpal.engine.options import EigenpalInsecureWarning
from eigenpal.epilot import AsyncEpilotClient, EpilotClient
from eigenpal.errors import EigenpalAuthError, EigenpalDecodeError, EigenpalInputError, EigenpalUsageError
from tests.epilot.scripted import DONE, ID, TOKEN, blocking, refusal, scripted
from tests.spec.calling import Sent
from tests.spec.surface import Refusal
from tests.surface.scripted import Script

pytestmark = pytest.mark.anyio


def tokens_of(sent: list[Sent]) -> list[str]:
    return [one.headers["authorization"].removeprefix("Bearer ") for one in sent]


class Service(Script):
    """Accepts one token only."""

    good = "second"

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = await super().__call__(request)
        return answer if request.headers["authorization"] == f"Bearer {self.good}" else refusal(401, "expired")


async def test_a_function_is_asked_for_the_token_before_every_request() -> None:
    names = iter(["first", "second", "third"])
    script = Script([DONE])
    async with AsyncEpilotClient(lambda: next(names), transport=httpx.MockTransport(script)) as client:
        for _ in range(3):
            await client.executions.get(ID)
    assert tokens_of(script.sent) == ["first", "second", "third"]


async def test_an_async_function_is_awaited_for_it() -> None:
    async def token() -> str:
        await anyio.lowlevel.checkpoint()
        return "fresh"

    script = Script([DONE])
    async with AsyncEpilotClient(token, transport=httpx.MockTransport(script)) as client:
        await client.executions.get(ID)
    assert tokens_of(script.sent) == ["fresh"]


def test_in_blocking_code_a_plain_function_is_asked() -> None:
    script = Script([DONE])
    with EpilotClient(lambda: "fresh", transport=httpx.MockTransport(script)) as client:
        client.executions.get(ID)
    assert tokens_of(script.sent) == ["fresh"]


class Provider:
    """A token that was refused is renewed once."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.refused: list[str] = []

    async def token(self) -> str:
        return self.tokens[0]

    async def refresh(self, rejected: str) -> str:
        self.refused.append(rejected)
        self.tokens.pop(0)
        return self.tokens[0]


async def test_a_token_that_is_refused_is_renewed_and_the_request_sent_once_more() -> None:
    provider, service = Provider("first", "second"), Service([DONE])
    async with AsyncEpilotClient(provider, transport=httpx.MockTransport(service)) as client:
        assert (await client.executions.get(ID)).succeeded
    assert tokens_of(service.sent) == ["first", "second"]
    assert provider.refused == ["first"]


async def test_a_renewed_token_that_is_refused_too_is_an_error() -> None:
    service = Service([DONE])
    async with AsyncEpilotClient(Provider("first", "other"), transport=httpx.MockTransport(service)) as client:
        with pytest.raises(EigenpalAuthError, match=r"expired\. Check the token"):
            await client.executions.get(ID)
    assert len(service.sent) == 2


async def test_the_environment_has_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPILOT_TOKEN", "from-outside")
    monkeypatch.setenv("EPILOT_BASE_URL", "https://agents.example/prefix/")
    script = Script([DONE])
    async with AsyncEpilotClient(transport=httpx.MockTransport(script)) as client:
        await client.executions.get(ID)
        assert "https://agents.example/prefix" in repr(client)
    async with AsyncEpilotClient(TOKEN, base_url="https://other.example", transport=httpx.MockTransport(script)) as own:
        await own.executions.get(ID)
    assert script.lines == [f"GET /prefix/v1/executions/{ID}", f"GET /v1/executions/{ID}"]
    assert tokens_of(script.sent) == ["from-outside", TOKEN]


def test_without_a_token_it_says_where_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EPILOT_TOKEN", raising=False)
    monkeypatch.setenv("EIGENPAL_API_KEY", "of-another-service")
    for kind in (AsyncEpilotClient, EpilotClient):
        with pytest.raises(EigenpalInputError, match=r"no token: give token=.*EPILOT_TOKEN"):
            kind()


@pytest.mark.parametrize("token", ["", " ", "a\nb", "tökén", 7, object()])
def test_a_token_that_can_not_be_sent_is_refused_without_showing_it(token: Any) -> None:
    with pytest.raises(EigenpalInputError, match="token") as caught:
        AsyncEpilotClient(token, transport=Refusal())
    assert "tökén" not in str(caught.value)


@pytest.mark.parametrize("org_id", ["a\nb", 7])
def test_an_organisation_that_can_not_be_sent_is_refused(org_id: Any) -> None:
    with pytest.raises(EigenpalInputError, match="org_id"):
        AsyncEpilotClient(TOKEN, org_id=org_id)


async def test_the_organisation_goes_with_every_request_of_the_client_and_its_copies() -> None:
    client, script = scripted(DONE, org_id="739224")
    await client.executions.get(ID)
    await client.with_options(max_retries=0, default_headers={"X-Team": "mail"}).executions.get(ID)
    assert [sent.headers["x-epilot-org-id"] for sent in script.sent] == ["739224"] * 2
    assert script.sent[1].headers["x-team"] == "mail"
    client, script = scripted(DONE)
    await client.executions.get(ID)
    assert "x-epilot-org-id" not in script.sent[0].headers


def test_the_token_shows_nowhere_and_clients_are_not_pickled() -> None:
    client, _ = scripted(DONE)
    assert TOKEN not in repr(client) + repr(client._session)
    for kind in (client, blocking(DONE)[0]):
        with pytest.raises(TypeError, match="can't be pickled"):
            pickle.dumps(kind)


async def test_a_closed_client_says_so() -> None:
    client, _ = scripted(DONE)
    async with client:
        pass
    await client.aclose()
    with pytest.raises(EigenpalUsageError, match="closed"):
        await client.executions.get(ID)


def test_plain_http_is_warned_of() -> None:
    with pytest.warns(EigenpalInsecureWarning):
        AsyncEpilotClient(TOKEN, base_url="http://agents.example")


async def test_what_the_clients_have_no_method_for_can_be_sent_all_the_same() -> None:
    from eigenpal.epilot import ExecutionFeedback

    feedback = {"rating": "up", "user_id": "u", "submitted_at": "2026-01-01T00:00:00Z"}
    client, script = scripted(feedback)
    path = f"/v1/executions/{ID}/feedback"
    answer = await client.request("PUT", path, json={"rating": "up"}, cast_to=ExecutionFeedback)
    assert (answer.rating, script.lines) == ("up", [f"PUT {path}"])


async def test_raw_responses_have_the_answer_beside_the_result() -> None:
    client, _ = scripted(httpx.Response(200, json=DONE, headers={"x-request-id": "r1"}))
    raw = await client.with_raw_response.executions.get(ID)
    assert (raw.status, raw.request_id, raw.parse().id) == (200, "r1", ID)


async def test_an_answer_that_is_none_is_a_typed_error() -> None:
    client, _ = scripted({**DONE, "metrics": {"total_tokens": "many"}})
    with pytest.raises(EigenpalDecodeError, match=r"\$\.metrics\.total_tokens should be a whole number"):
        await client.executions.get(ID)


async def test_ids_are_one_segment_of_the_path_whatever_is_in_them() -> None:
    client, script = scripted({}, {})
    await client.agents.get("skill:e-mail/sorter")
    assert script.lines == ["GET /v1/agents/skill%3Ae-mail%2Fsorter"]


async def test_models_and_mappings_are_sent_alike() -> None:
    from eigenpal.epilot import ExecutionInput, FlowEntity, InputParameters, ModelConfig

    client, script = scripted({})
    flow = [FlowEntity(entity_id="e1", entity_schema="contact")]
    await client.agents.execute("a", input=ExecutionInput(custom_data={"n": 1}, flow_context=flow))
    given = {"custom_data": {"n": 1}, "flow_context": [{"entity_id": "e1", "entity_schema": "contact"}]}
    await client.agents.execute("a", input=given)
    assert script.sent[0].body == script.sent[1].body == {"input": given}
    await client.agents.update("a", model_config=ModelConfig(temperature=0), tools=[])
    assert script.sent[2].body == {"model_config": {"temperature": 0}, "tools": []}
    empty = InputParameters(parameters=[])
    await client.agents.update("a", input_parameters_schema=copy.copy(empty))
    assert script.sent[3].body == {"input_parameters_schema": {"type": "object", "parameters": []}}


async def test_a_start_may_be_held_as_long_as_the_execution_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = scripted(DONE, timeout_seconds=1)
    holds: list[float | None] = []
    call = client._session.call

    async def noted(*arguments: Any, hold_seconds: float | None = None, **options: Any) -> Any:
        holds.append(hold_seconds)
        return await call(*arguments, hold_seconds=hold_seconds, **options)

    monkeypatch.setattr(type(client._session), "call", lambda _, *a, **o: noted(*a, **o))
    await client.agents.execute("a")
    await client.agents.execute("a", timeout_ms=120_000)
    assert holds == [30.0, 120.0]
