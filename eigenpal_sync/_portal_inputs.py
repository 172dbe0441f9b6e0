"""Inputs that blocking code iterates over itself: read for work in the loop, on the thread that waits for the work.

A generator may block, or belong to its thread as a database cursor does; read in the loop it would stop all work there.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping, Sized
from typing import Any, Final, Self

from eigenpal_sync._portal_callback import CallerCallback, Waiting

_END: Final = object()


class CallerInputs:
    """An async iterator over a plain iterable that takes each item from it on the caller's thread.

    An item is taken when it is asked for and the caller waits for the work: never ahead, and never by another thread.
    """

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source
        self._items: Iterator[Any] | None = None
        self._take = CallerCallback(self._take_here)

    def bind(self, work: Waiting) -> None:
        """Have items taken by whoever waits for this work."""
        self._take.bind(work)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        """Return the next item; what the iterable raises is raised."""
        (item,) = await self._take()
        if item is _END:
            raise StopAsyncIteration
        return item

    def _take_here(self) -> tuple[Any]:
        if self._items is None:
            self._items = iter(self._source)
        return (next(self._items, _END),)  # wrapped: an item that can be awaited would be, on its way


class SizedCallerInputs(CallerInputs):
    """The same over an iterable that knows how many items it has."""

    def __init__(self, source: Any) -> None:
        super().__init__(source)
        self._sized: Sized = source

    def __len__(self) -> int:
        return len(self._sized)


def caller_inputs(source: Any) -> Any:
    """Wrap a user's iterable, for use as an argument of one call of a portal.

    What is in memory and no more than that, or no plain iterable, stays as it is: an async one is iterated in the loop,
    and what can't be iterated over is refused there.
    """
    in_memory = isinstance(source, list | tuple | str | bytes | Mapping)
    if in_memory or isinstance(source, AsyncIterable) or not isinstance(source, Iterable):
        return source  # pyright: ignore[reportUnknownVariableType] - anything
    iterable: Iterable[Any] = source  # pyright: ignore[reportUnknownVariableType] - of anything
    return SizedCallerInputs(iterable) if isinstance(iterable, Sized) else CallerInputs(iterable)
