"""What the API shows of rows: executions and their trace. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.epilot.store import ExecutionRow, StepRow


def execution_document(row: ExecutionRow, steps: Sequence[StepRow], now: int) -> dict[str, Any]:
    """Return an execution as the API shows it.

    Args:
        row: The execution.
        steps: Its steps.
        now: The present moment, up to which one that has not ended has taken time.
    """
    agent: Mapping[str, Any] = json.loads(row.agent)
    document: dict[str, Any] = {
        "execution_id": row.id,
        "agent_id": row.agent_id,
        "agent_source": agent["source"],
        "agent_name": agent["name"],
        "execution_context": row.context,
        "org_id": row.org,
        "status": row.status.value,
        "input": json.loads(row.input),
        "parameters": json.loads(row.parameters),
        "result": _parsed(row.result),
        "error": _parsed(row.error),
        "pending_action": _parsed(row.pending_action),
        "metrics": _metrics(row, len(steps), now),
        "completed_at": None if row.completed_at is None else timestamp(row.completed_at),
        "iterations": [_label(step) for step in steps],
    }
    if row.started_at is not None:
        document["started_at"] = timestamp(row.started_at)
    return document


def trace_document(row: ExecutionRow, steps: Sequence[StepRow]) -> dict[str, Any]:
    """Return the trace of an execution as the API shows it."""
    iterations = [json.loads(step.document) for step in steps]
    return {"execution_id": row.id, "iterations": iterations, "total_iterations": len(iterations)}


def _label(step: StepRow) -> dict[str, Any]:
    document: Mapping[str, Any] = json.loads(step.document)
    action: Mapping[str, Any] = document["action"] or {}
    status = "completed" if step.finished else "running"
    return {
        "index": step.position,
        "tool": action.get("tool"),
        "status": status,
        "timestamp": document["timestamp"],
    }


def _metrics(row: ExecutionRow, step_count: int, now: int) -> dict[str, Any]:
    usage: Mapping[str, float] = json.loads(row.usage)
    tokens = {name: int(usage.get(name, 0)) for name in ("input_tokens", "output_tokens")}
    began = row.started_at if row.started_at is not None else row.completed_at
    ended = row.completed_at if row.completed_at is not None else now
    return {
        "total_tokens": sum(tokens.values()),
        **tokens,
        "total_cost_usd": usage.get("total_cost_usd", 0.0),
        "duration_ms": 0 if began is None else max(0, ended - began),
        "iteration_count": step_count,
    }


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
