"""Who is told when a session changes: the streams that follow it. Publishing is safe from any thread."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

Notice: TypeAlias = tuple[str, Mapping[str, Any]]
"""Name of an event and its data."""


class Changes:
    """The streams of one server. Made in its loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queues: dict[str, set[asyncio.Queue[Notice]]] = {}

    def publish(self, session_id: str, name: str, data: Mapping[str, Any]) -> None:
        """Tell everyone who follows a session."""
        if session_id in self._queues:
            self._loop.call_soon_threadsafe(self._deliver, session_id, (name, data))

    @contextmanager
    def followed(self, session_id: str) -> Generator[asyncio.Queue[Notice]]:
        """Follow a session as long as the block lasts."""
        queue: asyncio.Queue[Notice] = asyncio.Queue()
        self._queues.setdefault(session_id, set()).add(queue)
        try:
            yield queue
        finally:
            self._queues[session_id].discard(queue)
            if not self._queues[session_id]:
                del self._queues[session_id]

    def _deliver(self, session_id: str, notice: Notice) -> None:
        for queue in self._queues.get(session_id, ()):
            queue.put_nowait(notice)
