"""Time as the sandbox sees it: milliseconds since 1970, from the wall clock or from a clock that a test moves.

Nothing else in the package asks the operating system what time it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def wall_clock() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved; pass it as `Sandbox(clock=...)`.

    Args:
        start: First moment, with a time zone; 2026-01-01 UTC unless given.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._moment = start or datetime(2026, 1, 1, tzinfo=UTC)
        if self._moment.tzinfo is None:
            raise ValueError("ManualClock needs a start with a time zone, such as datetime(2026, 1, 1, tzinfo=UTC).")
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Return the moment the clock stands at."""
        with self._lock:
            return self._moment

    def advance(self, seconds: float) -> None:
        """Move the clock on.

        Args:
            seconds: How far; negative moves it back.
        """
        with self._lock:
            self._moment += timedelta(seconds=seconds)


def milliseconds(moment: datetime) -> int:
    """Return a moment as whole milliseconds since 1970; a moment without a zone counts as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def timestamp(moment: int) -> str:
    """Return milliseconds since 1970 as the wire writes them: `2026-06-14T09:00:05.450Z`."""
    return moment_of(moment).isoformat(timespec="milliseconds")[:-6] + "Z"


def moment_of(milliseconds: int) -> datetime:
    """Return the moment that so many milliseconds since 1970 are."""
    return _EPOCH + milliseconds * _MILLISECOND
