"""Sending: request -> slot -> retry -> transport -> answer. The only file that awaits the network.

One session per client; clients made by `with_options` share its connections and its retry budget. What a request looks
like is decided in `request.py`, what an answer means in `response.py`, whether to send again in `retry.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import anyio
import attrs

from eigenpal.engine import response as responses
from eigenpal.engine import telemetry
from eigenpal.engine.bodies import Content, content_of
from eigenpal.engine.calls import Body, Call
from eigenpal.engine.options import ClientOptions, is_loopback
from eigenpal.engine.raw import record
from eigenpal.engine.reading import BodyReader
from eigenpal.engine.request import Operation, Repeat, sendable
from eigenpal.engine.response import Answer
from eigenpal.engine.retry import RetryPolicy, surely_not_started
from eigenpal.engine.service import Service
from eigenpal.engine.transport import Connections
from eigenpal.engine.transport.port import Request, Response, TransportFailure
from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalConnectionError,
    EigenpalDecodeError,
    EigenpalError,
    EigenpalTimeoutError,
)

T = TypeVar("T")

MOST_REDIRECTS: Final = 5
# What a download sends on to another origin: nothing that says who is asking.
FORWARDED_HEADERS: Final = frozenset({"accept", "accept-encoding", "if-range", "range", "user-agent"})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_ADVICE: Final[Mapping[str, str]] = {
    "refused": "Check that base_url is right and that the server is running.",
    "dns": "Check the host name in base_url and the network.",
    "tls": "Check that base_url is right; for a private certificate authority give verify_ssl='path/to/ca.pem'.",
    "proxy": "Check the proxy settings (HTTPS_PROXY, NO_PROXY, or proxy=...).",
    "timeout": "Raise timeout_seconds if the server needs longer.",
    "protocol": "Check that base_url points at the API.",
    "broken": "",
}
_MAYBE_STARTED: Final = "It may have started something on the server: look before you send it again."


@attrs.frozen
class Stream:
    """An answer whose body is still on the wire; a `ByteStream` of the downloads."""

    status: int
    headers: Mapping[str, str]
    chunks: Callable[[], AsyncIterator[bytes]]


@attrs.define(eq=False)
class Session:
    """Everything that a client's calls share.

    Attributes:
        companions: What was built on top of the session for the whole client, by name: copies share it too.
    """

    service: Service
    options: ClientOptions
    connections: Connections
    policy: RetryPolicy = attrs.field(factory=RetryPolicy)
    companions: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    _headers: dict[str, str] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        options, service = self.options, self.service
        trigger = {f"{service.header_prefix}-Trigger": options.trigger} if options.trigger else {}
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": responses.ACCEPTED_ENCODINGS,
            service.retry_header: "0",
            **telemetry.client_headers(service.name, service.header_prefix),
            **trigger,
            **options.default_headers,
            **options.credentials.revealed(),
        }

    def with_options(self, **changes: Any) -> Session:
        """Return a session with some options changed that shares connections, retry budget and pauses."""
        return attrs.evolve(self, options=self.options.replaced(**changes))

    async def call(
        self,
        operation: Operation[T],
        *path: str,
        query: Mapping[str, Any] | None = None,
        body: Body | None = None,
        extra: Mapping[str, Any] | None = None,
        hold_seconds: float | None = None,
    ) -> T:
        """Send one operation and return its typed answer.

        Args:
            operation: What to call.
            path: Values of the path, in order.
            query: Query arguments by their Python names; None and UNSET are not sent.
            body: Members of the body by their Python names, or a body of another kind.
            extra: Members of the body by their wire names, below those of `body`.
            hold_seconds: How long the server was asked to hold the request; comes on top of the timeout.
        """
        operation, call = self._translated(operation, Call(path, query or {}, body, extra or {}))
        answer = await self._exchange(operation, call, hold_seconds)
        try:
            return responses.decode(answer, operation)
        except EigenpalDecodeError as error:
            if operation.repeat.may_start:
                self._mark_started(error)
            raise

    async def _exchange(self, operation: Operation[Any], call: Call, hold_seconds: float | None) -> Answer:
        """Send one operation and return the whole successful answer, not yet decoded."""
        content = None if call.body is None else await content_of(self.service, operation, call)
        request = self._request(operation, call, content)
        timeout = self.options.timeout_seconds
        bound = None if timeout is None else timeout + (hold_seconds or 0.0)
        # Of a streamed body only each step is bounded: how long it takes depends on its size. Any other exchange is
        # bounded as a whole, and a timer for each step would only add to its cost.
        limit = bound if request.body is None or isinstance(request.body, bytes) else None
        request.timeout = bound if limit is None else None

        async def attempt(tries: int) -> Answer:
            with anyio.move_on_after(limit):
                response = await self._send_once(request, operation.repeat, tries)
                answer = await self._read(request, response, operation.repeat)
                if not (operation.removes and tries and answer.status == 404):
                    self._raise_for_status(answer, operation.repeat)
                record(answer, tries)
                return answer
            raise self._timed_out(request, operation.repeat, limit)

        return await self._persist(operation, request, attempt)

    @asynccontextmanager
    async def stream(
        self,
        operation: Operation[bytes],
        *path: str,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Stream]:
        """Open a download: its head is there and its status good, its body comes piece by piece.

        Redirects are followed here and nowhere else: over https (or to this very origin), and without the key.
        """
        request = self._download(operation, path, query, headers)

        async def attempt(tries: int) -> tuple[Request, Response]:
            return await self._follow(request, tries)

        final, response = await self._persist(operation, request, attempt)
        try:
            yield self._opened(final, response)
        finally:
            await response.aclose()

    async def download(
        self,
        operation: Operation[bytes],
        *path: str,
        read: Callable[[Stream], Awaitable[bytes]],
        query: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Open a download and return what `read` makes of it; a body that breaks is asked for again."""
        request = self._download(operation, path, query, None)

        async def attempt(tries: int) -> bytes:
            final, response = await self._follow(request, tries)
            try:
                return await read(self._opened(final, response))
            finally:
                await response.aclose()

        return await self._persist(operation, request, attempt)

    # -------------------------------------------------------------------------------------------- one request

    def _translated(self, operation: Operation[T], call: Call) -> tuple[Operation[T], Call]:
        return self.service.generations[self.options.api_generation].translate(operation, call)

    def _request(self, operation: Operation[Any], call: Call, content: Content | None) -> Request:
        url = self.options.base_url + operation.fill_path(call.path)
        if call.query and (text := operation.fill_query(self.service, call.query)):
            url = f"{url}?{text}"
        headers = self._headers.copy()
        if content is None:
            return Request(operation.method, url, headers)
        headers["Content-Type"] = content.media_type
        return Request(operation.method, url, headers, content.body)

    def _download(
        self,
        operation: Operation[bytes],
        path: tuple[str, ...],
        query: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> Request:
        request = self._request(*self._translated(operation, Call(path, query or {})), None)
        request.timeout = self.options.timeout_seconds
        # Bytes are counted and resumed as they are stored, so they must not be compressed on the way.
        request.headers |= {"Accept": "*/*", "Accept-Encoding": "identity", **(headers or {})}
        return request

    def _opened(self, request: Request, response: Response) -> Stream:
        return Stream(response.status, response.headers, lambda: self._reader(request, response, Repeat.HARMLESS))

    def _persist(
        self,
        operation: Operation[Any],
        request: Request,
        attempt: Callable[[int], Awaitable[T]],
    ) -> Awaitable[T]:
        """Run an attempt, and on failure let the policy decide about the next."""
        if (tokens := self.options.credentials.tokens) is not None:
            attempt = tokens.signing(request, attempt)
        persist = self._persist_traced if telemetry.tracing() else self._persist_untraced
        return persist(operation, request, attempt)

    async def _persist_traced(
        self,
        operation: Operation[Any],
        request: Request,
        attempt: Callable[[int], Awaitable[T]],
    ) -> T:
        with telemetry.span(operation.name, request.method, self._shown(request.url)) as note:

            async def counted(tries: int) -> T:
                if tries:
                    note("http.request.resend_count", tries)
                return await attempt(tries)

            return await self._persist_untraced(operation, request, counted)

    async def _persist_untraced(
        self,
        operation: Operation[Any],
        request: Request,
        attempt: Callable[[int], Awaitable[T]],
    ) -> T:
        try:
            result = await attempt(0)
        except EigenpalError as failure:
            if not self.policy.goes_on(failure, operation.repeat, self.options.max_retries):
                raise
            return await self.policy.again(
                failure,
                attempt,
                repeat=operation.repeat,
                max_retries=self.options.max_retries,
                label=f"{operation.name} ({request.method} {self._shown(request.url)})",
                replayable=request.replayable,
            )
        self.policy.budget.refund()
        return result

    async def _send_once(self, request: Request, repeat: Repeat, tries: int) -> Response:
        policy = self.policy
        request.handed_over = False
        if policy.paused:
            await policy.pause()
        if tries and self.service.retry_header in request.headers:  # other origins, to which downloads lead, get none
            request.headers[self.service.retry_header] = str(tries)
        try:
            response = await self.connections.send(request)
        except TransportFailure as failure:
            raise self._unanswered(request, failure, repeat) from None
        if telemetry.logger.isEnabledFor(10):
            telemetry.logger.debug("%s %s answered %d", request.method, self._shown(request.url), response.status)
        return response

    async def _read(self, request: Request, response: Response, repeat: Repeat) -> Answer:
        try:
            content = await self._reader(request, response, repeat).read(self.options.max_response_bytes)
        finally:
            await response.aclose()
        return Answer(request.method, self._shown(request.url), response.status, response.headers, content)

    def _reader(self, request: Request, response: Response, repeat: Repeat) -> BodyReader:
        return BodyReader(
            response,
            unanswered=lambda failure: self._unanswered(request, failure, repeat),
            undecodable=lambda problem: self._undecodable(request, response, problem, repeat),
        )

    async def _follow(self, request: Request, tries: int) -> tuple[Request, Response]:
        """Send, follow redirects, and return the last request with its good answer."""
        followed = 0
        while True:
            response = await self._send_once(request, Repeat.HARMLESS, tries)
            if response.status not in REDIRECTS:
                if response.status < 300:
                    return request, response
                self._raise_for_status(await self._read(request, response, Repeat.HARMLESS), Repeat.HARMLESS)
            await response.aclose()
            if followed == MOST_REDIRECTS:
                raise self._unfollowed(request, response, f"more than {MOST_REDIRECTS} times")
            try:
                request = self._redirected(request, response)
            except ValueError:
                raise self._unfollowed(request, response, "to what is not an address") from None
            followed += 1

    def _redirected(self, request: Request, response: Response) -> Request:
        """Return the request that a redirect asks for, with what its origin may know.

        Raises:
            ValueError: The redirect leads to no address.
            EigenpalAPIError: It leads where the download must not go.
        """
        url = sendable(urljoin(request.url, response.headers.get("location", "")))
        if _origin(url) == _origin(self.options.base_url):
            return Request(request.method, url, self._headers | request.headers, timeout=request.timeout)
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise self._unfollowed(request, response, f"to {self._shown(url)}, which is not https")
        headers = {name: value for name, value in request.headers.items() if name.lower() in FORWARDED_HEADERS}
        return Request(request.method, url, headers, timeout=request.timeout)

    def _unfollowed(self, request: Request, response: Response, why: str) -> EigenpalAPIError:
        # An API error and no connection error, since it would be the same the next time: it is not to be repeated.
        shown = self._shown(request.url)
        return EigenpalAPIError(
            f"{request.method} {shown} answered {response.status}: the download was redirected {why}; not followed.",
            status=response.status,
            method=request.method,
            url=shown,
            headers=telemetry.shown_headers(response.headers, request.url),
        )

    # -------------------------------------------------------------------------------------------- failures

    def _raise_for_status(self, answer: Answer, repeat: Repeat) -> None:
        if 200 <= answer.status < 300:
            return
        error = responses.error(answer, self.service)
        lost = error.status >= 500 and not surely_not_started(error)
        # The key belongs to something already: to what an earlier try started, unless it was used before.
        taken = repeat is Repeat.KEYED and error.status == 409
        if repeat.may_start and (lost or taken):
            self._mark_started(error)
        raise error

    def _unanswered(
        self, request: Request, failure: TransportFailure, repeat: Repeat, limit: float | None = None
    ) -> EigenpalError:
        """Return the typed error for a request that got no (whole) answer."""
        timed_out = failure.reason == "timeout"
        seconds = limit or request.timeout
        kind = EigenpalTimeoutError if timed_out else EigenpalConnectionError
        shown = self._shown(request.url)
        what = f"no answer within {seconds:g} s" if timed_out and seconds else f"no answer ({failure.reason})"
        text = f"{request.method} {shown} got {what}: {failure.detail}. {_ADVICE[failure.reason]}".rstrip()
        error = kind(text, method=request.method, url=shown)
        if repeat.may_start and failure.sent:
            self._mark_started(error)
        return error

    def _undecodable(self, request: Request, response: Response, problem: str, repeat: Repeat) -> EigenpalDecodeError:
        """Return the typed error for an answer whose body can't even be read as bytes."""
        answer = Answer(request.method, self._shown(request.url), response.status, response.headers, b"")
        error = responses.undecodable(answer, problem)
        if repeat.may_start and (error.status < 300 or error.status >= 500):
            self._mark_started(error)
        return error

    def _timed_out(self, request: Request, repeat: Repeat, limit: float | None) -> EigenpalError:
        waited = "it was still in the queue of this client, or connecting"
        where = "the whole exchange took too long" if request.handed_over else waited
        failure = TransportFailure("timeout", sent=request.handed_over, detail=where)
        return self._unanswered(request, failure, repeat, limit)

    def _mark_started(self, error: EigenpalError) -> None:
        error.maybe_started = True
        error.message = f"{error.message.rstrip('.')}. {_MAYBE_STARTED}"

    def _shown(self, url: str) -> str:
        return telemetry.shown_url(url, origin=self.options.base_url)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
