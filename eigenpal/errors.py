"""Every error a user can meet, and the one function that turns an answer into one.

EigenpalError                      everything raised by this package; `status` is 0 where there was no answer
├── EigenpalAPIError               the server answered with an error status
│   ├── EigenpalValidationError    400, 422: the input was refused
│   ├── EigenpalAuthError          401: the API key or token is missing, unknown or too old
│   ├── EigenpalPaymentRequiredError  402: the customer's plan does not have what was asked for
│   ├── EigenpalForbiddenError     403: the key may not do this, or the trigger is switched off
│   ├── EigenpalNotFoundError      404
│   ├── EigenpalConflictError      409
│   ├── EigenpalRateLimitError     429: carries `retry_after`
│   └── EigenpalServerError        5xx
├── EigenpalConnectionError        no answer: refused, DNS, TLS, connection cut
├── EigenpalTimeoutError           no answer in time, or a wait that ran out (carries `run_id`, `run`); a TimeoutError
├── EigenpalDecodeError            an answer that is not what the API promises: HTML, cut JSON, a wrong type
├── EigenpalRunError               a run that failed, was cancelled or rejected (carries `run`)
├── EigenpalWaitError              some of many could not be waited for (carries `errors` by id)
├── EigenpalUnsupportedError       the chosen API generation does not have this operation
├── EigenpalInputError             an argument that can't be sent; a ValueError, raised before anything is sent
└── EigenpalUsageError             the client was used in a way that can't work: closed, two loops; a RuntimeError

Nothing here knows HTTP libraries or services: what an error needs comes in as plain data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from eigenpal.anyjson import object_of, text_of


class EigenpalError(Exception):
    """Any failure of this package.

    Attributes:
        message: What happened, where, and what to do about it.
        status: HTTP status of the answer; 0 where there was none.
        request_id: Correlation id of the server, to quote in a support request.
        method: HTTP method of the failed request.
        url: Address of the failed request, without credentials.
        headers: Headers of the answer, names in lower case.
        envelope: The error body as the server sent it (any JSON), None when it was not JSON.
        retry_after: Seconds the server asked to wait, None when it did not say.
        retries_taken: How many times the request was sent again before giving up.
        maybe_started: True when the request may have started something on the server although no answer says so.
    """

    args: tuple[Any, ...]

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        request_id: str | None = None,
        method: str | None = None,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
        envelope: Any = None,
        retry_after: float | None = None,
        maybe_started: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.method = method
        self.url = url
        self.headers: Mapping[str, str] = headers or {}
        self.envelope = envelope
        self.retry_after = retry_after
        self.retries_taken = 0
        self.maybe_started = maybe_started

    @property
    def message(self) -> str:
        """What happened, where, and what to do about it."""
        return str(self.args[0])

    @message.setter
    def message(self, text: str) -> None:
        self.args = (text,)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with positional args only; state carries the rest across processes.
        return (_rebuild, (type(self), self.message), self.__dict__)


def _rebuild(kind: type[EigenpalError], message: str) -> EigenpalError:
    error = kind.__new__(kind, message)
    error.args = (message,)
    return error


class EigenpalAPIError(EigenpalError):
    """The server answered with an error status.

    Attributes:
        code: Name of the problem for programs, such as `"plan_not_entitled"`; None where the server gave none.
        issues: The problems the server listed, one mapping each, with `field` and `message` where it says them.
    """

    code: str | None = None
    issues: Sequence[Mapping[str, Any]] = ()

    @property
    def fields(self) -> Mapping[str, str]:
        """What is wrong with which input: names of fields to messages; empty where the server named none."""
        named = ((text_of(issue.get("field")), text_of(issue.get("message"))) for issue in self.issues)
        return {field: message for field, message in named if field and message}


class EigenpalValidationError(EigenpalAPIError):
    """400 or 422: the server refused the input; `issues` says which field and why."""


class EigenpalAuthError(EigenpalAPIError):
    """401: the API key or token is missing, unknown, revoked or too old."""


class EigenpalPaymentRequiredError(EigenpalAPIError):
    """402: the plan of the customer does not include what was asked for; nothing was started."""


class EigenpalForbiddenError(EigenpalAPIError):
    """403: the key lacks the scope, or the trigger of the target is switched off."""


class EigenpalNotFoundError(EigenpalAPIError):
    """404: no such thing, or this key can't see it."""


class EigenpalConflictError(EigenpalAPIError):
    """409: the state on the server does not allow it."""


class EigenpalRateLimitError(EigenpalAPIError):
    """429: too many requests; `retry_after` says how many seconds to wait, when the server said so."""


class EigenpalServerError(EigenpalAPIError):
    """5xx: the server failed."""


