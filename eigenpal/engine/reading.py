"""Reading a body off the wire: decompressed piece by piece, bounded, and every failure a typed one."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Self

from eigenpal.engine.response import Inflater
from eigenpal.engine.transport.port import Response, TransportFailure
from eigenpal.errors import EigenpalError


class BodyReader:
    """The decoded pieces of one response body.

    A class and not an async generator: one that is left half-way holds nothing open and needs no event loop to drop.
    """

    def __init__(
        self,
        response: Response,
        *,
        unanswered: Callable[[TransportFailure], EigenpalError],
        undecodable: Callable[[str], EigenpalError],
    ) -> None:
        self._raw = response.raw_chunks()
        self._unanswered = unanswered
        self._undecodable = undecodable
        self._ready: Iterator[bytes] = iter(())
        self._encoding = response.headers.get("content-encoding")
        self._inflater: Inflater | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await (self._inflated() if self._encoding else anext(self._raw))
        except (TransportFailure, zlib.error, ValueError) as problem:
            raise self._typed(problem) from None

    def _typed(self, problem: Exception) -> EigenpalError:
        if isinstance(problem, TransportFailure):
            return self._unanswered(problem)
        return self._undecodable(f"its body can't be decompressed: {problem}")

    async def _inflated(self) -> bytes:
        if self._inflater is None:
            self._inflater = Inflater(self._encoding)
        while True:
            for piece in self._ready:
                return piece
            try:
                self._ready = self._inflater.feed(await anext(self._raw))
            except StopAsyncIteration:
                if not self._inflater.complete:
                    raise TransportFailure("broken", sent=True, detail="the compressed body ended early") from None
                raise

    async def read(self, limit: int) -> bytes:
        """Return the whole body, or the typed error when it is larger than `limit` bytes once decoded."""
        size = 0
        pieces: list[bytes] = []
        try:
            async for piece in self if self._encoding else self._raw:
                size += len(piece)
                if size > limit:
                    raise self._undecodable(
                        f"its body is larger than {limit} bytes, which no answer of this API needs; "
                        "it was not read further"
                    )
                pieces.append(piece)
        except TransportFailure as failure:
            raise self._unanswered(failure) from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
