"""What goes wrong: both error envelopes in one tree of errors, and what may be sent again without doing it twice."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from eigenpal.archastro import AsyncArchAstroClient
from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalAuthError,
    EigenpalConflictError,
    EigenpalConnectionError,
    EigenpalForbiddenError,
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalPaymentRequiredError,
    EigenpalServerError,
    EigenpalValidationError,
)
from eigenpal.sandbox import Sandbox
from tests.archastro.scripted import refusal, scripted

pytestmark = pytest.mark.anyio

FIELDS = [{"field": "instructions", "message": "is required"}, {"field": "max_turns", "message": "too high"}]


@pytest.mark.parametrize(
    ("status", "kind", "envelope", "code", "says"),
    [
        (400, EigenpalValidationError, {"error": {"code": "invalid_cursor", "message": "no"}}, "invalid_cursor", "no"),
        (
            401,
            EigenpalAuthError,
            {"error": {"type": "authentication_error"}},
            "authentication_error",
            "may have expired",
        ),
        (
            402,
            EigenpalPaymentRequiredError,
            {"error": {"code": "plan_not_entitled"}},
            "plan_not_entitled",
            "The plan of",
        ),
        (403, EigenpalForbiddenError, {"error": "forbidden", "message": "no app"}, "forbidden", "no app"),
        (404, EigenpalNotFoundError, {"error": "not_found"}, "not_found", "not_found"),
        (409, EigenpalConflictError, {"error": {"code": "a", "type": "b", "message": "c"}}, "a", "409: c"),
        (
            422,
            EigenpalValidationError,
            {"error": {"code": "v", "fields": FIELDS}},
            "v",
            "v: instructions is required",
        ),
        (418, EigenpalAPIError, {"error": {}}, None, "418"),
        (422, EigenpalValidationError, {"error": {"fields": "none", "message": 5}}, None, "422"),
        (422, EigenpalValidationError, [], None, "422"),
    ],
)
async def test_every_envelope_is_read_into_the_same_tree(
    status: int, kind: type[EigenpalAPIError], envelope: Any, code: str | None, says: str
) -> None:
    client, _ = scripted(httpx.Response(status, json=envelope))
    with pytest.raises(kind, match=says) as caught:
        await client.agent_sessions.get("ase_1")
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caught.value.envelope == envelope


async def test_the_fields_of_a_422_are_there_by_name() -> None:
    client, _ = scripted(httpx.Response(422, json={"error": {"code": "validation_error", "fields": [*FIELDS, {}]}}))
    with pytest.raises(EigenpalValidationError) as caught:
        await client.agent_sessions.create(agent="agi_1", instructions="")
    assert caught.value.fields == {"instructions": "is required", "max_turns": "too high"}
    assert list(caught.value.issues) == FIELDS
    assert not caught.value.maybe_started


# ------------------------------------------------------------------------------------------------ against the sandbox


@pytest.mark.parametrize("run_latency", [0.3, 0.0])
async def test_an_invocation_whose_answer_is_lost_is_one_run(
    client: AsyncArchAstroClient, sandbox: Sandbox, run_latency: float
) -> None:
    """If it is still at work, the repeated request finds it; if it is completed, the error says that it has begun."""
    routine = sandbox.archastro.routine_id("sorter")
    client._session.policy.sleep = lambda _: anyio.sleep(0.0 if run_latency else 0.2)
    async with client:
        before = len(await client.agent_routines.runs(routine, limit=100))
        sandbox.run_latency = run_latency
        try:
            sandbox.faults.add(f"/archastro/api/v1/agent_routines/{routine}/invoke", drop="after_handling")
            found = await client.agent_routines.invoke(routine, message="mail") if run_latency else None
            if found is None:
                with pytest.raises(EigenpalConflictError, match="completed run") as caught:
                    await client.agent_routines.invoke(routine, message="mail")
                assert (caught.value.maybe_started, caught.value.retries_taken) == (True, 1)
        finally:
            sandbox.run_latency = 0.0
        runs = await client.agent_routines.runs(routine, limit=100)
    assert len(runs) == before + 1
    assert found is None or runs.data[0].id == found.id


async def test_two_invocations_are_two_runs_unless_their_key_is_the_same(
    client: AsyncArchAstroClient, sandbox: Sandbox
) -> None:
    async with client:
        first = await client.agent_routines.invoke("sorter", message="a")
        second = await client.agent_routines.invoke("sorter", message="a")
        assert first.id != second.id
        done = await client.agent_routines.invoke_and_wait("sorter", message="b", idempotency_key=first.id)
        assert done.succeeded
        with pytest.raises(EigenpalConflictError, match="completed run") as caught:
            await client.agent_routines.invoke("sorter", message="b", idempotency_key=first.id)
    assert caught.value.code == "conflict"


async def test_a_start_whose_answers_are_all_lost_says_that_it_may_have_begun() -> None:
    client, script = scripted(refusal(500), max_retries=2)
    with pytest.raises(EigenpalServerError) as caught:
        await client.agent_routines.invoke("arn_1", message="a")
    keys = {sent.body["idempotency_key"] for sent in script.sent}
    assert (len(script.sent), len(keys)) == (3, 1)
    assert caught.value.maybe_started


@pytest.mark.parametrize("call", ["create", "message"])
async def test_what_has_no_key_is_sent_once(client: AsyncArchAstroClient, sandbox: Sandbox, call: str) -> None:
    sessions = client.agent_sessions
    fault = sandbox.faults.add(
        "/archastro/api/v1/agent_sessions*", method="POST", drop="after_handling", after=int(call == "message")
    )
    async with client:
        with pytest.raises(EigenpalConnectionError) as caught:
            opened = await sessions.create(
                agent=sandbox.archastro.agent_id("adder"), instructions="add", start_idle=True
            )
            await sessions.message(opened.id, content="1")
    assert caught.value.maybe_started
    assert fault.fired == 1


@pytest.mark.parametrize("what", ["session", "routine"])
async def test_a_removal_whose_answer_is_lost_has_succeeded(
    client: AsyncArchAstroClient, sandbox: Sandbox, what: str, anyio_backend_name: str
) -> None:
    sandbox.faults.add("/archastro/api/v1/agent_*", method="DELETE", drop="after_handling")
    async with client:
        if what == "session":
            session = await client.agent_sessions.create(
                agent=sandbox.archastro.agent_id("quick"), instructions="it", metadata={"for": what}
            )
            await client.agent_sessions.wait(session.id)
            await client.agent_sessions.delete(session.id)
            with pytest.raises(EigenpalNotFoundError):
                await client.agent_sessions.delete(session.id)
        else:
            routine = sandbox.archastro.preset_routine(f"for {anyio_backend_name}", agent="quick")
            await client.agent_routines.delete(routine)
            with pytest.raises(EigenpalNotFoundError):
                await client.agent_routines.delete(routine)


async def test_cursors_in_both_directions_at_once_are_refused_before_anything_is_sent() -> None:
    client, script = scripted({"data": []})
    with pytest.raises(EigenpalInputError, match="opposite directions"):
        client.agent_routines.iterate_runs("arn_1", before_cursor="a", after_cursor="b")
    assert script.sent == []


@pytest.mark.parametrize("value", ["", "..", "a/../b"])
async def test_an_id_that_would_name_another_path_is_refused(value: str) -> None:
    client, script = scripted({})
    with pytest.raises(EigenpalInputError, match="agent_session"):
        await client.agent_sessions.get(value)
    assert script.sent == []
