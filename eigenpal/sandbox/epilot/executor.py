"""Executes agents: takes executions from pending to an end, along the table of states. Lives in the server's loop.

What a function raises ends its execution, never the server.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeAlias, cast

from eigenpal.engine.options import is_loopback
from eigenpal.epilot.models.executions import ExecutionErrorCode
from eigenpal.sandbox.calling import FunctionCall, is_async
from eigenpal.sandbox.epilot.context import AgentContext, ExecutionEnded, ExecutionFailed
from eigenpal.sandbox.epilot.flights import Flight, to_json_object
from eigenpal.sandbox.epilot.states import Event
from eigenpal.sandbox.epilot.store import EpilotStore, ExecutionRow
from eigenpal.sandbox.transitions import InvalidTransition

logger: logging.Logger = logging.getLogger("eigenpal.sandbox")

AgentResult: TypeAlias = str | Mapping[str, Any] | None
AgentFunction: TypeAlias = Callable[[AgentContext], AgentResult | Awaitable[AgentResult]]

PATIENCE_SECONDS = 0.15  # what stop() grants functions to reach a checkpoint; it should feel immediate
CALLBACK_SECONDS = 5.0  # what a receiver of callbacks gets to answer


class EpilotExecutor:
    """Executes the agents of one server.

    Args:
        store: Where executions are kept.
        now: Returns the present moment in milliseconds since 1970.
        latency: Returns the seconds every execution spends in `running` before its function begins.
        document: Returns an execution as the API shows it, for callbacks.
    """

    def __init__(
        self,
        *,
        store: EpilotStore,
        now: Callable[[], int],
        latency: Callable[[], float],
        document: Callable[[ExecutionRow], Mapping[str, Any]],
    ) -> None:
        self._store = store
        self._now = now
        self._latency = latency
        self._document = document
        self._flights: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    # What the operations call

    def launch(self, execution: ExecutionRow, function: AgentFunction | None) -> None:
        """Begin a new execution; returns at once.

        Args:
            execution: The execution, pending.
            function: What does the work; None for an agent that nothing was registered for.
        """
        flight = Flight(execution, self._store, self._now, lambda: self._run_out(flight))
        self._flights[execution.id] = flight
        self._spawn(self._fly(flight, function or _unregistered), f"execution {execution.id}")

    async def wait_ended(self, execution_id: str, seconds: float) -> None:
        """Return once an execution has ended, or after some seconds."""
        flight = self._flights.get(execution_id)
        if flight is not None and seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(flight.ended.wait(), seconds)

    def approve(self, execution: ExecutionRow) -> ExecutionRow:
        """Let the pending action happen.

        Raises:
            InvalidTransition: None is pending.
        """
        approved = self._store.advance(execution, Event.APPROVE, self._now())
        if (flight := self._flights.get(execution.id)) is not None:
            flight.approved()
        return approved

    def reject(self, execution: ExecutionRow, reason: str) -> ExecutionRow:
        """Refuse the pending action, which ends the execution.

        Raises:
            InvalidTransition: None is pending.
        """
        error = _error(ExecutionFailed(reason, code=ExecutionErrorCode.REJECTED))
        return self._end(execution, Event.REJECT, error=error)

    def cancel(self, execution: ExecutionRow) -> ExecutionRow:
        """Cancel an execution.

        Raises:
            InvalidTransition: It has ended.
        """
        return self._end(execution, Event.CANCEL)

    async def stop(self) -> None:
        """End everything in flight; the executions fail with a text that says why."""
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

    # One execution

    async def _fly(self, flight: Flight, function: AgentFunction) -> None:
        try:
            self._store.advance(flight.execution, Event.START, self._now())
            flight.run_clock()
            event, changes = await self._outcome(flight, function)
            self._store.advance(flight.execution, event, self._now(), **changes)
        except (InvalidTransition, ExecutionEnded):  # cancelled, refused or out of time; it has its end already
            logger.debug("Execution %s ended while it was about to move on", flight.execution.id)
        finally:
            flight.end()
            self._flights.pop(flight.execution.id, None)
            if flight.execution.callback_url is not None and not self._stopping:
                self._spawn(self._call_back(flight.execution), f"callback of {flight.execution.id}")

    async def _outcome(self, flight: Flight, function: AgentFunction) -> tuple[Event, dict[str, Any]]:
        context = flight.context
        try:
            await self._pause(flight)
            made = await self._called(flight, function)
            context.finish()
            return Event.COMPLETE, {"result": json.dumps(_result(made, context.agent))}
        except ExecutionEnded:
            raise
        except BaseException as error:  # whatever a function raises is the end of its execution only
            if self._stopping:
                raise
            logger.info("Execution %s failed: %r", context.execution_id, error)
            return Event.FAIL, {"error": _error(error)}

    async def _pause(self, flight: Flight) -> None:
        if (seconds := self._latency()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(flight.ended.wait(), seconds)
        flight.context.checkpoint()

    async def _called(self, flight: Flight, function: AgentFunction) -> object:
        """Call the function and return what it returns; an execution that is over does not wait for it."""
        context = flight.context
        flight.call = FunctionCall(
            lambda: function(context), in_loop=is_async(function), name=f"eigenpal-sandbox {context.execution_id}"
        )
        result = asyncio.ensure_future(flight.call.result())
        over = asyncio.ensure_future(flight.ended.wait())
        try:
            await asyncio.wait((result, over), return_when=asyncio.FIRST_COMPLETED)
            context.checkpoint()
            return result.result()
        finally:
            over.cancel()
            # What the function still does counts no more; asking for its error keeps the loop from reporting it.
            result.add_done_callback(lambda late: late.cancelled() or late.exception())
            result.cancel()

    def _run_out(self, flight: Flight) -> None:
        limit = flight.execution.timeout_ms
        error = _error(ExecutionFailed(f"The execution took longer than {limit} ms.", code=ExecutionErrorCode.TIMEOUT))
        with suppress(InvalidTransition):
            self._end(flight.execution, Event.FAIL, error=error)

    def _end(self, execution: ExecutionRow, event: Event, **changes: Any) -> ExecutionRow:
        ended = self._store.advance(execution, event, self._now(), **changes)
        if (flight := self._flights.get(execution.id)) is not None:
            flight.end()
        return ended

    async def _call_back(self, execution: ExecutionRow) -> None:
        """Tell whoever wanted to know that the execution is over; once, and on this machine only."""
        import httpx  # here: only who has callbacks waits for it

        row = self._store.execution(execution.org, execution.id)
        url = httpx.URL(execution.callback_url or "")
        if row is None or not is_loopback(url.host):
            logger.info("%s is not on this machine, so it is not told of the end of %s", url.host, execution.id)
            return
        try:
            async with httpx.AsyncClient(timeout=CALLBACK_SECONDS, trust_env=False) as client:
                answer = await client.post(url, json=self._document(row))
            logger.info("The callback of %s was answered with %d", execution.id, answer.status_code)
        except httpx.HTTPError as error:
            logger.info("The callback of %s did not get through: %r", execution.id, error)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unregistered(context: AgentContext) -> AgentResult:
    raise ExecutionFailed(
        f"Nothing does the work of the agent {context.agent['name']!r} in this sandbox: register a function for it "
        f"with @sandbox.epilot.agent({context.agent['name']!r})."
    )


def _result(made: object, agent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of an execution from what its function returned."""
    if made is None or isinstance(made, str):
        return {"response": made or ""}
    if not isinstance(made, Mapping):
        raise ExecutionFailed(
            f"The function returned {type(made).__name__}; it must return a text, a mapping or nothing.",
            code=ExecutionErrorCode.INVALID_OUTPUT,
        )
    output = to_json_object(cast("Mapping[str, Any]", made), "output")
    structured = {"structured_output": output} if agent["execution_pattern"] == "direct" else {}
    return {"response": json.dumps(output), **structured}


def _error(error: BaseException) -> str:
    if not isinstance(error, ExecutionFailed):
        error = ExecutionFailed(f"{type(error).__name__}: {error}".removesuffix(": "))
    document: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details is not None:
        document["details"] = to_json_object(error.details, "details of the error")
    return json.dumps(document)
