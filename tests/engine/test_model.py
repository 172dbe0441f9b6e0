"""What every answer has in common: slots, immutability, item access by wire name, a cheap repr, pickle and copy."""

from __future__ import annotations

import copy
import pickle
import time
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, ClassVar

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from eigenpal.engine.codec import structure
from eigenpal.engine.model import Model, camel_case, model, short_repr, snake_case, timestamp, wire_form
from eigenpal.models.executions import RunExecution, RunStatus
from eigenpal.models.runs import (
    Run,
    RunAccepted,
    RunArtifact,
    RunDefinition,
    RunListItem,
    RunSource,
    RunsPage,
    RunTiming,
    RunTrigger,
)
from eigenpal.models.workflows import WorkflowsPage, WorkflowSummary

MOMENT = datetime(2026, 6, 14, 9, 30, 0, 120000, tzinfo=UTC)
FAILED = {
    "id": "exec_1",
    "type": "workflow",
    "finished": True,
    "timing": {"createdAt": "2026-06-14T09:30:00.120Z", "startedAt": None},
    "source": {"id": "wf_1", "name": None, "version": "1.2.3"},
    "trigger": {"type": "api", "by": None},
    "execution": {"status": "failed", "newVerdict": {"code": 7}},
    "error": "no such file",
    "newMember": [1],
    "odd_member": 2,
}


class Colour(StrEnum):
    RED = "red"


@model
class Snake(Model):
    """A model of a service whose wire is snake_case, with one name of its own."""

    wire_naming: ClassVar[Any] = staticmethod(str)

    first_name: str
    from_date: datetime | None = attrs.field(default=None, metadata={"wire": "from"})
    colours: list[Colour] = attrs.field(factory=list[Colour])
    by_name: dict[str, RunArtifact] = attrs.field(factory=dict[str, RunArtifact])


@pytest.fixture
def run() -> Run:
    decoded: Run = structure(Run, copy.deepcopy(FAILED))
    return decoded


def hand_made() -> Run:
    return Run(
        id="exec_1",
        type="workflow",
        finished=True,
        timing=RunTiming(created_at=MOMENT),
        source=RunSource(id="wf_1"),
        trigger=RunTrigger(),
        execution=RunExecution(status=RunStatus.COMPLETED),
        output={"when": MOMENT, "parts": [RunArtifact(name="a", path="output/a")]},
        files=[RunArtifact(name="a.pdf", path="output/a.pdf")],
    )


# ---------------------------------------------------------------------------------------------------- items


def test_a_member_is_made_once_and_stays_the_same() -> None:
    run = structure(Run, FAILED)
    assert run.timing is run.timing
    assert run.files is run.files == []


def test_what_was_read_and_what_was_not_compare_equal() -> None:
    read, unread = structure(Run, FAILED), structure(Run, FAILED)
    assert read.timing.created_at == MOMENT
    assert read == unread
    assert repr(read) == repr(unread)


def test_a_member_that_was_not_read_yet_can_be_neither_set_nor_deleted() -> None:
    run = structure(Run, FAILED)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        run.id = "exec_2"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del run.id
    assert run.id == "exec_1"


def test_an_item_is_the_member_as_it_was_sent(run: Run) -> None:
    assert run["timing"]["createdAt"] == "2026-06-14T09:30:00.120Z"
    assert run.timing.created_at == MOMENT
    assert run["finished"] is True
    assert run["newMember"] == [1]


def test_an_item_that_was_left_out_is_what_the_attribute_has(run: Run) -> None:
    assert run["output"] is None
    assert run["files"] == []
    assert run.timing["durationMs"] is None


def test_an_item_may_be_a_member_that_the_answer_only_computes(run: Run) -> None:
    assert run["status"] == "failed"
    receipt = RunAccepted(id="r", type="agent", finished=False)
    assert (receipt["output"], receipt["files"], receipt["error"], receipt["status"]) == (None, [], None, None)


@pytest.mark.parametrize(
    "name", ["outptu", "", "_wire", "__class__", "__dict__", "created_at", "toDict", "keys", "wireNaming", "OUTPUT"]
)
def test_an_item_that_does_not_exist_is_a_key_error(run: Run, name: str) -> None:
    for answer in (run, run.timing):
        with pytest.raises(KeyError) as caught:
            answer[name]
        assert caught.value.args == (name,)


@pytest.mark.parametrize("key", [0, None, 1.5, ("id",)])
def test_a_key_that_is_no_name_is_a_key_error(run: Run, key: Any) -> None:
    with pytest.raises(KeyError):
        run[key]


def test_containment_get_and_keys_speak_of_what_was_sent(run: Run) -> None:
    assert "error" in run
    assert "output" not in run
    assert None not in run
    assert run.get("output", "none") == "none"
    assert run.get("error") == "no such file"
    assert run.keys() == list(FAILED)
    assert dict(run) == FAILED


