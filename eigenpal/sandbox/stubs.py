"""`Stub`: a workflow or agent in one line, for tests of what happens around it; remembers its runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eigenpal.sandbox.context import ArtifactData, RunContext, RunFailed
from eigenpal.sandbox.rows import Kind

_KINDS: Mapping[str, Kind] = {"workflows": "workflow", "agents": "agent"}


class Stub:
    """Ends every run the same way, and keeps what each was started with.

    Args:
        output: Output of the runs.
        error: Fails the runs with this text instead.
        artifacts: Artifacts that each run writes first, by name.

    Attributes:
        calls: One entry for each run that has reached the stub: its `input`, `files`, `metadata` and `run_id`.
    """

    def __init__(
        self, output: Mapping[str, Any] | None, *, error: str | None, artifacts: Mapping[str, ArtifactData]
    ) -> None:
        self.calls: list[RunContext] = []
        self._output = output
        self._error = error
        self._artifacts = artifacts

    def __call__(self, context: RunContext) -> Mapping[str, Any] | None:
        """Execute a run."""
        self.calls.append(context)
        for name, data in self._artifacts.items():
            context.write_artifact(name, data)
        if self._error is not None:
            raise RunFailed(self._error)
        return self._output

    def __repr__(self) -> str:
        return f"<Stub, called {len(self.calls)} times>"


def split_target(target: str) -> tuple[Kind, str]:
    """Return kind and slug of a target; one without `workflows.` or `agents.` in front is the slug of a workflow."""
    prefix, dot, slug = target.partition(".")
    return (_KINDS[prefix], slug) if dot and prefix in _KINDS else ("workflow", target)
