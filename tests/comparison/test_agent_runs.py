"""Comparing two agent runs: which output and files are held against which, and what the verdict rests on."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import pytest

from eigenpal import EigenpalError
from tests.comparison.runs import agent_run, compared, named


def expecting(output: Any, files: Sequence[str] = ()) -> dict[str, Any]:
    return {"output": output, "files": named(files)}


def test_the_result_is_the_documented_dict_and_the_differences() -> None:
    reference = agent_run("exec_1", expected=expecting({"a": {"b": 1}, "lines": [1, 2]}, ["a.pdf", "b.pdf"]))
    run = agent_run("exec_2", output={"a": {"c": 2}, "lines": [1, 3]}, files=["b.pdf", "c.pdf"])
    comparison = compared(reference, run)
    assert comparison.to_dict() == {
        "status": "fail",
        "runId": "exec_2",
        "comparedWithRunId": "exec_1",
        "mode": "expected",
        "jsonDifferences": [
            {"path": "$.a.b", "type": "missing"},
            {"path": "$.a.c", "type": "extra"},
            {"path": "$.lines", "type": "changed"},
        ],
        "differences": [
            {"path": "$.a.b", "type": "missing", "expected": 1},
            {"path": "$.a.c", "type": "extra", "actual": 2},
            {"path": "$.lines[1]", "type": "changed", "expected": 2, "actual": 3},
        ],
        "matchedFiles": [{"expected": "b.pdf", "actual": "b.pdf"}],
        "missingFiles": ["a.pdf"],
        "extraFiles": ["c.pdf"],
    }
    assert comparison["mode"] == "expected"
    assert comparison["jsonDifferences"][0]["type"] == "missing"


def test_the_baseline_is_what_the_reference_made_itself() -> None:
    reference = agent_run("r", output={"a": 1}, files=["a.pdf"], expected=expecting({"a": 2}, ["b.pdf"]))
    run = agent_run("o", output={"a": 1}, files=["a.pdf"])
    assert compared(reference, run, baseline=True).to_dict()["mode"] == "baseline"
    assert compared(reference, run, baseline=True).passed
    assert not compared(reference, run).passed


@pytest.mark.parametrize("expected", [None, {}, {"output": None}], ids=["null", "empty", "null output"])
def test_what_expects_nothing_is_met_by_any_output(expected: Any) -> None:
    assert compared(agent_run("r", expected=expected), agent_run("o", output={"a": 1})).passed


def test_a_file_that_nobody_expected_fails_even_what_expects_nothing() -> None:
    comparison = compared(agent_run("r", expected=None), agent_run("o", files=["a.pdf"]))
    assert (comparison.status, comparison.extra_files) == ("fail", ["a.pdf"])


def test_files_at_the_top_level_stand_in_for_those_of_the_execution() -> None:
    reference = agent_run("r", expected=expecting({}, ["a.pdf"]))
    assert compared(reference, agent_run("o", output={}, top_level_files=["a.pdf"])).passed


def test_an_empty_list_in_the_execution_is_not_replaced() -> None:
    reference = agent_run("r", expected=expecting({}, ["a.pdf"]))
    run = agent_run("o", output={})
    assert compared(reference, run).missing_files == ["a.pdf"]


def test_an_output_that_is_absent_is_a_change() -> None:
    comparison = compared(agent_run("r", expected=expecting({"a": 1})), agent_run("o", output=None))
    assert comparison["jsonDifferences"] == [{"path": "$", "type": "changed"}]


@pytest.mark.parametrize("step", ["read", ["read"]])
def test_steps_of_agent_runs_are_a_local_error_with_status_400(step: Any) -> None:
    with pytest.raises(EigenpalError, match="agent runs have no steps") as caught:
        compared(agent_run("r"), agent_run("o"), step=step)
    assert caught.value.status == 400


def test_an_empty_choice_of_steps_is_no_error_for_agents() -> None:
    assert compared(agent_run("r"), agent_run("o"), step="").passed


def test_dates_in_file_names_can_be_taken_for_each_other() -> None:
    reference = agent_run("r", expected=expecting({}, ["report-2026-11-01.pdf", "20261101.csv"]))
    run = agent_run("o", output={}, files=["20261122.csv", "report-2026-11-22.pdf"])
    assert not compared(reference, run).passed
    comparison = compared(reference, run, normalize_dates=True)
    assert comparison.passed
    assert comparison["matchedFiles"] == [
        {"expected": "report-2026-11-01.pdf", "actual": "report-2026-11-22.pdf"},
        {"expected": "20261101.csv", "actual": "20261122.csv"},
    ]


def test_a_comparison_survives_pickle() -> None:
    reference = agent_run("r", expected=expecting({"a": None, "b": [1]}, ["a.pdf"]))
    comparison = compared(reference, agent_run("o", output={"b": [2]}, files=["a.pdf"]))
    copy = pickle.loads(pickle.dumps(comparison))
    assert copy.to_dict() == comparison.to_dict()
    assert copy == comparison


def test_a_comparison_has_the_members_of_its_own_kind_only() -> None:
    comparison = compared(agent_run("r"), agent_run("o"))
    assert "steps" not in comparison
    assert comparison.steps == comparison.extra_steps == []
    assert set(comparison.keys()) == set(comparison.to_dict())
