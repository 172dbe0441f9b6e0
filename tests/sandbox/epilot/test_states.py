"""The table of states, whole: what leads where, and that what has ended stays so."""

from __future__ import annotations

import itertools

import pytest

from eigenpal.epilot import ExecutionStatus
from eigenpal.sandbox.epilot.states import TERMINAL, TRANSITIONS, Event, Status, after
from eigenpal.sandbox.transitions import InvalidTransition
from tests.spec.strategies import document

LIFECYCLE = document("epilot")["x-semantics"]["execution-lifecycle"]


def test_the_states_are_those_of_the_service() -> None:
    assert list(Status) == LIFECYCLE["states"] == [status.value for status in ExecutionStatus]
    assert {status.value for status in TERMINAL} == set(LIFECYCLE["terminal"])


def test_every_transition_of_the_description_is_in_the_table_and_no_other_but_failures_of_the_server() -> None:
    described = {
        (before, transition["to"])
        for transition in LIFECYCLE["transitions"]
        for before in transition["from"].split(" | ")
    }
    moves = {(before.value, to.value, event) for before, row in TRANSITIONS.items() for event, to in row.items()}
    assert described <= {(before, to) for before, to, _ in moves}
    extra = {event for before, to, event in moves if (before, to) not in described}
    assert extra <= {Event.FAIL}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_what_the_table_has_not_can_not_happen(status: Status, event: Event) -> None:
    if event in TRANSITIONS.get(status, {}):
        assert after(status, event) is TRANSITIONS[status][event]
    else:
        with pytest.raises(InvalidTransition, match=f"{status.value} can't {event.value}"):
            after(status, event)
