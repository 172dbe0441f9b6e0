"""The port between the engine and whatever moves bytes: a request, a response, a transport, one failure.

Plain data and protocols only. A transport sends one request once: it never retries, follows redirects,
decompresses, or decides anything. Its exceptions are `TransportFailure`, nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Literal, Protocol

import attrs


class Body(Protocol):
    """A request body that is streamed."""

    @property
    def length(self) -> int | None:
        """Bytes in all, or None when unknown (sent chunked)."""
        ...

    @property
    def replayable(self) -> bool:
        """Whether `chunks` can be called again and gives the same bytes from the start."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Make one pass over the bytes."""
        ...


@attrs.define(slots=True, eq=False)
class Request:
    """One HTTP request, ready to be sent.

    `url` is absolute and already percent-encoded; a transport must not re-encode or normalise it. `headers` are
    complete but for framing and `Host`: Content-Length or Transfer-Encoding follow from `body`. `timeout` bounds each
    single network step (connecting, one write, one read) in seconds; None means no bound. `handed_over` is True from
    when the request has a connection to go over; while it is False the server has surely seen nothing.
    """

    method: str
    url: str
    headers: dict[str, str] = attrs.field(repr=False)  # carries the credentials
    body: bytes | Body | None = attrs.field(default=None, repr=False)
    timeout: float | None = None
    handed_over: bool = False

    @property
    def replayable(self) -> bool:
        """Whether the body can be sent again from its start."""
        return self.body is None or isinstance(self.body, bytes) or self.body.replayable


class Response(Protocol):
    """An answer whose head has arrived; the body is still on the wire."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; repeated headers joined with a comma and a space."""
        ...

    def raw_chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes from the wire (still compressed). Ends early only by `TransportFailure`."""
        ...

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else throw it away. Safe to call twice."""
        ...


class Transport(Protocol):
    """Something that sends requests on one event loop."""

    async def send(self, request: Request) -> Response:
        """Send once and return when the head of the answer is there.

        Raises:
            TransportFailure: No answer came.
        """
        ...

    def close_now(self) -> None:
        """Close every connection without awaiting. Called within the loop, by its next turn."""
        ...

    def abandon(self) -> None:
        """Drop every connection without awaiting or saying goodbye: the loop is gone, or this is a forked child."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


FailureReason = Literal["refused", "dns", "tls", "proxy", "timeout", "broken", "protocol"]


class TransportFailure(Exception):
    """No (whole) answer came.

    Attributes:
        reason: What went wrong: could not connect (refused, dns, tls, proxy), a network step took longer than the
            timeout, the connection broke, or the peer does not speak HTTP properly.
        sent: False only when the server surely saw nothing of the request, so that sending it again is always safe.
        detail: A text safe to show to anyone: never header values, never bodies.
    """

    def __init__(self, reason: FailureReason, *, sent: bool, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: FailureReason = reason
        self.sent = sent
        self.detail = detail
