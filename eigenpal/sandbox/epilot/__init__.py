"""epilot's AI agents, played by the sandbox: agents are Python functions, approvals really wait, state survives.

Registered with `sandbox.epilot.agent(...)`; exported here is what such functions are written with.
"""

from __future__ import annotations

from eigenpal.sandbox.epilot.context import AgentContext, ExecutionEnded, ExecutionFailed
from eigenpal.sandbox.epilot.emulator import EpilotEmulator

__all__ = ["AgentContext", "EpilotEmulator", "ExecutionEnded", "ExecutionFailed"]
