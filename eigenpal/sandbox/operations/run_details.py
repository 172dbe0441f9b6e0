"""What belongs to a run beside its document: its trace events, how it compares, whether it is live."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from eigenpal.comparison.differences import value_differences
from eigenpal.comparison.filenames import match_files
from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import debug_section, step_document
from eigenpal.sandbox.problems import not_found
from eigenpal.sandbox.rows import FileRow, RunRow
from eigenpal.sandbox.states import Status


async def trace(call: Call) -> Response:
    """GET /runs/{id}/trace"""
    run, store = call.run(), call.services.store
    recorded = [json.loads(event) for event in store.trace_events(run.id)]
    if run.kind == "agent":
        return json_answer({"events": recorded})
    phases = [{"type": "phase", **phase} for phase in debug_section(run)["observability"]["phases"]]
    steps = [{"type": "step", **step_document(step)} for step in store.steps(run.id)]
    return json_answer({"events": [*phases, *steps, *recorded]})


async def connect(call: Call) -> Response:
    """POST /runs/{id}/connect"""
    run = call.run()
    return json_answer({"id": run.id, "connected": not run.finished, "status": run.status.value})


async def comparison(call: Call) -> Response:
    """GET /runs/{id}/comparison

    A completed run is held against what it should have produced, else against what the run it follows did produce.
    """
    run, store = call.run(), call.services.store
    if run.status is not Status.COMPLETED:
        raise not_found("Only a completed run has a comparison.")
    files = store.files(run.id)
    expected, expected_names = call.services.reviews.review(run.id).expected, _names(files, "expected/")
    if expected is not None or expected_names:
        # What was not expected is not judged: neither files when only an output is, nor the other way round.
        against = None if expected is None else json.loads(expected)
        return json_answer(_comparison(run, "expected", run.id, against, files, expected_names or None))
    previous = None if run.previous_run_id is None else store.run(run.previous_run_id, run.tenant)
    if previous is None or previous.status is not Status.COMPLETED:
        hint = "PATCH /runs/{id}/feedback with expected, POST /runs/{id}/expected, or rerun a completed run."
        raise not_found("There is nothing to compare the run with.", hint=hint)
    names = _names(store.files(previous.id), "output/")
    return json_answer(_comparison(run, "baseline", previous.id, _output(previous), files, names))


def _comparison(
    run: RunRow, mode: str, compared_with: str, expected: Any, files: Sequence[FileRow], names: Sequence[str] | None
) -> dict[str, Any]:
    differences = value_differences(expected, _output(run), null_takes_any=True)
    produced = _names(files, "output/")
    matched, missing, extra = ([], [], []) if names is None else match_files(names, produced, normalize_dates=False)
    return {
        "status": "fail" if differences or missing or extra else "pass",
        "runId": run.id,
        "comparedWithRunId": compared_with,
        "mode": mode,
        "jsonDifferences": [
            {"path": one.path, "type": one.type.value, "expected": one.expected, "actual": one.actual}
            for one in differences
        ],
        "matchedFiles": [{"expected": match.expected, "actual": match.actual} for match in matched],
        "missingFiles": missing,
        "extraFiles": extra,
    }


def _names(files: Sequence[FileRow], folder: str) -> list[str]:
    return [file.name for file in files if file.path.startswith(folder)]


def _output(run: RunRow) -> Any:
    return None if run.output is None else json.loads(run.output)
