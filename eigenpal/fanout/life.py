"""The life of one input: planned, started exactly once, waited for, finished. What is noted when is decided here.

Three rules hold at every step, and each await may be the last thing this process does: what is about to be sent is on
the disk first; what was sent is found again by its token, never sent twice; and only what surely did not start is
started anew.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
from anyio import CancelScope

from eigenpal.engine.retry import backoff, passes
from eigenpal.errors import (
    EigenpalError,
    EigenpalTimeoutError,
    EigenpalValidationError,
)
from eigenpal.fanout.journal import JournalError, OtherInputError, Row, State
from eigenpal.fanout.ledger import Ledger
from eigenpal.fanout.options import Options
from eigenpal.fanout.outcome import Outcome, error_as_json, error_from_json
from eigenpal.fanout.work import UNKNOWN, Found, Job

# A request that was broken off may still be worked on, and a read replica may lag: what is not there after the last of
# these looks is not coming. The pauses before them, in seconds.
LOOKS: Final = (0.0, 0.5, 1.0, 2.0, 4.0)
SETTLED_SECONDS: Final = 60.0  # a request older than this is no longer worked on: one look is enough
PATIENCE_SECONDS: Final = 30.0  # with a server that can't be reached or has no time: longer than a restart takes
CANCEL_PATIENCE_SECONDS: Final = 5.0  # for asking what runs to stop, when a batch is left
SHORTEST_WAIT_SECONDS: Final = 0.001  # a time that is up still allows the look that is under way


class UnknownStart(Exception):
    """It can't be told whether an input was started, and the batch is to end over that."""

    def __init__(self, error: EigenpalError) -> None:
        super().__init__(str(error))
        self.error = error


