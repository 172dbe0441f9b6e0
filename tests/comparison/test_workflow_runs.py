"""Comparing two workflow runs: which steps are looked at, which of their outputs, and what the verdict rests on."""

from __future__ import annotations

from typing import Any

import pytest

from eigenpal import EigenpalError
from eigenpal.models.runs import Run
from tests.comparison.runs import agent_run, compared, step, workflow_run


def verdicts(reference: Run, run: Run, **options: Any) -> list[tuple[str, str]]:
    return [(step.step_name, step.output_state) for step in compared(reference, run, **options).steps]


def test_the_result_is_the_documented_dict_and_the_differences() -> None:
    reference = workflow_run("exec_1", step("read", {"pages": 2}), step("total", {"total": 5}))
    run = workflow_run("exec_2", step("read", {"pages": 2}), step("total", {"total": 6}, "failure"), step("mail", 1))
    assert compared(reference, run).to_dict() == {
        "status": "fail",
        "runId": "exec_2",
        "comparedWithRunId": "exec_1",
        "steps": [
            {
                "stepName": "read",
                "referenceStatus": "success",
                "targetStatus": "success",
                "outputState": "match",
                "differences": [],
            },
            {
                "stepName": "total",
                "referenceStatus": "success",
                "targetStatus": "failure",
                "outputState": "diff",
                "differences": [{"path": "$.total", "type": "changed", "expected": 5, "actual": 6}],
            },
        ],
        "extraSteps": [
            {
                "stepName": "mail",
                "referenceStatus": "missing",
                "targetStatus": "success",
                "outputState": "diff",
                "differences": [],
            }
        ],
    }


def test_the_steps_come_in_the_order_of_the_reference() -> None:
    reference = workflow_run("r", step("b", 1), step("a", 2), step("c", 3))
    assert verdicts(reference, workflow_run("o", step("c", 3), step("a", 2), step("b", 1))) == [
        ("b", "match"),
        ("a", "match"),
        ("c", "match"),
    ]


@pytest.mark.parametrize(
    "nameless",
    [
        {"stepName": "read", "name": "x", "id": "y", "outputData": 1},
        {"stepName": None, "name": "read", "id": "y", "outputData": 1},
        {"id": "read", "outputData": 1},
    ],
    ids=["stepName", "name", "id"],
)
def test_a_step_is_named_by_step_name_else_name_else_id(nameless: dict[str, Any]) -> None:
    assert verdicts(workflow_run("r", nameless), workflow_run("o", step("read", 1))) == [("read", "match")]


@pytest.mark.parametrize(
    ("wire", "verdict"),
    [
        ({"outputData": 1, "output": 2}, "match"),
        ({"output": 1}, "match"),
        ({"outputData": None, "output": 1}, "diff"),
        ({}, "diff"),
    ],
    ids=["outputData comes first", "output without outputData", "null is an output", "no output at all"],
)
def test_the_output_of_a_step_is_output_data_else_output(wire: dict[str, Any], verdict: str) -> None:
    assert verdicts(workflow_run("r", {"stepName": "a", **wire}), workflow_run("o", step("a", 1))) == [("a", verdict)]


def test_a_null_output_of_a_step_differs_from_another() -> None:
    (only,) = compared(workflow_run("r", step("a", None)), workflow_run("o", step("a", {"x": 1}))).steps
    assert only.output_state == "diff"
    assert [(difference.path, difference.type) for difference in only.differences] == [("$", "changed")]


def test_the_statuses_of_the_steps_do_not_change_the_verdict() -> None:
    comparison = compared(workflow_run("r", step("a", 1, "success")), workflow_run("o", step("a", 1, "failure")))
    assert comparison.passed
    assert comparison["steps"][0]["targetStatus"] == "failure"


def test_a_step_that_the_judged_run_lacks_fails_it() -> None:
    comparison = compared(workflow_run("r", step("a", 1), step("b", None)), workflow_run("o", step("a", 1)))
    assert comparison["status"] == "fail"
    assert [(step["stepName"], step["targetStatus"], step["outputState"]) for step in comparison["steps"]] == [
        ("a", "success", "match"),
        ("b", "missing", "diff"),
    ]


def test_a_step_that_only_the_judged_run_has_is_listed_apart_and_fails_nothing() -> None:
    comparison = compared(workflow_run("r", step("a", 1)), workflow_run("o", step("a", 1), step("new", 2)))
    assert comparison.passed
    assert [(extra.step_name, extra.reference_status) for extra in comparison.extra_steps] == [("new", "missing")]


@pytest.mark.parametrize("chosen", ["c, a", ["a", "c"], ("c", "a"), ",a,,c,"])
def test_steps_can_be_chosen_by_name(chosen: Any) -> None:
    reference = workflow_run("r", step("a", 1), step("b", 2), step("c", 3))
    run = workflow_run("o", step("a", 1), step("b", "not looked at"), step("c", 3), step("d", 4))
    comparison = compared(reference, run, step=chosen)
    assert comparison.passed
    assert [step.step_name for step in comparison.steps] == ["a", "c"]
    assert comparison.extra_steps == []


@pytest.mark.parametrize("nothing", [None, "", " , ", []], ids=["None", "empty", "commas", "empty list"])
def test_no_name_chooses_every_step(nothing: Any) -> None:
    run = workflow_run("r", step("a", 1), step("b", 2))
    assert verdicts(run, run, step=nothing) == [("a", "match"), ("b", "match")]


def test_a_name_that_no_step_has_compares_nothing_and_the_text_says_so() -> None:
    run = workflow_run("r", step("a", 1))
    comparison = compared(run, run, step="typo")
    assert comparison["status"] == "pass"
    assert comparison["steps"] == []
    assert "no step was compared" in comparison.to_text()


def test_of_a_retried_step_the_last_try_counts() -> None:
    reference = workflow_run("r", step("ask", {"answer": 1}))
    retried = workflow_run("o", step("ask", None, "failure"), step("ask", {"answer": 1}))
    comparison = compared(reference, retried)
    assert comparison.passed
    assert [extra.target_status for extra in comparison.extra_steps] == ["failure"]


def test_steps_of_a_loop_are_compared_one_by_one() -> None:
    reference = workflow_run("r", step("page", 1), step("page", 2))
    assert verdicts(reference, workflow_run("o", step("page", 1), step("page", 3))) == [
        ("page", "match"),
        ("page", "diff"),
    ]


def test_runs_without_steps_pass() -> None:
    assert compared(workflow_run("r"), workflow_run("o")).to_dict()["status"] == "pass"


def test_a_workflow_run_and_an_agent_run_are_a_local_error_with_status_400() -> None:
    for pair in ((workflow_run("r"), agent_run("o")), (agent_run("r"), workflow_run("o"))):
        with pytest.raises(EigenpalError, match="two runs of one kind") as caught:
            compared(*pair)
        assert caught.value.status == 400


def test_the_runs_compared_are_left_as_they_were() -> None:
    reference, run = workflow_run("r", step("a", {"x": [1]})), workflow_run("o", step("a", {"x": [2]}))
    before = reference.to_dict(), run.to_dict()
    compared(reference, run).to_dict()["steps"][0]["differences"][0]["expected"] = "changed by the caller"
    assert (reference.to_dict(), run.to_dict()) == before
