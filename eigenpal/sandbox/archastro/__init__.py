"""ArchAstro in the sandbox: agent sessions and routines whose agents are Python functions, streams, keys and tokens.

Registered with `sandbox.archastro`; exported here is what such functions are written with.
"""

from __future__ import annotations

from eigenpal.sandbox.archastro.context import RoutineContext, SessionContext, SessionEnded, SessionFailed
from eigenpal.sandbox.archastro.emulator import ArchAstroEmulator

__all__ = ["ArchAstroEmulator", "RoutineContext", "SessionContext", "SessionEnded", "SessionFailed"]
