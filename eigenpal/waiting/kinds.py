"""One kind of work as data: how to look at it, what a look shows, how messages name it.

Runs are one kind, described where their operations are. Nothing here waits or sends.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from eigenpal.errors import EigenpalError

if TYPE_CHECKING:
    from eigenpal.engine.session import Session

T = TypeVar("T")


class Row(Generic[T]):
    """A row of a list, decoded when it is called; kept as text, since parsed JSON takes many times the room.

    Args:
        row: Its JSON.
        decode: Makes what it stands for of it; raises `EigenpalDecodeError` where it can't.
    """

    __slots__ = ("_decode", "_json", "_text")

    def __init__(self, row: Any, decode: Callable[[Any], T]) -> None:
        self._json: Any = row
        self._text: bytes | None = None
        self._decode = decode

    def __call__(self) -> T:
        """Return what the row stands for."""
        return self._decode(self._json if self._text is None else json.loads(self._text))

    def pack(self) -> None:
        """Make it small, for keeping: few rows are ever read, and thousands may be kept."""
        if self._text is None:
            self._text = json.dumps(self._json, separators=(",", ":")).encode()
            self._json = None


@attrs.frozen(eq=False)
class Glance(Generic[T]):
    """What one look showed, in short; cheap, since a list shows a hundred at once.

    Attributes:
        status: Where the work is in its life.
        over: Whether it is in its last state.
        read: Gives what was looked at, decoded; raises `EigenpalDecodeError` where it is not what it should be.
        known: False for a status that this version does not know.
        detail: Whatever else is news to a caller when it differs.
    """

    status: str
    over: bool
    read: Callable[[], T]
    known: bool = True
    detail: Hashable = None

    def differs_from(self, other: Glance[T] | None) -> bool:
        """Whether a caller who was told the other has to be told this one."""
        return other is None or self.status != other.status or self.detail != other.detail

    def kept(self) -> Glance[T]:
        """Return the same, fit for keeping."""
        read: object = self.read
        if isinstance(read, Row):
            read.pack()
        return self


@attrs.frozen(kw_only=True, eq=False)
class Kind(Generic[T]):
    """What waiting has to know about one kind of work. Each call gets the session of whoever waits.

    Attributes:
        noun: How messages call one of them, such as `"run"`.
        again: How to wait for one once more, with `{!r}` where its id goes.
        fetch: Looks at one.
        glance: Says in short what `fetch` showed.
        cancel: Asks one to cancel; None where there is no such call.
        rows: Looks at several at once; ids that its answer lacks are fetched. None where there is no such call.
        note: Puts the id, and what was seen last, on the error of a wait that ran out; None leaves the error as it is.
        most_ids: Ids that one call of `rows` takes.
        most_characters: Room for them in its address, commas and all.
    """

    noun: str
    again: str
    fetch: Callable[[Session, str], Awaitable[T]]
    glance: Callable[[T], Glance[T]]
    cancel: Callable[[Session, str], Awaitable[object]] | None = None
    rows: Callable[[Session, Sequence[str]], Awaitable[Mapping[str, Glance[T]]]] | None = None
    note: Callable[[EigenpalError, str, T | None], object] | None = None
    most_ids: int = 100  # the longest page that the service gives
    most_characters: int = 6_000  # addresses of 8,000 are taken nearly everywhere, and the rest of one needs room too
