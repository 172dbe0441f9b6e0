"""What is known of each piece of work that is waited for, and of those who wait for it. State: nothing waits here."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

import anyio
import attrs

from eigenpal.errors import EigenpalError
from eigenpal.waiting.agenda import Agenda
from eigenpal.waiting.kinds import Glance
from eigenpal.waiting.polling import GROWTH, jittered

if TYPE_CHECKING:
    from eigenpal.engine.session import Session

T = TypeVar("T")

# An id of any other form has no safe place in a comma-separated list; it is asked for by itself, and refused there.
_LISTABLE: Final = re.compile(r"[\w.~-]+", re.ASCII)


@attrs.define(eq=False)
class Watched(Generic[T]):
    """One piece of work under watch.

    Attributes:
        id: Its id.
        alone: Whether the next look has to be a look at it alone.
        due: When it is to be looked at.
        since: When that was decided.
        agenda: Where that look is planned; None while one is under way.
        place: Its place in there.
        omissions: How often a list of it left it out.
        last: What was seen last.
        trouble: The last error in passing, None after a good look.
        warned: Whether an unknown status was reported.
        waiters: Those who wait for it.
    """

    id: str
    alone: bool = False
    due: float = math.inf
    since: float = 0.0
    agenda: Agenda[Watched[T]] | None = None
    place: int = 0
    omissions: int = 0
    last: Glance[T] | None = None
    trouble: EigenpalError | None = None
    warned: bool = False
    waiters: list[Waiter[T]] = attrs.field(factory=list["Waiter[T]"])

    @classmethod
    def with_id(cls, work_id: str) -> Self:
        """Return what is known of a piece of work before the first look."""
        return cls(work_id, alone=_LISTABLE.fullmatch(work_id) is None)

    def plan(self, now: float) -> None:
        """Decide on the look that follows one that ended now: no later than any of its waiters wants it."""
        self.since = now
        for waiter in self.waiters:
            waiter.due = now + waiter.pause()
        self.due = min((waiter.due for waiter in self.waiters), default=math.inf)


@attrs.define(eq=False)
class Waiter(Generic[T]):
    """One wait for one piece of work: when it looks, what it was told, how it ended.

    Attributes:
        watched: What is waited for.
        session: Whose calls are used.
        party: Who is woken, and carries looks out.
        interval: Longest pause between two looks.
        pace: The pause before the next look, jitter apart.
        began: When it began, by the clock of the loop.
        ends: When its time is up, infinity for never.
        wants_news: Whether it is told what looks show before the end.
        due: When it wants the next look.
        told: What it was told last.
        news: What it is yet to be told.
        result: The work in its last state, once it is over.
        error: Why it can't be waited for.
    """

    watched: Watched[T]
    session: Session
    party: Party[T]
    interval: float
    pace: float
    began: float
    ends: float = math.inf
    wants_news: bool = False
    due: float = 0.0
    told: Glance[T] | None = None
    news: list[T] | None = None
    result: T | None = None
    error: EigenpalError | None = None

    @property
    def settled(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.result is not None or self.error is not None

    def pause(self) -> float:
        """Return the pause before its next look, which the one after exceeds."""
        now, self.pace = self.pace, min(self.pace * GROWTH, self.interval)
        return jittered(now)


@attrs.define(eq=False)
class Look(Generic[T]):
    """One request to be made: for one piece of work, or for a list of several.

    Attributes:
        items: What is looked at.
        caller: The waiter in whose task and with whose session it is made.
        begun: Whether that task has taken it on.
    """

    items: list[Watched[T]]
    caller: Waiter[T]
    begun: bool = False


class Party(Generic[T]):
    """One who waits, or several together: what is woken when there is something to do, and given looks to carry out.

    Attributes:
        looks: Looks it was given and has not ended.
        bell: Set to wake it while it rests.
        alarm: Cancelled to wake it while it keeps the watch.
    """

    __slots__ = ("alarm", "bell", "looks")

    def __init__(self) -> None:
        self.looks: list[Look[T]] = []
        self.bell: anyio.Event | None = None
        self.alarm: anyio.CancelScope | None = None

    def next_look(self) -> Look[T] | None:
        """Return a look that it has not taken on yet."""
        return next((look for look in self.looks if not look.begun), None)

    def wake(self) -> None:
        """See to it that it finds what there is to do; it may be awake already."""
        if self.bell is not None:
            self.bell.set()
        elif self.alarm is not None:
            self.alarm.cancel()

    def settle(self, waiter: Waiter[T]) -> None:
        """Hear that one of its waits is settled."""
        self.wake()

    def is_called_away(self) -> bool:
        """Whether it has something to do that is not for the others."""
        raise NotImplementedError

    async def take_on(self, look: Look[T]) -> None:
        """Carry a look out, or have it carried out."""
        raise NotImplementedError