@attrs.define(eq=False)
class Life:
    """One input on its way.

    Attributes:
        job: The input.
        options: How the batch is worked off.
        ledger: What the batch remembers.
        folder: Where its files go, None when they are not wanted.
        on_started: Called when its id is known.
        sending: Scopes of requests that start something: they are not cut when the batch is left, but get a deadline.
    """

    job: Job
    options: Options
    ledger: Ledger
    folder: Path | None
    on_started: Callable[[Life], object]
    sending: set[CancelScope]
    id: str | None = None
    attempts: int = 0
    running: bool = False  # kept by whoever counts
    began: float = math.nan  # of the clock of the options
    _spent: float = 0.0  # seconds before this process took over

    async def outcome(self) -> Outcome[Any]:
        """Live it, and return what became of it.

        Raises:
            OtherInputError: The journal knows another input under its key.
            JournalError: The journal can't be written.
            UnknownStart: It can't be told whether it was started, and `on_unknown` is "raise".
        """
        self.began = self.options.clock()
        try:
            return await self._lived()
        except (OtherInputError, JournalError, UnknownStart):
            raise
        except UnsavedError as unsaved:
            return self._outcome(error=unsaved.error, value=unsaved.value)
        except EigenpalError as error:
            return self._outcome(error=error)
        except Exception as problem:  # noqa: BLE001 - one input never ends the others, whatever is wrong with it
            wrapped = EigenpalError(f"{self.job.work.noun} {self.job.key!r} failed: {problem!r}")
            wrapped.__cause__ = problem
            return self._outcome(error=wrapped)

    async def _lived(self) -> Outcome[Any]:
        job = self.job
        fingerprint = await job.work.fingerprint(job.request) if self.ledger.lasts else ""
        row = await self.ledger.plan(job, fingerprint)
        self.id, self.attempts = row.id, row.attempts
        if row.state is State.FINISHED:
            return await self._restored(row)
        if row.began is not None and row.state is not State.PLANNED:
            self._spent = max(_now() - row.began, 0.0)
        just_started = self.id is None
        if self.id is None:
            try:
                self.id = await self._started(row)
            except EigenpalValidationError as refused:  # the same input would be refused again
                return await self._refused(refused)
        self.on_started(self)
        del row
        job.request = None  # thousands may stand here at once, and each byte counts
        try:
            value = await job.work.wait(self.id, self._left(), just_started)
        except anyio.get_cancelled_exc_class():
            if self.options.cancel_running:
                with anyio.move_on_after(CANCEL_PATIENCE_SECONDS, shield=True):
                    await self.cancel()
            raise
        files = await self._saved(value)
        ok: bool = value.succeeded
        await self.ledger.finished(job.key, ok=ok, seconds=self.seconds, result=lambda: job.work.dump(value))
        return self._outcome(value=value, ok=ok, files=files)

    @property
    def seconds(self) -> float:
        """Seconds since starting it was first tried, also by an earlier process."""
        return self._spent + self.options.clock() - self.began

    def _outcome(self, **members: Any) -> Outcome[Any]:
        job = self.job
        seconds = members.pop("seconds", self.seconds)
        return job.work.outcome(
            key=job.key, index=job.index, id=self.id, attempts=self.attempts, seconds=seconds, **members
        )

    async def _restored(self, row: Row) -> Outcome[Any]:
        work = self.job.work
        value = None if row.result is None else work.load(json.loads(row.result))
        error = None if row.error is None else error_from_json(json.loads(row.error))
        files = () if value is None else await self._saved(value)  # no request for those that are there
        return self._outcome(value=value, error=error, ok=row.ok, seconds=row.seconds, files=files, restored=True)

    async def _refused(self, refused: EigenpalError) -> Outcome[Any]:
        error = error_as_json(refused)
        await self.ledger.finished(self.job.key, ok=False, seconds=self.seconds, result=lambda: None, error=error)
        return self._outcome(error=refused)

    # ------------------------------------------------------------------------------------------------ the end

    async def cancel(self) -> None:
        """Ask the server to stop it, if it can; a refusal changes nothing."""
        if self.id is not None and self.job.work.cancel is not None:
            try:
                await self.job.work.cancel(self.id)
            except EigenpalError:
                return

    async def _saved(self, value: Any) -> tuple[Path, ...]:
        if self.folder is None or self.job.work.save is None:
            return ()
        try:
            return tuple(await self.job.work.save(value, self.folder))
        except EigenpalError as error:
            raise UnsavedError(error, value) from error

    def _left(self) -> float | None:
        timeout = self.options.timeout_seconds
        return None if timeout is None else max(self.began + timeout - self.options.clock(), SHORTEST_WAIT_SECONDS)

    # ------------------------------------------------------------------------------------------------ the start

    async def _started(self, row: Row) -> str:
        """Return the id of what runs for this input: found again, or started now.

        Raises:
            EigenpalError: It was not started, and the journal says so; or that can't be told, and the error says so.
        """
        clock = self.options.clock
        if row.state is State.STARTING:  # an earlier process ended at that point
            assert row.began is not None, "noted with the state"
            settled = _now() - (row.sent or row.began) > SETTLED_SECONDS
            if (found := await self._found(row.token, row.began, LOOKS[:1] if settled else LOOKS)) is not None:
                return found
        patience = math.inf
        for number in count():
            self.attempts += 1
            sent = _now()
            await self.ledger.starting(self.job.key, sent, self.attempts)
            try:
                return await self._sent(row.token)
            except EigenpalError as error:
                trouble = error
            if trouble.maybe_started:
                if (found := await self._found(row.token, sent, LOOKS, trouble)) is not None:
                    return found
                trouble.maybe_started = False
                trouble.message = f"{trouble.message} It was looked for, and is not there."
            elif not passes(trouble):
                await self.ledger.planned(self.job.key)
                raise trouble
            pause = backoff(number, trouble.retry_after)
            patience = min(
                patience, clock() + PATIENCE_SECONDS, self.began + (self.options.timeout_seconds or math.inf)
            )
            if clock() + pause > patience:
                await self.ledger.planned(self.job.key)
                raise trouble
            await self.options.sleep(pause)
        raise AssertionError("counting does not end")

    async def _sent(self, token: str) -> str:
        """Send one request to start it. Leaving the batch gives it a moment: else nobody would know whether it runs."""
        left = self._left()
        with CancelScope(shield=True, deadline=math.inf if left is None else anyio.current_time() + left) as sending:
            self.sending.add(sending)
            try:
                started = await self.job.work.start(self.job.request, token)
                await self.ledger.started(self.job.key, started)
                return started
            finally:
                self.sending.discard(sending)
        await anyio.lowlevel.checkpoint()  # the batch was left, or else
        raise EigenpalTimeoutError(
            f"{self.job.work.noun} {self.job.key!r} could not be started within {self.options.timeout_seconds:g} s",
            maybe_started=True,
        )

    async def _found(
        self, token: str, since: float, looks: tuple[float, ...], trouble: EigenpalError | None = None
    ) -> str | None:
        """Return the id of what carries the token, None if it is surely not there."""
        for pause in looks:
            if pause:
                await self.options.sleep(pause)
            found = await self._looked(token, since)
            if found is UNKNOWN:
                self._decide(trouble)
                return None
            if found is not None:
                await self.ledger.started(self.job.key, found)
                return found
        return None

    async def _looked(self, token: str, since: float) -> Found:
        """Look once, through passing trouble."""
        clock, work = self.options.clock, self.job.work
        patience = clock() + PATIENCE_SECONDS
        moment = datetime.fromtimestamp(since, UTC)
        for number in count():
            try:
                return await work.find(self.job.request, token, moment, self.ledger.known)
            except EigenpalError as error:
                pause = backoff(number, error.retry_after)
                if not passes(error) or clock() + pause > patience:
                    return UNKNOWN
            await self.options.sleep(pause)
        return UNKNOWN

    def _decide(self, trouble: EigenpalError | None) -> None:
        """Raise about an input of which it can't be told whether it was started, unless it is to be started anyway."""
        if self.options.on_unknown == "rerun":
            return
        noun = self.job.work.noun
        cause = "" if trouble is None else f" {trouble}"
        error = EigenpalError(
            f"It can't be told whether the {noun} for {self.job.key!r} was started. Look for it on the server; then go "
            f'on with on_unknown="rerun" to start it again, or with "skip" to leave it as it is.{cause}',
            maybe_started=True,
        )
        error.__cause__ = trouble
        if self.options.on_unknown == "raise":
            raise UnknownStart(error)
        raise error


class UnsavedError(Exception):
    """There is a result, but its files could not be saved."""

    def __init__(self, error: EigenpalError, value: Any) -> None:
        super().__init__(str(error))
        self.error = error
        self.value = value


def _now() -> float:
    return datetime.now(UTC).timestamp()
