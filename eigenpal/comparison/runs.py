"""Two runs, step by step or output by output. Pure: the runs were fetched with `expand="execution"` before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from eigenpal.anyjson import list_of, object_of, text_of
from eigenpal.comparison.differences import json_differences, value_differences
from eigenpal.comparison.filenames import match_files
from eigenpal.comparison.result import RunComparison, StepComparison, ValueDifference
from eigenpal.errors import EigenpalInputError
from eigenpal.models.runs import Run

MISSING: Final = "missing"  # documented as the status of a step that is not there

Step = Mapping[str, Any]


def compare(
    reference: Run, run: Run, *, baseline: bool, step: str | Sequence[str] | None, normalize_dates: bool
) -> RunComparison:
    """Compare two runs of one kind; arguments as in `runs.compare`.

    Raises:
        EigenpalInputError: A workflow run and an agent run, or steps of agent runs.
    """
    if reference.type != run.type:
        raise EigenpalInputError(
            f"a {reference.type} run and a {run.type} run can't be compared; give two runs of one kind", status=400
        )
    names = _names_of_steps(step)
    if run.type != "agent":
        return _compare_workflows(reference, run, names)
    if names:
        raise EigenpalInputError("agent runs have no steps; leave out step, or compare workflow runs", status=400)
    return _compare_agents(reference, run, baseline=baseline, normalize_dates=normalize_dates)


def _names_of_steps(step: str | Sequence[str] | None) -> set[str]:
    names = step.split(",") if isinstance(step, str) else step or ()
    return {name.strip() for name in names} - {""}


# ------------------------------------------------------------------------------------------------ workflow runs


def _compare_workflows(reference: Run, run: Run, names: set[str]) -> RunComparison:
    ours, theirs = _steps(reference, names), _steps(run, names)
    steps = [_compare_step(key[0], step, theirs.get(key)) for key, step in ours.items()]
    extra = [_compare_step(key[0], None, step) for key, step in theirs.items() if key not in ours]
    return RunComparison(
        status="pass" if all(step.output_state == "match" for step in steps) else "fail",
        run_id=run.id,
        compared_with_run_id=reference.id,
        steps=steps,
        extra_steps=extra,
    )


def _compare_step(name: str, reference: Step | None, target: Step | None) -> StepComparison:
    differences: list[ValueDifference] = []
    if reference is not None and target is not None:
        differences = value_differences(_output(reference), _output(target), null_takes_any=False)
    return StepComparison(
        step_name=name,
        reference_status=_status(reference),
        target_status=_status(target),
        output_state="diff" if differences or reference is None or target is None else "match",
        differences=differences,
    )


def _steps(run: Run, names: set[str]) -> dict[tuple[str, int], Step]:
    """Return the steps in their order, each with its name and how many of that name come after it.

    A step that was retried is there more than once, and the last try is the one that counts. So of several steps with
    one name the last is compared with the last.
    """
    steps: list[Step] = [object_of(step) for step in list_of(object_of(run.get("execution")).get("steps"))]
    after: Counter[str] = Counter()
    found: list[tuple[tuple[str, int], Step]] = []
    for step in reversed(steps):
        name = _step_name(step)
        if not names or name in names:
            found.append(((name, after[name]), step))
            after[name] += 1
    return dict(reversed(found))


def _step_name(step: Step) -> str:
    return next((str(step[key]) for key in ("stepName", "name", "id") if step.get(key)), "")


def _status(step: Step | None) -> str:
    return MISSING if step is None else text_of(step.get("status")) or ""


def _output(step: Step) -> Any:
    return step["outputData"] if "outputData" in step else step.get("output")


# ------------------------------------------------------------------------------------------------ agent runs


def _compare_agents(reference: Run, run: Run, *, baseline: bool, normalize_dates: bool) -> RunComparison:
    if baseline:
        expected, expected_files = reference.get("output"), _output_files(reference)
    else:
        block = object_of(object_of(reference.get("execution")).get("expected"))
        expected, expected_files = block.get("output"), _names(block.get("files"))
    actual = run.get("output")
    matched, missing, extra = match_files(expected_files, _output_files(run), normalize_dates=normalize_dates)
    whole = json_differences(expected, actual)
    return RunComparison(
        status="fail" if whole or missing or extra else "pass",
        run_id=run.id,
        compared_with_run_id=reference.id,
        mode="baseline" if baseline else "expected",
        json_differences=whole,
        differences=value_differences(expected, actual, null_takes_any=True),
        matched_files=matched,
        missing_files=missing,
        extra_files=extra,
    )


def _output_files(run: Run) -> list[str]:
    produced = object_of(object_of(run.get("execution")).get("files")).get("output")
    return _names(run.get("files") if produced is None else produced)


def _names(files: Any) -> list[str]:
    names = (text_of(object_of(file).get("name")) for file in list_of(files))
    return [name for name in names if name is not None]
