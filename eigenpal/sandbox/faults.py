"""What is planned to go wrong: which requests, how, and how often it did. Safe to use from any thread.

`Faults` decides; letting it happen to a request is another file's work.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias, cast, get_args

Drop: TypeAlias = Literal["on_accept", "before_body", "after_body", "after_handling", "mid_response"]
Kind: TypeAlias = Literal["bad_json", "html", "empty", "trickle"]

MAX_SECONDS = 1e9  # thirty years; what is longer, or no number at all, is a mistake

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # as HTTP defines the names of methods and headers
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class FaultError(ValueError):
    """A plan that makes no sense.

    Attributes:
        argument: Name of the argument that is to blame; None when it is several together.
    """

    def __init__(self, message: str, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument


@dataclass(eq=False)
class Fault:
    """One planned fault; the other attributes are the arguments of `add`.

    Attributes:
        id: Tells it from the other faults of this sandbox.
        fired: How often it has happened.
    """

    id: str
    route: str
    method: str | None
    status: int | None
    times: int | None
    after: int
    retry_after: float | str | None
    headers: Mapping[str, str]
    body: Any
    delay: float | None
    drop: Drop | None
    kind: Kind | None
    fired: int = field(default=0, init=False)
    seen: int = field(default=0, init=False, repr=False)

    @property
    def spent(self) -> bool:
        """True once it has happened as often as it should."""
        return self.times is not None and self.fired >= self.times

    def takes(self, method: str, path: str) -> bool:
        """Tell whether this request is meant; counts it."""
        if self.spent or (self.method is not None and self.method != method):
            return False
        if path != self.route and not fnmatchcase(path, self.route):
            return False
        self.seen += 1
        if self.seen <= self.after:
            return False
        self.fired += 1
        return True


class Faults:
    """The faults of one sandbox. The first one added that fits a request happens to it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(
        self,
        route: str = "*",
        method: str | None = None,
        status: int | None = None,
        times: int | None = 1,
        *,
        after: int = 0,
        retry_after: float | str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        delay: float | None = None,
        drop: Drop | None = None,
        kind: Kind | None = None,
    ) -> Fault:
        """Let the next requests that fit go wrong.

        Args:
            route: Path, or a pattern as in `fnmatch`, such as `/api/v1/runs/*`; any path unless given.
            method: HTTP method; any unless given.
            status: Answer with this status instead of serving, and with an error envelope unless `body` is given.
            times: How often; None for ever.
            after: How many fitting requests are served before.
            retry_after: Value of the Retry-After header: seconds, or an HTTP date.
            headers: More headers of that answer.
            body: Its body: bytes, text, or any JSON.
            delay: Seconds to wait first; alone, the request is then served as usual. For `trickle`, the seconds
                between two pieces.
            drop: Close the connection: `on_accept` before anything is read (any route), `before_body` after the request
                head, `after_body` with nothing done, `after_handling` with the request done but not answered,
                `mid_response` half-way through the answer's body.
            kind: `bad_json`, `html` or `empty` answer instead of serving; `trickle` serves and sends the body slowly.

        Returns:
            The fault; its `fired` says how often it has happened.

        Raises:
            FaultError: It would do nothing, or two things at once, or an argument can't be. It is a ValueError.
        """
        _check(
            route=route,
            method=method,
            status=status,
            times=times,
            after=after,
            retry_after=retry_after,
            headers=headers,
            delay=delay,
            drop=drop,
            kind=kind,
        )
        if status is None and body is None and delay is None and drop is None and kind is None:
            raise FaultError("A fault needs one of status, body, delay, drop or kind.")
        if drop is not None and (status is not None or body is not None or kind is not None):
            raise FaultError("A dropped connection has no answer: drop goes with delay only.", "drop")
        fault = Fault(
            id=f"fault_{next(self._numbers)}",
            route=route,
            method=None if method is None else method.upper(),
            status=status,
            times=times,
            after=after,
            retry_after=retry_after,
            headers=dict(headers or {}),
            body=body,
            delay=delay,
            drop=drop,
            kind=kind,
        )
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Plan no more faults."""
        with self._lock:
            self._faults.clear()

    def remove(self, fault_id: str) -> bool:
        """Plan one fault no more.

        Args:
            fault_id: Its `id`.

        Returns:
            Whether it was there.
        """
        with self._lock:
            before = len(self._faults)
            self._faults = [fault for fault in self._faults if fault.id != fault_id]
            return len(self._faults) < before

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def match(self, method: str, path: str) -> Fault | None:
        """Return the fault that happens to this request, None for none."""
        if not self._faults:
            return None
        with self._lock:
            return next((one for one in self._faults if one.drop != "on_accept" and one.takes(method, path)), None)

    def refuses_connection(self) -> bool:
        """Tell whether a connection that was just accepted is to be closed."""
        if not self._faults:
            return False
        with self._lock:
            planned = (one for one in self._faults if one.drop == "on_accept" and one.method is None)
            return any(one.takes("", one.route) for one in planned)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MAX_SECONDS


def _is_header_value(value: object) -> bool:
    return isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None


def _is_headers(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and _TOKEN.fullmatch(name) and _is_header_value(text)
        for name, text in cast("Mapping[object, object]", value).items()
    )


# What each argument may be, and how to say so; None means that it isn't given.
_ALLOWED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "route": (lambda value: isinstance(value, str) and value != "", "a path or a pattern"),
    "method": (lambda value: isinstance(value, str) and _TOKEN.fullmatch(value) is not None, "an HTTP method"),
    "status": (lambda value: _is_whole(value, 200) and value <= 599, "a status from 200 to 599"),
    "times": (lambda value: _is_whole(value, 1), "a number from 1, or None for ever"),
    "after": (lambda value: _is_whole(value, 0), "a number from 0"),
    "retry_after": (lambda value: _is_seconds(value) or _is_header_value(value), "seconds or an HTTP date"),
    "headers": (_is_headers, "header names and texts"),
    "delay": (_is_seconds, "a number of seconds"),
    "drop": (get_args(Drop).__contains__, f"one of {', '.join(get_args(Drop))}"),
    "kind": (get_args(Kind).__contains__, f"one of {', '.join(get_args(Kind))}"),
}
_ALWAYS = ("route", "after")


def _check(**arguments: object) -> None:
    for name, value in arguments.items():
        allowed, meaning = _ALLOWED[name]
        if (value is not None or name in _ALWAYS) and not allowed(value):
            raise FaultError(f"{name}={value!r} is not {meaning}.", name)
