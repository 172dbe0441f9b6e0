"""Which looks to take now, and when to think again: gathers what is due, and keeps its distance in times of trouble.

Pure: it is told the time and what became of each look. Who carries looks out is the business of desk.py.
"""

from __future__ import annotations

import logging
import math
from operator import attrgetter
from typing import Final, Generic, TypeVar

import attrs

from eigenpal.engine.retry import backoff
from eigenpal.errors import EigenpalError
from eigenpal.waiting.agenda import Agenda, withdraw
from eigenpal.waiting.kinds import Kind
from eigenpal.waiting.watched import Watched

T = TypeVar("T")

_due = attrgetter("due")

logger: logging.Logger = logging.getLogger("eigenpal")

# Requests under way. Their answers may all come in one turn of the loop, which then is busy for milliseconds with each.
LISTS_AT_ONCE: Final = 4
FETCHES_AT_ONCE: Final = 16
GATHERING_SECONDS: Final = 0.02  # those who come together are looked at together; nobody notices the wait
NEARLY_DUE: Final = 0.5  # of a pause: enough for waiters that are out of step to fall into step for good
FAILED_LISTS: Final = 3  # in a row, before lists are given a rest and each is looked at by itself
LISTS_REST_SECONDS: Final = 30.0


@attrs.define
class Lists:
    """Whether a server answers lists of ids. Learned once for a client."""

    work: bool

    def give_up(self, noun: str, why: object) -> None:
        """Take it that lists of ids will never work."""
        if self.work:
            self.work = False
            logger.info("each %s is looked at by itself from now on: %s", noun, why)


class Rounds(Generic[T]):
    """The looks of one event loop at one kind of work.

    Args:
        kind: What is looked at.
        lists: What is known of lists.
    """

    def __init__(self, kind: Kind[T], lists: Lists) -> None:
        self._kind = kind
        self._lists = lists
        self._together: Agenda[Watched[T]] = Agenda()
        self._apart: Agenda[Watched[T]] = Agenda()
        self._lists_under_way = 0
        self._fetches_under_way = 0
        self._failures = 0
        self._failed_lists = 0
        self._lists_rest_until = -math.inf
        self._quiet_until = -math.inf

    def put(self, item: Watched[T], now: float) -> None:
        """Plan a look for when the item is due."""
        together = not item.alone and self._lists_may_work(now)
        (self._together if together else self._apart).put(item)

    def take(self, now: float) -> list[Watched[T]]:
        """Return what one look is to be taken at now, nothing where no look is due or may begin yet."""
        if now < self._quiet_until or (self._failures and self._under_way):
            return []  # after a failure one look goes ahead, and the others follow once it succeeds
        # The longest due goes first: after a failure it is tried by itself, and one that always fails must not be it
        # each time.
        item = min(self._first_of_each(), key=_due, default=None)
        if item is None or item.due > now:
            return []
        if item.agenda is self._together:
            if not self._lists_may_work(now):
                self._together.move_all_to(self._apart)
                return self.take(now)
            items = self._gathered(now)
        else:
            withdraw(item)
            items = [item]
        if len(items) > 1:
            self._lists_under_way += 1
        else:
            self._fetches_under_way += 1
        return items

    def next_at(self) -> float:
        """Return when `take` may give something, infinity if only an end of what is under way can change that."""
        if self._failures and self._under_way:
            return math.inf
        due = min((item.due for item in self._first_of_each()), default=math.inf)
        return max(due, self._quiet_until)

    def ended(self, *, is_list: bool) -> None:
        """Take note that a look is no longer under way, whatever became of it."""
        if is_list:
            self._lists_under_way -= 1
        else:
            self._fetches_under_way -= 1

    def succeeded(self, *, is_list: bool) -> None:
        """Take note of an answer: the server is well."""
        self._failures = 0
        if is_list:
            self._failed_lists = 0

    def failed(self, error: EigenpalError, now: float, *, is_list: bool) -> None:
        """Keep away from the server for a while, after a failure that will pass."""
        if now >= self._quiet_until:
            self._quiet_until = now + backoff(self._failures, error.retry_after)
            self._failures += 1
        elif error.retry_after:  # one of several that were under way: the same trouble, so no longer unless told to
            self._quiet_until = max(self._quiet_until, now + backoff(0, error.retry_after))
        if is_list:
            self._failed_lists += 1
            if self._failed_lists >= FAILED_LISTS:  # the list may be all that is broken
                self._failed_lists = 0
                self._lists_rest_until = now + LISTS_REST_SECONDS

    @property
    def _under_way(self) -> int:
        return self._lists_under_way + self._fetches_under_way

    def _first_of_each(self) -> list[Watched[T]]:
        """Return what is due first of each agenda that may go on now."""
        apart = self._apart.first() if self._fetches_under_way < FETCHES_AT_ONCE else None
        together = self._together.first() if self._lists_under_way < LISTS_AT_ONCE else None
        return [item for item in (apart, together) if item is not None]

    def _lists_may_work(self, now: float) -> bool:
        return self._lists.work and now >= self._lists_rest_until

    def _gathered(self, now: float) -> list[Watched[T]]:
        """Take out what one list can hold of what is due or nearly due, and stands in order of that."""
        items: list[Watched[T]] = []
        room = self._kind.most_characters
        while len(items) < self._kind.most_ids and (item := self._together.first()):
            early = item.due - now
            room -= len(item.id) + 3  # a comma takes three characters in an address
            if early > GATHERING_SECONDS + NEARLY_DUE * (item.due - item.since) or (room < 0 and items):
                break
            withdraw(item)
            items.append(item)
        return items
