"""A transport that sends what is written in one turn of the loop as one piece: head and body of an answer together.

A system call for each costs more than all the rest of a poll. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from typing import Any

MAX_GATHERED_BYTES = 64 * 1024  # larger pieces go out at once, so that the flow control of the transport keeps working


class GatheringTransport:
    """Stands in for a transport; whatever isn't named here is done by that one.

    Args:
        transport: The transport of the connection.
        loop: The running loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send bytes at the end of this turn of the loop, or now when there are many."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MAX_GATHERED_BYTES:
            self._flush()

    def close(self) -> None:
        """Send what is left and close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what is left is lost."""
        self._pieces.clear()
        self._transport.abort()

    def _flush(self) -> None:
        if self._pieces and not self._transport.is_closing():
            self._transport.write(b"".join(self._pieces))
        self._pieces.clear()
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
