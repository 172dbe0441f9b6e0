"""The life of an execution as one table: what may happen in which state, and where it leads. No I/O, no clock.

    pending ──start──> running ──complete──> completed
       │               │  ^  │
       │             ask approve ──fail────> failed <──reject── waiting_approval
       │               v  │
       │         waiting_approval
       └──cancel──> cancelled <──cancel── every state that has not ended

Why each rule: an execution asks only while it works, as often as it wants, and goes on only with an approval; a refusal
ends it. There is no rejected state: the error says it. `fail` before the start or while waiting happens only when the
server stops. An ended execution never moves again: terminal states have no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from eigenpal.sandbox.transitions import step


class Status(StrEnum):
    """States of an execution, named as on the wire."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING_APPROVAL = "waiting_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What can happen to an execution."""

    START = "start"
    ASK = "ask"
    APPROVE = "approve"
    REJECT = "reject"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"


TRANSITIONS: Mapping[Status, Mapping[Event, Status]] = {
    Status.PENDING: {
        Event.START: Status.RUNNING,
        Event.FAIL: Status.FAILED,
        Event.CANCEL: Status.CANCELLED,
    },
    Status.RUNNING: {
        Event.ASK: Status.WAITING_APPROVAL,
        Event.COMPLETE: Status.COMPLETED,
        Event.FAIL: Status.FAILED,
        Event.CANCEL: Status.CANCELLED,
    },
    Status.WAITING_APPROVAL: {
        Event.APPROVE: Status.RUNNING,
        Event.REJECT: Status.FAILED,
        Event.FAIL: Status.FAILED,
        Event.CANCEL: Status.CANCELLED,
    },
}

TERMINAL: frozenset[Status] = frozenset(Status) - frozenset(TRANSITIONS)


def after(status: Status, event: Event) -> Status:
    """Return the state that an event leads to.

    Args:
        status: State of the execution before.
        event: What happens to it.

    Raises:
        InvalidTransition: The table has no such step.
    """
    return step(TRANSITIONS, status, event, "An execution that is")
