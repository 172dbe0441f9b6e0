"""Older generations of the EigenPal API as data: what is called differently there, and how its answers read today.

Everything that generation 0.6 does differently stands here and nowhere else. Pure: JSON and arguments in, the same out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from eigenpal.anyjson import list_of, object_of, text_of
from eigenpal.engine.calls import Call, Envelope, Generation, Older
from eigenpal.engine.unset import UNSET
from eigenpal.errors import EigenpalUnsupportedError
from eigenpal.models.executions import TERMINAL_STATUSES

CURRENT: Final = Generation()

# What `runs.get` asks an older server for, so that output and files are there as they are today.
_DETAIL: Final = ("detail", "files", "output")
_EXPANDABLE: Final = frozenset({"execution", "input"})

_TIMING: Final = ("createdAt", "startedAt", "completedAt", "durationMs")
_GIT: Final = {
    "requestedSourceRef": "requestedRef",
    "resolvedGitRef": "resolvedRef",
    "resolvedGitTag": "resolvedTag",
    "resolvedCommitSha": "commitSha",
}
_AGENT_DETAIL: Final = ("resultFiles", "expected", "expectedFiles")
_CANCELLATIONS: Final = {"cancellation-requested": "requested", "already-terminal": "already_terminal"}
_EVALUATION: Final = {
    "evalScore": "score",
    "evalPassed": "passed",
    "exampleId": "exampleId",
    "exampleName": "example",
}


def _start(call: Call) -> Call:
    """The target goes into the path, the arguments lie bare in the body."""
    envelope = call.body
    assert isinstance(envelope, Envelope), "a start has an envelope"
    target, overrides = envelope.members["target"], envelope.members.get("overrides", UNSET)
    for name in ("metadata", "files"):
        if envelope.members.get(name, UNSET) is not UNSET:
            raise EigenpalUnsupportedError(f"{name} can't be given with api_generation='0.6'; it came with 0.7")
    older = Envelope(
        members={"_overrides": overrides},
        arguments=envelope.arguments,
        nested_in=None,
        file_part="{}",
        text_part="_json",
    )
    return attrs.evolve(call, path=(target,), body=older)


def _rerun(call: Call) -> Call:
    """The version goes into the body, as `sourceRef`."""
    query = {name: value for name, value in call.query.items() if name != "version"}
    return attrs.evolve(call, query=query, body={"source_ref": call.query.get("version")})


def _get_run(call: Call) -> Call:
    wanted = call.query.get("expand") or ()
    sections = set(wanted.split(",") if isinstance(wanted, str) else wanted)
    if unknown := sections - _EXPANDABLE:
        raise EigenpalUnsupportedError(f"expand={min(unknown)!r} needs api_generation 0.7 or newer")
    expected = ("expected",) if "execution" in sections else ()
    return attrs.evolve(call, query={"include": [*_DETAIL, *expected]})


def _list_workflows(call: Call) -> Call:
    if call.query.get("folder_id"):
        raise EigenpalUnsupportedError("folder_id can't be given with api_generation='0.6'; it came with 0.7")
    return call


def started(wire: Any) -> dict[str, Any]:
    """Read the answer to a start or a rerun as today's receipt, with the result if it is there."""
    old = object_of(wire)
    receipt = {"id": old.get("runId") or old.get("executionId"), "type": old.get("type", "workflow")}
    return {**old, **receipt, "finished": _is_terminal(old.get("status"))}


