"""What became of one input of a batch; and errors as JSON, for the journal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import attrs

from eigenpal import errors
from eigenpal.anyjson import object_of, text_of
from eigenpal.errors import EigenpalError

T = TypeVar("T")

# Headers and results stay out: the first may hold what is nobody's business, the others are kept apart.
_KEPT: Final = ("status", "request_id", "method", "url", "envelope", "retry_after", "retries_taken", "maybe_started")


@attrs.frozen(kw_only=True, repr=False, eq=False)
class Outcome(Generic[T]):
    """What became of one input. There is exactly one for each input that was taken.

    Attributes:
        key: Key of the input; its index as text when it was given without one.
        index: Place of the input, from 0.
        id: Id on the server, None when nothing was started.
        value: The result in its last state, None when there is none.
        error: Why there is no result, or why its files could not be saved; None otherwise. A result that the service
            calls failed is no error here: see `ok`.
        ok: Whether there is a result, a good one, with all that was asked for.
        attempts: How often starting it was tried, over all processes that worked on it.
        seconds: Seconds from the first try to its end.
        restored: Whether it comes from the journal as it is, without a request.
        files: Where its files were saved.
    """

    key: str
    index: int
    id: str | None = None
    value: T | None = None
    error: EigenpalError | None = None
    ok: bool = False
    attempts: int = 0
    seconds: float = 0.0
    restored: bool = False
    files: tuple[Path, ...] = ()

    def __repr__(self) -> str:
        error = "" if self.error is None else f", error=<{type(self.error).__name__}>"
        return (
            f"{type(self).__name__}(key={self.key!r}, index={self.index}, id={self.id!r}, ok={self.ok}{error}, "
            f"attempts={self.attempts}, seconds={self.seconds:.1f})"
        )


def error_as_json(error: EigenpalError) -> dict[str, Any]:
    """Return what is kept of an error."""
    return {"kind": type(error).__name__, "message": error.message} | {
        name: value for name in _KEPT if (value := getattr(error, name)) not in (None, 0, False)
    }


def error_from_json(kept: Mapping[str, Any]) -> EigenpalError:
    """Return an error as it was, of the same type; of a type that is gone, an `EigenpalError`."""
    members = object_of(kept)
    kind: Any = getattr(errors, str(members.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, EigenpalError)):
        kind = EigenpalError
    error: EigenpalError = kind(text_of(members.get("message")) or "no message was kept")
    for name in _KEPT:
        if name in members:
            setattr(error, name, members[name])
    return error
