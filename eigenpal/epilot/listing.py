"""Lists whose cursor may not work: the service answers `next_cursor` and declares no parameter that takes it.

A server that ignores the cursor answers its first page for ever. Such a page is refused before anyone gets its items.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from eigenpal.engine.paging import Page
from eigenpal.errors import EigenpalDecodeError


class Identified(Protocol):
    """What is listed has an id."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


T = TypeVar("T", bound=Identified)


class NewPages(Generic[T]):
    """Fetches the pages of one list, and refuses one that was there before.

    Args:
        fetch: Fetches the page that a query selects.
    """

    def __init__(self, fetch: Callable[[Mapping[str, Any]], Awaitable[Page[T]]]) -> None:
        self._fetch = fetch
        self._before: frozenset[str] = frozenset()
        self._ends: set[str] = set()

    async def __call__(self, query: Mapping[str, Any]) -> Page[T]:
        """Return the page that a query selects.

        Raises:
            EigenpalDecodeError: It is one of those before.
        """
        page = await self._fetch(query)
        # By its end: things that came up meanwhile push a page down, so its beginning may have been seen, its end not.
        end = page.items[-1].id if page.items else None
        following = page.next_query or {}
        asked = query.get("cursor")
        if asked is not None and (following.get("cursor") == asked or end in self._before or end in self._ends):
            raise EigenpalDecodeError(
                f"the server answered a page again when it was asked for the one at {asked!r}, so it takes no cursor: "
                f"what came before is all that can be listed like this; narrow the list, or raise its limit"
            )
        if end is not None:
            self._before = frozenset(item.id for item in page.items)
            self._ends.add(end)
        return page
