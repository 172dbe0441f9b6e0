"""One page, and all items of all pages: on cursor and on offset endpoints alike, in both directions where there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar

from eigenpal.engine.model import Model, model
from eigenpal.errors import EigenpalDecodeError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Page(Protocol[T_co]):
    """One page of a list: its items, and how to ask for the next one."""

    @property
    def items(self) -> Sequence[T_co]:
        """The items of this page."""
        ...

    @property
    def next_query(self) -> Mapping[str, Any] | None:
        """Query arguments that select the page after this one; None on the last page."""
        ...


@model
class OffsetPage(Model, Generic[T]):
    """A page that is found by its offset.

    Attributes:
        data: The items of this page; `items` is the same list.
        total: How many items match in all.
        limit: Page size in effect.
        offset: How many items come before this page.
    """

    data: list[T]
    total: int
    limit: int
    offset: int

    @property
    def items(self) -> list[T]:
        """The items of this page."""
        return self.data

    @property
    def has_more(self) -> bool:
        """Whether there are items after this page."""
        return bool(self.data) and self.offset + len(self.data) < self.total

    @property
    def next_query(self) -> Mapping[str, Any] | None:
        """Query arguments that select the page after this one; None on the last page."""
        return {"offset": self.offset + len(self.data), "cursor": None} if self.has_more else None

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


class TwoWayPage(Protocol[T_co]):
    """One page of a list that goes on in both directions, newest item first."""

    @property
    def items(self) -> Sequence[T_co]:
        """The items of this page."""
        ...

    @property
    def newer_query(self) -> Mapping[str, Any] | None:
        """Query arguments that select the page of newer items; None where there are none yet."""
        ...


class Upward(Generic[T]):
    """A page read towards newer items: the oldest first, and the next page is the one above."""

    def __init__(self, page: TwoWayPage[T]) -> None:
        self.items: Sequence[T] = page.items[::-1]
        self.next_query: Mapping[str, Any] | None = page.newer_query


class PageIterator(Generic[T]):
    """All items of all pages, one request for each page, only when its items are asked for."""

    def __init__(self, fetch: Callable[[Mapping[str, Any]], Awaitable[Page[T]]], query: Mapping[str, Any]) -> None:
        self._fetch = fetch
        self._query: Mapping[str, Any] | None = query
        self._items: Iterator[T] = iter(())
        self._asked: set[_Place] = set()
        self._circle: _Place | None = None

    def __aiter__(self) -> Self:
        return self

    def take_ready(self) -> list[T]:
        """Return the rest of the page at hand as one list, as if each item had been iterated over; sends nothing."""
        return list(self._items)

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            if self._query is None:
                raise StopAsyncIteration
            if self._circle is not None:
                self._query = None
                where = next((value for _, value in self._circle if value is not None), None)
                raise EigenpalDecodeError(
                    f"the server sent the same place in the list twice ({where!r}): its pages go in a "
                    f"circle, so not all items can be reached"
                )
            page = await self._fetch(self._query)
            self._items = iter(page.items)
            self._turn_to(page.next_query)

    def _turn_to(self, following: Mapping[str, Any] | None) -> None:
        """Note where the page after the one just read is, and whether it is one that was read before."""
        query, self._query = self._query, None
        if query is None or following is None:
            return
        self._asked.add(_place(query, following))
        if (place := _place(following, following)) in self._asked:
            self._circle = place
        self._query = {**query, **following}


_Place = tuple[tuple[str, Any], ...]


def _place(query: Mapping[str, Any], following: Mapping[str, Any]) -> _Place:
    """Return the part of a query that says which page it selects: the names that the server's own hint has."""
    return tuple((name, query.get(name)) for name in sorted(following))
