"""A download server in memory: ranges and validators as RFC 9110 has them, and faults where a test wants them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from eigenpal.errors import EigenpalAPIError, EigenpalConnectionError, EigenpalError

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Stream:
    """An open answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: int | None
    error: EigenpalError | BaseException
    chunk_bytes: int

    async def chunks(self) -> AsyncIterator[bytes]:
        end = len(self.body) if self.cut is None else min(self.cut, len(self.body))
        for start in range(0, end, self.chunk_bytes):
            await anyio.lowlevel.checkpoint()
            yield self.body[start : min(end, start + self.chunk_bytes)]
        if self.cut is not None:
            raise self.error


@dataclass
class Server:
    """Serves one resource.

    Attributes:
        cuts: For each request in turn, after how many bytes of its body the connection breaks; None is not at all.
        answers: Changes an honest answer into another, given the number of the request.
        before: Called with the number of each request before it is answered; may raise.
    """

    content: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"etag": '"v1"'})
    cuts: list[int | None] = field(default_factory=list)
    answers: Callable[[int, Answer], Answer] = lambda _number, answer: answer
    before: Callable[[int], Any] = lambda _number: None
    error: Callable[[], EigenpalError | BaseException] = lambda: EigenpalConnectionError("broken")
    chunk_bytes: int = 7
    requests: list[Mapping[str, str]] = field(default_factory=list)
    opened: int = 0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        assert not self.opened, "slept with a connection in hand"
        self.slept.append(seconds)

    @asynccontextmanager
    async def open(self, headers: Mapping[str, str]) -> AsyncIterator[Stream]:
        number = len(self.requests)
        self.requests.append(dict(headers))
        await anyio.lowlevel.checkpoint()
        self.before(number)
        status, head, body = self.answers(number, self._honest(headers))
        if status >= 300:
            raise EigenpalAPIError(f"answered {status}", status=status)
        cut = self.cuts[number] if number < len(self.cuts) else None
        self.opened += 1
        try:
            yield Stream(status, head, body, cut, self.error(), self.chunk_bytes)
        finally:
            self.opened -= 1

    def _honest(self, headers: Mapping[str, str]) -> Answer:
        wanted = re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))
        current = {self.headers.get("etag"), self.headers.get("last-modified")} - {None}
        size = len(self.content)
        if wanted is None or headers.get("If-Range") not in current:
            return 200, {"content-length": str(size), **self.headers}, self.content
        first = int(wanted[1])
        if first >= size:
            return 416, {"content-range": f"bytes */{size}"}, b""
        head = {"content-range": f"bytes {first}-{size - 1}/{size}", "content-length": str(size - first)}
        return 206, {**head, **self.headers}, self.content[first:]
