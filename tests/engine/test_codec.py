"""JSON to models and back: strict about types, lenient about what a server may add or leave out, exact about places."""

from __future__ import annotations

import copy
import json
import math
from collections import UserDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from eigenpal.engine.checks import MAX_SHOWN_VALUE, Mismatch
from eigenpal.engine.codec import dumps, structure
from eigenpal.engine.unset import UNSET
from eigenpal.models.executions import AgentRunExecution, RunExecution, RunKind, RunStatus, WorkflowRunExecution
from eigenpal.models.runs import CancelledRun, Run, RunAccepted, RunsPage, RunTiming, RunUsage, StartedRun
from eigenpal.models.triggers import Triggers
from eigenpal.models.workflows import WorkflowsPage
from tests.spec.strategies import any_json, examples

ROW = {
    "id": "exec_1",
    "type": "workflow",
    "finished": False,
    "timing": {"createdAt": "2026-06-14T09:30:00.120Z"},
    "source": {"id": "wf_1"},
    "trigger": {},
    "execution": {"status": "running"},
}


def row(**changes: Any) -> dict[str, Any]:
    """Return a run as the service sends it; `execution__status=...` reaches one level down, `...=None` sends null."""
    wire: dict[str, Any] = copy.deepcopy(ROW)
    for name, value in changes.items():
        *outer, inner = name.split("__")
        place = wire
        for member in outer:
            place = place[member]
        place[inner] = value
    return wire


def without(name: str) -> dict[str, Any]:
    return {member: value for member, value in ROW.items() if member != name}


# ---------------------------------------------------------------------------------------------------- the future


@pytest.mark.parametrize("status", RunStatus)
def test_a_known_enum_value_is_a_member_and_equals_its_text(status: RunStatus) -> None:
    run = structure(Run, row(execution__status=status.value))
    assert run.status is status
    assert run.status == status.value
    assert f"{run.status}" == status.value


@pytest.mark.parametrize("status", ["paused", "", "RUNNING", "running "])
def test_an_unknown_enum_value_stays_a_plain_string(status: str) -> None:
    run = structure(Run, row(execution__status=status, type="robot"))
    assert run.status == status
    assert type(run.status) is type(run.type) is str


@pytest.mark.parametrize("value", [1, True, ["running"], {"a": 1}, None])
def test_an_enum_value_that_is_no_string_is_a_mismatch(value: Any) -> None:
    with pytest.raises(Mismatch, match=r"^\$\.execution\.status should be a string, not "):
        structure(Run, row(execution__status=value))


def test_null_where_a_list_was_promised_is_an_empty_list() -> None:
    assert structure(Run, row(files=None)).files == []
    assert structure(RunsPage, {"runs": None, "nextCursor": None}).runs == []
    assert structure(list[Run], None) == []


def test_null_and_absent_are_the_same_where_a_member_is_optional_and_differ_on_the_wire() -> None:
    null, absent = structure(Run, row(output=None)), structure(Run, row())
    assert null.output is absent.output is None
    assert "output" in null.to_dict()
    assert "output" not in absent.to_dict()
    assert null == absent


# ---------------------------------------------------------------------------------------------------- mismatches


@pytest.mark.parametrize("name", sorted(ROW))
def test_a_missing_member_that_is_needed_is_named(name: str) -> None:
    with pytest.raises(Mismatch, match=rf"^\$\.runs\[1\] should be an object with '{name}', not \{{'") as caught:
        structure(RunsPage, {"runs": [row(), without(name)], "nextCursor": None})
    assert caught.value.path == "$.runs[1]"


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (row(id=None), "$.id should be a string, not None"),
        (row(id=7), "$.id should be a string, not 7"),
        (row(finished="true"), "$.finished should be true or false, not 'true'"),
        (row(finished=0), "$.finished should be true or false, not 0"),
        (row(timing=None), "$.timing should be an object, not None"),
        (row(timing=[]), "$.timing should be an object, not []"),
        (row(timing__createdAt=1718), "$.timing.createdAt should be an ISO-8601 timestamp, not 1718"),
        (row(timing__createdAt="soon"), "$.timing.createdAt should be an ISO-8601 timestamp, not 'soon'"),
        (row(timing__createdAt=""), "$.timing.createdAt should be an ISO-8601 timestamp, not ''"),
        (row(timing__durationMs="5"), "$.timing.durationMs should be a number, not '5'"),
        (row(timing__durationMs=True), "$.timing.durationMs should be a number, not True"),
        (row(output=[1]), "$.output should be an object, not [1]"),
        (row(files={}), "$.files should be a list, not {}"),
        (row(files=[None]), "$.files[0] should be an object, not None"),
        (row(files=[{"name": "a", "path": "b", "size": 1.5}]), "$.files[0].size should be a whole number, not 1.5"),
        (row(error={"message": "no"}), "$.error should be a string, not {'message': 'no'}"),
        (row(execution={"status": "x", "steps": [{"status": 5}]}), "$.execution.steps[0].status should be a string"),
        (row(execution={"status": "x", "files": {"output": 5}}), "$.execution.files.output should be a list, not 5"),
        (row(execution="running"), "$.execution should be an object, not 'running'"),
        (row(usage={"tokens": {"input": "5"}}), "$.usage.tokens.input should be a number, not '5'"),
        ([], "$ should be an object, not []"),
        (None, "$ should be an object, not None"),
        ("<html>", "$ should be an object, not '<html>'"),
    ],
)
def test_a_wrong_value_is_a_mismatch_with_its_place(wire: Any, message: str) -> None:
    with pytest.raises(Mismatch) as caught:
        structure(Run, wire)
    assert str(caught.value).startswith(message)


