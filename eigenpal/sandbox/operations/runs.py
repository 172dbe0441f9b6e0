"""Reading and cancelling runs."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import (
    debug_section,
    execution_section,
    input_section,
    run_document,
    usage_section,
)
from eigenpal.sandbox.grammar import split_list
from eigenpal.sandbox.problems import invalid, not_found
from eigenpal.sandbox.rows import RunRow
from eigenpal.sandbox.states import NOT_STARTED, Status

_EXPANSIONS = ("input", "usage", "execution", "debug")

# Sections of older servers, and where their content is now.
_RETIRED = {
    "output": "output is always part of a completed run.",
    "lineage": "It is part of expand=execution.",
    "cost": "Use expand=usage.",
    "metadata": "It is part of expand=input.",
    "observability": "Use expand=debug.",
    "steps": "Steps live under expand=execution.",
    "files": "files is always part of a completed run; more is under expand=execution.",
    "expected": "It is part of expand=execution.",
    "feedback": "It is part of expand=execution.",
    "definition": "Use GET /runs/{id}/definition.",
    "trace": "Use expand=debug, or the artifact trace.jsonl.",
    "issues": "Use the artifact issues.md.",
    "lockfile": "Use the artifact eigenpal.lock.",
}


async def get(call: Call) -> Response:
    """GET /runs/{id}"""
    if call.query("include") is not None:
        hint = "Use expand with input, usage, execution or debug."
        raise invalid("query.include", "The parameter include belongs to an older generation.", hint=hint)
    sections = set(split_list(call.query_list("expand")))
    for section in sorted(sections.difference(_EXPANSIONS)):
        message = f"Section {section} is not known. Use {', '.join(_EXPANSIONS[:-1])} or {_EXPANSIONS[-1]}."
        raise invalid("query.expand", message, hint=_RETIRED.get(section, f"Use one of {', '.join(_EXPANSIONS)}."))
    return json_answer(expanded(call, call.run(), sections))


async def cancel(call: Call) -> Response:
    """POST /runs/{id}/cancel"""
    run = call.run()
    if run.finished:
        state, status = "already_terminal", run.status
    else:
        state = "cancelled" if run.status in NOT_STARTED else "requested"
        status = call.services.executor.cancel(run)
    return json_answer(
        {
            "id": run.id,
            "type": run.kind,
            "finished": run.finished or state == "cancelled",
            "execution": {"status": status.value},
            "cancellation": {"state": state, "wasStatus": run.status.value},
        }
    )


async def definition(call: Call) -> Response:
    """GET /runs/{id}/definition"""
    run = call.run()
    if run.kind != "workflow":
        raise not_found("Only workflow runs have a definition.", hint="The source of an agent is in its repository.")
    return json_answer({"definition": json.loads(run.definition)})


def expanded(call: Call, run: RunRow, sections: Collection[str]) -> dict[str, Any]:
    """Return a run with the sections that were asked for."""
    store, reviews = call.services.store, call.services.reviews
    needs_files = run.status is Status.COMPLETED or bool(sections)
    files = store.files(run.id) if needs_files else []
    document = run_document(run, call.tenant.user, files, store.next_status(run))
    if "input" in sections:
        document["input"] = input_section(run, files)
    if "usage" in sections:
        document["usage"] = usage_section(run)
    if "execution" in sections:
        document["execution"].update(execution_section(run, files, store.steps(run.id), reviews.review(run.id)))
    if "debug" in sections:
        document["debug"] = debug_section(run)
    return document
