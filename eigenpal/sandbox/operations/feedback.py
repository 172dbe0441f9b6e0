"""Feedback on runs: what was given changes, null clears, what was not given stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import expected_files, feedback_document
from eigenpal.sandbox.members import Members, read_members
from eigenpal.sandbox.problems import invalid
from eigenpal.sandbox.rows import ReviewRow

_VERDICT = ("body", "rating", "status")
# The alternative names of older clients; the short one wins.
_NAMES: Mapping[str, tuple[str, str]] = {
    "body": ("body", "feedback"),
    "rating": ("rating", "feedbackRating"),
    "status": ("status", "feedbackStatus"),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "rating": ("pass", "fail", "partial"),
    "status": ("open", "resolved", "ignored"),
}
_CLOSED = ("resolved", "ignored")


async def get(call: Call) -> Response:
    """GET /runs/{id}/feedback"""
    return _detail(call, call.services.reviews.review(call.run().id))


async def update(call: Call) -> Response:
    """PATCH /runs/{id}/feedback"""
    run = call.run()
    given = _given(await read_members(call))
    review = call.services.reviews.review(run.id)
    if given:
        review = after(review, given, by=call.tenant.user, now=call.services.now())
        call.services.reviews.put(review)
    return _detail(call, review)


async def clear(call: Call) -> Response:
    """DELETE /runs/{id}/feedback"""
    run, services = call.run(), call.services
    empty = ReviewRow(run.id)
    with services.store.transaction():
        expected = [file for file in services.store.files(run.id) if file.path.startswith("expected/")]
        unused = services.store.delete_files(expected)
        services.reviews.put(empty)
    for blob in unused:
        services.blobs.delete(blob)
    return _detail(call, empty)


def after(review: ReviewRow, given: Mapping[str, Any], *, by: Mapping[str, Any], now: int) -> ReviewRow:
    """Return a review as a change leaves it.

    Args:
        review: What was said before.
        given: `body`, `rating`, `status` and `expected` (as JSON text), those that change; None clears.
        by: The user who changes it.
        now: The present moment.
    """
    changed = replace(review, **given)
    if not any(name in given for name in _VERDICT):
        return changed
    if not any(getattr(changed, name) for name in _VERDICT):
        return ReviewRow(review.run_id, expected=changed.expected)
    if changed.created_at is None:
        status = given.get("status", "open")
        changed = replace(changed, status=status, created_at=now, created_by=by["id"], created_by_email=by["email"])
    if changed.status not in _CLOSED:
        changed = replace(changed, resolved_at=None, resolved_by=None, resolved_by_email=None)
    elif review.status not in _CLOSED:
        changed = replace(changed, resolved_at=now, resolved_by=by["id"], resolved_by_email=by["email"])
    return replace(changed, updated_at=now)


def _given(members: Members) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for column, names in _NAMES.items():
        name = next((name for name in names if name in members), None)
        if name is None:
            continue
        text, choices = members.text_or_null(name), _CHOICES.get(column)
        if text is not None and choices is not None and text not in choices:
            raise invalid(members.path(name), f"{text!r} is not one of {', '.join(choices)}; null clears it.")
        given[column] = text
    if "expected" in members:
        expected = members.any_json("expected")
        given["expected"] = None if expected is None else json.dumps(expected)
    return given


def _detail(call: Call, review: ReviewRow) -> Response:
    return json_answer(
        {
            "feedback": feedback_document(review),
            "expected": None if review.expected is None else json.loads(review.expected),
            "expectedFiles": expected_files(call.services.store.files(review.run_id)),
        }
    )
