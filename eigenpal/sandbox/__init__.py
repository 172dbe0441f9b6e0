"""A local server that speaks the API: `with Sandbox() as sandbox: ...`. Needs the extra `eigenpal[sandbox]`.

Runs really execute, files are really stored, statuses really move; nothing leaves the machine.
"""

from __future__ import annotations

from importlib.util import find_spec as _find_spec

# Looked for, not imported: most of them are imported late, by what needs them.
if _missing := [
    package
    for package in ("cryptography", "jinja2", "pypdf", "python_multipart", "starlette", "uvicorn")
    if _find_spec(package) is None
]:
    raise ImportError(
        f'eigenpal.sandbox needs the package {_missing[0]}; install it with: pip install "eigenpal[sandbox]"',
        name=_missing[0],
    )

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

del _find_spec, _missing
