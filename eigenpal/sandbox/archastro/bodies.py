"""What the bodies of requests may have: read member by member, each with its type and the rules between members.

A wrong one raises the problem that names it; the API answers those of a body with 422. Unknown members are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from eigenpal.archastro.models.access import AclPrincipalType
from eigenpal.archastro.models.routine_runs import DeliveryType
from eigenpal.archastro.models.routines import (
    HandlerType,
    MessageVisibility,
    OnStepError,
    SessionMode,
    SessionScope,
    StepHandlerType,
    TriggerContext,
)
from eigenpal.sandbox.members import MAX_TEXT, Members
from eigenpal.sandbox.problems import Problem, invalid

LONGEST_INSTRUCTIONS: Final = 10_000  # of a preset, by the API description
LONGEST_TEXT: Final = 200_000  # of instructions, messages and scripts: far above any real one

BODY_FIELD: Final[Mapping[str, str]] = {"workflow_graph": "config", "script": "script", "preset": "preset_name"}
"""Handler type to the member that says what it does."""

Reader = Callable[[Members, str], Any]


def new_session(body: Members) -> dict[str, Any]:
    """Read the body of agent_sessions.create."""
    members: dict[str, Any] = {
        "agent": body.required_text("agent"),
        "instructions": body.required_text("instructions", limit=LONGEST_TEXT),
    }
    for name in ("max_runs_per_turn", "max_tokens", "max_turns"):
        members[name] = _positive(body, name)
    for name in ("name", "team", "thread", "user"):
        members[name] = body.text(name)
    return members | {"metadata": body.free_object("metadata"), "start_idle": body.flag("start_idle")}


def message(body: Members) -> dict[str, Any]:
    """Read the body of agent_sessions.message."""
    return {
        "content": body.required_text("content", limit=LONGEST_TEXT),
        "role": body.text("role") or "user",
        "metadata": body.free_object("metadata"),
    }


def invocation(body: Members) -> dict[str, Any]:
    """Read the body of agent_routines.invoke, without members that were not sent."""
    members: dict[str, Any] = {"message": body.required_text("message", limit=LONGEST_TEXT)}
    for name in ("idempotency_key", "session_key", "thread_id", "user"):
        members[name] = body.text(name)
    members |= {"metadata": body.free_object("metadata"), "participants": _texts(body, "participants")}
    if "delivery" in body:
        inner = body.inner("delivery")
        delivery = {
            "type": _required_word(inner, "type", DeliveryType),
            "thread": inner.text("thread"),
            "message": inner.text("message"),
        }
        needed = {"thread": "thread", "reply": "message"}.get(str(delivery["type"]))
        if needed is not None and delivery[needed] is None:
            raise invalid(inner.path(needed), f"Delivery of type {delivery['type']} needs it.")
        members["delivery"] = delivery
    return {name: value for name, value in members.items() if value is not None}


def changed_routine(body: Members) -> dict[str, Any]:
    """Read the body of agent_routines.update, without members that were not sent."""
    return {name: read(body, name) for name, read in _ROUTINE.items() if name in body}


def changed_access(now: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an access list after a change; an empty one restricts nobody."""
    if "grants" in wanted:
        grants: list[Any] = wanted["grants"]
    else:
        gone = [(one["principal_type"], one.get("principal")) for one in wanted.get("remove", ())]
        kept: list[Any] = [] if now is None else now["grants"]
        grants = [one for one in kept if (one["principal_type"], one.get("principal")) not in gone]
        grants += wanted.get("add", [])
    return {"grants": grants} if grants else None


def check_handler(routine: Mapping[str, Any], what: str = "routine") -> None:
    """Refuse a routine that does not have what its handler type needs.

    Raises:
        Problem: 422, it has not.
    """
    kind: str = routine["handler_type"]
    field = "steps" if kind == "chain" else BODY_FIELD[kind]
    if not routine.get(field):
        raise Problem(422, f"The {what} has the handler type {kind} and no {field}.", field=f"body.{field}")


def _access(body: Members, name: str) -> dict[str, Any]:
    inner = body.inner(name)
    lists = [known for known in ("grants", "add", "remove") if known in inner]
    if "grants" in lists and len(lists) > 1:
        raise invalid(inner.path("grants"), "Give either grants, or add and remove.")
    return {known: [_grant(one, with_actions=known != "remove") for one in inner.objects(known)] for known in lists}


def _grant(one: Members, *, with_actions: bool) -> dict[str, Any]:
    grant: dict[str, Any] = {
        "principal_type": _required_word(one, "principal_type", AclPrincipalType),
        "principal": one.text_or_null("principal"),
    }
    if with_actions:
        actions = one.items("actions")
        if not actions or not all(isinstance(action, str) for action in actions):
            raise invalid(one.path("actions"), "At least one action is required here.", code="required")
        grant["actions"] = actions
    return grant


