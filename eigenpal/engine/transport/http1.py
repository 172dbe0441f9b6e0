"""One HTTP/1.1 exchange after the other on one wire, with h11, the parser under httpx.

Whoever uses this owns the connection alone from sending until the answer is closed. Nothing here connects.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

import h11

from eigenpal.engine.transport.dialing import BrokenWire, Wire
from eigenpal.engine.transport.framing import content_length, counted_chunks, response_headers
from eigenpal.engine.transport.port import Body, Request, TransportFailure

MOST_HEADER_BYTES = 100 * 1024  # a server that sends more than this before the body is not one to trust
JOINED_BYTES = 64 * 1024  # a body up to this goes out in one write with the head
PIECE_BYTES = 256 * 1024  # larger ones are cut, so that each write has its own timeout and others get their turn


class Http1:
    """The HTTP side of a connection."""

    __slots__ = ("_at_end", "_talk", "_timeout", "_wire")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADER_BYTES)
        self._timeout: float | None = None
        self._at_end = False

    async def send(self, request: Request, target: str, headers: list[tuple[bytes, bytes]]) -> h11.Response:
        """Send a request and return the head of the answer.

        Args:
            request: What to send.
            target: What stands in the request line.
            headers: All headers but those of framing.

        Raises:
            TransportFailure: No answer.
        """
        self._timeout = request.timeout
        head = self._head(request, target, headers)
        try:
            await self._write(head, request.body)
        except (BrokenWire, TimeoutError) as error:
            # A server may answer and hang up before it has read everything, say with 413. That answer is worth more.
            if not self._wire.has_input:
                raise self._lost(error, "sending the request") from None
        return await self._response()

    async def chunk(self) -> bytes | None:
        """Return the next bytes of the body, None at its end.

        Raises:
            TransportFailure: The answer is cut or broken.
        """
        while True:
            event = await self._event("reading the answer")
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                return None

    def ready_again(self) -> bool:
        """Whether the exchange is over and the connection good for another; makes it so."""
        talk = self._talk
        try:
            # An answer that nobody read may lie here whole, such as an empty one.
            while talk.their_state is h11.SEND_BODY and isinstance(talk.next_event(), h11.Data):
                pass
            if talk.our_state is not h11.DONE or talk.their_state is not h11.DONE or talk.trailing_data[0]:
                return False
            talk.start_next_cycle()
        except h11.ProtocolError:
            return False
        return True

    def _head(self, request: Request, target: str, headers: list[tuple[bytes, bytes]]) -> bytes:
        if (length := content_length(request)) is not None:
            headers.append((b"Content-Length", b"%d" % length))
        elif request.body is not None:
            headers.append((b"Transfer-Encoding", b"chunked"))
        try:
            message = h11.Request(method=request.method.encode(), target=target.encode(), headers=headers)
            return self._talk.send(message) or b""
        except (h11.LocalProtocolError, UnicodeError):
            # The text quotes the header value, which may be the key.
            detail = "a header, the method or the address holds characters that can't be sent"
            raise TransportFailure("protocol", sent=False, detail=detail) from None

    async def _write(self, head: bytes, body: bytes | Body | None) -> None:
        talk, wire, timeout = self._talk, self._wire, self._timeout
        if body is None:
            await wire.write(head + _of(talk.send(h11.EndOfMessage())), timeout)
            return
        if isinstance(body, bytes) and len(body) <= JOINED_BYTES:
            data = _of(talk.send(h11.Data(data=body))) + _of(talk.send(h11.EndOfMessage()))
            await wire.write(head + data, timeout)
            return
        chunks = _pieces(body) if isinstance(body, bytes) else counted_chunks(body)
        try:
            await wire.write(head, timeout)
            async for chunk in chunks:
                await wire.write(_of(talk.send(h11.Data(data=chunk))), timeout)
            if last := _of(talk.send(h11.EndOfMessage())):
                await wire.write(last, timeout)
        finally:
            await chunks.aclose()

    async def _response(self) -> h11.Response:
        while True:
            event = await self._event("waiting for the answer")
            if isinstance(event, h11.Response):
                return event

    async def _event(self, doing: str) -> object:
        talk = self._talk
        while True:
            try:
                event = talk.next_event()
            except h11.RemoteProtocolError:
                if self._at_end:
                    detail = f"the connection was closed while {doing}"
                    raise TransportFailure("broken", sent=True, detail=detail) from None
                raise TransportFailure("protocol", sent=True, detail="the answer is not valid HTTP") from None
            if event is h11.NEED_DATA:
                try:
                    data = await self._wire.read(self._timeout)
                except (BrokenWire, TimeoutError) as error:
                    raise self._lost(error, doing) from None
                self._at_end = not data
                talk.receive_data(data)
            elif isinstance(event, h11.ConnectionClosed):
                detail = f"the connection was closed while {doing}"
                raise TransportFailure("broken", sent=True, detail=detail)
            else:
                return event

    def _lost(self, error: BrokenWire | TimeoutError, doing: str) -> TransportFailure:
        if isinstance(error, TimeoutError):
            detail = f"{doing} took longer than {self._timeout:g} s"
            return TransportFailure("timeout", sent=True, detail=detail)
        return TransportFailure("broken", sent=True, detail=f"the connection broke while {doing}")


class Http1Response:
    """An answer whose head is there; a `Response`."""

    __slots__ = ("_closed", "_finished", "_http", "headers", "status")

    def __init__(self, http: Http1, head: h11.Response, finished: Callable[[], None]) -> None:
        self.status = head.status_code
        self.headers: Mapping[str, str] = response_headers(head.headers)
        self._http = http
        self._finished = finished
        self._closed = False

    def raw_chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes from the wire."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._closed or (chunk := await self._http.chunk()) is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Give the connection back, or close it. Never waits, so no cancellation can get in between."""
        if not self._closed:
            self._closed = True
            self._finished()


def _of(data: bytes | None) -> bytes:
    return data or b""


async def _pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]
