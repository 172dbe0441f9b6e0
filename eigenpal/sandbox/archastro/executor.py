"""Works on sessions and routine runs: takes them to an end along their tables. Lives in the loop of the server.

What a function raises ends its session or its run, never the server.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeAlias

from eigenpal.sandbox.archastro.changes import Changes
from eigenpal.sandbox.archastro.context import RoutineContext, SessionContext, SessionEnded
from eigenpal.sandbox.archastro.documents import worker_status
from eigenpal.sandbox.archastro.flights import Flight
from eigenpal.sandbox.archastro.states import SESSIONS, Event
from eigenpal.sandbox.archastro.store import ArchAstroStore, Document
from eigenpal.sandbox.calling import FunctionCall, is_async
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.json_values import is_object
from eigenpal.sandbox.transitions import InvalidTransition

logger: logging.Logger = logging.getLogger("eigenpal.sandbox")

Result: TypeAlias = Mapping[str, Any] | str | None
AgentFunction: TypeAlias = Callable[[SessionContext], Result | Awaitable[Result]]
RoutineFunction: TypeAlias = Callable[[RoutineContext], Result | Awaitable[Result]]

PATIENCE_SECONDS = 0.15  # what stop() grants functions to reach a checkpoint; it should feel immediate


class ArchAstroExecutor:
    """Works on the sessions and runs of one server.

    Args:
        store: Where they are kept.
        changes: Who is told of changes of sessions.
        ids: Source of new ids.
        now: Returns the present moment in milliseconds since 1970.
        latency: Returns the seconds everything spends in `running` before its function begins.
    """

    def __init__(
        self,
        *,
        store: ArchAstroStore,
        changes: Changes,
        ids: IdSource,
        now: Callable[[], int],
        latency: Callable[[], float],
    ) -> None:
        self._store = store
        self._changes = changes
        self._ids = ids
        self._now = now
        self._latency = latency
        self._flights: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    # Sessions

    def launch(self, session: Document, name: str, function: AgentFunction) -> None:
        """Begin a session that is pending or waits for its first message; returns at once.

        Args:
            session: The session as the API shows it.
            name: Name of its agent.
            function: What does the work.
        """
        flight = Flight(session, name, store=self._store, changes=self._changes, ids=self._ids, now=self._now)
        self._flights[flight.session_id] = flight
        if session["status"] == "waiting":  # a message took it up, and the answer to that shows it
            flight.move(Event.RESUME)
        self._spawn(self._fly(flight, function), f"session {flight.session_id}")

    def deliver(self, session_id: str, message: Mapping[str, Any]) -> Document:
        """Put a message into the inbox of a session; one that waits for it goes on."""
        flight = self._flights.get(session_id)
        return self._store.add_message(session_id, message) if flight is None else flight.deliver(message)

    def cancel(self, session: Document) -> Document:
        """Cancel a session.

        Raises:
            InvalidTransition: It is over.
        """
        cancelled = self._store.move_session(session["id"], Event.CANCEL, self._now())
        self._changes.publish(session["id"], "session_update", cancelled)
        if (flight := self._flights.get(session["id"])) is not None:
            flight.end()
            if flight.call is not None:
                flight.call.cancel()
        return cancelled

    async def turn_over(self, session_id: str) -> None:
        """Return once a session waits for a message or is over."""
        if (flight := self._flights.get(session_id)) is not None:
            await flight.turn_over.wait()

    async def stop(self) -> None:
        """End everything in flight; it fails with a text that says why."""
        self._stopping = True
        flights = list(self._flights.values())
        for flight in flights:
            flight.end()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE_SECONDS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for thread in [flight.call.thread for flight in flights if flight.call and flight.call.thread]:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._store.fail_interrupted(self._now())

    async def _fly(self, flight: Flight, function: AgentFunction) -> None:
        try:
            session = self._store.session(flight.session_id)
            if session is None or session["status"] not in SESSIONS:
                return
            if session["status"] == "pending":
                flight.move(Event.START)
            event, members = await self._outcome(flight, function)
            flight.move(event, **members)
        except (InvalidTransition, SessionEnded, KeyError):  # cancelled, perhaps deleted; it has its end already
            logger.debug("Session %s ended while it was about to move on", flight.session_id)
        finally:
            self._flights.pop(flight.session_id, None)
            flight.end()

    async def _outcome(self, flight: Flight, function: AgentFunction) -> tuple[Event, dict[str, Any]]:
        try:
            await asyncio.sleep(self._latency())
            flight.context.checkpoint()
            flight.call = FunctionCall(
                lambda: function(flight.context),
                in_loop=is_async(function),
                name=f"eigenpal-sandbox {flight.session_id}",
            )
            made = await flight.call.result()
            flight.context.checkpoint()
            return Event.COMPLETE, {"result": as_result(made)}
        except SessionEnded:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a function raises is the end of its session only
            if self._stopping or flight.context.is_over:
                raise SessionEnded(flight.session_id) from None
            logger.info("Session %s failed: %r", flight.session_id, error)
            return Event.FAIL, {"error": f"{type(error).__name__}: {error}".removeprefix("SessionFailed: ")}

    # Runs

    def work(self, run: Document, result: Callable[[], Awaitable[Result]]) -> None:
        """Work on a new run; returns at once.

        Args:
            run: The run as the API shows it, pending.
            result: Does what it is for.
        """
        self._spawn(self._work(run["id"], result), f"run {run['id']}")

    async def called(self, function: RoutineFunction, context: RoutineContext) -> Result:
        """Call the function behind a routine."""
        call = FunctionCall(
            lambda: function(context), in_loop=is_async(function), name=f"eigenpal-sandbox {context.run_id}"
        )
        made: Result = await call.result()
        return made

    async def _work(self, run_id: str, result: Callable[[], Awaitable[Result]]) -> None:
        began = self._now()
        self._store.move_run(run_id, Event.START, began, worker=worker_status("executing", 1))
        try:
            await asyncio.sleep(self._latency())
            made = as_result(await result())
            event: Event = Event.COMPLETE
            members: dict[str, Any] = {"result": made, "worker": worker_status("completed", 1)}
        except asyncio.CancelledError:
            if self._stopping:
                raise
            event, members = Event.FAIL, {"result": None, "worker": worker_status("cancelled", 1)}
        except BaseException as error:  # noqa: BLE001 - whatever a function raises is the end of its run only
            logger.info("Run %s failed: %r", run_id, error)
            failed = {"error": f"{type(error).__name__}: {error}"}
            event, members = Event.FAIL, {"result": failed, "worker": worker_status("discarded", 1)}
        now = self._now()
        self._store.move_run(run_id, event, now, duration_ms=now - began, **members)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def as_result(made: object) -> dict[str, Any]:
    """Return what a function made as the result that the API shows.

    Raises:
        TypeError: It can't be one.
    """
    if made is None:
        return {}
    if isinstance(made, str):
        return {"text": made}
    if not is_object(made):
        raise TypeError(f"The function returned {type(made).__name__}; a result is a dict, a text or None.")
    result: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    return result
