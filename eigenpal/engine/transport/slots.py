"""The queue in front of the wire: at most so many requests at once, the others in the order they came.

Belongs to one event loop. A free slot costs no turn of the loop, and a waiter that is cancelled leaves nothing behind.
"""

from __future__ import annotations

from collections import OrderedDict

import anyio


class SlotsClosed(Exception):
    """The queue was closed while a request stood in it."""


class _Waiter:
    __slots__ = ("called", "granted")

    def __init__(self) -> None:
        self.called = anyio.Event()
        self.granted = False


class Slots:
    """A counting lock that hands each freed slot to whoever has waited longest."""

    __slots__ = ("_closed", "_free", "_line", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._line: OrderedDict[_Waiter, None] = OrderedDict()  # leaving from the middle must not cost a scan
        self._closed = False

    @property
    def taken(self) -> int:
        """How many slots are in use."""
        return self._size - self._free

    @property
    def waiting(self) -> int:
        """How many requests stand in line."""
        return len(self._line)

    async def take(self) -> None:
        """Take a slot, waiting for one if need be.

        Raises:
            SlotsClosed: The queue is closed.
        """
        if self._closed:
            raise SlotsClosed
        if self._free:
            self._free -= 1
            return
        waiter = _Waiter()
        self._line[waiter] = None
        try:
            await waiter.called.wait()
        except BaseException:
            if waiter.granted:
                self.give_back()
            else:
                self._line.pop(waiter, None)
            raise
        if not waiter.granted:
            raise SlotsClosed

    def give_back(self) -> None:
        """Free a slot: hand it to the longest waiting request, if any waits."""
        if self._line:
            waiter, _ = self._line.popitem(last=False)
            waiter.granted = True
            waiter.called.set()
        else:
            self._free += 1

    def close(self) -> None:
        """Send everyone in line away; slots in use are given back as usual."""
        self._closed = True
        while self._line:
            waiter, _ = self._line.popitem(last=False)
            waiter.called.set()
