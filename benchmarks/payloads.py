"""The JSON that both sides of a comparison are given: a completed run, and a page of a hundred runs."""

from __future__ import annotations

import json

_TIMING = {
    "createdAt": "2026-11-02T09:14:03.127Z",
    "startedAt": "2026-11-02T09:14:03.480Z",
    "completedAt": "2026-11-02T09:14:41.902Z",
    "durationMs": 38422,
    "cancelRequestedAt": None,
}
_SOURCE = {"id": "wf_4kTq9vXz2LmPa7RbN0sYe", "name": "Extract invoice", "version": "12", "versionId": "wfh_8dPz3"}
_TRIGGER = {"type": "api", "by": {"id": "user_51", "name": "Ada", "email": "ada@example.com"}, "email": None}
_EXECUTION = {
    "status": "completed",
    "schemaValid": True,
    "batchId": None,
    "annotation": None,
    "retry": {"number": 0, "previousRunId": None, "nextRun": None},
}
_LINES = [{"description": f"Item {number}", "quantity": number, "net": 12.5 * number} for number in range(1, 6)]


def _row(number: int) -> dict[str, object]:
    return {
        "id": f"exec_1Bv7sJk4QwE9tYp2L{number:04}",
        "type": "workflow",
        "finished": True,
        "timing": _TIMING,
        "source": _SOURCE,
        "trigger": _TRIGGER,
        "execution": _EXECUTION,
        "error": None,
    }


def run() -> bytes:
    """Return a completed run as `runs.get` answers it."""
    output = {"number": "2026-1187", "total": 187.5, "currency": "EUR", "lines": _LINES}
    files = [
        {"name": name, "path": f"output/{name}", "contentType": kind, "size": 20_481, "stepName": "extract"}
        for name, kind in (("lines.csv", "text/csv"), ("invoice.json", "application/json"))
    ]
    return _text({**_row(1), "output": output, "files": files})


def run_list() -> bytes:
    """Return a page of a hundred runs as `runs.list` answers it."""
    return _text({"runs": [_row(number) for number in range(100)], "nextCursor": "eyJpZCI6MTAwfQ"})


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
