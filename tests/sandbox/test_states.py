"""The table of states, enumerated."""

from __future__ import annotations

from itertools import product

import pytest

from eigenpal.sandbox.states import NOT_STARTED, TERMINAL, TRANSITIONS, Event, Status, after
from eigenpal.sandbox.transitions import InvalidTransition
from tests.sandbox.contract import description

LEGAL = {(status, event): target for status, row in TRANSITIONS.items() for event, target in row.items()}


def test_the_states_are_those_of_the_api_description() -> None:
    declared = description()["components"]["schemas"]["ExecutionStatus"]["enum"]

    assert [status.value for status in Status] == declared


@pytest.mark.parametrize(("status", "event"), LEGAL)
def test_a_legal_step_leads_where_the_table_says(status: Status, event: Event) -> None:
    assert after(status, event) is LEGAL[status, event]


@pytest.mark.parametrize(("status", "event"), sorted(set(product(Status, Event)) - set(LEGAL)))
def test_every_other_step_is_refused(status: Status, event: Event) -> None:
    with pytest.raises(InvalidTransition, match=f"{status.value} can't {event.value}"):
        after(status, event)


def test_exactly_the_documented_states_are_terminal() -> None:
    assert sorted(TERMINAL) == sorted(description()["x-run-lifecycle"]["terminal"])


def test_every_state_that_has_not_ended_can_be_cancelled_and_can_fail() -> None:
    for status in set(Status) - TERMINAL:
        assert after(status, Event.CANCEL) is Status.CANCELLED
        assert after(status, Event.FAIL) is Status.FAILED


def test_only_a_run_that_has_not_started_can_be_rejected() -> None:
    assert {status for status, row in TRANSITIONS.items() if Event.REJECT in row} == NOT_STARTED


def test_every_state_can_be_reached_from_created_and_leads_to_an_end() -> None:
    reached, waiting = {Status.CREATED}, [Status.CREATED]
    while waiting:
        for target in TRANSITIONS.get(waiting.pop(), {}).values():
            if target not in reached:
                reached.add(target)
                waiting.append(target)

    assert reached == set(Status)
