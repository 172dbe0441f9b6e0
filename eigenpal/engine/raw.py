"""What HTTP said beside the typed result: status, headers, how many tries and how long it took."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

import attrs

from eigenpal.engine.response import Answer

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class RawResponse(Generic[T]):
    """A result together with the HTTP answer it came in; of several requests, the last.

    Attributes:
        status: HTTP status.
        headers: Headers of the answer, names in lower case.
        content: The body, decompressed.
        request_id: Correlation id of the server.
        retries_taken: How many tries came before the one that succeeded.
        elapsed_seconds: Seconds from the call to its result, retries included.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes = attrs.field(repr=False)
    request_id: str | None
    retries_taken: int
    elapsed_seconds: float
    _value: T = attrs.field(alias="value", repr=False)

    def parse(self) -> T:
        """Return the typed result: what the same call gives without `with_raw_response`."""
        return self._value


class RawResponses:
    """A view of a client whose methods return a `RawResponse`: `client.with_raw_response.runs.get("...")`.

    It has the attributes of the client. Methods that give an iterator or a context manager have no single answer, and
    are not in it.
    """

    def __init__(self, target: object) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._target, name)
        return _recorded(member) if callable(member) else RawResponses(member)

    def __repr__(self) -> str:
        return f"{self._target!r}.with_raw_response"


def record(answer: Answer, retries_taken: int) -> None:
    """Keep an answer for the caller of this task, if it asked for raw responses."""
    if (answers := _answers.get()) is not None:
        answers[:] = [(answer, retries_taken)]


_answers: ContextVar[list[tuple[Answer, int]] | None] = ContextVar("eigenpal_answers", default=None)


@contextmanager
def _recording() -> Generator[Callable[[Any], RawResponse[Any]]]:
    answers: list[tuple[Answer, int]] = []
    token = _answers.set(answers)
    began = time.monotonic()

    def finished(value: Any) -> RawResponse[Any]:
        if not answers:
            raise TypeError("this method does not return one answer; call it without with_raw_response")
        [(answer, retries_taken)] = answers
        return RawResponse(
            status=answer.status,
            headers=answer.headers,
            content=answer.content,
            request_id=answer.request_id,
            retries_taken=retries_taken,
            elapsed_seconds=time.monotonic() - began,
            value=value,
        )

    try:
        yield finished
    finally:
        _answers.reset(token)


def _recorded(method: Callable[..., Any]) -> Callable[..., Any]:
    advice, silent = _deprecation(method)

    async def awaited(result: Awaitable[Any]) -> RawResponse[Any]:
        with _recording() as finished:
            return finished(await result)

    def call(*args: Any, **kwargs: Any) -> Any:
        if advice is not None:
            warnings.warn(advice, DeprecationWarning, stacklevel=2)
        with _recording() as finished:
            result = silent(*args, **kwargs)
            return awaited(result) if inspect.isawaitable(result) else finished(result)

    return call


def _deprecation(method: Any) -> tuple[str | None, Callable[..., Any]]:
    """Return what to use instead of a deprecated method, and the method without its own warning.

    That one would show the line here that calls it, which is not the user's, and which Python hides by default.
    """
    advice: str | None = getattr(method, "__deprecated__", None)
    return advice, method if advice is None else method.__func__.__wrapped__.__get__(method.__self__)
