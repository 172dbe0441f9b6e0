"""What a service offers to fan-out, as data; and one piece of it, as it goes through a batch.

No I/O and no names of a service: runs, sessions and executions are described with the same few callables.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import attrs

from eigenpal.engine.checks import Mismatch
from eigenpal.engine.codec import structure
from eigenpal.errors import EigenpalDecodeError
from eigenpal.fanout.outcome import Outcome
from eigenpal.lifecycle import Lifecycle

T = TypeVar("T", bound=Lifecycle)


class _Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = _Unknown.UNKNOWN
"""Answer of `Work.find` when the service can't tell whether something was started."""

Known: TypeAlias = Callable[[Sequence[str]], Awaitable[set[str]]]
"""Tells which of some ids this batch knows as its own already, so that they need not be looked at."""

Found: TypeAlias = str | Literal[_Unknown.UNKNOWN] | None


@attrs.frozen(kw_only=True, eq=False)
class Work(Generic[T]):
    """One kind of work that a service does. A `request` is whatever `start` understands; nobody else looks into it.

    Attributes:
        service: Name and address of the service; journals keep it, since ids mean nothing elsewhere.
        noun: What one piece is called in messages, such as `run`.
        start: Starts a request once, marked with a token, and returns its id. Where it can't be told whether it began,
            the error says `maybe_started`.
        wait: Waits for an id, at most that many seconds (None for no bound), and returns the result in its last state.
            The last argument says whether it was started a moment ago.
        cancel: Asks an id to stop; None when the service has no such call.
        find: Returns the id of what was started for a request with a token at or after a moment of this machine's
            clock, None if it is surely not there, UNKNOWN if that can't be told.
        fingerprint: A text that is the same for the same request, over processes.
        dump: Turns a result into JSON.
        load: Turns that JSON into the result again.
        save: Stores the files of a result in a folder, skips those that are there, and returns where they are.
        outcome: The class of the outcomes.
    """

    service: str
    noun: str
    start: Callable[[Any, str], Awaitable[str]]
    wait: Callable[[str, float | None, bool], Awaitable[T]]
    cancel: Callable[[str], Awaitable[object]] | None = None
    find: Callable[[Any, str, datetime, Known], Awaitable[Found]]
    fingerprint: Callable[[Any], Awaitable[str]]
    dump: Callable[[T], Any]
    load: Callable[[Any], T]
    save: Callable[[T, Path], Awaitable[Sequence[Path]]] | None = None
    outcome: type[Outcome[T]] = Outcome


def loader(kind: type[T], noun: str) -> Callable[[Any], T]:
    """Return the `load` of work whose results are models.

    Args:
        kind: The model.
        noun: What one is called in the error for a journal that has something else.
    """

    def load(wire: Any) -> T:
        try:
            result: T = structure(kind, wire)
        except Mismatch as mismatch:
            raise EigenpalDecodeError(f"the {noun} in the journal can't be read: {mismatch}") from None
        return result

    return load


@attrs.define(eq=False)
class Job:
    """One piece of work of a batch.

    Attributes:
        key: What its owner calls it; unique in a batch.
        index: Its place among the inputs, from 0.
        work: How it is done.
        request: What is to be done; None once it is started.
    """

    key: str
    index: int
    work: Work[Any]
    request: Any = attrs.field(repr=False)
