"""The stream of a session as server-sent events: its state now, each change, and comments to stay alive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from eigenpal.sandbox.archastro.changes import Changes
from eigenpal.sandbox.archastro.states import SESSIONS
from eigenpal.sandbox.archastro.store import ArchAstroStore

MEDIA_TYPE: Final = "text/event-stream"


async def session_events(
    store: ArchAstroStore, changes: Changes, session_id: str, *, keepalive_seconds: float, most_seconds: float
) -> AsyncIterator[bytes]:
    """Yield the frames of one stream; it ends with the session, or when it lasted long enough."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + most_seconds
    with changes.followed(session_id) as notices:
        shown = store.session(session_id)
        if shown is None:
            return
        yield frame("session_update", shown)
        while shown["status"] in SESSIONS:
            if (left := ends - loop.time()) <= 0:
                yield frame("error", {"code": "stream_timeout", "message": "The stream lasted as long as it may."})
                return
            try:
                name, data = await asyncio.wait_for(notices.get(), min(keepalive_seconds, left))
            except TimeoutError:
                yield b": keepalive\n\n"
                continue
            if name == "session_update":
                if data == shown:  # it was told between our first look and now
                    continue
                shown = dict(data)
            yield frame(name, data)


def frame(name: str, data: Mapping[str, Any]) -> bytes:
    """Return one event as it goes over the wire."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
