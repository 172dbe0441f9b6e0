"""Server-sent events: one streamed answer, read event by event, whatever transport carries it.

One connection only: when to connect again, and what an event means, is up to the caller. How lines become events is
the httpx-sse package's business (extra `events`), which is loaded with the first stream.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Protocol, Self

import anyio
import attrs

from eigenpal.engine.request import Operation
from eigenpal.engine.session import Session, Stream
from eigenpal.errors import EigenpalDecodeError, EigenpalTimeoutError, EigenpalUsageError

MEDIA_TYPE: Final = "text/event-stream"

_LINE: Final = re.compile("[^\r\n]*(?:\r\n|\n|\r)")  # by the standard: no other character ends a line


@attrs.frozen
class ServerEvent:
    """One event as the server sent it.

    Attributes:
        name: Kind of the event; `"message"` where the server named none.
        data: Its text.
        id: Where the stream is, to go on from; empty where the server does not say.
    """

    name: str
    data: str
    id: str = ""

    def json(self) -> Any:
        """Return the data as JSON.

        Raises:
            EigenpalDecodeError: It is none.
        """
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError):
            raise EigenpalDecodeError(
                f"the data of a {self.name!r} event is not valid JSON; it begins {self.data[:200]!r}"
            ) from None


class _Decoder(Protocol):
    def decode(self, line: str) -> Any: ...


class EventDecoder:
    """Bytes to events, in whatever pieces the bytes come.

    Args:
        most_characters: Longest text without a whole event in it that is kept.
    """

    def __init__(self, most_characters: int) -> None:
        self._events = _line_decoder()
        self._text = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._most = most_characters
        self._rest = ""
        self._size = 0

    def feed(self, data: bytes) -> Iterator[ServerEvent]:
        """Yield the events that are whole with these bytes.

        Raises:
            EigenpalDecodeError: An event is larger than any can be.
        """
        text = self._rest + self._text.decode(data)
        end = 0
        for match in _LINE.finditer(text):
            if match.end() == len(text) and match[0].endswith("\r"):
                break  # the first half of a line end, perhaps
            end = match.end()
            self._size += len(match[0])
            if (event := self._event(match[0].rstrip("\r\n"))) is not None:
                yield event
        self._rest = text[end:]
        if self._size + len(self._rest) > self._most:
            raise EigenpalDecodeError(f"an event of the stream is larger than {self._most} characters")

    def _event(self, line: str) -> ServerEvent | None:
        sent = self._events.decode(line)
        if not line or line.startswith(":"):
            self._size = 0
        # By the standard an event without data is none; a comment may look like one.
        if sent is None or not sent.data:
            return None
        return ServerEvent(sent.event, sent.data, sent.id)


class EventStream:
    """The events of one open answer. A class and no generator: one that is left half-way holds nothing."""

    def __init__(
        self, chunks: AsyncIterator[bytes], decoder: EventDecoder, idle_seconds: float | None, name: str
    ) -> None:
        self._chunks = chunks
        self._decoder = decoder
        self._idle_seconds = idle_seconds
        self._name = name
        self._ready: Iterator[ServerEvent] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerEvent:
        while True:
            for event in self._ready:
                return event
            self._ready = self._decoder.feed(await self._chunk())

    async def _chunk(self) -> bytes:
        with anyio.move_on_after(self._idle_seconds):
            return await anext(self._chunks)
        raise EigenpalTimeoutError(f"{self._name}: nothing came over the stream for {self._idle_seconds} s")


@asynccontextmanager
async def open_events(
    session: Session,
    operation: Operation[bytes],
    *path: str,
    query: Mapping[str, Any] | None = None,
    connect_seconds: float | None,
    idle_seconds: float | None,
    last_event_id: str = "",
) -> AsyncGenerator[EventStream]:
    """Open a stream of events, once: a failure is the caller's to try again.

    Args:
        session: What sends.
        operation: What to open.
        path: Values of the path, in order.
        query: Query arguments by their Python names.
        connect_seconds: Bound on everything up to the head of the answer; None for no bound.
        idle_seconds: Longest time without a byte, comments that keep the connection alive included; None for no bound.
        last_event_id: Where to go on; empty for the beginning.

    Raises:
        EigenpalTimeoutError: One of the two bounds.
        EigenpalConnectionError: The connection broke.
        EigenpalAPIError: The server refused.
        EigenpalDecodeError: The answer is no stream of events.
    """
    decoder = EventDecoder(session.options.max_response_bytes)  # also says at once when the extra is missing
    headers = {"Accept": MEDIA_TYPE, "Cache-Control": "no-store"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    # Each of the two bounds covers more than one step of the network, so none of the transport's own applies.
    patient = session.with_options(timeout_seconds=None, max_retries=0)
    async with AsyncExitStack() as stack:
        stream: Stream | None = None
        with anyio.move_on_after(connect_seconds):
            stream = await stack.enter_async_context(patient.stream(operation, *path, query=query, headers=headers))
        if stream is None:
            raise EigenpalTimeoutError(f"{operation.name}: the stream did not open within {connect_seconds} s")
        kind = stream.headers.get("content-type", "")
        if kind.partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise EigenpalDecodeError(
                f"{operation.name} answered {stream.status}, but no stream of events: its media type is {kind!r}",
                status=stream.status,
                headers=stream.headers,
            )
        yield EventStream(stream.chunks(), decoder, idle_seconds, operation.name)


def _line_decoder() -> _Decoder:
    try:
        from httpx_sse._decoders import SSEDecoder
    except ImportError:
        raise EigenpalUsageError('reading a stream of events needs httpx-sse: pip install "eigenpal[events]"') from None
    return SSEDecoder()
