"""Steps of a life along its table, whatever lives it: runs, sessions, routine runs, executions. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

Status = TypeVar("Status", bound=str)
Event = TypeVar("Event", bound=StrEnum)


class InvalidTransition(Exception):
    """The event can't happen in this state.

    Attributes:
        status: State it is in.
        event: What was tried.
    """

    def __init__(self, status: str, event: StrEnum, subject: str) -> None:
        super().__init__(f"{subject} {status} can't {event}.")
        self.status = status
        self.event = event


def step(table: Mapping[Status, Mapping[Event, Status]], status: Status, event: Event, subject: str) -> Status:
    """Return the state that an event leads to.

    Args:
        table: The life: what may happen in which state, and where it leads.
        status: State before.
        event: What happens.
        subject: How the error begins, such as `A run that is`.

    Raises:
        InvalidTransition: The table has no such step.
    """
    try:
        return table[status][event]
    except KeyError:
        raise InvalidTransition(status, event, subject) from None
