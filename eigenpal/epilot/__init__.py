"""epilot's AI agents: agents, their executions, and the approvals that executions wait for.

    from eigenpal.epilot import AsyncEpilotClient   # await
    from eigenpal.epilot import EpilotClient        # blocking, the same methods

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eigenpal.engine.credentials import TokenProvider
    from eigenpal.epilot.approvals import ApprovalRequest, Approve, Decision, Reject
    from eigenpal.epilot.batch_inputs import ExecutionOutcome, ExecutionRequest
    from eigenpal.epilot.client import AsyncEpilotClient
    from eigenpal.epilot.inbox import AsyncPendingApproval
    from eigenpal.epilot.models.agents import (
        Agent,
        AgentSource,
        AgentsPage,
        ExecutionMode,
        ExecutionPattern,
        ModelConfig,
        SkillAvailability,
        SkillCategory,
        ToolCategory,
        ToolDefinition,
    )
    from eigenpal.epilot.models.events import (
        AgentExecutionEvent,
        AgentExecutionEventStatus,
        EventError,
        EventToolCall,
        ExecutionFeedback,
        FeedbackRating,
        StreamError,
        StreamEvent,
        StreamEventType,
    )
    from eigenpal.epilot.models.executions import (
        Execution,
        ExecutionContext,
        ExecutionError,
        ExecutionErrorCode,
        ExecutionInput,
        ExecutionMetrics,
        ExecutionResult,
        ExecutionsPage,
        ExecutionStatus,
        ExecutionStep,
        ExecutionTrace,
        FlowEntity,
        IterationStatus,
        ResultStatus,
        TraceAction,
        TraceIteration,
    )
    from eigenpal.epilot.models.parameters import InputParameter, InputParameters, ParameterType
    from eigenpal.epilot.models.previews import (
        BadgeColor,
        PendingAction,
        PreviewAction,
        PreviewActionType,
        PreviewChange,
        PreviewEntity,
        PreviewValue,
        PreviewValueType,
        ToolPreview,
    )
    from eigenpal_sync.epilot.client import EpilotClient
    from eigenpal_sync.epilot.inbox import PendingApproval

_MODULES = {
    "eigenpal.engine.credentials": "TokenProvider",
    "eigenpal.epilot.approvals": "ApprovalRequest Approve Decision Reject",
    "eigenpal.epilot.batch_inputs": "ExecutionOutcome ExecutionRequest",
    "eigenpal.epilot.client": "AsyncEpilotClient",
    "eigenpal.epilot.inbox": "AsyncPendingApproval",
    "eigenpal.epilot.models.agents": """
        Agent AgentSource AgentsPage ExecutionMode ExecutionPattern ModelConfig SkillAvailability SkillCategory
        ToolCategory ToolDefinition""",
    "eigenpal.epilot.models.events": """
        AgentExecutionEvent AgentExecutionEventStatus EventError EventToolCall ExecutionFeedback FeedbackRating
        StreamError StreamEvent StreamEventType""",
    "eigenpal.epilot.models.executions": """
        Execution ExecutionContext ExecutionError ExecutionErrorCode ExecutionInput ExecutionMetrics ExecutionResult
        ExecutionStatus ExecutionStep ExecutionTrace ExecutionsPage FlowEntity IterationStatus ResultStatus
        TraceAction TraceIteration""",
    "eigenpal.epilot.models.parameters": "InputParameter InputParameters ParameterType",
    "eigenpal.epilot.models.previews": """
        BadgeColor PendingAction PreviewAction PreviewActionType PreviewChange PreviewEntity PreviewValue
        PreviewValueType ToolPreview""",
    "eigenpal_sync.epilot.client": "EpilotClient",
    "eigenpal_sync.epilot.inbox": "PendingApproval",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "Agent",
    "AgentExecutionEvent",
    "AgentExecutionEventStatus",
    "AgentSource",
    "AgentsPage",
    "ApprovalRequest",
    "Approve",
    "AsyncEpilotClient",
    "AsyncPendingApproval",
    "BadgeColor",
    "Decision",
    "EpilotClient",
    "EventError",
    "EventToolCall",
    "Execution",
    "ExecutionContext",
    "ExecutionError",
    "ExecutionErrorCode",
    "ExecutionFeedback",
    "ExecutionInput",
    "ExecutionMetrics",
    "ExecutionMode",
    "ExecutionOutcome",
    "ExecutionPattern",
    "ExecutionRequest",
    "ExecutionResult",
    "ExecutionStatus",
    "ExecutionStep",
    "ExecutionTrace",
    "ExecutionsPage",
    "FeedbackRating",
    "FlowEntity",
    "InputParameter",
    "InputParameters",
    "IterationStatus",
    "ModelConfig",
    "ParameterType",
    "PendingAction",
    "PendingApproval",
    "PreviewAction",
    "PreviewActionType",
    "PreviewChange",
    "PreviewEntity",
    "PreviewValue",
    "PreviewValueType",
    "Reject",
    "ResultStatus",
    "SkillAvailability",
    "SkillCategory",
    "StreamError",
    "StreamEvent",
    "StreamEventType",
    "TokenProvider",
    "ToolCategory",
    "ToolDefinition",
    "ToolPreview",
    "TraceAction",
    "TraceIteration",
]


def __getattr__(name: str) -> Any:
    if (module := _HOMES.get(name)) is None:
        raise AttributeError(f"module 'eigenpal.epilot' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return __all__
