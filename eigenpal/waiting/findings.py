"""What each look means for those who wait: news, an end, trouble that will pass, or a reason to give up.

Makes no request and knows no time but what it is told; who carries looks out is the business of desk.py.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

from eigenpal.engine.retry import passes
from eigenpal.errors import (
    EigenpalAuthError,
    EigenpalDecodeError,
    EigenpalError,
    EigenpalNotFoundError,
    EigenpalUsageError,
)
from eigenpal.waiting import polling
from eigenpal.waiting.agenda import withdraw
from eigenpal.waiting.kinds import Glance, Kind
from eigenpal.waiting.rounds import GATHERING_SECONDS, Lists, Rounds
from eigenpal.waiting.watched import Waiter, Watched

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("eigenpal")

MOST_OMISSIONS: Final = 2  # a list may lag behind for a moment; what it leaves out again, it does not show at all
# Failures of whoever asks, not of what was asked for: asking for each by itself would end the same.
OF_THE_CALLER: Final = (EigenpalAuthError, EigenpalUsageError)


class Findings(Generic[T]):
    """Everything that is waited for in one event loop, and what looks have shown of it.

    Args:
        kind: What is waited for.
        lists: What is known of its lists.
    """

    def __init__(self, kind: Kind[T], lists: Lists) -> None:
        self._kind = kind
        self._lists = lists
        self._watched: dict[str, Watched[T]] = {}
        self.rounds: Rounds[T] = Rounds(kind, lists)

    def __len__(self) -> int:
        return len(self._watched)

    def item(self, work_id: str) -> Watched[T]:
        """Return what is known of a piece of work."""
        if (item := self._watched.get(work_id)) is None:
            item = self._watched[work_id] = Watched[T].with_id(work_id)
        return item

    def enter(self, waiter: Waiter[T], now: float, *, at_once: bool) -> None:
        """Begin a wait, and plan its first look: at once, or when it has had a moment."""
        item = waiter.watched
        under_way = bool(item.waiters) and item.agenda is None
        item.waiters.append(waiter)
        if at_once:
            waiter.due = now + (GATHERING_SECONDS if len(self._watched) > 1 else 0.0)
        else:
            waiter.due = now + waiter.pause()
        # While a look is under way nothing is to be planned: it serves this waiter too, and sees to the next one.
        if not under_way and waiter.due < item.due:
            item.due, item.since = waiter.due, now
            self.rounds.put(item, now)

    def leave(self, waiter: Waiter[T]) -> None:
        """End a wait, settled or not."""
        item = waiter.watched
        if waiter in item.waiters:
            item.waiters.remove(waiter)
            self._forget_if_unwanted(item)

    # -------------------------------------------------------------------------------------------- answers

    def fetched(self, item: Watched[T], work: T, now: float) -> None:
        """Take in a look at one piece of work."""
        self.rounds.succeeded(is_list=False)
        glance = self._kind.glance(work)
        self._tell(item, glance)
        if glance.over:
            for waiter in self._released(item):
                waiter.result = work
                waiter.party.settle(waiter)
        else:
            item.alone = item.alone and item.omissions != 1
            self._plan(item, now)

    def listed(self, items: Iterable[Watched[T]], rows: Mapping[str, Glance[T]], now: float) -> None:
        """Take in a list; what is over is to be fetched, and so is what the list left out."""
        self.rounds.succeeded(is_list=True)
        wanted = {item.id: item for item in items}
        if rows.keys() - wanted.keys():
            self._lists.give_up(self._kind.noun, "the server answers lists of ids with others too")
        for work_id, item in wanted.items():
            glance = rows.get(work_id)
            try:
                if glance is not None and not glance.over:
                    self._tell(item, glance)
            except EigenpalDecodeError:
                glance = None  # a row that can't be read is as good as none
            if glance is None:
                item.omissions += 1
                self._look_alone(item, now)
            elif glance.over:
                item.last, item.trouble, item.omissions = glance.kept(), None, MOST_OMISSIONS
                self._look_alone(item, now)
            else:
                self._plan(item, now)

    def failed(self, items: Iterable[Watched[T]], error: EigenpalError, now: float, present: float) -> None:
        """Take in the failure of a look.

        Args:
            items: What was looked at.
            error: What happened.
            now: The time by which looks are planned.
            present: The time by the clock of the loop.
        """
        items = list(items)
        is_list = len(items) > 1
        if passes(error):
            self.rounds.failed(error, now, is_list=is_list)
            for item in items:
                item.trouble = error
                self._plan(item, now)
            return
        self.rounds.succeeded(is_list=is_list)
        if is_list and not isinstance(error, OF_THE_CALLER):
            self._lists.give_up(self._kind.noun, error)
            for item in items:
                self._look_alone(item, now)
            return
        for item in items:
            patient: list[Waiter[T]] = []
            if isinstance(error, EigenpalNotFoundError) and item.last is None:
                grace = polling.UNSEEN_GRACE_SECONDS
                patient = [waiter for waiter in item.waiters if present - waiter.began < grace]
                item.trouble = error
            self._give_up(item, error, patient)
            self._plan(item, now)

    def put_back(self, items: Iterable[Watched[T]], now: float) -> None:
        """Plan looks again that were given up before they showed anything."""
        for item in items:
            if item.waiters:
                self.rounds.put(item, now)

    # -------------------------------------------------------------------------------------------- steps

    def _tell(self, item: Watched[T], glance: Glance[T]) -> None:
        """Take note of what was seen, and have it told to those to whom it is news."""
        for waiter in item.waiters:
            if waiter.wants_news and glance.differs_from(waiter.told):
                waiter.news = [*(waiter.news or ()), glance.read()]
                waiter.told = glance
                waiter.party.wake()
        item.trouble = None
        if glance.differs_from(item.last):  # or else what is kept is as good, and the new one need not be
            item.last = glance.kept()
        if not glance.known and not glance.over and not item.warned:
            item.warned = True
            text = "%s %s has the status %r, unknown to this version; still waiting"
            logger.warning(text, self._kind.noun, item.id, glance.status)

    def _look_alone(self, item: Watched[T], now: float) -> None:
        item.alone = True
        if item.waiters:
            item.due = item.since = now
            self.rounds.put(item, now)

    def _plan(self, item: Watched[T], now: float) -> None:
        if item.waiters:
            item.plan(now)
            self.rounds.put(item, now)

    def _give_up(self, item: Watched[T], error: EigenpalError, patient: list[Waiter[T]]) -> None:
        hopeless = [waiter for waiter in item.waiters if waiter not in patient]
        item.waiters[:] = patient
        self._forget_if_unwanted(item)
        for number, waiter in enumerate(hopeless):
            waiter.error = copy.copy(error) if number else error  # each raises its own: a traceback belongs to one task
            waiter.party.settle(waiter)

    def _released(self, item: Watched[T]) -> list[Waiter[T]]:
        waiters = item.waiters.copy()
        item.waiters.clear()
        self._forget_if_unwanted(item)
        return waiters

    def _forget_if_unwanted(self, item: Watched[T]) -> None:
        if not item.waiters:
            withdraw(item)
            if self._watched.get(item.id) is item:
                del self._watched[item.id]
