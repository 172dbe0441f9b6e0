"""A download that is open: its head is known, its body comes piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator

from eigenpal.engine.downloads import ByteStream as OpenedStream


class AsyncByteStream:
    """An open download, to be read once: `async for chunk in download.chunks()`."""

    def __init__(self, opened: OpenedStream) -> None:
        self._opened = opened

    @property
    def content_type(self) -> str | None:
        """Media type that the server gave it."""
        return self._opened.headers.get("content-type")

    @property
    def size(self) -> int | None:
        """Bytes in all, None when the server did not say."""
        length = self._opened.headers.get("content-length", "")
        return int(length) if length.isdecimal() else None

    def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the bytes as they arrive, in pieces of any size.

        Raises:
            EigenpalConnectionError: The connection broke before the end.
        """
        return self._opened.chunks()
