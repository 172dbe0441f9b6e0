"""What comparing two runs gives: a verdict, and where they differ. As items it is the documented dict, and more."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal

import attrs

from eigenpal.engine.model import Model, model

# A comparison of one kind is documented without the members of the other.
_OF_WORKFLOWS: Final = frozenset({"steps", "extraSteps"})
_OF_AGENTS: Final = frozenset({"jsonDifferences", "differences", "matchedFiles", "missingFiles", "extraFiles"})


class DifferenceType(StrEnum):
    """How a value differs from what was expected."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"


@model
class JsonDifference(Model):
    """One place where two JSON values differ; the path is written like `$.supplier.name`."""

    path: str
    type: DifferenceType


@model
class ValueDifference(JsonDifference):
    """One place where two JSON values differ, with both values; the path goes into lists: `$.lines[2].total`.

    Attributes:
        expected: What the reference has; None where the place is `"extra"`.
        actual: What the judged run has; None where the place is `"missing"`.
    """

    expected: Any = None
    actual: Any = None


@model
class FileMatch(Model):
    """An expected file, and the file that answers to it."""

    expected: str
    actual: str


@model
class StepComparison(Model):
    """How one step of two workflow runs compares.

    Attributes:
        step_name: Name of the step.
        reference_status: Its status in the reference run, `"missing"` when it is not there.
        target_status: Its status in the judged run, `"missing"` when it is not there.
        output_state: `"match"`, or `"diff"` when the outputs differ or a side lacks the step.
        differences: Where the outputs differ, lists by element; empty when a side lacks the step.
    """

    step_name: str
    reference_status: str
    target_status: str
    output_state: Literal["match", "diff"]
    differences: list[ValueDifference] = attrs.field(factory=list[ValueDifference])


@model
class RunComparison(Model):
    """How two runs compare. `str(...)` shows it as text; so does a notebook, as a table.

    Attributes:
        status: `"pass"` or `"fail"`.
        run_id: The run that was judged.
        compared_with_run_id: The reference run.
        steps: Workflow runs: the steps of the reference in their order.
        extra_steps: Workflow runs: steps that only the judged run has; they do not change the verdict.
        mode: Agent runs: compared with what the reference was `"expected"` to produce, or with what it did
            (`"baseline"`). None for workflow runs.
        json_differences: Agent runs: where the outputs differ, lists as a whole.
        differences: Agent runs: where the outputs differ, lists by element, with both values.
        matched_files: Agent runs: expected files that are there.
        missing_files: Agent runs: expected files that are not.
        extra_files: Agent runs: files that were not expected.
    """

    repr_members: ClassVar[tuple[str, ...]] = (
        "status",
        "run_id",
        "compared_with_run_id",
        "mode",
        "steps",
        "extra_steps",
        "json_differences",
    )

    status: Literal["pass", "fail"]
    run_id: str
    compared_with_run_id: str
    steps: list[StepComparison] = attrs.field(factory=list[StepComparison])
    extra_steps: list[StepComparison] = attrs.field(factory=list[StepComparison])
    mode: Literal["expected", "baseline"] | None = None
    json_differences: list[JsonDifference] = attrs.field(factory=list[JsonDifference])
    differences: list[ValueDifference] = attrs.field(factory=list[ValueDifference])
    matched_files: list[FileMatch] = attrs.field(factory=list[FileMatch])
    missing_files: list[str] = attrs.field(factory=list[str])
    extra_files: list[str] = attrs.field(factory=list[str])

    @property
    def passed(self) -> bool:
        """Whether the verdict is `"pass"`."""
        return self.status == "pass"

    def to_text(self, *, limit: int | None = 100) -> str:
        """Return the comparison as lines for people; long values are shown by their beginning.

        Args:
            limit: Lines at most; None for all.
        """
        from eigenpal.comparison.rendering import as_text

        return as_text(self, limit)

    def to_html(self, *, limit: int | None = 100) -> str:
        """Return the comparison as a fragment of HTML, everything in it escaped; long values by their beginning.

        Args:
            limit: Rows at most; None for all.
        """
        from eigenpal.comparison.rendering import as_html

        return as_html(self, limit)

    def _as_sent(self) -> Mapping[str, Any]:
        of_the_other_kind = _OF_AGENTS if self.mode is None else _OF_WORKFLOWS
        members = super()._as_sent().items()
        return {name: value for name, value in members if name not in of_the_other_kind}

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        return self.to_text()
