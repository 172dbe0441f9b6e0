# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""ArchAstro: agent sessions, which are durable tasks and conversations, and agent routines with their runs.

    from eigenpal.archastro import ArchAstroClient        # blocking, the same methods

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eigenpal.archastro.batch_inputs import RoutineRequest, RoutineRunOutcome, SessionOutcome, SessionRequest
    from eigenpal.archastro.events import OtherEvent, SessionEvent, SessionProgress, SessionUpdate
    from eigenpal.archastro.models.access import Acl, AclGrant, AclPrincipalType, AclRemoveTarget
    from eigenpal.archastro.models.routine_runs import (
        AgentRoutineRun,
        AgentRoutineRunDelivery,
        AgentRoutineRunsPage,
        AgentRoutineRunStatus,
        DeliveryStatus,
        DeliveryType,
        InvokeDelivery,
        WorkerState,
        WorkerStatus,
    )
    from eigenpal.archastro.models.routines import (
        AgentRoutine,
        AgentRoutines,
        AgentRoutineStatus,
        EventRule,
        HandlerType,
        LLMConfig,
        MessagePolicy,
        MessageVisibility,
        OnStepError,
        PresetConfig,
        RoutinePreset,
        RoutineStep,
        SessionMode,
        SessionScope,
        StepHandlerType,
        TriggerContext,
    )
    from eigenpal.archastro.models.sessions import (
        AgentSession,
        AgentSessionEvent,
        AgentSessionInboxMessage,
        AgentSessionsPage,
        AgentSessionStatus,
    )
    from eigenpal.archastro.resources.conversation import Reply
    from eigenpal.archastro.tokens import RefreshingToken
    from eigenpal.engine.credentials import TokenProvider
    from eigenpal_sync.archastro.client import ArchAstroClient
    from eigenpal_sync.archastro.resources.conversation import Conversation

_MODULES = {
    "eigenpal.archastro.batch_inputs": """
        RoutineRequest RoutineRunOutcome SessionOutcome SessionRequest""",
    "eigenpal.archastro.events": "OtherEvent SessionEvent SessionProgress SessionUpdate",
    "eigenpal.archastro.models.access": "Acl AclGrant AclPrincipalType AclRemoveTarget",
    "eigenpal.archastro.models.routine_runs": """
        AgentRoutineRun AgentRoutineRunDelivery AgentRoutineRunStatus AgentRoutineRunsPage DeliveryStatus DeliveryType
        InvokeDelivery WorkerState WorkerStatus""",
    "eigenpal.archastro.models.routines": """
        AgentRoutine AgentRoutineStatus AgentRoutines EventRule HandlerType LLMConfig MessagePolicy MessageVisibility
        OnStepError PresetConfig RoutinePreset RoutineStep SessionMode SessionScope StepHandlerType TriggerContext""",
    "eigenpal.archastro.models.sessions": """
        AgentSession AgentSessionEvent AgentSessionInboxMessage AgentSessionStatus AgentSessionsPage""",
    "eigenpal.archastro.resources.conversation": "Reply",
    "eigenpal.archastro.tokens": "RefreshingToken",
    "eigenpal.engine.credentials": "TokenProvider",
    "eigenpal_sync.archastro.client": "ArchAstroClient",
    "eigenpal_sync.archastro.resources.conversation": "Conversation",
}

__all__ = [
    "Acl",
    "AclGrant",
    "AclPrincipalType",
    "AclRemoveTarget",
    "AgentRoutine",
    "AgentRoutineRun",
    "AgentRoutineRunDelivery",
    "AgentRoutineRunStatus",
    "AgentRoutineRunsPage",
    "AgentRoutineStatus",
    "AgentRoutines",
    "AgentSession",
    "AgentSessionEvent",
    "AgentSessionInboxMessage",
    "AgentSessionStatus",
    "AgentSessionsPage",
    "ArchAstroClient",
    "Conversation",
    "DeliveryStatus",
    "DeliveryType",
    "EventRule",
    "HandlerType",
    "InvokeDelivery",
    "LLMConfig",
    "MessagePolicy",
    "MessageVisibility",
    "OnStepError",
    "OtherEvent",
    "PresetConfig",
    "RefreshingToken",
    "Reply",
    "RoutinePreset",
    "RoutineRequest",
    "RoutineRunOutcome",
    "RoutineStep",
    "SessionEvent",
    "SessionMode",
    "SessionOutcome",
    "SessionProgress",
    "SessionRequest",
    "SessionScope",
    "SessionUpdate",
    "StepHandlerType",
    "TokenProvider",
    "TriggerContext",
    "WorkerState",
    "WorkerStatus",
]

_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if (module := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return __all__
