"""Runs runs: takes them from created to an end, along the table of states. Lives in the event loop of the server.

What a function raises ends its run, never the server.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from eigenpal.sandbox.blobs import BlobFolder
from eigenpal.sandbox.calling import FunctionCall
from eigenpal.sandbox.clock import Clock, milliseconds
from eigenpal.sandbox.context import CANCELLED, InputFile, RunCancelled, RunContext, RunFailed, describe, to_json
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.json_values import is_object
from eigenpal.sandbox.new_runs import copied_inputs, retry_of
from eigenpal.sandbox.packages import Packages
from eigenpal.sandbox.registry import Release
from eigenpal.sandbox.rows import RunRow
from eigenpal.sandbox.states import NOT_STARTED, Event, Status
from eigenpal.sandbox.store import Store
from eigenpal.sandbox.transitions import InvalidTransition

logger: logging.Logger = logging.getLogger("eigenpal.sandbox")

PATIENCE_SECONDS = 0.15  # what stop() grants functions to reach a checkpoint; it should feel immediate


@dataclass(eq=False, slots=True)
class _Flight:
    """A run between its start and its end."""

    context: RunContext
    release: Release
    retries_left: int
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    call: FunctionCall | None = None


class Executor:
    """Executes the runs of one server.

    Args:
        store: Where runs are kept.
        blobs: Where their files are.
        ids: Source of new ids.
        clock: Tells the time.
        latency: Returns the seconds every run spends in `running` before its function begins.
        max_running: How many runs execute at once; the others wait as `pending`.
        packages: Source and lockfiles of what runs.
    """

    def __init__(
        self,
        *,
        store: Store,
        blobs: BlobFolder,
        ids: IdSource,
        clock: Clock,
        latency: Callable[[], float],
        max_running: int,
        packages: Packages,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._ids = ids
        self._clock = clock
        self._latency = latency
        self._packages = packages
        self._slots = asyncio.Semaphore(max_running)
        self._flights: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    # What the operations call

    def launch(self, run: RunRow, release: Release) -> None:
        """Queue a new run; returns at once.

        Args:
            run: The run, in state created.
            release: What executes it.
        """
        reason = release.admit(json.loads(run.arguments)) if release.admit else None
        if reason is not None:
            self._store.advance(run.id, Event.REJECT, self._now(), error=reason)
            return
        self._enqueue(run, release, retries_left=release.retries)

    async def wait_ended(self, run_id: str) -> None:
        """Return once a run has ended; at once when it isn't in flight."""
        flight = self._flights.get(run_id)
        if flight is not None:
            await flight.ended.wait()

    def cancel(self, run: RunRow) -> Status:
        """Cancel a run that has not ended: at once before its start, else at its next checkpoint.

        Returns:
            The status after the request.
        """
        self._store.request_cancel(run.id, self._now())
        flight = self._flights.get(run.id)
        if run.status in NOT_STARTED:
            status = self._store.advance(run.id, Event.CANCEL, self._now(), error=CANCELLED)
            if flight is not None:
                flight.cancelled.set()
                flight.ended.set()
            return status
        if flight is not None:
            flight.context.request_cancel()
            flight.cancelled.set()
            if flight.call is not None:
                flight.call.cancel()
        return run.status

    async def stop(self) -> None:
        """End everything in flight; the runs fail with a text that says why."""
        self._stopping = True
        flights = list(self._flights.values())
        for flight in flights:
            flight.context.request_cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE_SECONDS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for thread in [flight.call.thread for flight in flights if flight.call and flight.call.thread]:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._store.fail_interrupted(self._now())

    # One run

    def _enqueue(self, run: RunRow, release: Release, *, retries_left: int) -> None:
        self._store.advance(run.id, Event.ENQUEUE, self._now())
        flight = self._flights[run.id] = _Flight(self._context(run), release, retries_left)
        task = asyncio.get_running_loop().create_task(self._fly(run.id, flight), name=f"run {run.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fly(self, run_id: str, flight: _Flight) -> None:
        try:
            async with self._slots:
                if flight.cancelled.is_set():
                    return
                self._store.advance(run_id, Event.START, self._now())
                flight.context.files = self._input_files(run_id)
                flight.context.source = self._packages.files(flight.release)
                event, changes = await self._outcome(flight)
                if event is Event.COMPLETE:
                    self._store.advance(run_id, Event.FINISH, self._now())
                    self._finalize(run_id, flight)
                with self._store.transaction():  # whoever sees the failure sees what follows it
                    self._store.advance(run_id, event, self._now(), **changes)
                    following = self._keep_retry(run_id, flight) if event is Event.FAIL else None
                if following is not None:
                    self._enqueue(following, flight.release, retries_left=flight.retries_left - 1)
        except asyncio.CancelledError:
            self._store.interrupt(run_id, self._now())  # before anyone who waits for the end looks at the run
            raise
        except InvalidTransition:  # cancelled between two lines above; the run has its end already
            logger.debug("Run %s ended while it was about to move on", run_id)
        finally:
            self._flights.pop(run_id, None)
            flight.ended.set()

    def _keep_retry(self, run_id: str, flight: _Flight) -> RunRow | None:
        """Keep the run that tries again what has just failed; None when nothing may."""
        failed = self._store.run(run_id)
        if flight.retries_left == 0 or self._stopping or failed is None or failed.cancel_requested_at is not None:
            return None
        run = retry_of(self._ids, failed, now=self._now())
        self._store.add_run(run, copied_inputs(self._ids, self._store.files(run_id), run))
        return run

    async def _outcome(self, flight: _Flight) -> tuple[Event, dict[str, Any]]:
        try:
            await self._pause(flight)
            output = await self._call(flight)
            flight.context.checkpoint()
            return Event.COMPLETE, {"output": _output(output)}
        except RunCancelled:
            return Event.CANCEL, {"error": CANCELLED}
        except asyncio.CancelledError as error:
            if self._stopping:
                raise
            if flight.context.cancel_requested:
                return Event.CANCEL, {"error": CANCELLED}
            return Event.FAIL, _failure(flight.context, error)
        except BaseException as error:  # noqa: BLE001 - whatever a workflow raises is the end of its run only
            return Event.FAIL, _failure(flight.context, error)

    async def _pause(self, flight: _Flight) -> None:
        seconds = self._latency()
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(flight.cancelled.wait(), seconds)
        flight.context.checkpoint()

    async def _call(self, flight: _Flight) -> Any:
        release, context = flight.release, flight.context
        flight.call = FunctionCall(
            lambda: release.function(context), in_loop=release.is_async, name=f"eigenpal-sandbox {context.run_id}"
        )
        if release.time_limit_seconds is None:
            return await flight.call.result()
        result = asyncio.ensure_future(flight.call.result())
        try:
            await asyncio.wait((result,), timeout=release.time_limit_seconds)
            if result.done():
                return result.result()
        finally:
            # What the function still does counts no more; asking for its error keeps the loop from reporting it.
            result.add_done_callback(lambda late: late.cancelled() or late.exception())
            result.cancel()
        error = RunFailed(f"The run took longer than its time limit of {release.time_limit_seconds:g} seconds.")
        context.request_cancel(str(error))
        self._store.fail_open_steps(context.run_id, str(error), self._now())
        raise error

    def _finalize(self, run_id: str, flight: _Flight) -> None:
        """Write the root files that every agent run has."""
        run = self._store.run(run_id)
        if run is None or run.kind != "agent":
            return
        events = "".join(f"{event}\n" for event in self._store.trace_events(run_id))
        roots = {
            "trace.jsonl": (events, "application/x-ndjson"),
            "issues.md": ("", "text/markdown"),
            "eigenpal.lock": (json.dumps(self._packages.lockfile_of(run), indent=2) + "\n", "application/json"),
        }
        written = {file.path for file in self._store.files(run_id)}
        for path, (text, content_type) in roots.items():
            if path not in written:
                flight.context.write_file(path, text, content_type=content_type)

    def _context(self, run: RunRow) -> RunContext:
        overrides: Mapping[str, Any] = json.loads(run.overrides) if run.overrides else {}
        return RunContext(
            run_id=run.id,
            arguments=json.loads(run.arguments),
            metadata=json.loads(run.metadata) if run.metadata else None,
            overrides=overrides.get("steps") or {},
            store=self._store,
            blobs=self._blobs,
            ids=self._ids,
            clock=self._clock,
        )

    def _input_files(self, run_id: str) -> Mapping[str, InputFile | list[InputFile]]:
        files: dict[str, InputFile | list[InputFile]] = {}
        for row in self._store.files(run_id):
            if row.input_name is None:
                continue
            file = InputFile(row.name, self._blobs.path(row.blob), row.content_type, row.size)
            known = files.get(row.input_name)
            if known is None:
                files[row.input_name] = file
            elif isinstance(known, list):
                known.append(file)
            else:
                files[row.input_name] = [known, file]
        return files

    def _now(self) -> int:
        return milliseconds(self._clock())


def _output(value: object) -> str | None:
    if value is None:
        return None
    if not is_object(value):
        raise RunFailed(f"The function returned {type(value).__name__}; the output of a run is a JSON object (a dict).")
    return to_json(value, "The output")


def _failure(context: RunContext, error: BaseException) -> dict[str, Any]:
    step = context.step_that_raised(error)
    text = describe(error)
    trace = "".join(traceback.format_exception(error))
    logger.info("Run %s failed: %s", context.run_id, text)
    return {"error": f"Step {step} failed: {text}" if step else text, "traceback": trace}
