"""Where those who wait in one event loop work together: the looks of all are carried out in the tasks of some.

There is no task but theirs. One of them keeps the watch, which is to sleep until the next look is due; each look is
carried out by one whose work it is about. Whoever leaves, for whatever reason, hands on what it had in hand.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from eigenpal.errors import EigenpalError
from eigenpal.waiting.findings import Findings
from eigenpal.waiting.kinds import Kind
from eigenpal.waiting.polling import FIRST_POLL_SECONDS
from eigenpal.waiting.rounds import Lists
from eigenpal.waiting.watched import Look, Party, Waiter

if TYPE_CHECKING:
    from eigenpal.engine.session import Session

T = TypeVar("T")

_ends = attrgetter("ends")


class Desk(Generic[T]):
    """The waits for one kind of work in one event loop.

    Args:
        kind: What is waited for.
        lists: What is known of its lists.
        sleep: Awaits that many seconds. The time is taken to have passed when it returns, whatever the clock says.
    """

    def __init__(self, kind: Kind[T], lists: Lists, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._kind = kind
        self._sleep = sleep
        self._findings = Findings(kind, lists)
        self._rounds = self._findings.rounds
        self._resting: dict[Party[T], None] = {}
        self._watchman: Party[T] | None = None
        self._alarm_at = -math.inf
        self._ahead = 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing is waited for."""
        return not self._findings

    def enter(
        self,
        party: Party[T],
        work_id: str,
        session: Session,
        *,
        poll_interval_seconds: float,
        at_once: bool,
        ends: float = math.inf,
        wants_news: bool = False,
    ) -> Waiter[T]:
        """Begin a wait. The party then attends, and leaves in the end whatever happens."""
        first, began = min(FIRST_POLL_SECONDS, poll_interval_seconds), anyio.current_time()
        item = self._findings.item(work_id)
        waiter = Waiter(item, session, party, poll_interval_seconds, first, began, ends, wants_news)
        self._findings.enter(waiter, self._now(), at_once=at_once)
        self._check_alarm()
        return waiter

    async def attend(self, party: Party[T]) -> None:
        """Rest, keep the watch and take on looks, as it comes, until the party is called away."""
        await checkpoint()  # those who come at the same time are then all here
        while not party.is_called_away():
            if (look := party.next_look()) is not None:
                look.begun = True
                await party.take_on(look)
            elif self._watchman is None or self._watchman is party:
                self._watchman = party
                await self._keep_watch(party)
            else:
                await self._rest(party)

    async def carry_out(self, look: Look[T]) -> None:
        """Make the request of a look, and take in what it shows."""
        rows, items, session = self._kind.rows, look.items, look.caller.session
        try:
            if rows is not None and len(items) > 1:
                found = await rows(session, [item.id for item in items])
                self._end(look)
                self._findings.listed(items, found, self._now())
            else:
                work = await self._kind.fetch(session, items[0].id)
                self._end(look)
                self._findings.fetched(items[0], work, self._now())
        except EigenpalError as error:
            self._end(look)
            self._findings.failed(items, error, self._now(), anyio.current_time())
        self._appoint()

    def end(self, waiter: Waiter[T]) -> None:
        """End a wait, settled or not."""
        self._findings.leave(waiter)

    def leave(self, party: Party[T]) -> None:
        """Let a party go, for good or for a while: whoever is there takes on what it had in hand."""
        for look in party.looks.copy():
            self._end(look)
            self._findings.put_back(look.items, self._now())
        self.release_watch(party)
        if self._watchman is not None:
            self._appoint()

    def release_watch(self, party: Party[T]) -> None:
        """Have another one keep the watch."""
        if self._watchman is party:
            self._watchman = None
        if self._watchman is None and self._resting:
            next(reversed(self._resting)).wake()

    async def _keep_watch(self, party: Party[T]) -> None:
        """Sleep until the next look is due, unless there is something to do before."""
        self._appoint()
        if party.next_look() is not None:
            return
        self._alarm_at = at = self._rounds.next_at()
        with anyio.CancelScope() as scope:
            party.alarm = scope
            try:
                if at < math.inf:
                    await self._sleep(max(at - self._now(), 0.0))
                    self._ahead += max(at - self._now(), 0.0)
                else:
                    await anyio.sleep_forever()
            finally:
                party.alarm, self._alarm_at = None, -math.inf

    async def _rest(self, party: Party[T]) -> None:
        self._resting[party] = None
        party.bell = anyio.Event()
        try:
            await party.bell.wait()
        finally:
            party.bell = None
            del self._resting[party]

    def _appoint(self) -> None:
        """Give out every look that may begin now, each to the one of those concerned who will be there longest."""
        while items := self._rounds.take(self._now()):
            caller = max((waiter for item in items for waiter in item.waiters), key=_ends)
            caller.party.looks.append(Look(items, caller))
            caller.party.wake()
        self._check_alarm()

    def _check_alarm(self) -> None:
        if self._watchman is not None and self._rounds.next_at() < self._alarm_at:
            self._watchman.wake()

    def _end(self, look: Look[T]) -> None:
        if look in look.caller.party.looks:
            look.caller.party.looks.remove(look)
            self._rounds.ended(is_list=len(look.items) > 1)

    def _now(self) -> float:
        return anyio.current_time() + self._ahead
