"""Status + headers + bytes -> a typed value or a typed error. Pure functions: no network, no clock."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from types import ModuleType
from typing import Any, Final, TypeVar

import attrs

from eigenpal.engine.request import Operation
from eigenpal.engine.service import ErrorBody, Service
from eigenpal.engine.telemetry import shown_headers
from eigenpal.errors import EigenpalAPIError, EigenpalDecodeError, api_error

T = TypeVar("T")

ACCEPTED_ENCODINGS: Final = "gzip, deflate"
EXCERPT_CHARACTERS: Final = 200  # of an unexpected body: enough to recognise a login page or a proxy's error
INFLATE_BYTES: Final = 1024 * 1024  # decompressed at a time, so that a bomb is seen long before it fills memory
MOST_ENCODINGS: Final = 3  # on top of each other; one is usual, and each costs a window of memory


@attrs.frozen
class Answer:
    """A whole answer to one request: what `request` came back with, decompressed, not yet decoded."""

    method: str
    url: str  # fit to be shown: no credentials, no secret query values
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    content: bytes = attrs.field(repr=False)

    @property
    def request_id(self) -> str | None:
        """Correlation id from the headers."""
        return self.headers.get("x-request-id")


def decode(answer: Answer, operation: Operation[T]) -> T:
    """Return the typed value of a successful answer.

    Raises:
        EigenpalDecodeError: The body is not what the operation promises.
    """
    if operation.returns is None:
        return None  # type: ignore[return-value]  # T is None where an operation has no body
    shown = attrs.evolve(answer, content=b"") if operation.confidential else answer
    value = _parsed(answer, shown)
    if operation.answer is not None:
        value = operation.answer(value)
    if operation.returns is Any:
        return value  # type: ignore[no-any-return]  # T is Any where the wire is any JSON
    codec = _codec()
    try:
        decoded: T = codec.structure(operation.returns, value)
    except codec.Mismatch as mismatch:
        why = f"{mismatch.path} should be {mismatch.expected}" if operation.confidential else mismatch
        raise undecodable(shown, f"in the answer to {operation.name}, {why}") from None
    return decoded


@cache
def _codec() -> ModuleType:
    # Loaded by the first answer that needs it, not by `import eigenpal`, and asked for once: importing has its price.
    from eigenpal.engine import codec

    return codec


def _parsed(answer: Answer, shown: Answer) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        if not answer.content:
            problem = "the body is empty where JSON was promised"
        elif "html" in answer.headers.get("content-type", ""):
            problem = "it is an HTML page, not JSON, so base_url may not point at the API"
        else:
            problem = "the body is not valid JSON"
        raise undecodable(shown, problem) from None


def undecodable(answer: Answer, problem: str) -> EigenpalDecodeError:
    """Return the error for an answer that can't be understood, with its first characters."""
    begins = f"; it begins {excerpt(answer.content)!r}" if answer.content else ""
    return EigenpalDecodeError(
        f"{answer.method} {answer.url} answered {answer.status}, but {problem}{begins}",
        status=answer.status,
        request_id=answer.request_id,
        method=answer.method,
        url=answer.url,
        headers=shown_headers(answer.headers, answer.url),
    )


def error(answer: Answer, service: Service) -> EigenpalAPIError:
    """Return the typed error of an answer whose status is not a success; never fails, whatever the body is."""
    try:
        envelope = json.loads(answer.content)
    except (ValueError, RecursionError):
        envelope = None
    said = service.read_error(envelope) if envelope is not None else ErrorBody()
    return api_error(
        answer.status,
        detail=said.detail,
        code=said.code,
        issues=said.issues,
        advice=service.advice.get(answer.status),
        method=answer.method,
        url=answer.url,
        headers=shown_headers(answer.headers, answer.url),
        envelope=envelope,
        request_id=said.request_id or answer.request_id,
        retry_after=retry_after(answer.headers, datetime.now(UTC)),
        excerpt=excerpt(answer.content),
    )


def excerpt(content: bytes) -> str:
    """Return the first characters of a body, in one line."""
    text = content[: EXCERPT_CHARACTERS * 4].decode("utf-8", "replace")
    return " ".join(text.split())[:EXCERPT_CHARACTERS]


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that `retry-after-ms` or `Retry-After` (seconds or an HTTP date) ask for; None without."""
    seconds = _number(headers.get("retry-after-ms"))
    if seconds is not None:
        return seconds / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    if (seconds := _number(text)) is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


class Inflater:
    """Undoes the Content-Encoding of a body piece by piece, never more than `INFLATE_BYTES` at a time.

    Feed it wire bytes; it yields decoded bytes. An encoding that was not asked for raises ValueError, broken data
    zlib.error.
    """

    def __init__(self, encoding: str | None) -> None:
        names = [name.strip().lower() for name in (encoding or "").split(",")]
        applied = [name for name in reversed(names) if name not in ("", "identity")]
        if len(applied) > MOST_ENCODINGS:
            raise ValueError(f"{len(applied)} encodings on top of each other were not asked for")
        self._stages = [_stage(name) for name in applied]

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` decodes to."""
        return self._through(data, 0)

    def _through(self, data: bytes, stage: int) -> Iterator[bytes]:
        if stage == len(self._stages):
            yield data
            return
        for piece in self._stages[stage].decompress(data):
            yield from self._through(piece, stage + 1)

    @property
    def complete(self) -> bool:
        """Whether every compressed stream came to its end, or never began."""
        return all(stage.complete for stage in self._stages)


def _stage(name: str) -> _Compressed:
    if name in ("gzip", "x-gzip"):
        return _Compressed(lambda _: 31, following=0x1F)
    if name == "deflate":
        # As servers really send it: zlib-wrapped by the book, raw by habit; the first byte tells.
        return _Compressed(lambda first: 15 if first & 0x0F == 8 else -15)
    raise ValueError(f"Content-Encoding {name[:40]!r} was not asked for")


class _Compressed:
    """One compressed stream, or several gzip members behind each other; whatever follows is padding.

    Args:
        window: First byte of a stream to the `wbits` that zlib reads it with.
        following: First byte of a further member; None where there can't be one.
    """

    def __init__(self, window: Callable[[int], int], following: int | None = None) -> None:
        self._window = window
        self._following = following
        self._member: Any = None
        self._over = False

    def decompress(self, data: bytes) -> Iterator[bytes]:
        while data and not self._over:
            if self._member is not None and self._member.eof and data[0] != self._following:
                self._over = True
                return
            if self._member is None or self._member.eof:
                self._member = zlib.decompressobj(wbits=self._window(data[0]))
            yield from self._pieces(data)
            data = self._member.unused_data

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while True:
            piece: bytes = self._member.decompress(data, INFLATE_BYTES)
            if piece:
                yield piece
            data = self._member.unconsumed_tail
            # A full piece may have left bytes inside zlib that no input stands for any more.
            if self._member.eof or (not data and len(piece) < INFLATE_BYTES):
                return

    @property
    def complete(self) -> bool:
        return self._member is None or self._member.eof
