"""What every transport does alike: counting body bytes, reading the header block, how long to keep a connection.

Nothing here touches the network.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from eigenpal.engine.transport.port import Body, Request, TransportFailure

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})  # these say Content-Length: 0 when they have no body
IDLE_SECONDS = 15.0  # shorter than the keep-alive of usual servers and balancers, so that it is us who close
PIECE_BYTES = 256 * 1024  # larger bodies are cut, so that each write has its own timeout and others get their turn


def content_length(request: Request) -> int | None:
    """Return what the Content-Length header says; None for no such header: no body, or one of unknown length."""
    body = request.body
    if body is None:
        return 0 if request.method in BODY_METHODS else None
    return len(body) if isinstance(body, bytes) else body.length


async def counted_chunks(body: Body) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a body, and refuse one that is not as long as it said.

    Sending it anyway would leave the server waiting, or make it read the rest as the next request.
    """
    promised = body.length
    given = 0
    chunks = body.chunks()
    try:
        async for chunk in chunks:
            given += len(chunk)
            if promised is not None and given > promised:
                raise _wrong_length(promised, "longer")
            if chunk:  # an empty chunk would end a chunked body
                yield chunk
    finally:
        if isinstance(chunks, AsyncGenerator):  # closed here and now, so that an open file is too
            await chunks.aclose()
    if promised is not None and given < promised:
        raise _wrong_length(promised, "shorter")


async def pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    """Yield bytes in parts of a size fit for one write each."""
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


def response_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by lower-case name, repeated ones joined with a comma and a space."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = raw_name.decode("latin-1").lower()
        try:  # the standard says ASCII; what is sent beyond it is nearly always UTF-8, and anything is Latin-1
            value = raw_value.decode()
        except UnicodeDecodeError:
            value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _wrong_length(promised: int, how: str) -> TransportFailure:
    detail = f"the body is {how} than the {promised} bytes it was said to have; did the file change?"
    return TransportFailure("protocol", sent=True, detail=detail)
