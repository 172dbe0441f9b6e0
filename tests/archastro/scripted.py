"""An ArchAstro service that answers as a test says, and keeps what it was sent. No network, no pause."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anyio.lowlevel
import httpx

from eigenpal.archastro import AsyncArchAstroClient
from tests.surface.scripted import Script

KEY = "sk_key-that-must-not-show-4711"
SESSION: Mapping[str, Any] = {"id": "ase_1", "status": "running", "inbox": []}


def session(status: str, **members: Any) -> dict[str, Any]:
    """Return a session in a status."""
    return {**SESSION, "status": status, **members}


def events(*sent: Mapping[str, Any] | str, then: str = "") -> httpx.Response:
    """Return a whole stream: sessions as updates, anything else as it goes over the wire."""
    frames = [one if isinstance(one, str) else f"event: session_update\ndata: {json.dumps(one)}\n\n" for one in sent]
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content="".join([*frames, then]))


def refusal(status: int, **headers: str) -> httpx.Response:
    """Return an error answer."""
    return httpx.Response(status, json={"error": {"code": "refused"}}, headers=headers)


def scripted(*answers: Any, **options: Any) -> tuple[AsyncArchAstroClient, Script]:
    """Return an async client that never sleeps, and the script that answers it."""
    script = Script(list(answers))
    client = AsyncArchAstroClient(KEY, transport=httpx.MockTransport(script), **options)
    client._session.policy.sleep = _turn
    return client, script


async def _turn(_seconds: float) -> None:
    await anyio.lowlevel.checkpoint()