def test_wire_names_that_differ_from_the_rule_work_everywhere() -> None:
    person = structure(Snake, {"first_name": "Ada", "from": "2026-06-14", "new_thing": 1})
    assert person["from"] == "2026-06-14"
    assert person.from_date == datetime(2026, 6, 14, tzinfo=UTC)
    assert person.new_thing == 1
    assert Snake(first_name="Ada")["from"] is None
    assert Snake(first_name="Ada", from_date=MOMENT).to_dict()["from"] == "2026-06-14T09:30:00.120000Z"


# ---------------------------------------------------------------------------------------------------- unknown members


def test_unknown_members_are_kept_at_every_depth(run: Run) -> None:
    unknown: Any = run
    assert unknown.new_member == [1]
    assert unknown.newMember == [1]
    assert unknown.odd_member == 2
    assert unknown.execution.new_verdict == {"code": 7}
    assert run.to_dict() == FAILED


def test_an_attribute_that_nobody_sent_is_an_attribute_error(run: Run) -> None:
    with pytest.raises(AttributeError, match="Run has no member 'outptu'"):
        _ = run.outptu  # type: ignore[attr-defined]  # the point of the test
    assert not hasattr(run, "_repr_latex_")
    assert not hasattr(RunAccepted(id="r", type="agent", finished=False), "anything")


# ---------------------------------------------------------------------------------------------------- immutability


@pytest.mark.parametrize("name", ["id", "output", "new_member", "made_up", "_wire"])
def test_an_answer_can_not_be_changed(run: Run, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(run, name, 1)
    with pytest.raises(AttributeError):
        delattr(run, name)


@pytest.mark.parametrize("value", [hand_made(), RunsPage(runs=[]), WorkflowsPage(data=[], total=0, limit=1, offset=0)])
def test_an_answer_has_slots_and_no_dict(value: Model) -> None:
    assert not hasattr(value, "__dict__")


def test_what_to_dict_returns_is_the_callers(run: Run) -> None:
    wire = run.to_dict()
    wire["newMember"].append(2)
    wire["execution"]["status"] = "completed"
    assert run.to_dict() == FAILED
    assert run.status == "failed"


def test_answers_are_equal_when_their_known_members_are() -> None:
    assert structure(Run, {**FAILED, "newMember": 2}) == structure(Run, FAILED)
    assert structure(Run, {**FAILED, "error": None}) != structure(Run, FAILED)
    row = {name: member for name, member in FAILED.items() if name != "newMember"}
    assert structure(Run, row) != structure(RunListItem, row)


def test_fields_are_given_by_keyword() -> None:
    with pytest.raises(TypeError):
        RunArtifact("a", "b")  # type: ignore[call-arg]  # the point of the test


# ---------------------------------------------------------------------------------------------------- made by hand


def test_a_hand_made_answer_has_a_wire_form() -> None:
    assert hand_made().to_dict() == {
        "id": "exec_1",
        "type": "workflow",
        "finished": True,
        "timing": {"createdAt": "2026-06-14T09:30:00.120000Z"},
        "source": {"id": "wf_1"},
        "trigger": {},
        "execution": {"status": "completed"},
        "output": {"when": "2026-06-14T09:30:00.120000Z", "parts": [{"name": "a", "path": "output/a"}]},
        "files": [{"name": "a.pdf", "path": "output/a.pdf"}],
    }


def test_a_hand_made_answer_reads_like_one_that_was_sent() -> None:
    run = hand_made()
    assert run["timing"] == {"createdAt": "2026-06-14T09:30:00.120000Z"}
    assert run["error"] is None
    assert "error" not in run
    assert run.status == "completed"


def test_null_is_kept_where_leaving_it_out_would_make_an_answer_that_does_not_decode() -> None:
    definition = RunDefinition(definition=None)
    assert definition.to_dict() == {"definition": None}
    assert pickle.loads(pickle.dumps(definition)) == definition


def test_a_mapping_of_models_and_a_list_of_enums_have_a_wire_form() -> None:
    file = RunArtifact(name="a", path="output/a")
    person = Snake(first_name="Ada", colours=[Colour.RED], by_name={"a": file})
    assert person.to_dict() == {
        "first_name": "Ada",
        "colours": ["red"],
        "by_name": {"a": {"name": "a", "path": "output/a"}},
    }


def test_a_page_made_by_hand_holds_rows_that_were_sent() -> None:
    row = structure(WorkflowSummary, {"id": "wf_1", "createdAt": "2026-06-14", "extra": 1})
    page = WorkflowsPage(data=[row], total=1, limit=50, offset=0)
    assert page.to_dict()["data"] == [{"id": "wf_1", "createdAt": "2026-06-14", "extra": 1}]
    assert list(page) == page.items == [row]
    assert len(page) == 1


# ---------------------------------------------------------------------------------------------------- copies


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_answer_travels_to_another_process_whole(run: Run, protocol: int) -> None:
    other = pickle.loads(pickle.dumps(run, protocol))
    assert other == run
    assert other.to_dict() == FAILED
    assert isinstance(other.execution, RunExecution)


def test_a_hand_made_answer_is_pickled_and_copied() -> None:
    run = attrs.evolve(hand_made(), output={"total": 1})
    assert pickle.loads(pickle.dumps(run)) == run
    assert copy.deepcopy(run) == run


def test_a_deep_copy_shares_nothing(run: Run) -> None:
    other: Any = copy.deepcopy(run)
    other.new_member.append(2)
    assert run.to_dict() == FAILED


def test_a_changed_copy_forgets_what_was_sent(run: Run) -> None:
    other = attrs.evolve(run, error="another")
    assert other.error == other["error"] == "another"
    assert "newMember" not in other


# ---------------------------------------------------------------------------------------------------- repr


def test_a_repr_shows_what_is_there() -> None:
    text = repr(structure(Run, FAILED))
    assert text.startswith("Run(id='exec_1', status='failed', type='workflow', source='wf_1', created_at=2026-06-14T")
    assert text.endswith("error='no such file')")
    assert repr(RunTiming(created_at=MOMENT)) == "RunTiming(created_at=2026-06-14T09:30:00.120000+00:00)"
    assert repr(RunExecution(status=RunStatus.FAILED, schema_valid=False)) == (
        "RunExecution(status='failed', schema_valid=False)"
    )


@pytest.mark.parametrize(
    "output",
    [
        {"text": "x" * 20_000_000},
        {"a": {"b": {"c": {"d": "x" * 20_000_000}}}},
        {"rows": ["x" * 1000] * 20_000},
        {str(number): number for number in range(200_000)},
        {"x" * 20_000_000: 1},
        {"number": 10**4000},
    ],
    ids=["long text", "deep text", "long list", "many members", "long name", "long number"],
)
def test_a_repr_is_short_and_cheap_whatever_the_output(output: dict[str, Any]) -> None:
    runs = [attrs.evolve(hand_made(), output=output) for _ in range(3)]
    assert min(seconds_of_repr(run) for run in runs) < 0.01  # garbage may be collected meanwhile
    assert len(repr(runs[0])) < 500


def seconds_of_repr(value: object) -> float:
    """Return the processor time of this thread alone; others may be at work, too."""
    began = time.thread_time()
    repr(value)
    return time.thread_time() - began


def test_a_repr_of_the_deepest_json_there_is_does_not_fail() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert len(repr(RunDefinition(definition=deep))) < 100
    while deep:  # freed one by one: some interpreters do not free such depth at once
        deep = deep.pop()


@settings(max_examples=30, deadline=None)
@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.tuples(inner)))
def test_a_short_repr_keeps_to_its_length(value: Any) -> None:
    text = short_repr(value, 30)
    assert len(text) <= 30
    if len(repr(value)) <= 30 and not isinstance(value, list | tuple):
        assert text == repr(value)


