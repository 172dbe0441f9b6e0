"""A local server that speaks the API: `with Sandbox() as sandbox: ...`. Needs the extra `eigenpal[sandbox]`.

Runs really execute, files are really stored, statuses really move; nothing leaves the machine.
"""

from __future__ import annotations

try:
    import cryptography as _cryptography
    import jinja2 as _jinja2
    import pypdf as _pypdf
    import python_multipart as _python_multipart
    import starlette as _starlette
    import uvicorn as _uvicorn
except ImportError as _missing:
    raise ImportError(
        f'eigenpal.sandbox needs the package {_missing.name}; install it with: pip install "eigenpal[sandbox]"',
        name=_missing.name,
    ) from _missing

from eigenpal.sandbox.clock import Clock, ManualClock
from eigenpal.sandbox.context import InputFile, RunCancelled, RunContext, RunFailed, Step
from eigenpal.sandbox.faults import Fault, Faults
from eigenpal.sandbox.loading import LoadedFiles, WorkflowFileError, agent, workflow
from eigenpal.sandbox.recording import RecordedRequest, Recorder
from eigenpal.sandbox.sandbox import Sandbox
from eigenpal.sandbox.stubs import Stub

__all__ = [
    "Clock",
    "Fault",
    "Faults",
    "InputFile",
    "LoadedFiles",
    "ManualClock",
    "RecordedRequest",
    "Recorder",
    "RunCancelled",
    "RunContext",
    "RunFailed",
    "Sandbox",
    "Step",
    "Stub",
    "WorkflowFileError",
    "agent",
    "workflow",
]

del _cryptography, _jinja2, _pypdf, _python_multipart, _starlette, _uvicorn
