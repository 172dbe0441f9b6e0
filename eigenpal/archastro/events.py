"""What the stream of a session reports, typed; and following one to its end whatever becomes of its connections."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

import anyio
import attrs

from eigenpal.archastro.models.sessions import AgentSession, AgentSessionEvent
from eigenpal.archastro.operations import GET_SESSION, STREAM_SESSION
from eigenpal.engine.events import ServerEvent, open_events
from eigenpal.engine.model import Model
from eigenpal.engine.retry import backoff, passes
from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalDecodeError, EigenpalError, EigenpalTimeoutError
from eigenpal.waiting.polling import intervals

logger: logging.Logger = logging.getLogger("eigenpal")

MOST_DEATHS: Final = 3  # streams in a row that brought nothing new; then looking from time to time is the better way
LONG_LIFE_SECONDS: Final = 10.0  # a stream that lived this long is none that dies all the time
# Not there, not for this method, not of this media type: the server has no stream. Whether it has the session, a look
# tells.
NO_STREAM: Final = frozenset({404, 405, 406})


@attrs.frozen
class SessionUpdate:
    """The session as it is now: the first event, and another one at each change of its status."""

    session: AgentSession


@attrs.frozen
class SessionProgress:
    """Something that a coding harness reports."""

    event: AgentSessionEvent


@attrs.frozen
class OtherEvent:
    """An event that this version does not know.

    Attributes:
        name: Its kind; `"message"` where the server named none.
        data: What it says: JSON, or a text where it is none.
    """

    name: str
    data: Any


SessionEvent = SessionUpdate | SessionProgress | OtherEvent
"""What `agent_sessions.stream` yields."""


@attrs.define(kw_only=True)
class Following:
    """One session, followed until it is over: by streams for as long as they live, and by looks when they die.

    Attributes:
        session: What sends.
        session_id: What is followed.
        connect_timeout_seconds: Bound on opening a stream.
        idle_timeout_seconds: Longest time without a byte.
        poll_interval_seconds: Longest pause between two looks.
    """

    session: Session
    session_id: str
    connect_timeout_seconds: float | None
    idle_timeout_seconds: float | None
    poll_interval_seconds: float
    _last: AgentSession | None = attrs.field(default=None, init=False)
    _deaths: int = attrs.field(default=0, init=False)

    async def events(self) -> AsyncGenerator[SessionEvent]:
        """Yield the events, the last one an update to a terminal status."""
        while self._deaths <= MOST_DEATHS:
            began, death = anyio.current_time(), None
            try:
                async with aclosing(self._one_stream()) as stream:
                    async for event in stream:
                        yield event
            except EigenpalError as error:
                if error.status in NO_STREAM:
                    break
                if not (passes(error) or isinstance(error, EigenpalDecodeError)):
                    raise
                death = error
            if self._is_over:
                return
            await self._pause(death, lived=anyio.current_time() - began)
        async with aclosing(self._looks()) as looks:
            async for event in looks:
                yield event

    @property
    def _is_over(self) -> bool:
        return self._last is not None and self._last.is_terminal

    async def _one_stream(self) -> AsyncGenerator[SessionEvent]:
        """Yield what one stream brings, up to its end, whatever that is."""
        async with open_events(
            self.session,
            STREAM_SESSION,
            self.session_id,
            connect_seconds=self.connect_timeout_seconds,
            idle_seconds=self.idle_timeout_seconds,
        ) as stream:
            async for sent in stream:
                if sent.name == "error":  # the stream is over, the session is not
                    logger.info("the stream of session %s: %s", self.session_id, sent.data)
                    return
                event = typed(sent)
                if isinstance(event, SessionUpdate) and not self._is_news(event.session):
                    continue
                self._deaths = 0
                yield event
                if self._is_over:
                    return

    async def _looks(self) -> AsyncGenerator[SessionEvent]:
        """Yield an update whenever a look shows something new, up to the end of the session."""
        logger.info("session %s has no stream that lasts; looking at it from time to time", self.session_id)
        pause = intervals(self.poll_interval_seconds)
        while not self._is_over:
            asked_to_wait = 0.0
            try:
                seen = await self.session.call(GET_SESSION, self.session_id)
            except EigenpalError as error:
                if not passes(error):
                    raise
                asked_to_wait = error.retry_after or 0.0
            else:
                if self._is_news(seen):
                    yield SessionUpdate(seen)
            if not self._is_over:
                await self.session.policy.sleep(max(pause(), asked_to_wait))

    def _is_news(self, seen: AgentSession) -> bool:
        """Take note of the session, and tell whether it is another than last time: each stream begins with it."""
        before, self._last = self._last, seen
        return seen != before

    async def _pause(self, death: EigenpalError | None, *, lived: float) -> None:
        if lived > LONG_LIFE_SECONDS:
            self._deaths = 0
        seconds = backoff(self._deaths, death.retry_after if death is not None else None)
        self._deaths += 1
        why = death or "the server closed it"
        logger.info("the stream of session %s ended (%s); again in %.2f s", self.session_id, why, seconds)
        await self.session.policy.sleep(seconds)


def typed(sent: ServerEvent) -> SessionEvent:
    """Return an event of a session's stream as what it means.

    Raises:
        EigenpalDecodeError: It is not what its name promises.
    """
    if (kind := _KINDS.get(sent.name)) is None:
        return OtherEvent(sent.name, _json_or_text(sent))
    from eigenpal.engine.checks import Mismatch
    from eigenpal.engine.codec import structure

    model, event = kind
    try:
        return event(structure(model, sent.json()))
    except Mismatch as mismatch:
        raise EigenpalDecodeError(f"the data of a {sent.name!r} event is not what it should be: {mismatch}") from None


async def bounded(
    events: AsyncGenerator[SessionEvent], session_id: str, seconds: float | None
) -> AsyncGenerator[SessionEvent]:
    """Yield the events as long as there is time.

    Raises:
        EigenpalTimeoutError: The time is up.
    """
    ends = math.inf if seconds is None else anyio.current_time() + seconds
    async with aclosing(events):
        while True:
            event: SessionEvent | None = None
            with anyio.CancelScope(deadline=ends) as scope:
                event = await anext(events, None)
            if scope.cancelled_caught:
                error = EigenpalTimeoutError(f"session {session_id} was followed for {seconds:g} s and goes on")
                error.run_id = session_id
                raise error
            if event is None:
                return
            yield event


_KINDS: Final[Mapping[str, tuple[type[Model], Callable[[Any], SessionEvent]]]] = {
    "session_update": (AgentSession, SessionUpdate),
    "session_event": (AgentSessionEvent, SessionProgress),
}


def _json_or_text(sent: ServerEvent) -> Any:
    try:
        return sent.json()
    except EigenpalDecodeError:
        return sent.data