class EigenpalConnectionError(EigenpalError):
    """No answer came: the connection was refused, could not be secured, or broke."""


class EigenpalTimeoutError(EigenpalError, TimeoutError):
    """No answer came in time, or a wait ran out.

    Attributes:
        run_id: Id of the run that was waited for; None when a single request timed out.
        run: The run as it was last seen, None when it was never seen.
    """

    run_id: str | None = None
    run: Any = None


class EigenpalDecodeError(EigenpalError):
    """The answer is not what the API promises; the message shows status, address and the first bytes."""


class EigenpalRunError(EigenpalError):
    """A run ended without success and `raise_on_failure=True` was given.

    Attributes:
        run_id: Id of the run.
        run: The run as the server returned it.
    """

    run_id: str | None = None
    run: Any = None


class EigenpalWaitError(EigenpalError):
    """Of many that were waited for together, some could not be; all others were returned before.

    Attributes:
        errors: Id to why that one could not be waited for: unknown, out of time, not allowed.
    """

    errors: Mapping[str, EigenpalError] = MappingProxyType({})


class EigenpalUnsupportedError(EigenpalError):
    """The chosen API generation does not have this operation; the message names what to use instead."""


class EigenpalInputError(EigenpalError, ValueError):
    """An argument that can't be sent: the message says which, why, and what to give instead."""


class EigenpalUsageError(EigenpalError, RuntimeError):
    """The client was used in a way that can't work, such as after closing it or from two event loops at once."""


_STATUS_ERRORS: Mapping[int, type[EigenpalAPIError]] = {
    400: EigenpalValidationError,
    401: EigenpalAuthError,
    402: EigenpalPaymentRequiredError,
    403: EigenpalForbiddenError,
    404: EigenpalNotFoundError,
    409: EigenpalConflictError,
    422: EigenpalValidationError,
    429: EigenpalRateLimitError,
}

_ADVICE: Mapping[int, str] = {
    401: "Check the API key and that it belongs to this server.",
    402: "The plan of the account has to include it.",
    403: "Check what the API key may do.",
    404: "Check the id, and that the API key can see it.",
    408: "The server gave up waiting for the request; try again.",
    413: "The request is larger than the server allows.",
    429: "Send fewer requests at once, or raise max_retries.",
}


def api_error(
    status: int,
    *,
    detail: str | None,
    method: str,
    url: str,
    headers: Mapping[str, str],
    envelope: Any,
    request_id: str | None,
    retry_after: float | None,
    excerpt: str = "",
    code: str | None = None,
    issues: Sequence[Mapping[str, Any]] = (),
    advice: str | None = None,
) -> EigenpalAPIError:
    """Return the typed error for an answer with an error status.

    Args:
        status: HTTP status of the answer; also 3xx, since API calls follow no redirects.
        detail: What the error envelope says, None when it could not be read.
        method: HTTP method of the request.
        url: Address of the request, without credentials.
        headers: Headers of the answer, names in lower case.
        envelope: The decoded error body, None when it was not JSON.
        request_id: Correlation id, from the envelope or the headers.
        retry_after: Seconds the server asked to wait.
        excerpt: First characters of a body that is not an envelope.
        code: Name of the problem for programs.
        issues: The single problems that the envelope lists.
        advice: What to do about this status at this service; the general advice unless given.
    """
    kind = _STATUS_ERRORS.get(status) or (EigenpalServerError if status >= 500 else EigenpalAPIError)
    what = detail or _undescribed(status, headers, excerpt)
    sentences = [f"{method} {url} answered {status}: {what}".rstrip(".") + "."]
    if helpful := text_of(object_of(envelope).get("hint")) or advice or _ADVICE.get(status):
        sentences.append(helpful)
    if retry_after is not None:
        sentences.append(f"The server asks to wait {retry_after:g} s.")
    if request_id:
        sentences.append(f"(request id {request_id})")
    error = kind(
        " ".join(sentences),
        status=status,
        request_id=request_id,
        method=method,
        url=url,
        headers=headers,
        envelope=envelope,
        retry_after=retry_after,
    )
    error.code, error.issues = code, issues
    return error


def _undescribed(status: int, headers: Mapping[str, str], excerpt: str) -> str:
    if 300 <= status < 400:
        where = headers.get("location", "an unnamed place")
        return f"a redirect to {where}, and API calls follow none; set base_url to where the API lives"
    if "html" in headers.get("content-type", ""):
        return f"an HTML page instead of JSON, so base_url may not point at the API; it begins {excerpt!r}"
    return f"no error envelope; the body begins {excerpt!r}" if excerpt else "an empty body"
