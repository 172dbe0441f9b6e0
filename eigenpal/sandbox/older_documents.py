"""Today's documents in the words of generation 0.6: flat runs, receipts with `runId`, summaries without switches.

Pure functions from JSON to JSON. What that generation asks for otherwise is the business of its operations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Document = dict[str, Any]

_GIT = {
    "requestedSourceRef": "requestedRef",
    "resolvedGitRef": "resolvedRef",
    "resolvedGitTag": "resolvedTag",
    "resolvedCommitSha": "commitSha",
}
_CANCELLATIONS = {"requested": "cancellation-requested", "already_terminal": "already-terminal"}
_NEWER = ("apiEnabled", "triggers")  # members of agents and workflows that came with 0.7.1 and 0.7.2


def summary(run: Document) -> Document:
    """Return a run or a row of the run list as it was."""
    timing, source, execution = run["timing"], run["source"], run["execution"]
    evaluation: Mapping[str, Any] = run.get("eval") or {}
    return {
        "id": run["id"],
        "type": run["type"],
        "status": execution["status"],
        "triggerType": run["trigger"]["type"],
        "createdAt": timing["createdAt"],
        "startedAt": timing["startedAt"],
        "completedAt": timing["completedAt"],
        "durationMs": timing["durationMs"],
        "error": run.get("error"),
        "batchId": execution["batchId"],
        "previousExecutionId": execution["retry"]["previousRunId"],
        "retryNumber": execution["retry"]["number"],
        "schemaValid": execution["schemaValid"],
        "evalPassed": evaluation.get("passed"),
        "evalScore": evaluation.get("score"),
        "exampleId": evaluation.get("exampleId"),
        "exampleName": evaluation.get("example"),
        "triggeredBy": run["trigger"]["by"],
        "version": source["version"],
        **_git(run),
        "sourceId": source["id"],
        "sourceName": source["name"],
        "agentSlug": source.get("slug"),
    }


def detail(run: Document, expected: Any, expected_files: list[Document], include: Collection[str]) -> Document:
    """Return a run in the detail that was asked for.

    Args:
        run: The run with its input and its execution in full.
        expected: The output it should have had.
        expected_files: The files it should have produced.
        include: Words of the parameter `include`.
    """
    document = summary(run)
    if "detail" in include:
        document["input"] = run["input"]["args"]
        if run["type"] == "workflow":
            document["stepExecutions"] = run["execution"]["steps"]
    if "output" in run and not {"detail", "output"}.isdisjoint(include):
        document["output"] = run["output"]
    if "files" in run and not {"detail", "files"}.isdisjoint(include):
        document["resultFiles"] = run["files"]
    if "expected" in include:
        document |= {"expected": expected, "expectedFiles": expected_files}
    return document


def started(run: Document, *, waited: bool) -> Document:
    """Return the answer to a start.

    Args:
        run: The run with its usage, as it is now.
        waited: Whether the client wanted to wait for the end.
    """
    ended = run["finished"]
    status = "timeout" if waited and not ended else run["execution"]["status"]
    receipt = {"runId": run["id"], "type": run["type"], "status": status, **_git(run)}
    if not (waited and ended):
        return receipt
    result = {"output": run.get("output"), "error": run.get("error"), "schemaValid": run["execution"]["schemaValid"]}
    return {**receipt, **result, "cost": run["usage"]}


def rerun(run: Document, *, waited: bool) -> Document:
    """Return the answer to a rerun: that to a start, with the id under its oldest name too."""
    return {"executionId": run["id"], **started(run, waited=waited)}


def page(runs: Document) -> Document:
    """Return a page of runs as it was."""
    return {**runs, "runs": [summary(run) for run in runs["runs"]]}


def cancelled(verdict: Document) -> Document:
    """Return the answer to a cancel request as it was."""
    state = verdict["cancellation"]["state"]
    return {
        "executionId": verdict["id"],
        "status": _CANCELLATIONS.get(state, state),
        "wasStatus": verdict["cancellation"]["wasStatus"],
    }


def without_switches(answer: Document) -> Document:
    """Return an agent, a workflow, or a page of them without the members that came later."""
    plain = {name: value for name, value in answer.items() if name not in _NEWER}
    if "agent" in plain:
        plain["agent"] = without_switches(plain["agent"])
    if "data" in plain:
        plain["data"] = [without_switches(row) for row in plain["data"]]
    return plain


def _git(run: Document) -> Document:
    git: Mapping[str, Any] = run["source"].get("git") or {}
    return {older: git.get(newer) for older, newer in _GIT.items()}
