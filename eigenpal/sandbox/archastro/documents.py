"""What new sessions, routines and runs look like before anything happens to them; and the presets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from eigenpal.sandbox.archastro.store import Document
from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.ids import derived_id

LIMITS: Final[Mapping[str, int]] = {"max_runs_per_turn": 25, "max_tokens": 20_000, "max_turns": 100}
INVOKED: Final = "agentroutine.invoked"
MOST_ATTEMPTS: Final = 3  # of the worker of a run, as the service shows it; the sandbox needs one

PRESETS: Final[Sequence[Mapping[str, Any]]] = (
    {
        "name": "do_task",
        "label": "Do a task",
        "description": "Runs one task with the agent.",
        "applicable_events": ["*"],
        "sessionable": False,
        "unique": False,
        "chainable": True,
    },
    {
        "name": "send_message",
        "label": "Send a message",
        "description": "Has the agent write a message.",
        "applicable_events": ["*"],
        "sessionable": False,
        "unique": False,
        "chainable": True,
    },
    {
        "name": "participate",
        "label": "Participate",
        "description": "Has the agent take part in a conversation.",
        "applicable_events": ["thread.session.join"],
        "sessionable": True,
        "unique": True,
        "chainable": False,
    },
)


def new_session(session_id: str, members: Mapping[str, Any], now: int, *, is_system: bool = False) -> Document:
    """Return a new session as the API shows it."""
    return {
        "id": session_id,
        "agent": members["agent"],
        "name": members.get("name"),
        "instructions": members["instructions"],
        "status": "waiting" if members.get("start_idle") else "pending",
        "result": None,
        "error": None,
        "inbox": [],
        "trajectory": None,
        "metadata": members.get("metadata") or {},
        **{name: members.get(name) or default for name, default in LIMITS.items()},
        "is_system_session": is_system,
        "created_at": timestamp(now),
        "started_at": None,
        "completed_at": None,
    }


def new_routine(routine_id: str, tenant: str, members: Mapping[str, Any], now: int) -> Document:
    """Return a new routine as the API shows it."""
    empty = dict.fromkeys(
        "agent name description lookup_key config script preset_name preset_config steps event_type event_config "
        "schedule acl last_applied_template_config message_policy user".split()
    )
    return {
        "id": routine_id,
        "app": derived_id("dap", tenant),
        **empty,
        "status": "draft",
        "handler_type": "preset",
        "trigger_context": "event",
        "metadata": {},
        **members,
        "created_at": timestamp(now),
        "updated_at": timestamp(now),
    }


def new_run(run_id: str, routine: Document, members: Mapping[str, Any], now: int) -> Document:
    """Return a new run as the API shows it."""
    delivery: Mapping[str, Any] = members.get("delivery") or {"type": "none"}
    return {
        "id": run_id,
        "routine": routine["id"],
        "agent": routine["agent"],
        "app": routine["app"],
        "status": "pending",
        "payload": {name: members[name] for name in ("message", "session_key", "thread_id", "user") if name in members},
        "result": None,
        "structured_response": None,
        "duration_ms": None,
        "event_id": None,
        "metadata": members.get("metadata") or {},
        "acl": None,
        "worker": worker_status("queued", 0),
        "delivery": {
            "type": delivery["type"],
            "status": "not_requested" if delivery["type"] == "none" else "pending",
            "thread": delivery.get("thread"),
            "message": delivery.get("message"),
            "delivered_at": None,
            "delivered_message": None,
            "last_error": None,
        },
        "participants": members.get("participants") or {},
        "created_at": timestamp(now),
        "updated_at": timestamp(now),
    }


def worker_status(status: str, attempt: int) -> dict[str, Any]:
    """Return the worker of a run as the API shows it."""
    return {"status": status, "attempt": attempt, "max_attempts": MOST_ATTEMPTS}
