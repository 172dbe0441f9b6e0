"""Lists that end although the service may take no cursor, and refusals that mean something else than they say."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest

from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalDecodeError,
    EigenpalForbiddenError,
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalRateLimitError,
    EigenpalServerError,
    EigenpalValidationError,
)
from tests.epilot.scripted import DONE, EXECUTION, ID, TOKEN, blocking, page, refusal, scripted

pytestmark = pytest.mark.anyio


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [{**DONE, "execution_id": str(number)} for number in numbers]


async def ids_of(client: Any, **options: Any) -> list[str]:
    found: list[str] = []
    try:
        async for execution in client.executions.iterate(**options):
            found.append(execution.id)  # noqa: PERF401 - what came before an error counts
    except EigenpalDecodeError as error:
        found.append(str(error))
    return found


async def test_all_pages_of_a_service_that_takes_the_cursor_are_iterated_over() -> None:
    client, script = scripted(page(*rows(1, 2), next_cursor="c1"), page(*rows(3, 4), next_cursor="c2"), page(*rows(5)))
    assert await ids_of(client, limit=2) == ["1", "2", "3", "4", "5"]
    assert [sent.query.get("cursor") for sent in script.sent] == [None, "c1", "c2"]


@pytest.mark.parametrize("cursors", ["the same", "always new"])
async def test_a_service_that_takes_no_cursor_gives_each_row_once_and_then_an_error(cursors: str) -> None:
    names = itertools.repeat("c1") if cursors == "the same" else (f"c{number}" for number in itertools.count())
    client, script = scripted(*(page(*rows(1, 2), next_cursor=next(names)) for _ in range(5)))
    found = await ids_of(client)
    assert found[:2] == ["1", "2"]
    assert "it takes no cursor" in found[2]
    assert len(found) == 3
    assert len(script.sent) == 2


async def test_a_first_page_that_has_moved_on_is_known_again() -> None:
    client, _ = scripted(page(*rows(3, 2, 1), next_cursor="c1"), page(*rows(4, 3, 2), next_cursor="c2"))
    found = await ids_of(client)
    assert found[:3] == ["3", "2", "1"]
    assert len(found) == 4


async def test_rows_that_came_up_meanwhile_are_no_repeated_page() -> None:
    client, _ = scripted(page(*rows(3, 2), next_cursor="c1"), page(*rows(2, 1)))
    assert await ids_of(client) == ["3", "2", "2", "1"]


async def test_pages_that_go_in_a_circle_end() -> None:
    circle = [page(*rows(1, 2), next_cursor="a"), page(*rows(3, 4), next_cursor="b")]
    client, script = scripted(*circle, page(*rows(1, 2), next_cursor="c"), *circle)
    assert len(await ids_of(client)) == 5
    assert len(script.sent) == 3


async def test_an_empty_page_with_a_cursor_is_gone_past() -> None:
    client, _ = scripted(page(next_cursor="c1"), page(*rows(1)))
    assert await ids_of(client) == ["1"]


async def test_agents_are_iterated_over_alike() -> None:
    first = {"agents": [{"agent_id": "a"}], "next_cursor": "c1"}
    client, script = scripted(first, {"agents": [{"agent_id": "b"}], "next_cursor": None})
    assert [agent.id async for agent in client.agents.iterate(source="custom")] == ["a", "b"]
    assert script.sent[1].query == {"source": "custom", "cursor": "c1"}


def test_a_page_is_a_list_of_its_rows() -> None:
    client, _ = blocking(page(*rows(1, 2), next_cursor="c1"))
    with client:
        found = client.executions.list()
    assert [row.id for row in found] == ["1", "2"]
    assert (len(found), found.has_more, found.items) == (2, True, found.executions)
    assert "<table>" in found._repr_html_()


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("call", ["get", "update", "delete"])
@pytest.mark.parametrize("said", ["Agent not found", "no such agent", "Agent x does not exist"])
async def test_a_400_that_says_there_is_no_such_agent_is_not_found(call: str, said: str) -> None:
    client, _ = scripted(refusal(400, said))
    with pytest.raises(EigenpalNotFoundError, match=said) as caught:
        await getattr(client.agents, call)("x")
    assert caught.value.status == 400
    assert caught.value.envelope == {"error": "Refused", "message": said}


async def test_a_400_that_says_something_else_stays_a_bad_request() -> None:
    client, _ = scripted(refusal(400, "System skills can't be changed"))
    with pytest.raises(EigenpalValidationError, match="System skills"):
        await client.agents.delete("skill:sorter")


async def test_an_agent_that_is_gone_when_its_deletion_is_sent_again_was_deleted() -> None:
    client, script = scripted(refusal(503), refusal(404, "not found"))
    await client.agents.delete("x")
    assert len(script.sent) == 2
    client, _ = scripted(refusal(404, "not found"))
    with pytest.raises(EigenpalNotFoundError):
        await client.agents.delete("x")


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_cancelling_what_is_over_returns_it_as_it_is(status: str) -> None:
    client, script = scripted(refusal(400, "finished"), {**EXECUTION, "status": status})
    assert (await client.executions.cancel(ID)).status == status
    assert script.lines == [f"DELETE /v1/executions/{ID}", f"GET /v1/executions/{ID}"]


async def test_a_cancel_that_is_refused_for_another_reason_is_raised() -> None:
    client, _ = scripted(refusal(400, "no"), EXECUTION)
    with pytest.raises(EigenpalValidationError):
        await client.executions.cancel(ID)


@pytest.mark.parametrize(("call", "arguments"), [("approve", ()), ("reject", ("no",))])
async def test_a_decision_is_sent_once_whatever_happens_to_its_answer(call: str, arguments: tuple[str, ...]) -> None:
    client, script = scripted(refusal(502))
    with pytest.raises(EigenpalServerError) as caught:
        await getattr(client.executions, call)(ID, *arguments)
    assert caught.value.maybe_started
    assert len(script.sent) == 1


async def test_an_agent_is_created_once_whatever_happens_to_its_answer() -> None:
    client, script = scripted(refusal(504))
    with pytest.raises(EigenpalServerError) as caught:
        await client.agents.create(name="a", system_prompt="b", execution_pattern="direct")
    assert caught.value.maybe_started
    assert len(script.sent) == 1


async def test_an_error_tells_the_code_and_the_words_of_its_envelope() -> None:
    client, _ = scripted(httpx.Response(403, json={"error": "Forbidden", "message": "no role", "details": {"a": 1}}))
    with pytest.raises(EigenpalForbiddenError, match=r"answered 403: no role\. Check the roles") as caught:
        await client.agents.list()
    assert (caught.value.code, caught.value.envelope["details"]) == ("Forbidden", {"a": 1})


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'"text"', b'{"error": 7, "message": []}', b"<html>"])
async def test_any_envelope_makes_a_typed_error(body: bytes) -> None:
    client, _ = scripted(httpx.Response(418, content=body))
    with pytest.raises(EigenpalAPIError) as caught:
        await client.agents.list()
    assert caught.value.status == 418


async def test_a_quota_is_waited_for_as_long_as_it_says() -> None:
    client, _ = scripted(refusal(429, "quota", **{"Retry-After": "61"}))
    with pytest.raises(EigenpalRateLimitError) as caught:
        await client.executions.get(ID)
    assert caught.value.retry_after == 61


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"timeout_ms": 0}, "timeout_ms"),
        ({"timeout_ms": 300_001}, "timeout_ms"),
        ({"timeout_ms": True}, "timeout_ms"),
        ({"timeout_ms": 1.5}, "timeout_ms"),
        ({"callback_url": "hooks.example"}, "callback_url"),
        ({"callback_url": "ftp://hooks.example"}, "callback_url"),
        ({"callback_url": "http://[broken"}, "callback_url"),
        ({"input": "e1"}, "input must be a mapping"),
        ({"parameters": ["a"]}, "parameters must be a mapping"),
    ],
)
async def test_arguments_that_can_not_be_sent_are_refused_before_anything_is(arguments: Any, problem: str) -> None:
    client, script = scripted(DONE)
    with pytest.raises(EigenpalInputError, match=problem):
        await client.agents.execute("skill:sorter", **arguments)
    assert script.sent == []


@pytest.mark.parametrize("agent_id", ["", ".", "..", "a/../b", "a\nb"])
async def test_an_id_that_would_name_another_path_is_refused(agent_id: str) -> None:
    client, script = scripted(DONE)
    with pytest.raises(EigenpalInputError, match="agent_id"):
        await client.agents.get(agent_id)
    assert script.sent == []


async def test_no_error_shows_the_token() -> None:
    client, _ = scripted(refusal(401, "expired"))
    with pytest.raises(EigenpalAPIError) as caught:
        await client.agents.list()
    assert TOKEN not in f"{caught.value} {vars(caught.value)} {client!r}"
