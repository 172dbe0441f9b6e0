"""Runs as a server sends them with `expand=execution`, made to order for comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eigenpal.comparison.result import RunComparison
from eigenpal.comparison.runs import compare
from eigenpal.engine.codec import structure
from eigenpal.models.runs import Run


def run_wire(run_id: str, kind: str, execution: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "id": run_id,
        "type": kind,
        "finished": True,
        "timing": {"createdAt": "2026-11-22T04:30:00.000Z"},
        "source": {"id": "wf_1"},
        "trigger": {"type": "api"},
        "execution": {"status": "completed", **execution},
        **members,
    }


def workflow_run(run_id: str, *steps: dict[str, Any]) -> Run:
    run: Run = structure(Run, run_wire(run_id, "workflow", {"steps": list(steps)}))
    return run


def step(name: str, output: Any, status: str = "success") -> dict[str, Any]:
    return {"id": f"step_{name}", "stepName": name, "status": status, "outputData": output}


def agent_run(
    run_id: str,
    *,
    output: Any = None,
    files: Sequence[str] = (),
    expected: dict[str, Any] | None = None,
    top_level_files: Sequence[str] | None = None,
) -> Run:
    """Return an agent run; with `top_level_files` its execution lists no files, as on servers that do not."""
    execution: dict[str, Any] = {"files": {"output": named(files)}, "expected": expected}
    if top_level_files is not None:
        execution["files"] = None
    artifacts = [{"name": name, "path": f"output/{name}"} for name in top_level_files or ()]
    run: Run = structure(Run, run_wire(run_id, "agent", execution, output=output, files=artifacts))
    return run


def named(files: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in files]


def compared(
    reference: Run,
    run: Run,
    *,
    baseline: bool = False,
    step: str | Sequence[str] | None = None,
    normalize_dates: bool = False,
) -> RunComparison:
    """Compare with the defaults of `runs.compare`."""
    return compare(reference, run, baseline=baseline, step=step, normalize_dates=normalize_dates)
