"""Errors of the API: an exception that carries what an error envelope says, and the envelope itself.

Handlers raise `Problem`; only the application turns one into an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROOT = "<root>"

_CODES: Mapping[int, str] = {
    400: "invalid_value",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    429: "rate_limited",
    503: "unavailable",
}


class Problem(Exception):
    """A request that can't be served.

    Args:
        status: HTTP status of the answer.
        message: What is wrong, for a human.
        field: Path of the offending input, such as `query.limit`; `<root>` when no single field is to blame.
        code: Machine code; the usual one of the status unless given.
        hint: Advice for a recognised mistake.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        field: str = ROOT,
        code: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.code: str = code or code_of(status)
        self.hint = hint
        self.headers: Mapping[str, str] = headers or {}


def code_of(status: int) -> str:
    """Return the usual machine code of an error status."""
    return _CODES.get(status) or ("internal_error" if status >= 500 else "invalid_request")


def invalid(field: str, message: str, *, hint: str | None = None, code: str | None = None) -> Problem:
    """Return the 400 for one bad input."""
    return Problem(400, message, field=field, hint=hint, code=code)


def not_found(message: str, *, field: str = ROOT, hint: str | None = None) -> Problem:
    """Return the 404 for a thing that doesn't exist or that this key can't see."""
    return Problem(404, message, field=field, hint=hint)


def envelope(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the error body of the API.

    Args:
        problem: What went wrong.
        request_id: Correlation id; the answer carries the same one as `x-request-id`.
    """
    issue = {"field": problem.field, "message": problem.message, "code": problem.code, "severity": "error"}
    body: dict[str, Any] = {"issues": [issue], "requestId": request_id}
    if problem.hint is not None:
        body["hint"] = problem.hint
    return body