# ---------------------------------------------------------------------------------------------------- names and times


@pytest.mark.parametrize(
    ("snake", "camel"),
    [
        ("id", "id"),
        ("created_at", "createdAt"),
        ("resolved_by_session_id", "resolvedBySessionId"),
        ("commit_sha", "commitSha"),
        ("base64_content", "base64Content"),
    ],
)
def test_names_go_both_ways(snake: str, camel: str) -> None:
    assert camel_case(snake) == camel
    assert snake_case(camel) == snake


@settings(max_examples=30, deadline=None)
@given(st.from_regex(r"[a-z]{2,6}(_[a-z][a-z0-9]{1,5}){0,3}", fullmatch=True))
def test_every_field_name_comes_back_from_its_wire_name(name: str) -> None:
    assert snake_case(camel_case(name)) == name


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 6, 14, tzinfo=UTC), "2026-06-14T00:00:00Z"),
        (datetime(2026, 6, 14, 1, 2, 3, 4, tzinfo=UTC), "2026-06-14T01:02:03.000004Z"),
        (datetime(2026, 6, 14, tzinfo=timezone(timedelta(0), "GMT")), "2026-06-14T00:00:00Z"),
        (datetime(2026, 6, 14, tzinfo=timezone(timedelta(hours=2))), "2026-06-14T00:00:00+02:00"),
        (date(2026, 6, 14), "2026-06-14"),
    ],
)
def test_utc_is_written_as_z(moment: date, text: str) -> None:
    assert timestamp(moment) == text


@settings(max_examples=50, deadline=None)
@given(st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-7)))))
def test_a_timestamp_comes_back_as_the_same_moment(moment: datetime) -> None:
    assert structure(datetime, timestamp(moment)) == moment


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", [1, [2]], {"a": {"b": None}}])
def test_the_wire_form_of_json_is_itself(value: Any) -> None:
    assert wire_form(value) == value
