"""Taking the inputs of a batch one by one, from whatever holds them. Nothing is taken before there is room for it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sized
from typing import Any, Final

from anyio import CancelScope

from eigenpal.errors import EigenpalInputError

END: Final = object()


class Inputs:
    """The inputs of a batch, in order.

    Args:
        source: An iterable, or an async one. A plain one is read in the event loop.

    Raises:
        EigenpalInputError: It can't be iterated over.
    """

    def __init__(self, source: Any) -> None:
        self.total: int | None = len(source) if isinstance(source, Sized) else None
        self._iterator: Iterator[Any] | None = None
        self._async_iterator: AsyncIterator[Any] | None = None
        if isinstance(source, AsyncIterable):
            self._async_iterator = aiter(source)  # pyright: ignore[reportUnknownArgumentType] - of anything
        elif isinstance(source, Iterable) and not isinstance(source, str | bytes):
            self._iterator = iter(source)  # pyright: ignore[reportUnknownArgumentType] - of anything
        else:
            raise EigenpalInputError(f"inputs must be an iterable of inputs, not {type(source).__name__}")

    async def take(self) -> Any:
        """Return the next input, `END` when there is none left; what the source raises is raised."""
        if self._iterator is not None:
            return next(self._iterator, END)
        assert self._async_iterator is not None, "one of the two is there"
        return await anext(self._async_iterator, END)

    async def aclose(self) -> None:
        """Let go of an async generator that was not read to its end; a plain one stays its owner's."""
        close: Callable[[], Awaitable[object]] | None = getattr(self._async_iterator, "aclose", None)
        if close is not None:
            with CancelScope(shield=True):
                await close()
