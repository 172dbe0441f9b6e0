"""The lives of sessions and of routine runs as tables: what may happen in which state, and where it leads. No I/O.

    session:  pending ──start──> running ──complete──> completed       run:  pending ──start──> running ──> completed
                 │               │    ^  └──fail─────> failed                  └──────fail──────────┴─────> failed
                 │             pause resume
                 │               v    │
                 │              waiting   (also the first state of one that starts idle)
                 └────────cancel──────┴──cancel──> cancelled

Why each rule: a session pauses only while it works, and only a message takes it up again. One that was cancelled in the
middle of a turn has its end at once; the turn stops at its next safe point. `fail` before the start or while waiting
happens only when the server stops. Nothing cancels a run, and nothing here skips one. Terminal states have no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from eigenpal.sandbox.transitions import step


class Event(StrEnum):
    """What can happen to a session or a run."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"


Table = Mapping[str, Mapping[Event, str]]

SESSIONS: Table = {
    "pending": {Event.START: "running", Event.FAIL: "failed", Event.CANCEL: "cancelled"},
    "running": {
        Event.PAUSE: "waiting",
        Event.COMPLETE: "completed",
        Event.FAIL: "failed",
        Event.CANCEL: "cancelled",
    },
    "waiting": {Event.RESUME: "running", Event.FAIL: "failed", Event.CANCEL: "cancelled"},
}
RUNS: Table = {
    "pending": {Event.START: "running", Event.FAIL: "failed"},
    "running": {Event.COMPLETE: "completed", Event.FAIL: "failed"},
}
ROUTINES: Mapping[str, Mapping[str, str]] = {
    "activate": {"draft": "active", "paused": "active", "active": "active"},
    "pause": {"active": "paused", "paused": "paused", "draft": "paused"},
}


def after(table: Table, status: str, event: Event) -> str:
    """Return the state that an event leads to.

    Args:
        table: The life.
        status: State before.
        event: What happens.

    Raises:
        InvalidTransition: The table has no such step.
    """
    return step(table, status, event, "What is")
