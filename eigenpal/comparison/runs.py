"""Two runs, step by step or output by output. Pure: the runs were fetched with `expand="execution"` before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eigenpal.anyjson import list_of, object_of, text_of
from eigenpal.comparison.differences import differences, match_files, same
from eigenpal.errors import EigenpalInputError
from eigenpal.models.comparison import RunComparison, StepComparison
from eigenpal.models.runs import Run

MISSING = "missing"


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
    if run.type == "agent":
        if step is not None:
            raise EigenpalInputError("agent runs have no steps; leave out step", status=400)
        return _compare_agents(reference.to_dict(), run.to_dict(), baseline=baseline, normalize_dates=normalize_dates)
    names = [name.strip() for name in step.split(",")] if isinstance(step, str) else step
    return _compare_workflows(reference.to_dict(), run.to_dict(), names)


def _compare_workflows(
    reference: Mapping[str, Any], run: Mapping[str, Any], names: Sequence[str] | None
) -> RunComparison:
    ours, theirs = _steps(reference, names), _steps(run, names)
    if names is not None and (unknown := [name for name in names if name not in ours and name not in theirs]):
        raise EigenpalInputError(f"neither run has a step {unknown[0]!r}", status=400)
    steps = [_compare_step(name, step, theirs.get(name)) for name, step in ours.items()]
    extra = [_compare_step(name, None, step) for name, step in theirs.items() if name not in ours]
    return RunComparison(
        status="pass" if all(step.output_state == "match" for step in steps) else "fail",
        run_id=run["id"],
        compared_with_run_id=reference["id"],
        steps=steps,
        extra_steps=extra,
    )


def _compare_step(name: str, reference: Mapping[str, Any] | None, target: Mapping[str, Any] | None) -> StepComparison:
    found = reference is not None and target is not None
    expected, actual = _output(reference), _output(target)
    return StepComparison(
        step_name=name,
        reference_status=_status(reference),
        target_status=_status(target),
        output_state="match" if found and same(expected, actual) else "diff",
        differences=differences(expected, actual, lists_by_element=True) if found else [],
    )


def _compare_agents(
    reference: Mapping[str, Any], run: Mapping[str, Any], *, baseline: bool, normalize_dates: bool
) -> RunComparison:
    if baseline:
        expected, expected_files = reference.get("output"), _output_files(reference)
    else:
        block = object_of(object_of(reference.get("execution")).get("expected"))
        expected, expected_files = block.get("output"), _names(block.get("files"))
    actual = run.get("output")
    matched, missing, extra = match_files(expected_files, _output_files(run), normalize_dates=normalize_dates)
    whole = differences(expected, actual, lists_by_element=False)
    return RunComparison(
        status="pass" if not (whole or missing or extra) else "fail",
        run_id=run["id"],
        compared_with_run_id=reference["id"],
        mode="baseline" if baseline else "expected",
        json_differences=whole,
        differences=differences(expected, actual, lists_by_element=True),
        matched_files=matched,
        missing_files=missing,
        extra_files=extra,
    )


def _steps(run: Mapping[str, Any], names: Sequence[str] | None) -> dict[str, Mapping[str, Any]]:
    steps = map(object_of, list_of(object_of(run.get("execution")).get("steps")))
    named = {_step_name(step): step for step in steps}
    return {name: step for name, step in named.items() if names is None or name in names}


def _step_name(step: Mapping[str, Any]) -> str:
    return next((str(step[key]) for key in ("stepName", "name", "id") if step.get(key)), "")


def _status(step: Mapping[str, Any] | None) -> str:
    return MISSING if step is None else text_of(step.get("status")) or ""


def _output(step: Mapping[str, Any] | None) -> Any:
    if step is None:
        return None
    return step["outputData"] if step.get("outputData") is not None else step.get("output")


def _output_files(run: Mapping[str, Any]) -> list[str]:
    produced = object_of(object_of(run.get("execution")).get("files")).get("output")
    return _names(produced if produced is not None else run.get("files"))


def _names(files: Any) -> list[str]:
    names: Iterable[str | None] = (text_of(object_of(file).get("name")) for file in list_of(files))
    return [name for name in names if name is not None]
