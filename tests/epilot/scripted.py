"""An epilot service that answers as a test says, and keeps what it was sent. No network, no pause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio.lowlevel
import httpx

from eigenpal.epilot import AsyncEpilotClient, EpilotClient
from tests.surface.scripted import Script

TOKEN = "token-that-must-not-show-4711"
EXECUTION: Mapping[str, Any] = {
    "execution_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "agent_id": "skill:sorter",
    "agent_name": "Sorter",
    "status": "running",
    "started_at": "2026-01-01T00:00:00.000Z",
}
ID = str(EXECUTION["execution_id"])
DONE: Mapping[str, Any] = {**EXECUTION, "status": "completed", "result": {"response": "sorted"}}


def asking(tool: str, execution_id: str = ID, **input: Any) -> dict[str, Any]:
    """Return an execution that asks to call a tool."""
    action = {"tool": tool, "input": input, "description": f"Call {tool}"}
    return {**EXECUTION, "execution_id": execution_id, "status": "waiting_approval", "pending_action": action}


def page(*executions: Mapping[str, Any], next_cursor: str | None = None) -> dict[str, Any]:
    """Return one page of executions."""
    return {"executions": list(executions), "next_cursor": next_cursor}


def refusal(status: int, message: str = "", **headers: str) -> httpx.Response:
    """Return an error answer."""
    return httpx.Response(status, json={"error": "Refused", "message": message}, headers=headers)


def scripted(*answers: Any, **options: Any) -> tuple[AsyncEpilotClient, Script]:
    """Return an async client that never sleeps, and the script that answers it."""
    script = Script(list(answers))
    client = AsyncEpilotClient(TOKEN, transport=httpx.MockTransport(script), **options)
    client._session.policy.sleep = _turn
    return client, script


def blocking(*answers: Any, **options: Any) -> tuple[EpilotClient, Script]:
    """Return a blocking client that never sleeps, and the script that answers it."""
    script = Script(list(answers))
    client = EpilotClient(TOKEN, transport=httpx.MockTransport(script), **options)
    client._async._session.policy.sleep = _turn
    return client, script


async def _turn(_seconds: float) -> None:
    await anyio.lowlevel.checkpoint()