def test_the_first_wrong_value_of_a_long_list_is_found() -> None:
    rows = [row() for _ in range(1000)]
    rows[731]["timing"]["startedAt"] = 5
    with pytest.raises(Mismatch, match=r"^\$\.runs\[731\]\.timing\.startedAt should be"):
        structure(RunsPage, {"runs": rows})


def test_a_place_inside_a_mapping_has_its_key() -> None:
    with pytest.raises(Mismatch, match=r"^\$\.b\[0\] should be a whole number, not '1'"):
        structure(dict[str, list[int]], {"a": [1], "b": ["1"]})


@pytest.mark.parametrize("value", ["x" * 10_000_000, ["secret " * 50] * 1000, {"a" * 1000: 1}])
def test_a_mismatch_shows_little_of_a_large_value(value: Any) -> None:
    with pytest.raises(Mismatch) as caught:
        structure(RunTiming, {"createdAt": value})
    assert len(caught.value.found) <= MAX_SHOWN_VALUE
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("depth", [10, 500, 900, 960, 980])
def test_a_mismatch_deep_in_nested_json_is_still_a_mismatch(depth: int) -> None:
    deep: Any = []
    for _ in range(depth):
        deep = [deep]
    with pytest.raises(Mismatch):
        structure(Run, row(id=deep))
    with pytest.raises(Mismatch):
        structure(Run, deep)


# ---------------------------------------------------------------------------------------------------- single types


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-14T09:30:00.120Z", datetime(2026, 6, 14, 9, 30, 0, 120000, UTC)),
        ("2026-06-14T09:30:00.123456789Z", datetime(2026, 6, 14, 9, 30, 0, 123456, UTC)),
        ("2026-06-14T09:30:00+02:00", datetime(2026, 6, 14, 9, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("2026-06-14 09:30:00", datetime(2026, 6, 14, 9, 30, tzinfo=UTC)),
        ("2026-06-14", datetime(2026, 6, 14, tzinfo=UTC)),
    ],
)
def test_a_timestamp_is_aware_and_utc_where_nothing_is_said(text: str, moment: datetime) -> None:
    decoded = structure(datetime, text)
    assert decoded == moment
    assert decoded.utcoffset() == moment.utcoffset()


@settings(max_examples=30, deadline=None)
@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d(:\d\d)?)", fullmatch=True))
def test_any_text_is_a_timestamp_or_a_mismatch(text: str) -> None:
    try:
        decoded = structure(datetime, text)
    except Mismatch:
        return
    assert decoded.tzinfo is not None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (str, 1),
        (str, None),
        (str, b"a"),
        (int, True),
        (int, 1.0),
        (int, "1"),
        (float, True),
        (float, "1.5"),
        (float, None),
        (bool, 1),
        (bool, "true"),
        (datetime, None),
        (datetime, 0),
        (dict, []),
        (dict, None),
        (list, {}),
        (list, "ab"),
        (dict[str, Any], []),
        (dict[str, int], {"a": "b"}),
        (list[int], [1, "2"]),
        (int | None, "1"),
    ],
)
def test_nothing_is_coerced(kind: Any, value: Any) -> None:
    with pytest.raises(Mismatch):
        structure(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(float, 1), (float, 1.5), (int | None, None), (dict, {"a": 1}), (list, [1]), (Any, None), (list[Any], [1, "2"])],
)
def test_what_a_type_allows_is_returned_as_it_is(kind: Any, value: Any) -> None:
    assert structure(kind, value) == value
    assert type(structure(kind, value)) is type(value)


# ---------------------------------------------------------------------------------------------------- unions


@pytest.mark.parametrize(
    ("example", "kind"),
    [
        ("RunAccepted", RunAccepted),
        ("RunCompletedWorkflow", Run),
        ("RunLiveWorkflow", Run),
    ],
)
def test_the_answer_to_a_start_is_a_receipt_or_the_run(example: str, kind: type[Any]) -> None:
    assert type(structure(StartedRun, examples()[example]["value"])) is kind


