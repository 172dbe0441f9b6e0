"""The life of a run as one table: what may happen in which state, and where it leads. No I/O, no clock.

    created ──enqueue──> pending ──start──> running ──finish──> finalizing ──complete──> completed
       │                    │               │     ^                  │
       │                    │             pause resume               │
       │                    │               v     │                  │
       │                    │               waiting                  │
       ├──reject──> rejected <──reject──────┘ (never once started)   │
       ├──cancel──> cancelled <──cancel─────────────────── every state that has not ended
       └──fail────> failed    <──fail───────────────────── every state that has not ended

Why each rule: a run is refused only before it starts, by whoever admits it. A cancel request is obeyed in every state
that has not ended: at once before the start, at the next checkpoint after it, so `cancel` here is the moment the run
ends, not the moment it was asked to. `fail` before the start happens only when the server stops with the run in its
queue. An ended run never moves again: terminal states have no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from eigenpal.sandbox.transitions import step


class Status(StrEnum):
    """States of a run, named as on the wire."""

    CREATED = "created"
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Event(StrEnum):
    """What can happen to a run."""

    ENQUEUE = "enqueue"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    REJECT = "reject"


TRANSITIONS: Mapping[Status, Mapping[Event, Status]] = {
    Status.CREATED: {
        Event.ENQUEUE: Status.PENDING,
        Event.REJECT: Status.REJECTED,
        Event.CANCEL: Status.CANCELLED,
        Event.FAIL: Status.FAILED,
    },
    Status.PENDING: {
        Event.START: Status.RUNNING,
        Event.REJECT: Status.REJECTED,
        Event.CANCEL: Status.CANCELLED,
        Event.FAIL: Status.FAILED,
    },
    Status.RUNNING: {
        Event.PAUSE: Status.WAITING,
        Event.FINISH: Status.FINALIZING,
        Event.CANCEL: Status.CANCELLED,
        Event.FAIL: Status.FAILED,
    },
    Status.WAITING: {
        Event.RESUME: Status.RUNNING,
        Event.CANCEL: Status.CANCELLED,
        Event.FAIL: Status.FAILED,
    },
    Status.FINALIZING: {
        Event.COMPLETE: Status.COMPLETED,
        Event.CANCEL: Status.CANCELLED,
        Event.FAIL: Status.FAILED,
    },
}

TERMINAL: frozenset[Status] = frozenset(Status) - frozenset(TRANSITIONS)
NOT_STARTED: frozenset[Status] = frozenset({Status.CREATED, Status.PENDING})


def after(status: Status, event: Event) -> Status:
    """Return the state that an event leads to.

    Args:
        status: State of the run before.
        event: What happens to it.

    Raises:
        InvalidTransition: The table has no such step.
    """
    return step(TRANSITIONS, status, event, "A run that is")