def _preset_config(body: Members, name: str) -> dict[str, Any]:
    inner = body.inner(name)
    config: dict[str, Any] = {}
    if inner.text_or_null("instructions") is not None:
        config["instructions"] = inner.text("instructions", limit=LONGEST_INSTRUCTIONS)
    words: Mapping[str, type[StrEnum]] = {"session_mode": SessionMode, "session_scope": SessionScope}
    for member, kind in words.items():
        if inner.text_or_null(member) is not None:
            config[member] = _required_word(inner, member, kind)
    if inner.any_json("llm") is not None:
        config["llm"] = {"model": inner.inner("llm").text_or_null("model")}
    if inner.any_json("structured_message_template_ids") is not None:
        config["structured_message_template_ids"] = _text_list(inner, "structured_message_template_ids")
    return config


def _steps(body: Members, name: str) -> list[dict[str, Any]]:
    return [_step(step) for step in body.objects(name)]


def _step(step: Members) -> dict[str, Any]:
    found: dict[str, Any] = {"handler_type": _required_word(step, "handler_type", StepHandlerType)}
    for member in ("name", "config", "script", "preset_name", "output_key"):
        if member in step:
            found[member] = step.text(member, limit=LONGEST_TEXT)
    if len([member for member in ("preset_name", "script", "config") if found.get(member)]) != 1:
        raise invalid(step.path("handler_type"), "A step has exactly one of preset_name, script and config.")
    if "preset_config" in step:
        found["preset_config"] = _preset_config(step, "preset_config")
    if "inputs" in step:
        found["inputs"] = step.free_object("inputs")
    if "on_error" in step:
        found["on_error"] = _required_word(step, "on_error", OnStepError)
    return found


def _event_config(body: Members, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    events = body.free_object(name) or {}
    inner = Members(events, body.path(name))
    for event in events:
        rule = inner.inner(event)
        found[event] = {}
        if "filters" in rule:
            found[event]["filters"] = rule.free_object("filters")
        if "dedupe_key_path" in rule:
            found[event]["dedupe_key_path"] = rule.text("dedupe_key_path")
    return found


def _message_policy(body: Members, name: str) -> dict[str, Any]:
    inner = body.inner(name)
    policy: dict[str, Any] = {"visibility": None, "recipients": None}
    if inner.text_or_null("visibility") is not None:
        policy["visibility"] = _required_word(inner, "visibility", MessageVisibility)
    if inner.any_json("recipients") is not None:
        policy["recipients"] = _text_list(inner, "recipients")
    if policy["visibility"] == MessageVisibility.PRIVATE and not policy["recipients"]:
        raise invalid(inner.path("recipients"), "Private messages need recipients.", code="required")
    return policy


def _schedule(body: Members, name: str) -> str | None:
    text = body.text(name) or ""
    fields = text.split()
    if len(fields) != 5:
        raise invalid(body.path(name), "A cron expression has five fields.")
    if not fields[0].isdecimal():
        raise invalid(body.path(name), "A schedule may fire once an hour at most: give one minute.")
    return text


def _required_word(members: Members, name: str, kind: type[StrEnum]) -> str:
    members.required_text(name)
    word = members.choice(name, [member.value for member in kind])
    assert word is not None, "required above"
    return word


def _text_list(members: Members, name: str) -> list[str]:
    found = members.items(name) or []
    if not all(isinstance(text, str) for text in found):
        raise invalid(members.path(name), "This must be a list of texts.")
    return found


def _texts(members: Members, name: str) -> dict[str, str] | None:
    found = members.free_object(name)
    if found is not None and not all(isinstance(text, str) for text in found.values()):
        raise invalid(members.path(name), "Every value must be a text.")
    return found


def _positive(members: Members, name: str) -> int | None:
    value = members.any_json(name) if name in members else None
    if value is None and name not in members:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**53:
        raise invalid(members.path(name), "This must be a whole number above 0.")
    return value


def _text(members: Members, name: str) -> str | None:
    return members.text(name, limit=LONGEST_TEXT if name == "script" else MAX_TEXT)


def _word(kind: type[StrEnum]) -> Reader:
    return lambda members, name: _required_word(members, name, kind)


_ROUTINE: Mapping[str, Reader] = {
    **dict.fromkeys(
        ("name", "description", "lookup_key", "config", "script", "preset_name", "event_type", "template"), _text
    ),
    "handler_type": _word(HandlerType),
    "trigger_context": _word(TriggerContext),
    "preset_config": _preset_config,
    "steps": _steps,
    "event_config": _event_config,
    "schedule": _schedule,
    "acl": _access,
    "metadata": lambda members, name: members.free_object(name),
    "message_policy": _message_policy,
    "user": lambda members, name: members.text_or_null(name) or None,
}