def test_a_run_that_ended_and_has_no_members_of_a_run_is_a_receipt_with_its_result() -> None:
    """So servers of the older generation answer; it can be waited for like any other receipt."""
    started = structure(StartedRun, {"id": "exec_1", "type": "workflow", "finished": True, "output": {"total": 1}})
    assert type(started) is RunAccepted
    assert (started.finished, started.output) == (True, {"total": 1})


def test_a_run_without_a_needed_member_is_a_mismatch_and_no_receipt() -> None:
    with pytest.raises(Mismatch, match=r"^\$ should be an object with 'source'"):
        structure(
            StartedRun, {"id": "exec_1", "type": "workflow", "finished": True, "timing": {"createdAt": "2026-06-14"}}
        )


@pytest.mark.parametrize("value", [None, [], "exec_1", 5])
def test_the_answer_to_a_start_that_is_no_object_is_a_mismatch(value: Any) -> None:
    with pytest.raises(Mismatch, match=r"^\$ should be an object"):
        structure(StartedRun, value)


@pytest.mark.parametrize(
    ("execution", "kind"),
    [
        ({"status": "running"}, RunExecution),
        ({"status": "running", "steps": []}, WorkflowRunExecution),
        ({"status": "running", "steps": None}, WorkflowRunExecution),
        ({"status": "running", "files": {"output": []}}, AgentRunExecution),
        ({"status": "running", "files": None}, AgentRunExecution),
        ({"status": "running", "later": {}}, RunExecution),
    ],
)
def test_an_execution_is_what_its_members_say(execution: Any, kind: type[Any]) -> None:
    assert type(structure(Run, row(execution=execution)).execution) is kind


def test_a_mismatch_in_a_union_has_the_place_in_the_chosen_member() -> None:
    wire = row(execution={"status": "x", "files": {"output": [{"name": "a"}, {"name": None}]}})
    with pytest.raises(Mismatch, match=r"^\$\.execution\.files\.output\[1\]\.name should be a string, not None"):
        structure(StartedRun, wire)


def test_models_of_other_kinds_decode_too() -> None:
    assert structure(Triggers, {"api": True, "email": False, "manual": True, "cron": False}).email is False
    assert (
        structure(RunUsage, {"tokens": {"input": 10, "output": None}}).tokens
        == structure(RunUsage, {"tokens": {"input": 10}}).tokens
    )
    page = structure(WorkflowsPage, {"data": [], "total": 0, "limit": 50, "offset": 0})
    assert page.items == []
    cancelled = structure(CancelledRun, examples()["CancelQueued"]["value"])
    assert cancelled.type is RunKind.WORKFLOW


# ---------------------------------------------------------------------------------------------------- to JSON


class Colour(Enum):
    RED = "red"
    ODD = ("a", 1)


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ({"a": None}, '{"a":null}'),
        ("Größe €", '"Größe €"'),
        (datetime(2026, 6, 14, tzinfo=UTC), '"2026-06-14T00:00:00Z"'),
        (date(2026, 6, 14), '"2026-06-14"'),
        (Colour.RED, '"red"'),
        (Colour.ODD, '["a",1]'),
        (Level.HIGH, "3"),
        (Word.YES, '"yes"'),
        ({Word.YES: 1}, '{"yes":1}'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal(5), "5"),
        (Decimal("5.00"), "5"),
        (Decimal("5.25"), "5.25"),
        (Decimal("-0"), "0"),
        (Decimal("1E+3"), "1000"),
        ((1, 2), "[1,2]"),
        ({1}, "[1]"),
        (frozenset({"a"}), '["a"]'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (UserDict({"a": (1,)}), '{"a":[1]}'),
        ({1: "a", None: "b"}, '{"1":"a","null":"b"}'),
        (RunTiming(created_at=datetime(2026, 6, 14, tzinfo=UTC)), '{"createdAt":"2026-06-14T00:00:00Z"}'),
        ({"deep": [RunExecution(status=RunStatus.FAILED)]}, '{"deep":[{"status":"failed"}]}'),
    ],
)
def test_what_json_has_a_form_for_is_written(value: Any, text: str) -> None:
    assert dumps(value).decode() == text


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        Path("a.pdf"),
        object(),
        UNSET,
        {"a": [UNSET]},
        math.nan,
        [math.inf],
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        {(1, 2): 3},
        {UNSET: 1},
        "\ud800",
        {"a": {"b": "x\udfff"}},
        complex(1, 2),
        iter([1]),
    ],
)
def test_what_json_has_no_form_for_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        dumps(value)


def test_what_contains_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append({"a": circle})
    with pytest.raises(ValueError, match="[Cc]ircular"):
        dumps(circle)


@settings(max_examples=40, deadline=None)
@given(any_json)
def test_any_json_is_written_as_it_is(value: Any) -> None:
    assert json.loads(dumps(value)) == value