def run(wire: Any) -> dict[str, Any]:
    """Read an older run, wrapped in `{run: ...}` or not, as today's."""
    old = object_of(object_of(wire).get("run")) or object_of(wire)
    known = {
        "id": old.get("id"),
        "type": old.get("type"),
        "finished": _is_terminal(old.get("status")),
        "timing": {name: old.get(name) for name in _TIMING},
        "source": _source(old),
        "trigger": {"type": old.get("triggerType"), "by": old.get("triggeredBy")},
        "execution": _execution(old),
        "error": old.get("error"),
    }
    if old.get("input") is not None:
        known["input"] = {"args": old["input"]}
    if old.get("resultFiles") is not None or old.get("files") is not None:
        known["files"] = [_artifact(file) for file in _named(old.get("resultFiles") or old.get("files"))]
    evaluation = {new: old[name] for name, new in _EVALUATION.items() if old.get(name) is not None}
    if evaluation:
        known["eval"] = {"example": None, "score": None, "passed": None, **evaluation}
    return {**old, **known}


def runs(wire: Any) -> dict[str, Any]:
    """Read a page of older runs as today's."""
    page = object_of(wire)
    return {**page, "runs": [run(row) for row in list_of(page.get("runs"))], "nextCursor": page.get("nextCursor")}


def cancelled(wire: Any) -> dict[str, Any]:
    """Read the answer to a cancel request as today's; a server may answer in either form."""
    old = object_of(wire)
    if "cancellation" in old:
        return old
    state = _CANCELLATIONS.get(text_of(old.get("status")) or "", old.get("status"))
    was = old.get("wasStatus")
    now = "cancelled" if state == "cancelled" else was
    return {
        **old,
        "id": old.get("executionId") or old.get("runId") or old.get("id"),
        "type": old.get("type", "workflow"),
        "finished": _is_terminal(now),
        "execution": {"status": now},
        "cancellation": {"state": state, "wasStatus": was},
    }


def _is_terminal(status: object) -> bool:
    return text_of(status) in TERMINAL_STATUSES


def _source(old: Mapping[str, Any]) -> dict[str, Any]:
    git = {new: old.get(name) for name, new in _GIT.items()}
    return {
        "id": old.get("sourceId"),
        "name": old.get("sourceName"),
        "version": old.get("version"),
        "slug": old.get("agentSlug"),
        "git": git if any(git.values()) else None,
    }


def _execution(old: Mapping[str, Any]) -> dict[str, Any]:
    execution = {
        "status": old.get("status"),
        "schemaValid": old.get("schemaValid"),
        "batchId": old.get("batchId"),
        "annotation": old.get("annotation"),
        "retry": {
            "number": old.get("retryNumber") or 0,
            "previousRunId": old.get("previousExecutionId"),
            "nextRun": None,
        },
    }
    if old.get("stepExecutions") is not None:
        return {**execution, "steps": old["stepExecutions"], "expected": old.get("expected")}
    if old.get("type") == "agent" and any(old.get(name) is not None for name in _AGENT_DETAIL):
        expected = {"output": old.get("expected"), "files": _named(old.get("expectedFiles"))}
        return {**execution, "files": {"output": _named(old.get("resultFiles"))}, "expected": expected}
    return execution


def _artifact(file: Mapping[str, Any]) -> dict[str, Any]:
    return {**file, "path": file.get("path") or f"output/{file['name']}"}


def _named(files: Any) -> list[dict[str, Any]]:
    rows = (object_of(file) or {"name": file} for file in list_of(files))
    return [{**row, "name": row.get("name") or row.get("filename") or ""} for row in rows]


GENERATION_0_6: Final = Generation(
    older={
        "run": Older(path="/api/v1/run/{target}", call=_start, answer=started),
        "rerun": Older(call=_rerun, answer=started),
        "runs.get": Older(call=_get_run, answer=run),
        "runs.list": Older(answer=runs),
        "runs.cancel": Older(answer=cancelled),
        "runs.artifacts.download": Older(path="/api/v1/runs/{runId}/artifact/{artifactPath*}"),
        "workflows.list": Older(call=_list_workflows),
    },
    keeps_metadata=False,
    absent={
        "runs.artifacts.list": "read run.files instead",
        "runs.definition": "read workflows.versions instead",
    },
)

GENERATIONS: Final[Mapping[str, Generation]] = {"0.7": CURRENT, "0.6": GENERATION_0_6}
