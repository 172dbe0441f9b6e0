"""One page, and all items of all pages: on cursor and on offset endpoints alike."""

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


class PageIterator(Generic[T]):
    """All items of all pages, one request for each page, only when its items are asked for."""

    def __init__(self, fetch: Callable[[Mapping[str, Any]], Awaitable[Page[T]]], query: Mapping[str, Any]) -> None:
        self._fetch = fetch
        self._query: Mapping[str, Any] | None = query
        self._items: Iterator[T] = iter(())
        self._asked: set[tuple[Any, Any]] = set()

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
            place = (self._query.get("cursor"), self._query.get("offset"))
            if place in self._asked:
                self._query = None
                raise EigenpalDecodeError(
                    f"the server sent the same place in the list twice ({place[0] or place[1]!r}): its pages go in a "
                    f"circle, so not all items can be reached"
                )
            page = await self._fetch(self._query)
            self._asked.add(place)  # only now: after a failure the same page may be asked for again
            self._items = iter(page.items)
            following = page.next_query
            self._query = None if following is None else {**self._query, **following}
