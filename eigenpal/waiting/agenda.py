"""What is to be looked at when: a heap whose items may move or leave at any time. Pure: no clock, no waiting."""

from __future__ import annotations

import heapq
import itertools
from typing import Any, Final, Generic, Protocol, TypeVar

FEW: Final = 64  # left places that are not worth tidying up

# For all agendas together: an item that moved from one to another must not be taken for itself.
_places = itertools.count(1)


class Planned(Protocol):
    """What an agenda keeps: when it is due, and where it stands, which is for the agenda alone to change."""

    due: float
    agenda: Agenda[Any] | None
    place: int


P = TypeVar("P", bound=Planned)


class Agenda(Generic[P]):
    """Items in the order they are due; putting, moving and removing one costs no scan of the others."""

    __slots__ = ("_heap", "_planned")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, P]] = []
        self._planned = 0

    def __len__(self) -> int:
        return self._planned

    def put(self, item: P) -> None:
        """Plan an item for when it is due, wherever it stood before."""
        withdraw(item)
        item.agenda, item.place = self, next(_places)
        self._planned += 1
        heapq.heappush(self._heap, (item.due, item.place, item))

    def first(self) -> P | None:
        """Return the item that is due first, None when nothing is planned."""
        heap = self._heap
        while heap and heap[0][1] != heap[0][2].place:  # it has moved or left
            heapq.heappop(heap)
        return heap[0][2] if heap else None

    def move_all_to(self, other: Agenda[P]) -> None:
        """Put everything into another agenda."""
        for _, place, item in sorted(self._heap, key=lambda entry: entry[:2]):
            if place == item.place:
                other.put(item)

    def left_by(self, item: P) -> None:
        """Forget an item; to be called by `withdraw` alone."""
        item.agenda, item.place = None, 0
        self._planned -= 1
        if len(self._heap) > 2 * self._planned + FEW:
            self._heap = [entry for entry in self._heap if entry[1] == entry[2].place]
            heapq.heapify(self._heap)


def withdraw(item: Planned) -> None:
    """Take an item out of the agenda it stands in, if any."""
    if item.agenda is not None:
        item.agenda.left_by(item)
