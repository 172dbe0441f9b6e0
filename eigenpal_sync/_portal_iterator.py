"""Async iteration from a blocking `for`: a task pumps items into a bounded buffer, the iterator pulls chunks (P4).

Here: both ends of that buffer. Not here: how a piece of work is waited for and interrupted (_portal_work.py).
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import weakref
from collections.abc import AsyncIterable, Callable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from eigenpal_sync._portal_thread import LoopThread
from eigenpal_sync._portal_work import FINISHED, Work

T = TypeVar("T")

# A hop shared by this many items costs each about as much as making it; more would only fill memory.
MOST_READ_AHEAD = 32
_RESULT = cast(Callable[[asyncio.Future[list[Any]]], list[Any]], asyncio.Future[Any].result)


class Pump(Work[None]):
    """Iterates in one task of the loop, from first item to cleaning up.

    A source with `take_ready()`, which returns the items it already has, is asked for them with each item, and never
    before the consumer wants more: pages are fetched when they would be by `async for`. Any other source is read
    ahead, at most half as many items as the consumer has taken: none before the second, so that who wants only the
    first item makes the server work for that one.
    """

    def __init__(self, thread: LoopThread, source: Callable[[], AsyncIterable[object]]) -> None:
        super().__init__(thread)
        self._source = source
        self._items: list[object] = []
        self._taken = 0
        self._reads_ahead = True
        self._wanted = True
        self._handing_over = False
        self._room: asyncio.Future[None] | None = None

    async def _work(self) -> None:
        source = self._source()
        take_ready: Callable[[], list[object]] | None = getattr(source, "take_ready", None)
        self._reads_ahead = take_ready is None
        try:
            async for item in source:
                self._items.append(item)
                if take_ready is not None:
                    self._items += take_ready()
                if self._wanted and not self._handing_over:
                    self._handing_over = True
                    # Due when this task next pauses: items that are ready at once travel together.
                    self.thread.loop.call_soon(self._hand_over)
                while len(self._items) >= self._capacity():
                    self._room = self.thread.loop.create_future()
                    await self._room
        finally:
            close = getattr(source, "aclose", None)  # generators have it, other iterators may
            if close is not None:
                await close()

    def ask(self) -> None:
        """Ask for the next chunk; called by the consumer."""
        if not self.finished:  # what was left then is in the inbox
            self.tell_loop(self._want)

    def _want(self) -> None:
        self._wanted = True
        if self._items:
            self._hand_over()
        else:
            self._go_on()

    def _capacity(self) -> int:
        ahead = min(self._taken // 2, MOST_READ_AHEAD) if self._reads_ahead else 0
        return max(self._wanted, ahead)

    def _hand_over(self) -> None:
        self._handing_over = False
        if not self._items:  # the work finished, and handed over what there was
            return
        self._wanted = False
        self._taken += len(self._items)
        self.inbox.put(self._items)
        self._items = []
        if self._capacity():
            self._go_on()

    def _go_on(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _finish(self) -> None:
        if self._items:
            self.inbox.put(self._items)
            self._items = []
        super()._finish()


class Chunks:
    """The consumer's end: an iterator of futures, each done, of a list of items or of the error that ended it all.

    It starts the pump when the first item is asked for, and cancels it when it is closed or forgotten.
    """

    def __init__(self, open_pump: Callable[[], Pump]) -> None:
        self._open_pump = open_pump
        self._pump: Pump | None = None
        self._closed = False
        self._turn = threading.RLock()  # several threads may share an iterator; a callback of it may come back to it

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> asyncio.Future[list[object]]:
        """Wait for the next chunk."""
        try:
            with self._turn:
                return self._next_chunk()
        except BaseException:  # the end, or Ctrl-C where it may have lost items: either way there are no more
            self._closed = True
            if self._pump is not None:
                self._pump.cancel()
            raise

    def _next_chunk(self) -> asyncio.Future[list[object]]:
        if self._closed:
            raise StopIteration
        pump = self._pump
        if pump is None:
            pump = self._pump = self._open_pump()
            weakref.finalize(self, pump.cancel).atexit = False
        message = pump.exchange(pump.ask if pump.begun else pump.begin)
        chunk: asyncio.Future[list[object]] = asyncio.Future(loop=pump.thread.loop)
        if message is not FINISHED:
            chunk.set_result(cast(list[object], message))
            return chunk
        if self._closed:  # by another thread
            raise StopIteration
        self._closed = True
        error = pump.outcome().exception()
        if error is None:
            raise StopIteration
        chunk.set_exception(error)
        return chunk

    def close(self) -> None:
        """Cancel the pump and wait, within bounds, until it has closed the async iterator."""
        self._closed = True
        if self._pump is not None:
            self._pump.interrupt()


class BlockingIterator(Iterator[T], Generic[T]):
    """Iterates over what an async iterator yields; leaving the loop early and dropping it ends the work behind it.

    To end that work at a certain point, call `close()` or use it as a context manager.
    """

    def __init__(self, open_pump: Callable[[], Pump], wrap: Callable[[Any], T] | None = None) -> None:
        self._chunks = Chunks(open_pump)
        # They are written in C: a `for` meets no code of ours between items and no frame of ours in a traceback (P7).
        items: Iterator[Any] = itertools.chain.from_iterable(map(_RESULT, self._chunks))
        self._items: Iterator[T] = items if wrap is None else map(wrap, items)

    def __iter__(self) -> Iterator[T]:  # noqa: PYI034 - as fast as it gets, and it shares its position with us
        return self._items

    def __next__(self) -> T:
        """Return the next item."""
        return next(self._items)

    def close(self) -> None:
        """End the iteration: the async iterator is closed when this returns. Closing twice is fine."""
        self._chunks.close()
        self._items = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self.close()
