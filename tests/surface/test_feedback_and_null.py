"""Three things apart: a value, null, not given. Null clears where the API clears by it; what is not given stays."""

from __future__ import annotations

from typing import Any

import pytest

from eigenpal import UNSET
from tests.surface.scripted import RECEIPT, scripted

pytestmark = pytest.mark.anyio

DETAIL: dict[str, Any] = {"feedback": None, "expected": None, "expectedFiles": []}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {}),
        ({"body": "wrong total"}, {"body": "wrong total"}),
        ({"feedback": "wrong total"}, {"body": "wrong total"}),
        ({"feedback_rating": "fail", "feedback_status": "open"}, {"rating": "fail", "status": "open"}),
        ({"feedback": None, "feedback_rating": None}, {"body": None, "rating": None}),
        ({"body": "new", "feedback": "old"}, {"body": "new"}),
        ({"body": None, "feedback": "old"}, {"body": None}),
        ({"body": "", "rating": UNSET}, {"body": ""}),
        ({"expected": None}, {"expected": None}),
        ({"expected": {"total": None}}, {"expected": {"total": None}}),
        ({"expected": 0}, {"expected": 0}),
        ({"expected": []}, {"expected": []}),
    ],
)
async def test_feedback_sends_what_was_given_and_nothing_else(given: dict[str, Any], sent: dict[str, Any]) -> None:
    client, script = scripted(DETAIL)
    await client.runs.feedback.update("exec_1", **given)
    assert script.lines == ["PATCH /api/v1/runs/exec_1/feedback"]
    assert script.sent[0].body == sent


async def test_resolving_sends_the_status_and_a_text_if_there_is_one() -> None:
    client, script = scripted(DETAIL)
    await client.runs.feedback.resolve("exec_1")
    await client.runs.feedback.resolve("exec_1", body="done")
    await client.runs.feedback.resolve("exec_1", feedback="done")
    assert [sent.body for sent in script.sent] == [
        {"status": "resolved"},
        {"status": "resolved", "body": "done"},
        {"status": "resolved", "body": "done"},
    ]


async def test_the_label_of_an_alias_is_cleared_by_none_and_kept_without() -> None:
    client, script = scripted({"email": {}})
    await client.agents.email_triggers.update_alias("a", "aea_1", label=None)
    await client.agents.email_triggers.update_alias("a", "aea_1", status="disabled")
    await client.agents.email_triggers.update_alias("a", "aea_1", {"label": None})
    assert [sent.body for sent in script.sent] == [{"label": None}, {"status": "disabled"}, {"label": None}]


async def test_what_the_api_can_not_clear_is_not_sent_as_null() -> None:
    agent = {"id": "awf_1", "slug": "a", "name": "A", "createdAt": "2026-06-14T09:00:00Z"}
    client, script = scripted({"agent": agent})
    await client.agents.update("a", name="A", description=None, config=None)
    assert script.sent[0].body == {"name": "A"}


async def test_switching_off_is_sent_and_not_taken_for_nothing() -> None:
    client, script = scripted({"trigger": {"enabled": False}})
    answer = await client.agents.email_triggers.update("a", enabled=False)
    assert script.sent[0].body == {"enabled": False}
    assert answer.trigger.enabled is False


async def test_workflows_outside_any_folder_are_asked_for_with_the_text_null() -> None:
    client, script = scripted({"data": [], "total": 0, "limit": 50, "offset": 0})
    await client.workflows.list(folder_id=None)
    await client.workflows.list()
    assert [sent.query for sent in script.sent] == [{"folderId": "null"}, {}]


async def test_a_start_sends_null_inside_its_input_and_leaves_out_what_was_not_given() -> None:
    client, script = scripted(RECEIPT)
    await client.run("workflows.a", {"language": None})
    assert script.sent[0].body == {"target": "workflows.a", "input": {"language": None}}
