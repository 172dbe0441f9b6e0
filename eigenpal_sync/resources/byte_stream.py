# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""A download that is open: its head is known, its body comes piece by piece."""

from __future__ import annotations

from eigenpal.resources.byte_stream import AsyncByteStream
from eigenpal_sync._portal import BlockingIterator
from eigenpal_sync._twin import Twin


class ByteStream(Twin[AsyncByteStream]):
    """An open download, to be read once: `for chunk in download.chunks()`."""

    @property
    def content_type(self) -> str | None:
        """Media type that the server gave it."""
        return self._async.content_type

    @property
    def size(self) -> int | None:
        """Bytes in all, None when the server did not say."""
        return self._async.size

    def chunks(self) -> BlockingIterator[bytes]:
        """Iterate over the bytes as they arrive, in pieces of any size.

        Raises:
            EigenpalConnectionError: The connection broke before the end.
        """
        return self._portal.iterate(self._async.chunks)
